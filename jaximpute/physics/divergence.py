"""Flows without sources: the nearest one that keeps what was observed."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import DataError, OptionError
from jaximpute.physics.initial import wavenumbers

Lengths = tuple[float, float] | None


def divergence(u: Float[Array, "*n y x c"], lengths: Lengths = None) -> Float[Array, "*n y x"]:
    r""":math:`\partial_x u + \partial_y v` of a periodic flow, by spectral derivatives.

    Args:
        u: velocities along x and along y, in this order.
        lengths: of the domain in y and x; cells of size 1 by default.

    Returns:
        The divergence at each point.

    Raises:
        DataError: `u` is no flow in two dimensions.

    Example:
        >>> import jax.numpy as jnp
        >>> x = 2 * jnp.pi * jnp.arange(8.0) / 8
        >>> u = jnp.stack(jnp.meshgrid(jnp.sin(x), jnp.ones(8)), axis=-1)  # sin x, 1
        >>> bool(jnp.allclose(divergence(u, (6.283185, 6.283185))[0], jnp.cos(x), atol=1e-5))
        True
    """
    ky, kx = _waves(u, lengths)

    def one(u):
        along_x, along_y = (jnp.fft.fft2(u[..., i]) for i in range(2))
        return jnp.fft.ifft2(1j * (kx * along_x + ky * along_y)).real.astype(u.dtype)

    return jax.vmap(one)(u.reshape(-1, *u.shape[-3:])).reshape(u.shape[:-1])


def divergence_free(
    u: Float[Array, "*n y x c"],
    observed: Bool[Array, "*n y x c"] | None = None,
    *,
    lengths: Lengths = None,
    tol: float = 1e-6,
    iterations: int = 200,
) -> Float[Array, "*n y x c"]:
    r"""The nearest flow without divergence, among those that agree with what was observed.

    With :math:`Q` the projection of a flow on its part that is a gradient (Helmholtz), by Fourier
    transforms, and :math:`m` the missing entries,

    .. math:: u' = u + d, \qquad d = \arg\min \|d\|^2 \;\text{ over }\;
        \arg\min_{d = 0 \text{ where observed}} \|Q (u + d)\|^2, \qquad Q_{mm}\, d = -(Q u)_m

    by conjugate gradients from 0. Where nothing is observed that is :math:`u - Q u`, in one
    iteration. Where the observations are those of a flow without divergence the gradient part can
    be made to vanish, and :math:`u'` is nearer to that flow than :math:`u` was. Where they are not,
    as little of it is left as they allow.

    Args:
        u: velocities along x and along y, on a periodic grid; any number of leading axes.
        observed: True = observed, each component by itself; None = nothing is.
        lengths: of the domain in y and x; cells of size 1 by default.
        tol: of the linear system, relative.
        iterations: of conjugate gradients at most.

    Returns:
        The flow; observed entries bit-identical. Waves at the Nyquist frequency, whose derivative a
        grid does not have, are left as they are.

    Raises:
        DataError: `u` is no flow in two dimensions.
        OptionError: no iterations.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> u = jax.random.normal(jax.random.key(0), (8, 8, 2))
        >>> bool(jnp.abs(divergence(divergence_free(u))).max() < 1e-5)
        True

    Source: Chorin, "Numerical solution of the Navier-Stokes equations" (1968), for the projection;
    keeping observed entries is ours, and is what alternating projections would converge to.
    """
    if iterations < 1:
        raise OptionError(f"iterations is {iterations}; expected at least 1")
    ky, kx = _waves(u, lengths)
    square = kx**2 + ky**2
    over = jnp.where(square > 0, 1 / jnp.where(square > 0, square, 1), 0)
    missing = jnp.full(u.shape, True) if observed is None else ~observed

    def gradient_part(w):
        along_x, along_y = (jnp.fft.fft2(w[..., i]) for i in range(2))
        potential = (kx * along_x + ky * along_y) * over
        parts = [jnp.fft.ifft2(k * potential).real for k in (kx, ky)]
        return jnp.stack(parts, axis=-1).astype(w.dtype)

    def one(u, missing):
        def within(d):
            return jnp.where(missing, gradient_part(jnp.where(missing, d, 0)), 0)

        right = -jnp.where(missing, gradient_part(u), 0)
        d, _ = jax.scipy.sparse.linalg.cg(within, right, tol=tol, maxiter=iterations)
        return jnp.where(missing, u + d, u)

    rows = [a.reshape(-1, *u.shape[-3:]) for a in (u, missing)]
    return jax.vmap(one)(*rows).reshape(u.shape)


def _waves(u: jax.Array, lengths: Lengths) -> tuple[jax.Array, jax.Array]:
    if u.ndim < 3 or u.shape[-1] != 2:
        raise DataError(f"u has shape {u.shape}; expected (..., y, x, 2), velocities along x and y")
    ky, kx = wavenumbers(u.shape[-3:-1], lengths)
    return jnp.asarray(ky, u.dtype), jnp.asarray(kx, u.dtype)

r"""Incompressible flow in two dimensions, by its vorticity.

.. math:: \partial_t \omega + \nabla \cdot (u \omega) = \nu \nabla^2 \omega - \mu \omega
    - A k_f \cos(k_f y), \qquad \omega = \partial_x v - \partial_y u, \quad \nabla \cdot u = 0

on a periodic square of side :math:`2\pi`. The last term is the curl of Kolmogorov's force
:math:`A \sin(k_f y)` along x. The velocity follows from :math:`u = \partial_y \psi,\;
v = -\partial_x \psi,\; \nabla^2 \psi = -\omega`, so it is free of divergence by construction. This
is the usual sign, whatever the engine.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaximpute._errors import OptionError
from jaximpute.physics import _exponax
from jaximpute.physics.initial import field, peaked, wavenumbers
from jaximpute.types import PRNGKey, Scalar

_SIDE = 2 * math.pi


class Flow(NamedTuple):
    r"""What the equation depends on.

    Attributes:
        viscosity: :math:`\nu`.
        drag: :math:`\mu`.
        force: :math:`A`, 0 for a flow that decays.
        crests: :math:`k_f`, crests of the force along y; a whole number.
    """

    viscosity: Scalar = 1e-3
    drag: Scalar = 0.0
    force: Scalar = 0.0
    crests: int = 4


KOLMOGOROV = Flow(viscosity=1e-3, drag=0.1, force=1.0, crests=4)


def simulate(
    vorticity: Float[Array, "y x"],
    flow: Flow,
    frames: int,
    *,
    dt: Scalar = 0.005,
    substeps: int = 4,
    engine: str = "own",
) -> Float[Array, "frames y x"]:
    r"""Frames of a flow: pseudo-spectral, fourth-order Runge-Kutta with an integrating factor.

    Linear terms are integrated exactly; products are formed on the grid without the upper third of
    the wavenumbers (2/3 rule), so that nothing aliases.

    Args:
        vorticity: the first frame, at least 8 cells each way. Its waves above 2/3 of the
            resolution are removed from all frames, the first included.
        flow: the parameters.
        frames: how many, the first included.
        dt: length of a step. Stable while the fastest fluid crosses less than a cell or so in it.
        substeps: steps from frame to frame, at least 1.
        engine: `exponax` takes steps of exponential time differencing, on square grids (extra
            `physics`); its 2/3 rule keeps a little less.

    Returns:
        The frames, `dt * substeps` apart.

    Raises:
        OptionError: `frames` or `substeps` below 1, or no such engine.
        DataError: a grid that is not square, for exponax.
        MissingExtraError: exponax is not installed.

    Example:
        >>> import jax
        >>> first = random_vorticity(jax.random.key(0), (16, 16))
        >>> simulate(first, Flow(), 3).shape
        (3, 16, 16)

    Source: the method is Orszag's; for the 2/3 rule see Orszag, "On the elimination of aliasing"
    (1971).
    """
    if frames < 1 or substeps < 1:
        raise OptionError(
            f"frames is {frames} and substeps {substeps}; expected at least 1 of each"
        )
    if engine not in ("own", "exponax"):
        raise OptionError(f"engine is '{engine}'; expected own or exponax")
    _, _, _, kept = _grid(vorticity.shape, vorticity.dtype)
    first = jnp.where(kept, jnp.fft.rfft2(vorticity), 0)
    if engine == "exponax":
        resolved = jnp.fft.irfft2(first, vorticity.shape)
        return _exponax.frames(resolved, flow, frames, dt, substeps)
    step = _stepper(vorticity.shape, flow, dt, vorticity.dtype)

    def frame(spectrum, _):
        after = jax.lax.fori_loop(0, substeps, lambda _, w: step(w), spectrum)
        return after, jnp.fft.irfft2(spectrum, vorticity.shape)

    return jax.lax.scan(frame, first, length=frames)[1]


def random_vorticity(
    key: PRNGKey, shape: tuple[int, int], *, low: int | float = 3, high: int | float = 8
) -> Float[Array, "y x"]:
    """A random flow with a root-mean-square speed of 1 and a random scale.

    Args:
        key: for the field and its scale.
        shape: cells in y and x.
        low: least number of crests at which its energy may peak.
        high: most.

    Returns:
        Its vorticity.
    """
    k_peak, k_field = jax.random.split(key)
    peak = jax.random.uniform(k_peak, (), minval=low, maxval=high)
    vorticity = field(k_field, peaked(shape, peak))
    u = velocity(vorticity)
    return vorticity / jnp.sqrt((u**2).sum(-1).mean())


def velocity(vorticity: Float[Array, "y x"]) -> Float[Array, "y x 2"]:
    """The velocities along x and y, of mean 0, that have this vorticity."""
    shape = vorticity.shape
    u, v = _velocity(jnp.fft.rfft2(vorticity), *_grid(shape, vorticity.dtype)[:3])
    return jnp.stack([jnp.fft.irfft2(u, shape), jnp.fft.irfft2(v, shape)], axis=-1)


def _grid(shape, dtype):
    """Wavenumbers of `rfft2`, the inverse of their square, and those that the 2/3 rule keeps."""
    ny, nx = shape
    ky, kx = (k[:, : nx // 2 + 1] for k in wavenumbers((ny, nx), (_SIDE, _SIDE)))
    square = kx**2 + ky**2
    inverse = np.where(square > 0, 1 / np.where(square > 0, square, 1), 0)
    fy, fx = np.fft.fftfreq(ny, 1 / ny), np.fft.rfftfreq(nx, 1 / nx)
    kept = (np.abs(fy)[:, None] < ny / 3) & (np.abs(fx)[None] < nx / 3)
    return (*(jnp.asarray(a, dtype) for a in (ky, kx, inverse)), jnp.asarray(kept))


def _velocity(spectrum: Complex[Array, "y k"], ky, kx, inverse):
    stream = spectrum * inverse
    return 1j * ky * stream, -1j * kx * stream


def _stepper(shape, flow: Flow, dt, dtype):
    ky, kx, inverse, kept = _grid(shape, dtype)
    decay = -flow.viscosity * (kx**2 + ky**2) - flow.drag
    half = jnp.exp(decay * dt / 2)
    y = _SIDE * jnp.arange(shape[0], dtype=dtype) / shape[0]
    push = -flow.force * flow.crests * jnp.cos(flow.crests * y)
    force = jnp.fft.rfft2(jnp.broadcast_to(push[:, None], shape))

    def change(w):
        u, v = _velocity(w, ky, kx, inverse)
        u, v, vorticity = (jnp.fft.irfft2(a, shape) for a in (u, v, w))
        flux = kx * jnp.fft.rfft2(u * vorticity) + ky * jnp.fft.rfft2(v * vorticity)
        return jnp.where(kept, force - 1j * flux, 0)

    def step(w):
        a = change(w)
        b = change(half * (w + dt / 2 * a))
        c = change(half * w + dt / 2 * b)
        d = change(half**2 * w + dt * half * c)
        return half**2 * (w + dt / 6 * a) + dt / 3 * half * (b + c) + dt / 6 * d

    return step

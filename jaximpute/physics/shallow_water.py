r"""Linear rotating shallow water: solved exactly, and by the scheme whose residual is scored.

.. math:: \partial_t u - f v = -g\, \partial_x h, \qquad \partial_t v + f u = -g\, \partial_y h,
    \qquad \partial_t h = -H (\partial_x u + \partial_y v)

States are arrays `(y, x, 3)` of the velocities `u` (along x), `v` (along y) and the surface `h`.
Kept by the equations: the mean of `h`, the energy
:math:`\tfrac12 \langle H (u^2 + v^2) + g h^2 \rangle`, and at every point the potential vorticity
:math:`\partial_x v - \partial_y u - f h / H`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import DataError
from jaximpute.physics.initial import wavenumbers
from jaximpute.types import PRNGKey, Scalar


class Water(NamedTuple):
    """What the equations depend on.

    Attributes:
        gravity: `g`.
        depth: `H`.
        coriolis: `f`.
        dt: time from frame to frame.
        dx: size of a cell.
    """

    gravity: Scalar = 1.0
    depth: Scalar = 1.0
    coriolis: Scalar = 0.5
    dt: Scalar = 0.25
    dx: Scalar = 1.0


def random_water(key: PRNGKey) -> Water:
    """Parameters around the defaults: depth in 0.5..1.5, rotation in 0.1..1, each uniform.

    With the default steps the C-grid scheme is stable for all of them.

    Example:
        >>> import jax
        >>> bool(0.5 <= random_water(jax.random.key(0)).depth <= 1.5)
        True
    """
    k_depth, k_coriolis = jax.random.split(key)
    return Water(
        depth=jax.random.uniform(k_depth, (), minval=0.5, maxval=1.5),
        coriolis=jax.random.uniform(k_coriolis, (), minval=0.1, maxval=1.0),
    )


def at_rest(h: Float[Array, "y x"]) -> Float[Array, "y x 3"]:
    """A surface, and no motion."""
    return jnp.stack([jnp.zeros_like(h), jnp.zeros_like(h), h], axis=-1)


def spectral(state: Float[Array, "y x 3"], water: Water, frames: int) -> Float[Array, "t y x 3"]:
    r"""Frames of the exact solution.

    For each wavenumber the generator :math:`L` has the eigenvalues
    :math:`0, \pm i\omega` with :math:`\omega^2 = f^2 + g H |k|^2`, so that

    .. math:: e^{L t} = I + \frac{\sin \omega t}{\omega} L
        + \frac{2 \sin^2 (\omega t / 2)}{\omega^2} L^2

    Every frame is computed from the first one: nothing accumulates.

    Args:
        state: the first frame.
        water: the parameters.
        frames: how many, the first included.

    Returns:
        The frames.

    Example:
        >>> import jax.numpy as jnp
        >>> h = jnp.cos(2 * jnp.pi * jnp.arange(8.0) / 8)[None] * jnp.ones((8, 1))
        >>> spectral(at_rest(h), Water(), 5).shape
        (5, 8, 8, 3)
    """
    shape, dtype = state.shape[:2], state.dtype
    ky, kx = (jnp.asarray(k, dtype) / water.dx for k in wavenumbers(shape))
    omega = jnp.sqrt(water.coriolis**2 + water.gravity * water.depth * (kx**2 + ky**2))
    safe = jnp.where(omega > 0, omega, 1)

    def generate(z):
        u, v, h = z
        return (
            water.coriolis * v - 1j * water.gravity * kx * h,
            -water.coriolis * u - 1j * water.gravity * ky * h,
            -1j * water.depth * (kx * u + ky * v),
        )

    first = tuple(jnp.fft.fft2(state[..., i]) for i in range(3))
    once = generate(first)
    twice = generate(once)

    def frame(t):
        sine = jnp.where(omega > 0, jnp.sin(omega * t) / safe, t)
        versine = jnp.where(omega > 0, 2 * (jnp.sin(omega * t / 2) / safe) ** 2, t**2 / 2)
        moved = [a + sine * b + versine * c for a, b, c in zip(first, once, twice, strict=True)]
        return jnp.stack([jnp.fft.ifft2(z).real for z in moved], axis=-1).astype(dtype)

    return jax.vmap(frame)(water.dt * jnp.arange(frames, dtype=dtype))


def c_grid(state: Float[Array, "y x 3"], water: Water, frames: int) -> Float[Array, "t y x 3"]:
    r"""Frames of the forward-backward scheme on Arakawa's C grid, periodic.

    `u` lives on the east faces of the cells and `v` on their north faces. `u` moves first, `v` with
    the new `u`, `h` with both. Stable for :math:`\sqrt{2 g H}\, dt / dx < 1`.

    Args:
        state: the first frame.
        water: the parameters.
        frames: how many, the first included.

    Returns:
        The frames; `residual` is 0 for them up to rounding.
    """

    def step(state, _):
        u = state[..., 0] + _u_change(state, water)
        v = state[..., 1] + _v_change(state, u, water)
        h = state[..., 2] + _h_change(u, v, water)
        return jnp.stack([u, v, h], axis=-1), state

    return jax.lax.scan(step, state, length=frames)[1]


def residual(x: Float[Array, "t y x 3"], water: Water) -> Float[Array, "s b a 3"]:
    """How far each frame is from one step of the C-grid scheme from the frame before.

    The faces of the outermost cells are left out, so that nothing is assumed beyond the edges.

    Args:
        x: at least two frames of at least 3 x 3 cells.
        water: the parameters that made them.

    Returns:
        Differences of `u`, `v` and `h` at the inner cells of all frames but the first.

    Raises:
        DataError: too few frames or cells.
    """
    if x.shape[0] < 2 or min(x.shape[1:3]) < 3:
        raise DataError(
            f"x has shape {x.shape}; expected at least 2 frames of 3 x 3 cells: (t, y, x, 3)"
        )

    def one(before, after):
        u, v = after[..., 0], after[..., 1]
        stepped = (
            _u_change(before, water),
            _v_change(before, u, water),
            _h_change(u, v, water),
        )
        return (after - before - jnp.stack(stepped, axis=-1))[1:-1, 1:-1]

    return jax.vmap(one)(x[:-1], x[1:])


def feasibility(x: Float[Array, "t y x 3"], water: Water) -> Float[Array, ""]:
    r"""The mean squared `residual`, times :math:`10^8`: the paper's score of being physical.

    **0 for a field that is 0 everywhere**, and it measures nearness to one scheme, not to the
    equations: the exact solution does not score 0. Report it beside an error, never alone.

    Args:
        x: frames.
        water: the parameters that made them.

    Returns:
        The score, not negative.

    Example:
        >>> import jax.numpy as jnp
        >>> float(feasibility(jnp.zeros((2, 4, 4, 3)), Water()))
        0.0

    Source: the shallow-water metric of Zhou et al., "Incomplete data, complete dynamics" (2026);
    residuals here are those of one step, not divided by its length.
    """
    return 1e8 * jnp.mean(residual(x, water) ** 2)


def _u_change(state, water):
    _, v, h = (state[..., i] for i in range(3))
    # v on the four north and south faces around an east face
    west = v + jnp.roll(v, 1, axis=0)
    around = (west + jnp.roll(west, -1, axis=1)) / 4
    slope = (jnp.roll(h, -1, axis=1) - h) / water.dx
    return water.dt * (water.coriolis * around - water.gravity * slope)


def _v_change(state, u, water):
    h = state[..., 2]
    south = u + jnp.roll(u, 1, axis=1)
    around = (south + jnp.roll(south, -1, axis=0)) / 4
    slope = (jnp.roll(h, -1, axis=0) - h) / water.dx
    return water.dt * (-water.coriolis * around - water.gravity * slope)


def _h_change(u, v, water):
    spread = u - jnp.roll(u, 1, axis=1) + v - jnp.roll(v, 1, axis=0)
    return -water.dt * water.depth * spread / water.dx

"""A pattern carried along unchanged: advection by a constant velocity, exact."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.physics.initial import wavenumbers


def advect(
    x: Float[Array, "y x"], velocity: Float[Array, "2"], frames: int
) -> Float[Array, "frames y x"]:
    r"""Frames of :math:`\partial_t x + v \cdot \nabla x = 0` on a periodic grid.

    .. math:: \hat x_t(k) = e^{-i k \cdot v t}\, \hat x_0(k)

    Exact for fields without a Nyquist wave, whose phase this leaves where it is.

    Args:
        x: the first frame.
        velocity: cells per frame along y and x, any real numbers.
        frames: how many, the first included.

    Returns:
        The frames.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.sin(2 * jnp.pi * jnp.arange(8.0) / 8)[None]
        >>> moved = advect(jnp.tile(x, (4, 1)), jnp.array([0.0, 1.0]), 2)[1]
        >>> bool(jnp.allclose(moved, jnp.roll(x, 1), atol=1e-6))
        True
    """
    ky, kx = wavenumbers(x.shape)
    speed = jnp.asarray(ky, x.dtype) * velocity[0] + jnp.asarray(kx, x.dtype) * velocity[1]
    spectrum = jnp.fft.fft2(x)

    def frame(t):
        return jnp.fft.ifft2(spectrum * jnp.exp(-1j * speed * t)).real.astype(x.dtype)

    return jax.vmap(frame)(jnp.arange(frames, dtype=x.dtype))

"""Averages of what is observed around each pixel of an image."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def local_average(
    x: Float[Array, "n h w c"], known: Bool[Array, "n h w c"], spread: float
) -> Float[Array, "n h w c"]:
    r"""The Gaussian average of the entries known, each channel alone.

    .. math:: a_p = \frac{\sum_q w_{pq} m_q x_q}{\sum_q w_{pq} m_q}, \qquad
        w_{pq} = e^{-|p - q|^2 / 2 s^2}

    As products with matrices: convolutions inside loops are slow on CPU.

    Args:
        x: images.
        known: which entries count, those of the pixel itself included.
        spread: :math:`s`, in pixels.

    Returns:
        The averages; 0 where nothing is known as far as the weights reach.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([1.0, 0.0, 3.0]).reshape(1, 1, 3, 1)
        >>> local_average(x, x > 0, 1.0)[0, 0, 1, 0].round(3).item()
        2.0
    """
    down, along = (_weights(size, spread, x.dtype) for size in x.shape[1:3])
    both = jnp.concatenate([jnp.where(known, x, 0), known.astype(x.dtype)], axis=-1)
    wide = jnp.einsum("ij,njkc->nikc", down, both, precision="highest")
    total, weight = jnp.split(jnp.einsum("lk,nikc->nilc", along, wide, precision="highest"), 2, -1)
    near = weight > 1e-6
    return jnp.where(near, total / jnp.where(near, weight, 1), 0)


def _weights(size: int, spread: float, dtype) -> jax.Array:
    away = jnp.arange(size)[:, None] - jnp.arange(size)[None]
    return jnp.exp(-(away.astype(dtype) ** 2) / (2 * spread**2))

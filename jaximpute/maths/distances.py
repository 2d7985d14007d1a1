"""Distances between rows."""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def squared_distances(x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
    r"""All :math:`\|x_i - y_j\|^2`, as :math:`\|x_i\|^2 + \|y_j\|^2 - 2 x_i^\top y_j`.

    Both samples are first centred at the mean of `y`, which changes no distance and keeps the
    cancellation small, and the product is in full precision: the default of some accelerators
    would be wrong in the third digit.

    Example:
        >>> import jax.numpy as jnp
        >>> squared_distances(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[25.0, 0.0]]
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    centre = jax.lax.stop_gradient(y.mean(axis=0))[None]
    x, y = x - centre, y - centre
    cross = jnp.matmul(x, y.T, precision="highest")
    return jnp.maximum((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None] - 2 * cross, 0)

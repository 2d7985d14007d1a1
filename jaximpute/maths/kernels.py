"""The Gaussian kernel between rows, and its sums and gradients without the whole matrix."""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.maths.distances import squared_distances
from jaximpute.types import Scalar


def rbf(x: Float[Array, "n d"], y: Float[Array, "m d"], bandwidth: Scalar) -> Float[Array, "n m"]:
    r"""The Gaussian kernel :math:`k(x, y) = \exp(-\|x - y\|^2 / 2 h^2)` of all pairs of rows.

    Args:
        x: rows.
        y: rows.
        bandwidth: :math:`h`, positive, in the units of the rows.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(rbf(jnp.array([[0.0]]), jnp.array([[2.0]]), 2.0)[0, 0]), 4)
        0.6065
    """
    return jnp.exp(-squared_distances(x, y) / (2 * bandwidth**2))


def rbf_sums(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    values: Float[Array, "m e"],
    weight: Float[Array, "m"],
    bandwidth: Scalar,
    block: int = 512,
) -> tuple[Float[Array, "n e"], Float[Array, "n d"]]:
    r"""Kernel-weighted sums of values, and the gradient of the kernel's own sum.

    .. math::
        \Big( \sum_j w_j\, k(x_i, y_j)\, v_j, \qquad
        \sum_j w_j\, \nabla_{x_i} k(x_i, y_j)
        = \tfrac{1}{h^2} \sum_j w_j\, k(x_i, y_j)\, (y_j - x_i) \Big)

    Args:
        x: where the sums are wanted.
        y: rows summed over.
        values: :math:`v`, one row for each of `y`.
        weight: :math:`w`, for instance `1 / m`; rows of weight 0 count nothing.
        bandwidth: :math:`h`, positive.
        block: rows of `x` whose kernels are held at a time: memory is `block * m`.

    Returns:
        The two sums.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0]]), jnp.array([[1.0], [-1.0]])
        >>> total, pull = rbf_sums(x, y, jnp.ones((2, 1)), jnp.full(2, 0.5), 1.0)
        >>> round(float(total[0, 0]), 4), float(pull[0, 0])
        (0.6065, 0.0)
    """
    chex.assert_rank([x, y, values], 2)
    chex.assert_equal_shape_prefix([y, values, weight], 1)
    n, e = x.shape[0], values.shape[1]
    centre = jax.lax.stop_gradient(y.mean(axis=0))[None]  # keeps the cancellation below small
    x, y = x - centre, y - centre
    beside = jnp.concatenate([values, y, jnp.ones_like(y[:, :1])], axis=1) * weight[:, None]
    beside = jnp.where(weight[:, None] > 0, beside, 0)

    def sums(rows):
        return jnp.matmul(rbf(rows, y, bandwidth), beside, precision="highest")

    if n <= block:
        total = sums(x)
    else:
        padded = jnp.pad(x, ((0, -n % block), (0, 0))).reshape(-1, block, x.shape[1])
        total = jax.lax.map(sums, padded).reshape(-1, beside.shape[1])[:n]
    pull = (total[:, e:-1] - x * total[:, -1:]) / bandwidth**2
    return total[:, :e], pull

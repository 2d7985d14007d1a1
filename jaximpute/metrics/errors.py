"""Errors of one completion on chosen entries."""

import chex
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.masking import masked_mean


def mae(
    truth: Float[Array, "*shape"], estimate: Float[Array, "*shape"], where: Bool[Array, "*shape"]
) -> Float[Array, ""]:
    """Mean absolute error over the entries chosen; 0 if none is.

    Args:
        truth: the values that were hidden.
        estimate: what they were completed with, in the same units.
        where: the entries scored.

    Returns:
        A scalar in the units of `truth`.

    Example:
        >>> import jax.numpy as jnp
        >>> where = jnp.array([True, True, False])
        >>> float(mae(jnp.array([1.0, 2.0, 9.0]), jnp.array([2.0, 5.0, 0.0]), where))
        2.0
    """
    chex.assert_equal_shape([truth, estimate, where])
    return masked_mean(jnp.abs(estimate - truth), where)


def mse(
    truth: Float[Array, "*shape"], estimate: Float[Array, "*shape"], where: Bool[Array, "*shape"]
) -> Float[Array, ""]:
    """Mean squared error over the entries chosen; arguments as in `mae`.

    Example:
        >>> import jax.numpy as jnp
        >>> float(mse(jnp.array([1.0, 2.0]), jnp.array([2.0, 5.0]), jnp.array([True, True])))
        5.0
    """
    chex.assert_equal_shape([truth, estimate, where])
    return masked_mean((estimate - truth) ** 2, where)


def rmse(
    truth: Float[Array, "*shape"], estimate: Float[Array, "*shape"], where: Bool[Array, "*shape"]
) -> Float[Array, ""]:
    """Root of the mean squared error over the entries chosen; arguments as in `mae`.

    Example:
        >>> import jax.numpy as jnp
        >>> float(rmse(jnp.array([1.0, 2.0]), jnp.array([4.0, 5.0]), jnp.array([True, True])))
        3.0
    """
    return jnp.sqrt(mse(truth, estimate, where))


def mre(
    truth: Float[Array, "*shape"], estimate: Float[Array, "*shape"], where: Bool[Array, "*shape"]
) -> Float[Array, ""]:
    r"""Mean relative error, :math:`\sum |\hat x - x| / \sum |x|`; arguments as in `mae`.

    The ratio of sums, not the mean of ratios. It depends on the level of the data, so values in
    different units or normalisations do not compare; it is NaN where all truths chosen are 0.

    Example:
        >>> import jax.numpy as jnp
        >>> float(mre(jnp.array([1.0, 3.0]), jnp.array([2.0, 4.0]), jnp.array([True, True])))
        0.5
    """
    chex.assert_equal_shape([truth, estimate, where])
    size = jnp.sum(jnp.where(where, jnp.abs(truth), 0))
    return jnp.sum(jnp.where(where, jnp.abs(estimate - truth), 0)) / size

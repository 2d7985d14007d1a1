"""Distances between two samples of rows."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.maths.distances import squared_distances
from jaximpute.types import PRNGKey


def energy_distance(
    x: Float[Array, "n d"], y: Float[Array, "m d"], *, unbiased: bool = False
) -> Float[Array, ""]:
    r"""Energy distance between two samples.

    .. math:: 2\, \mathbb{E}\|X - Y\| - \mathbb{E}\|X - X'\| - \mathbb{E}\|Y - Y'\|

    This is the squared metric, in the units of the data; in one dimension its root is
    `scipy.stats.energy_distance`.

    Args:
        x: rows of one sample; at least two if `unbiased`.
        y: rows of the other.
        unbiased: leave out each row's distance to itself. The result can then be negative.

    Returns:
        A scalar, zero between equal samples unless `unbiased`.

    Raises:
        OptionError: too few rows.

    Example:
        >>> import jax.numpy as jnp
        >>> float(energy_distance(jnp.array([[0.0]]), jnp.array([[3.0]])))
        6.0

    Source: Szekely and Rizzo, "Energy statistics: a class of statistics based on distances" (2013).
    """
    _check_rows(x, y, unbiased)
    cross = jnp.sqrt(squared_distances(x, y)).mean()
    return 2 * cross - _mean_within(_distances(x), unbiased) - _mean_within(_distances(y), unbiased)


def mmd(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    bandwidth: float | None = None,
    unbiased: bool = False,
) -> Float[Array, ""]:
    r"""Squared maximum mean discrepancy with a Gaussian kernel.

    .. math::
        \mathbb{E}\,k(X, X') + \mathbb{E}\,k(Y, Y') - 2\, \mathbb{E}\,k(X, Y), \qquad
        k(x, y) = \exp\Big(-\frac{\|x - y\|^2}{2 h^2}\Big)

    Args:
        x: rows of one sample; at least two if `unbiased`.
        y: rows of the other.
        bandwidth: :math:`h`, positive, in the units of the data; by default the median distance
            between distinct rows of the two samples together.
        unbiased: leave out each row's kernel with itself. The result can then be negative.

    Returns:
        A scalar without units, at most 2.

    Raises:
        OptionError: too few rows, or `bandwidth` not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(mmd(jnp.array([[0.0]]), jnp.array([[1.0]]), bandwidth=1.0)), 4)
        0.7869

    Source: Gretton et al., "A kernel two-sample test" (2012), eq. (3) and (5).
    """
    _check_rows(x, y, unbiased)
    if bandwidth is not None and not bandwidth > 0:
        raise OptionError(f"bandwidth is {bandwidth}; expected a positive number")
    n = x.shape[0]
    pooled = jnp.concatenate([x, y])
    squared = squared_distances(pooled, pooled)
    h2 = _median_squared(squared) if bandwidth is None else jnp.asarray(bandwidth**2, x.dtype)
    k = jnp.exp(-squared / (2 * h2))
    k = jnp.where(jnp.eye(len(pooled), dtype=bool), 1, k)
    within = _mean_within(k[:n, :n], unbiased, 1.0) + _mean_within(k[n:, n:], unbiased, 1.0)
    return within - 2 * k[:n, n:].mean()


def sliced_wasserstein(
    key: PRNGKey,
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    projections: int = 128,
    p: float = 2.0,
) -> Float[Array, ""]:
    r"""Sliced Wasserstein distance between two samples, of any sizes.

    .. math::
        \Big( \frac{1}{L} \sum_{l=1}^{L} \int_0^1
        |F^{-1}_{\theta_l^\top x}(u) - F^{-1}_{\theta_l^\top y}(u)|^p du \Big)^{1/p}

    with :math:`\theta_l` uniform on the sphere and :math:`F^{-1}` the empirical quantile functions.
    These are steps, so the integral is an exact sum over at most :math:`n + m - 1` intervals.

    Args:
        key: for the directions.
        x: rows of one sample.
        y: rows of the other.
        projections: :math:`L`, number of directions, at least 1.
        p: order, at least 1.

    Returns:
        A scalar in the units of the data; the exact distance if there is a single column.

    Raises:
        OptionError: `projections` or `p` out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([[2.0], [3.0], [2.0], [3.0]])
        >>> float(sliced_wasserstein(jax.random.key(0), x, y, projections=4))
        2.0

    Source: Bonneel et al., "Sliced and Radon Wasserstein barycenters of measures" (2015).
    """
    if projections < 1 or p < 1:
        raise OptionError(f"projections is {projections} and p {p}; expected both at least 1")
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    theta = random.normal(key, (x.shape[1], projections), x.dtype)
    theta = theta / jnp.linalg.norm(theta, axis=0, keepdims=True)
    xs = jnp.sort(jnp.matmul(x, theta, precision="highest"), axis=0)
    ys = jnp.sort(jnp.matmul(y, theta, precision="highest"), axis=0)
    i, j, width = _common_steps(x.shape[0], y.shape[0])
    gaps = jnp.abs(xs[i] - ys[j]) ** p
    return jnp.tensordot(jnp.asarray(width, x.dtype), gaps, axes=1, precision="highest").mean() ** (
        1 / p
    )


def _common_steps(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The intervals of [0, 1] on which two step functions are constant: their steps and width."""
    edges = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)  # in units of 1 / (n m)
    return edges[:-1] // m, edges[:-1] // n, np.diff(edges) / (n * m)


def _distances(x: Float[Array, "n d"]) -> Float[Array, "n n"]:
    # a row is at distance 0 from itself, whatever rounding says
    own = jnp.eye(x.shape[0], dtype=bool)
    return jnp.sqrt(jnp.where(own, 0, squared_distances(x, x)))


def _mean_within(
    pairs: Float[Array, "n n"], unbiased: bool, diagonal: float = 0.0
) -> Float[Array, ""]:
    n = pairs.shape[0]
    return (pairs.sum() - n * diagonal) / (n * (n - 1)) if unbiased else pairs.mean()


def _median_squared(squared: Float[Array, "n n"]) -> Float[Array, ""]:
    """The median over distinct pairs, or 1 where at least half of them coincide."""
    median = jnp.median(squared[np.triu_indices(squared.shape[0], 1)])
    return jnp.where(median > 0, median, 1.0)


def _check_rows(x: jax.Array, y: jax.Array, unbiased: bool) -> None:
    chex.assert_rank([x, y], 2)
    fewest = min(x.shape[0], y.shape[0])
    if fewest < 1 + unbiased:
        raise OptionError(
            f"the smaller sample has {fewest} rows; expected at least {1 + unbiased} "
            f"for unbiased={unbiased}"
        )

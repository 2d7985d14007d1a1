"""Conditional Gaussians: what the missing coordinates of a row are, given its observed ones.

Which coordinates are missing differs from row to row, and shapes may not. A missing coordinate
therefore keeps its place in the covariance of the observed ones, as a row and column of the
identity, which the factorisation passes through untouched.

Rows are factorised one at a time, also under `vmap`. On CPU a batched factorisation hands its
matrices to XLA's own threads and blocks one of them until they are done, so two that happen to run
side by side on two processors wait for each other for ever (jaxlib 0.10.2).
"""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.maths import random
from jaximpute.types import PRNGKey

# a device's fast matrix products keep three digits, and these feed a factorisation
_EXACT = "highest"


def conditional_mean(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    cov: Float[Array, "d d"],
) -> Float[Array, "n d"]:
    r"""The rows with every coordinate replaced by its mean given the observed ones.

    .. math:: E[x \mid x_o] = \mu + \Sigma_{\cdot o} \Sigma_{oo}^{-1} (x_o - \mu_o)

    Args:
        x: rows; what is not observed is ignored.
        mask: True = observed.
        mean: of the Gaussian.
        cov: of the Gaussian, positive definite.

    Returns:
        Means of all coordinates: the observed ones come back up to rounding, so `clamp` them. Rows
        for which the factorisation fails in this precision are NaN.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> cov = jnp.array([[1.0, 0.5], [0.5, 1.0]])
        >>> conditional_mean(x, mask, jnp.zeros(2), cov).tolist()
        [[2.0, 1.0]]
    """
    assert_rows_of(x, mask, mean, cov)
    return jax.lax.map(lambda row: _mean(*row, mean, cov), (x, mask))


def conditional_moments(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    weight: Float[Array, "n"],
    mean: Float[Array, "d"],
    cov: Float[Array, "d d"],
) -> tuple[Float[Array, "n d"], Float[Array, "d d"]]:
    r"""`conditional_mean`, and the rows' weighted average of the covariance that is left.

    .. math:: \frac{\sum_n w_n (\Sigma - \Sigma_{\cdot o} \Sigma_{oo}^{-1} \Sigma_{o \cdot})}
        {\sum_n w_n}, \quad o = o_n

    This is what the expectation step of EM adds to the covariance of the completed rows.

    Args:
        x: see `conditional_mean`, as `mask`, `mean` and `cov`.
        weight: of the rows, not negative.

    Returns:
        The means `(n, d)` and the average covariance `(d, d)`, 0 where either was observed.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> cov = jnp.array([[1.0, 0.5], [0.5, 1.0]])
        >>> conditional_moments(x, mask, jnp.ones(1), jnp.zeros(2), cov)[1].tolist()
        [[0.0, 0.0], [0.0, 0.75]]
    """
    assert_rows_of(x, mask, mean, cov)
    chex.assert_shape(weight, x.shape[:1])

    def one(total, row):
        x, mask, weight = row
        mean_here, left = _moments(x, mask, mean, cov)
        return total + jnp.where(weight > 0, weight * left, 0), mean_here

    total, means = jax.lax.scan(one, jnp.zeros_like(cov), (x, mask, weight))
    return means, total / jnp.maximum(weight.sum(), jnp.finfo(cov.dtype).tiny)


def draw_conditional(
    key: PRNGKey,
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    cov: Float[Array, "d d"],
) -> Float[Array, "n d"]:
    r"""A draw of each row from the Gaussian given its observed coordinates, by Matheron's rule.

    .. math:: z + \Sigma_{\cdot o} \Sigma_{oo}^{-1} (x_o - z_o), \quad z \sim N(\mu, \Sigma)

    One factorisation a row, which is that of its `conditional_mean`, and one for all rows.

    Args:
        key: of the draws.
        x, mask, mean, cov: see `conditional_mean`.

    Returns:
        Draws of all coordinates: the observed ones come back up to rounding, so `clamp` them. Rows
        for which a factorisation fails in this precision are NaN.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x, mask = jnp.tile(jnp.array([2.0, 0.0]), (9999, 1)), jnp.array([[True, False]])
        >>> cov = jnp.array([[1.0, 0.5], [0.5, 1.0]])
        >>> mask = jnp.broadcast_to(mask, x.shape)
        >>> drawn = draw_conditional(jax.random.key(0), x, mask, jnp.zeros(2), cov)[:, 1]
        >>> round(float(drawn.mean()), 1), round(float(drawn.var()), 1)
        (1.0, 0.8)

    Source: Journel and Huijbregts, "Mining Geostatistics" (1978), section VII.B.
    """
    assert_rows_of(x, mask, mean, cov)
    root = _factor(jnp.ones_like(mask[0]), cov)
    noise = random.normal(key, x.shape, x.dtype)
    z = mean[None] + jnp.matmul(noise, root.T, precision=_EXACT)
    return z + conditional_mean(x - z, mask, jnp.zeros_like(mean), cov)


def conditional_deviation(
    mask: Bool[Array, "n d"], cov: Float[Array, "d d"]
) -> Float[Array, "n d"]:
    r"""Standard deviations of the coordinates of rows, given the observed ones.

    .. math:: \sigma_i^2 = \Sigma_{ii} - \Sigma_{io} \Sigma_{oo}^{-1} \Sigma_{oi}

    Args:
        mask: True = observed.
        cov: of the Gaussian, positive definite.

    Returns:
        The deviations, 0 where observed; NaN for rows that fail in this precision.

    Example:
        >>> import jax.numpy as jnp
        >>> cov = jnp.array([[1.0, 0.6], [0.6, 1.0]])
        >>> found = conditional_deviation(jnp.array([[True, False]]), cov)
        >>> [round(x, 3) for x in found[0].tolist()]
        [0.0, 0.8]
    """
    chex.assert_shape(cov, 2 * mask.shape[1:])
    return jax.lax.map(lambda row: _deviation(row, cov), mask)


def leave_one_out(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    cov: Float[Array, "d d"],
) -> Float[Array, "n d"]:
    r"""What each observed coordinate is away from its mean given the other observed ones.

    .. math:: x_i - E[x_i \mid x_{o \setminus i}] =
        \frac{[\Sigma_{oo}^{-1} (x_o - \mu_o)]_i}{[\Sigma_{oo}^{-1}]_{ii}}

    Args:
        x, mask, mean, cov: see `conditional_mean`.

    Returns:
        The residuals, 0 where nothing is observed; NaN for rows that fail in this precision.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.full((1, 2), True)
        >>> cov = jnp.array([[1.0, 0.5], [0.5, 1.0]])
        >>> leave_one_out(x, mask, jnp.zeros(2), cov).round(3).tolist()
        [[2.0, -1.0]]

    Source: Dubrule, "Cross validation of kriging in a unique neighborhood" (1983).
    """
    assert_rows_of(x, mask, mean, cov)
    return jax.lax.map(lambda row: _alone(*row, mean, cov), (x, mask))


def assert_rows_of(x: Array, mask: Array, mean: Array, matrix: Array) -> None:
    """Refuse rows that a Gaussian of this mean and covariance, or precision, cannot have."""
    chex.assert_equal_shape([x, mask])
    chex.assert_shape([mean, matrix], [x.shape[1:], 2 * x.shape[1:]])


@jax.custom_batching.sequential_vmap
def _factor(mask: Bool[Array, "d"], cov: Float[Array, "d d"]) -> Float[Array, "d d"]:
    both = mask[:, None] & mask[None]
    return jnp.linalg.cholesky(jnp.where(both, cov, jnp.eye(cov.shape[0], dtype=cov.dtype)))


@jax.custom_batching.sequential_vmap
def _mean(x, mask, mean, cov):
    residual = jnp.where(mask, x - mean, 0)
    solved = jax.scipy.linalg.cho_solve((_factor(mask, cov), True), residual)
    # where unobserved both factors of the identity left a 0
    return mean + jnp.matmul(cov, solved, precision=_EXACT)


@jax.custom_batching.sequential_vmap
def _moments(x, mask, mean, cov):
    residual = jnp.where(mask, x - mean, 0)
    right = jnp.concatenate([jnp.where(mask[:, None], cov, 0), residual[:, None]], axis=1)
    half = jax.scipy.linalg.solve_triangular(_factor(mask, cov), right, lower=True)
    cross = jnp.matmul(half[:, :-1].T, half, precision=_EXACT)
    neither = ~mask[:, None] & ~mask[None]
    return mean + cross[:, -1], jnp.where(neither, cov - cross[:, :-1], 0)


@jax.custom_batching.sequential_vmap
def _deviation(mask, cov):
    right = jnp.where(mask[:, None], cov, 0)
    half = jax.scipy.linalg.solve_triangular(_factor(mask, cov), right, lower=True)
    left = jnp.diagonal(cov) - (half**2).sum(axis=0)
    return jnp.where(mask, 0, jnp.sqrt(jnp.maximum(left, 0)))


@jax.custom_batching.sequential_vmap
def _alone(x, mask, mean, cov):
    residual = jnp.where(mask, x - mean, 0)
    eye = jnp.eye(cov.shape[0], dtype=cov.dtype)
    root = jax.scipy.linalg.solve_triangular(_factor(mask, cov), eye, lower=True)
    half = jnp.matmul(root, residual, precision=_EXACT)
    return jnp.matmul(half, root, precision=_EXACT) / (root**2).sum(axis=0)

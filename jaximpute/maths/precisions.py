r"""Conditional Gaussians from the precision: what is missing, given all the rest of a row.

With :math:`\Lambda = \Sigma^{-1}` the missing coordinates have the precision
:math:`\Lambda_{mm}` and the mean :math:`\mu_m - \Lambda_{mm}^{-1} \Lambda_{mo} (x_o - \mu_o)`. So a
row costs a factorisation of the size of its hole, where `maths.gaussians` factorises what is
observed: for wide rows with small holes a hundredth of the work. Shapes may not differ from row to
row, so holes are padded to one of a few sizes.
"""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.maths import random
from jaximpute.maths.gaussians import assert_rows_of
from jaximpute.types import PRNGKey

_EXACT = "highest"
_SHARES = (8, 4, 2, 1)  # of the width of a row: the sizes to which holes are padded


def precision_of(cov: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """The inverse of a covariance; NaN where it is not positive definite in this precision."""
    return _inverse(cov)


def mean_from_precision(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    precision: Float[Array, "d d"],
) -> Float[Array, "n d"]:
    r"""The rows with what is missing replaced by its mean given the rest.

    .. math:: \mu_m - \Lambda_{mm}^{-1} \Lambda_{mo} (x_o - \mu_o)

    Args:
        x: rows; what is not observed is ignored.
        mask: True = observed.
        mean: of the Gaussian.
        precision: of the Gaussian, positive definite.

    Returns:
        The completed rows, observed entries as they are.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> precision = precision_of(jnp.array([[1.0, 0.5], [0.5, 1.0]]))
        >>> mean_from_precision(x, mask, jnp.zeros(2), precision).round(3).tolist()
        [[2.0, 1.0]]

    Source: Rue and Held, "Gaussian Markov Random Fields" (2005), theorem 2.5.
    """
    assert_rows_of(x, mask, mean, precision)
    none = jnp.zeros_like(x)
    return jax.lax.map(lambda row: _complete(*row, mean, precision), (x, mask, none))


def draw_from_precision(
    key: PRNGKey,
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    precision: Float[Array, "d d"],
) -> Float[Array, "n d"]:
    r"""The rows with what is missing drawn given the rest.

    .. math:: \mu_m - \Lambda_{mm}^{-1} \Lambda_{mo} (x_o - \mu_o) + L^{-\top} \epsilon, \quad
        L L^\top = \Lambda_{mm}

    Args:
        key: of the noise.
        x, mask, mean, precision: see `mean_from_precision`.

    Returns:
        The completed rows, observed entries as they are.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> draw = draw_from_precision(jax.random.key(0), x, mask, jnp.zeros(2), jnp.eye(2))
        >>> float(draw[0, 0]), bool(draw[0, 1] == 0)
        (2.0, False)

    Source: Rue and Held, algorithm 2.5.
    """
    assert_rows_of(x, mask, mean, precision)
    noise = random.normal(key, x.shape, x.dtype)
    return jax.lax.map(lambda row: _complete(*row, mean, precision), (x, mask, noise))


def marginals_from_precision(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    precision: Float[Array, "d d"],
) -> tuple[Float[Array, "n d"], Float[Array, "n d"]]:
    """`mean_from_precision`, and the variance that each missing entry keeps; 0 where observed.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> precision = precision_of(jnp.array([[1.0, 0.5], [0.5, 1.0]]))
        >>> _, variance = marginals_from_precision(x, mask, jnp.zeros(2), precision)
        >>> [round(float(v), 3) for v in variance[0]]
        [0.0, 0.75]
    """
    assert_rows_of(x, mask, mean, precision)
    return jax.lax.map(lambda row: _marginals(*row, mean, precision), (x, mask))


def frames_from_precision(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    noise: Float[Array, "n k d"],
    mean: Float[Array, "d"],
    precision: Float[Array, "d d"],
) -> tuple[Float[Array, "n d"], Float[Array, "n d"], Float[Array, "n k d"]]:
    r"""Mean and deviation of what is missing given the rest, and draws around the mean.

    .. math:: \mu_m - \Lambda_{mm}^{-1} \Lambda_{mo} (x_o - \mu_o), \quad
        \sqrt{\mathrm{diag}\, \Lambda_{mm}^{-1}}, \quad L^{-\top} \epsilon

    Args:
        x: see `mean_from_precision`, as `mask`, `mean` and `precision`.
        noise: standard normal.

    Returns:
        The completed rows; the deviations, 0 where observed; and draws of mean 0, as many for each
        row as it has noise, 0 where observed. All from one factorisation of each row.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> precision = precision_of(jnp.array([[1.0, 0.6], [0.6, 1.0]]))
        >>> noise = jnp.ones((1, 1, 2))
        >>> _, deviation, drawn = frames_from_precision(x, mask, noise, jnp.zeros(2), precision)
        >>> round(float(deviation[0, 1]), 3), round(float(drawn[0, 0, 1]), 3)
        (0.8, 0.8)
    """
    assert_rows_of(x, mask, mean, precision)
    chex.assert_shape(noise, (len(x), None, *x.shape[1:]))
    return jax.lax.map(lambda row: _framed(*row, mean, precision), (x, mask, noise))


def moments_from_precision(
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    weight: Float[Array, "n"],
    mean: Float[Array, "d"],
    precision: Float[Array, "d d"],
) -> tuple[Float[Array, "n d"], Float[Array, "d d"]]:
    """`mean_from_precision`, and the rows' weighted average of the covariance that is left.

    Example:
        >>> import jax.numpy as jnp
        >>> x, mask = jnp.array([[2.0, 0.0]]), jnp.array([[True, False]])
        >>> precision = precision_of(jnp.array([[1.0, 0.5], [0.5, 1.0]]))
        >>> _, left = moments_from_precision(x, mask, jnp.ones(1), jnp.zeros(2), precision)
        >>> [round(float(v), 3) for v in left.ravel()]
        [0.0, 0.0, 0.0, 0.75]
    """
    assert_rows_of(x, mask, mean, precision)
    chex.assert_shape(weight, x.shape[:1])

    def one(total, row):
        x, mask, weight = row
        return _moments(total, x, mask, weight, mean, precision)

    total, means = jax.lax.scan(one, jnp.zeros_like(precision), (x, mask, weight))
    return means, total / jnp.maximum(weight.sum(), jnp.finfo(x.dtype).tiny)


@jax.custom_batching.sequential_vmap
def _inverse(cov):
    half = _half(jnp.linalg.cholesky(cov))
    return jnp.matmul(half.T, half, precision=_EXACT)


@jax.custom_batching.sequential_vmap
def _complete(x, mask, noise, mean, precision):
    def padded(size):
        at, here, root = _hole(size, mask, precision)
        move = _move(at, here, root, x, mask, mean, precision)
        noisy = jax.scipy.linalg.solve_triangular(root.T, noise[at], lower=False)
        return x.at[at].set(jnp.where(here, mean[at] + move + noisy, x[at]))

    return _by_size(mask, padded, lambda: x)


@jax.custom_batching.sequential_vmap
def _marginals(x, mask, mean, precision):
    def padded(size):
        at, here, root = _hole(size, mask, precision)
        move = _move(at, here, root, x, mask, mean, precision)
        variance = jnp.where(here, (_half(root) ** 2).sum(0), 0)
        return (
            x.at[at].set(jnp.where(here, mean[at] + move, x[at])),
            jnp.zeros_like(x).at[at].add(variance),
        )

    return _by_size(mask, padded, lambda: (x, jnp.zeros_like(x)))


@jax.custom_batching.sequential_vmap
def _framed(x, mask, noise, mean, precision):
    def padded(size):
        at, here, root = _hole(size, mask, precision)
        move = _move(at, here, root, x, mask, mean, precision)
        half = jnp.where(here[None], _half(root), 0)
        drawn = jnp.matmul(noise[:, at], half, precision=_EXACT)
        return (
            x.at[at].set(jnp.where(here, mean[at] + move, x[at])),
            jnp.zeros_like(x).at[at].add(jnp.sqrt((half**2).sum(0))),
            jnp.zeros_like(noise).at[:, at].add(drawn),
        )

    return _by_size(mask, padded, lambda: (x, jnp.zeros_like(x), jnp.zeros_like(noise)))


@jax.custom_batching.sequential_vmap
def _moments(total, x, mask, weight, mean, precision):
    def padded(size):
        at, here, root = _hole(size, mask, precision)
        move = _move(at, here, root, x, mask, mean, precision)
        left = jnp.where(weight > 0, weight * _left(here, root), 0)
        return (
            total.at[at[:, None], at[None]].add(left),
            x.at[at].set(jnp.where(here, mean[at] + move, x[at])),
        )

    return _by_size(mask, padded, lambda: (total, x))


def _by_size(mask, padded, whole):
    """`padded` to the least size that holds what is missing; `whole` where nothing is."""
    d = mask.shape[0]
    sizes = sorted({-(-d // share) for share in _SHARES})
    branches = [whole, *(lambda size=size: padded(size) for size in sizes)]
    place = jnp.searchsorted(jnp.array([0, *sizes]), (~mask).sum())
    return jax.lax.switch(place, branches)


def _hole(size, mask, precision):
    """Places of what is missing, distinct; which are real; and the factor of their precision."""
    at = jnp.argsort(mask, stable=True)[:size]  # what is missing comes first
    here = ~mask[at]
    both = here[:, None] & here[None]
    eye = jnp.eye(size, dtype=precision.dtype)
    return at, here, jnp.linalg.cholesky(jnp.where(both, precision[at][:, at], eye))


def _move(at, here, root, x, mask, mean, precision):
    """How far the means of what is missing are from those of the Gaussian."""
    pull = jnp.matmul(precision[at], jnp.where(mask, x - mean, 0), precision=_EXACT)
    return -jax.scipy.linalg.cho_solve((root, True), jnp.where(here, pull, 0))


def _half(root):
    return jax.scipy.linalg.solve_triangular(root, jnp.eye(len(root), dtype=root.dtype), lower=True)


def _left(here, root):
    half = _half(root)
    both = here[:, None] & here[None]
    return jnp.where(both, jnp.matmul(half.T, half, precision=_EXACT), 0)

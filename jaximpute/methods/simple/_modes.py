"""Empirical orthogonal functions of rows with holes: variational principal components.

A row is a mean, a few modes and noise. Mean and modes have priors whose widths are learned, so that
modes which the data do not need shrink instead of following the noise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.maths import random
from jaximpute.methods.simple import _patterns
from jaximpute.types import PRNGKey

_LEAST = 1e-5  # variance of noise, in that of the data


class Modes(NamedTuple):
    """The mean and the modes; the mean is the first of them, and its coefficient is always 1.

    Attributes:
        shape: what one unit of each coefficient is in each column, `(d, modes + 1)`.
        doubt: covariance of `shape` given the data, averaged over columns.
        noise: variance of what they leave.
    """

    shape: Float[Array, "d k"]
    doubt: Float[Array, "k k"]
    noise: Float[Array, ""]


class _Known(NamedTuple):
    """Rows, their distinct masks, and how many columns share each pattern."""

    x: Float[Array, "n d"]
    weight: Float[Array, "n"]
    entries: Float[Array, ""]
    rows: _patterns.Patterns
    columns: _patterns.Patterns
    small: Bool[Array, "n d"]
    sizes: Float[Array, "d"]


class _Belief(NamedTuple):
    """Mean and covariance of the modes, the latter by pattern of columns; prior widths; noise."""

    shape: Float[Array, "d k"]
    doubt: Float[Array, "d k k"]
    width: Float[Array, "k"]
    noise: Float[Array, ""]


def fit(
    key: PRNGKey,
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    weight: Float[Array, "n"],
    *,
    modes: int,
    passes: int,
) -> Modes:
    r"""Mean and modes by variational EM.

    .. math:: x_{nd} = w_d^\top (1, z_n) + \varepsilon, \quad z_n \sim N(0, I),
        \quad w_d \sim N(0, \mathrm{diag}(v)), \quad \varepsilon \sim N(0, \sigma^2)

    Each pass finds the law of all :math:`z_n`, then that of all :math:`w_d`, then the widths
    :math:`v` and the noise :math:`\sigma^2` that are likeliest. Rows with the same holes share one
    factorisation, and so do columns.

    Args:
        key: of the first modes, which are random.
        x: rows.
        mask: True = observed.
        weight: of the rows, 0 for padding.
        modes: how many, at least 1.
        passes: of EM.

    Returns:
        The modes.

    Source: Ilin and Raiko, "Practical approaches to principal component analysis in the presence of
    missing values", Journal of Machine Learning Research 11 (2010), section 4.
    """
    d, k = x.shape[1], modes + 1
    mask = mask & (weight > 0)[:, None]
    x = jnp.where(mask, x, 0)
    rows, columns = _patterns.distinct(mask), _patterns.distinct(mask.T)
    small = _patterns.between(mask, rows, columns)
    sizes = jax.ops.segment_sum(jnp.ones(d, x.dtype), columns.label, d)
    count = jnp.maximum(mask.sum(), 1).astype(x.dtype)
    known = _Known(x, (weight > 0).astype(x.dtype), count, rows, columns, small, sizes)
    variance = jnp.maximum((x**2).sum() / count, 1e-12)
    shape = random.normal(key, (d, k), x.dtype) * jnp.sqrt(variance / k)
    start = _Belief(
        shape.at[:, 0].set(0),
        jnp.zeros((d, k, k), x.dtype),
        jnp.full(k, variance),
        variance / 2,
    )
    belief = jax.lax.fori_loop(0, passes, lambda _, now: _pass(known, now), start)
    doubt = (sizes[:, None, None] * belief.doubt).sum(0) / d
    return Modes(belief.shape, doubt, belief.noise)


def _pass(known: _Known, belief: _Belief) -> _Belief:
    x, weight, entries, rows, columns, small, sizes = known
    (n, d), k = x.shape, belief.width.shape[0]

    # the law of the coefficients, whose covariance is that of a row's holes
    square = belief.shape[:, :, None] * belief.shape[:, None]
    second = jax.ops.segment_sum(square.reshape(d, -1), columns.label, d)
    second = second + (sizes[:, None, None] * belief.doubt).reshape(d, -1)
    gram = _patterns.sums(small, second, rows.number, columns.number).reshape(n, k, k)
    spread = _inverses(
        gram[:, 1:, 1:] / belief.noise + jnp.eye(k - 1, dtype=x.dtype)[None], rows.number
    )
    along = jnp.matmul(x, belief.shape, precision="highest")
    right = (along - gram[rows.label, :, 0])[:, 1:] / belief.noise
    z = jnp.einsum("nij,nj->ni", spread[rows.label], right, precision="highest")
    z = jnp.concatenate([jnp.ones((n, 1), x.dtype), z], axis=1) * weight[:, None]
    moments = jnp.pad(spread, ((0, 0), (1, 0), (1, 0)))[rows.label] * weight[:, None, None]
    moments = (moments + z[:, :, None] * z[:, None]).reshape(n, -1)
    by_row = jax.ops.segment_sum(moments, rows.label, n)

    total = (x**2).sum()
    misfit = total - 2 * (along * z).sum() + (by_row * gram.reshape(n, -1)).sum()
    noise = jnp.maximum(misfit, _LEAST * total + 1e-12) / entries

    # the law of the modes, whose covariance is that of the rows which show a column
    precision = _patterns.sums(small.T, by_row, columns.number, rows.number).reshape(d, k, k)
    inverse = _inverses(precision + jnp.diag(noise / belief.width)[None], columns.number)
    along = jnp.matmul(x.T, z, precision="highest")
    shape = jnp.einsum("dij,dj->di", inverse[columns.label], along, precision="highest")
    doubt = noise * inverse
    own = (sizes[:, None] * jnp.diagonal(doubt, axis1=1, axis2=2)).sum(0)
    width = jnp.maximum(((shape**2).sum(0) + own) / d, 1e-12)
    return _Belief(shape, doubt, width, noise)


def _inverses(matrices: Float[Array, "n k k"], count) -> Float[Array, "n k k"]:
    """Of the first `count` matrices, one at a time; 0 for the others."""
    eye = jnp.eye(matrices.shape[1], dtype=matrices.dtype)

    def one(i, out):
        root = jnp.linalg.cholesky(matrices[i])
        return out.at[i].set(jax.scipy.linalg.cho_solve((root, True), eye))

    return jax.lax.fori_loop(0, count, one, jnp.zeros_like(matrices))


def complete(modes: Modes, x: Float[Array, "n d"], mask: Bool[Array, "n d"]) -> Float[Array, "n d"]:
    """The mean and the modes of each row, with the coefficients that its observed entries say."""
    k = modes.shape.shape[1]

    def one(row):
        x, mask = row
        w = jnp.where(mask[:, None], modes.shape, 0)
        gram = jnp.matmul(w.T, w, precision="highest") + mask.sum() * modes.doubt
        inner = gram[1:, 1:] / modes.noise + jnp.eye(k - 1, dtype=x.dtype)
        right = (jnp.where(mask, x, 0) @ w - gram[0])[1:] / modes.noise
        z = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(inner), True), right)
        return modes.shape[:, 0] + jnp.matmul(modes.shape[:, 1:], z, precision="highest")

    return jax.lax.map(one, (x, mask))


def drawn(key: PRNGKey, modes: Modes, rows: int) -> Float[Array, "rows d"]:
    """What random coefficients make of the modes, without the mean."""
    z = random.normal(key, (rows, modes.shape.shape[1] - 1), modes.shape.dtype)
    return jnp.matmul(z, modes.shape[:, 1:].T, precision="highest")


def padded(modes: Modes, most: int) -> Modes:
    """With zeros for the modes that are lacking, which explain nothing."""
    lacking = most + 1 - modes.shape.shape[1]
    shape = jnp.pad(modes.shape, ((0, 0), (0, lacking)))
    return Modes(shape, jnp.pad(modes.doubt, (0, lacking)), modes.noise)


def none(columns: int, most: int, dtype) -> Modes:
    """Modes that explain nothing."""
    k = most + 1
    return Modes(jnp.zeros((columns, k), dtype), jnp.zeros((k, k), dtype), jnp.ones((), dtype))

"""The joint Gaussian of a window's steps and channels: moments by EM, one ridge by hold-out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute.maths import precisions, splits
from jaximpute.maths.moved_gaps import moved_gaps
from jaximpute.methods.simple import _gaps, _marginals
from jaximpute.methods.simple._kriging import known
from jaximpute.methods.simple._marginals import Marginals
from jaximpute.types import PRNGKey

# shares of the covariance that are taken from its diagonal
RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 0.4)
ROWS = 8192  # windows learned from, at most
_LEAST = 1e-5  # variance that every coordinate has
_PARTS = 4  # of the windows, one of them left out of the moments that are judged in it
_JUDGED = 64  # windows, or more of narrow ones
_CELLS = 32768  # in these
_LEVELS = tuple((i + 0.5) / 10 for i in range(10))  # of the quantiles that are judged


class Windowed(NamedTuple):
    """A Gaussian of windows, time-major.

    Attributes:
        maps: of the channels, to scores that are more like normal ones.
        mean: of the scores, `(w,)`.
        precision: of the scores, `(w, w)`.
        error: of what it says of entries hidden from it, in standard deviations of a channel.
    """

    maps: Marginals
    mean: Float[Array, "w"]
    precision: Float[Array, "w w"]
    error: Float[Array, ""]


class _Moments(NamedTuple):
    """Of completed windows, by the part that they are in."""

    rows: Float[Array, "parts"]
    total: Float[Array, "parts w"]
    square: Float[Array, "parts w w"]


def fit(
    key: PRNGKey,
    x: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    weight: Float[Array, "n"],
    *,
    length: int,
    passes: int,
    marginals: str,
) -> Windowed:
    """Marginals and ridge by hold-out, then moments by EM, and the ridge once more.

    What is judged are windows that the moments leave out, a quarter of them at a time and side by
    side, for windows that overlap know each other; with gaps that other windows have hidden again.
    The score is the loss of ten quantiles, in units of the data.
    """
    rows, starts = windows_of(weight, x.shape[1], length)
    inside, seen = cut(x, rows, starts, length), cut(mask, rows, starts, length)
    part = jnp.arange(len(rows)) * _PARTS // len(rows)
    ridges = jnp.asarray(RIDGES, x.dtype)
    judged = _judged(len(rows), inside.shape[1])
    held = _hold_out(key, seen[judged.ravel()].reshape(-1, length, x.shape[-1]))
    held = [a.reshape(*judged.shape, -1) for a in held]
    flat, used = x.reshape(-1, x.shape[-1]), (mask & (weight > 0)[:, None, None])

    def errors(maps, scores, moments, left):
        def without(number):
            mean, cov = _combine(moments, left, jnp.arange(_PARTS) != number)
            at = judged[number]
            hidden = [a[number] for a in held]
            return jax.lax.map(
                lambda ridge: _error(
                    maps, mean, _precision(cov, ridge), scores[at], inside[at], *hidden
                ),
                ridges,
            )

        found = jax.lax.map(without, jnp.arange(_PARTS)).mean(0)
        return jnp.where(jnp.isnan(found), jnp.inf, found)

    def begin(maps):
        z = _marginals.forward(maps, x)
        scores = jnp.where(seen, cut(z, rows, starts, length), 0)
        lines = _gaps.lines(known(mask), jnp.where(mask, z, 0))
        moments = _moments(cut(lines, rows, starts, length), part)
        left = jnp.zeros((scores.shape[1],) * 2, x.dtype)
        return scores, moments, left

    options = _marginals.candidates(flat, used.reshape(flat.shape), marginals)
    # one program for all of them
    options = jax.tree.map(lambda *leaves: jnp.stack(leaves), *options)
    found = jax.lax.map(lambda maps: errors(maps, *begin(maps)), options)
    maps = jax.tree.map(lambda leaf: leaf[jnp.argmin(found.min(1))], options)
    scores, moments, left = begin(maps)
    everything, equal = jnp.full(_PARTS, True), jnp.ones(len(rows), x.dtype)

    def half(carry, passes):
        def one(_, carry):
            mean, cov = _combine(carry[0], carry[1], everything)
            filled, left = precisions.moments_from_precision(
                scores, seen, equal, mean, _precision(cov, ridge)
            )
            return _moments(filled, part), left

        moments, left, ridge = carry
        moments, left = jax.lax.fori_loop(0, passes, one, (moments, left))
        after = errors(maps, scores, moments, left)
        return (moments, left, ridges[jnp.argmin(after)]), after.min()

    # moments of straight lines want another ridge than those of EM, which comes to know better
    start = moments, left, ridges[jnp.argmin(found.min(0))]
    halves = jnp.array([(passes + 1) // 2, passes // 2])
    (moments, left, ridge), error = jax.lax.scan(half, start, halves)
    mean, cov = _combine(moments, left, everything)
    return Windowed(maps, mean, _precision(cov, ridge), error[-1])


def windows_of(
    weight: Float[Array, "n"], time: int, length: int
) -> tuple[Int[Array, "rows"], Int[Array, "rows"]]:
    """A series and a first step for each window that is learned from: all, or evenly many.

    Series count in proportion to their weight.
    """
    n, places = weight.shape[0], time - length + 1
    number = min(n * places, ROWS)
    at = jnp.arange(number) * (n * places / number)
    series = jnp.searchsorted(jnp.cumsum(weight) / weight.sum() * n, at // places, side="right")
    return jnp.minimum(series, n - 1), (at % places).astype(int)


def cut(a: Array, rows: Int[Array, "k"], starts: Int[Array, "k"], length: int) -> Array:
    """Windows of series, flattened: `(k, length * d)`."""
    steps = starts[:, None] + jnp.arange(length)[None]
    return a[rows[:, None], steps].reshape(len(rows), -1)


def _hold_out(key, seen: Bool[Array, "few length d"]):
    """What judged windows show and are asked for: gaps as they have, or stretches if none has."""
    k_gaps, k_stretch = jax.random.split(key)
    gaps, stretches = moved_gaps(0.2)(k_gaps, seen), splits.block(1, seen.shape[1])(k_stretch, seen)
    return jax.tree.map(lambda a, b: jnp.where(seen.all(), b, a), gaps, stretches)


def _judged(number: int, width: int) -> Int[Array, "parts few"]:
    """Numbers of windows to be judged, evenly in each part."""
    few = max(min(number, max(_JUDGED, _CELLS // width)) // _PARTS, 1)
    share = (jnp.arange(_PARTS)[:, None] + (jnp.arange(few)[None] + 0.5) / few) / _PARTS
    return jnp.minimum((share * number).astype(int), number - 1)


def _moments(filled: Float[Array, "rows w"], part: Int[Array, "rows"]) -> _Moments:
    def one(number):
        y = jnp.where((part == number)[:, None], filled, 0)
        count = (part == number).sum().astype(filled.dtype)
        return _Moments(count, y.sum(0), jnp.matmul(y.T, y, precision="highest"))

    return jax.lax.map(one, jnp.arange(_PARTS))


def _combine(moments: _Moments, left, parts: Bool[Array, "parts"]):
    """Mean and covariance of some parts."""
    count, total, square = (
        jnp.where(parts.reshape(-1, *(1,) * (a.ndim - 1)), a, 0).sum(0) for a in moments
    )
    count = jnp.maximum(count, 1)
    mean = total / count
    return mean, square / count - mean[:, None] * mean[None] + left


def _precision(cov, ridge):
    variance = jnp.diagonal(cov)
    shrunk = (1 - ridge) * cov + jnp.diag(ridge * variance + _LEAST)
    return precisions.precision_of(shrunk)


def _error(maps: Marginals, mean, precision, scores, truth, context, query):
    """The loss of quantiles of what is hidden, in units of the data."""
    middle, variance = precisions.marginals_from_precision(scores, context, mean, precision)
    d = len(maps.x)
    spread = jnp.sqrt(jnp.maximum(variance, 0))

    def loss(level):
        z = middle + spread * jax.scipy.stats.norm.ppf(level)
        found = _marginals.backward(maps, z.reshape(len(z), -1, d)).reshape(z.shape)
        under = truth - found
        return 2 * jnp.maximum(level * under, (level - 1) * under)

    losses = jax.lax.map(loss, jnp.asarray(_LEVELS, mean.dtype)).mean(0)
    return jnp.where(query, losses, 0).sum() / jnp.maximum(query.sum(), 1)

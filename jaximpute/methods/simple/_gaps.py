"""Gaps longer than a window: which rule fills them, chosen by hiding gaps like them elsewhere."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute.maths.seasons import autocovariance, period
from jaximpute.methods.simple import _kriging
from jaximpute.methods.simple._kriging import Known, known

# of the variance of one-step differences: noise that kriging allows the observations
RIDGES = (1e-2, 1e-1, 1.0)
_LEAST = 3e-5  # of the variance: less, and single precision fails on long windows
SIMPLEST = (3, 1, 0, 4, 2)  # lines, level, mean, season, slope
_SURE = 2.0  # standard errors by which another rule must do better; the places are not independent
_NOTHING = 1e-4  # an error that is none, in standard deviations
RULES = _kriging.TRENDS + 2  # and straight lines, and the season before
_SHIFTS = 12  # to either side, to hide gaps in other places
_STRETCHES = 8  # of each shift, at most


class Gaps(NamedTuple):
    """How the long gaps of series are filled.

    Attributes:
        period: steps of a season; 0 = none.
        ridge: see `kriging.krige`, `(d,)`.
        rule: its number, for gaps within and at the ends of each channel, `(2, d)`.
    """

    period: Int[Array, ""]
    ridge: Float[Array, "d"]
    rule: Int[Array, "2 d"]


def none(d: int, dtype) -> Gaps:
    """Where nothing is chosen yet: straight lines."""
    return Gaps(
        jnp.zeros((), jnp.int32),
        jnp.ones(d, dtype),
        jnp.full((2, d), _kriging.TRENDS, jnp.int32),
    )


def long(where: Known, reach: int) -> Bool[Array, "n time d"]:
    """Missing entries of gaps in whose middle nothing of the channel is seen within a window."""
    time = where.mask.shape[1]
    before, after = where.before, where.after
    deepest = jnp.where((before < 0) | (after == time), after - before - 1, (after - before) // 2)
    return ~where.mask & (deepest > reach // 2) & where.mask.any(axis=1, keepdims=True)


def fill(
    x: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    filled: Float[Array, "n time d"],
    autocov: Float[Array, "lags d d"],
    gaps: Gaps,
    reach: int,
) -> Float[Array, "n time d"]:
    """The long gaps anew, by the rule of their channel; all else as `filled` has it.

    Args:
        x: series, of mean 0.
        mask: True = observed.
        filled: their completion by windows.
        autocov: see `Stationary`.
        gaps: how.
        reach: of the windows.
    """
    where = known(mask)
    todo = long(where, reach)
    simple = _simple(where, x, filled, gaps.period)
    number, place = _stretches(todo)

    def one(i, out):
        row, start = place(i)
        means = _by_rule(where, x, simple, autocov, gaps, row, start)
        steps, there = _steps(start, x.shape)
        chosen = gaps.rule[_side(where)[row, there].astype(int), jnp.arange(x.shape[-1])[None]]
        picked = jnp.take_along_axis(means, chosen[None], axis=0)[0]
        picked = jnp.where(jnp.isfinite(picked), picked, means[_kriging.TRENDS])
        use = todo[row, there]
        return out.at[row, steps].set(jnp.where(use, picked, out[row, there]), mode="drop")

    return jax.lax.fori_loop(0, number, one, filled)


def choose(
    x: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    weight: Float[Array, "n"],
    filled: Float[Array, "n time d"],
    left: Float[Array, "some d d"],
    reach: int,
) -> Gaps:
    """Season, ridge and rules, by the errors where gaps are hidden elsewhere.

    The long gaps are moved in time, all channels together. One that reaches an end of the record
    goes on to it, and counts over its own length only: what is right far from all that is seen may
    be wrong near by. What a series does in its gaps does not enter the moments it is judged by.
    """
    time, d = x.shape[1:]
    here = long(known(mask), reach) & (weight > 0)[:, None, None]
    autocov = autocovariance(filled, weight, left)
    season = period(autocov)
    ridges = jnp.stack([_ridge(autocov, r) for r in RIDGES])

    def moved(i, sums):
        step = (i // 2 + 1) * (time // (2 * _SHIFTS + 2) + 1)
        hidden, judged = _moved(here, jnp.where(i % 2 == 0, step, -step))
        shown = mask & ~hidden
        where = known(shown)
        hidden = mask & judged & long(where, reach)
        straight = lines(where, x)
        apart = jnp.where(hidden, straight, filled)
        gaps = none(d, x.dtype)._replace(period=season)
        simple = jnp.stack([straight, _season(where, apart, season)])
        covariance = autocovariance(apart, weight, left)
        number, place = _stretches(hidden, _STRETCHES)

        def one(j, sums):
            row, start = place(j)
            _, inside = _steps(start, x.shape)
            truth, ends = x[row, inside], _side(where)[row, inside]

            def error(ridge):
                with_it = gaps._replace(ridge=ridge)
                means = _by_rule(where, x, simple, covariance, with_it, row, start)
                return jnp.where(jnp.isfinite(means), jnp.abs(means - truth[None]), jnp.inf)

            errors = jax.lax.map(error, ridges)  # (ridges, rules, block, d)
            own = jnp.arange(len(inside)) + start < time
            use = hidden[row, inside] & own[:, None]
            use = jnp.stack([use & ~ends, use & ends])  # (2, block, d)
            total = jnp.where(use[None, None], errors[:, :, None], 0).sum(3)
            return sums[0] + total, sums[1] + use.sum(1)

        here_too = jax.lax.fori_loop(0, number, one, zero)
        return tuple(a.at[i].set(b) for a, b in zip(sums, here_too, strict=True))

    zero = jnp.zeros((len(RIDGES), RULES, 2, d), x.dtype), jnp.zeros((2, d), jnp.int32)
    places = tuple(jnp.zeros((2 * _SHIFTS, *a.shape), a.dtype) for a in zero)
    total, count = jax.lax.fori_loop(0, jnp.where(here.any(), 2 * _SHIFTS, 0), moved, places)
    many = jnp.maximum(count, 1)[:, None, None]
    scores = jnp.log(jnp.maximum(total / many, _NOTHING))
    kriged = jnp.where(count[:, None, None] > 0, scores, 0)[:, :, : _kriging.TRENDS]
    best = jnp.argmin(kriged.sum(0).min(1).sum((1, 2)))
    rule = _simplest(scores[:, best], count > 0)
    return Gaps(season, ridges[best], rule)


def _moved(
    gaps: Bool[Array, "n time d"], step: Int[Array, ""]
) -> tuple[Bool[Array, "n time d"], Bool[Array, "n time d"]]:
    """Gaps that many steps earlier: what is hidden then, to the ends; and they themselves."""
    time = gaps.shape[1]
    there = jnp.arange(time) + step
    nearest = gaps[:, jnp.clip(there, 0, time - 1)]
    inside = (there >= 0) & (there < time)
    return nearest, nearest & inside[None, :, None]


def _simplest(
    scores: Float[Array, "places rules 2 d"], seen: Bool[Array, "places 2 d"]
) -> Int[Array, "2 d"]:
    """The simplest rule that is not surely worse than the best one, place by place."""
    number = seen.sum(0)

    def mean(a):
        return jnp.where(seen[:, None], a, 0).sum(0) / jnp.maximum(number, 1)[None]

    average = mean(scores)
    best = jnp.argmin(average, axis=0)
    behind = scores - jnp.take_along_axis(scores, best[None, None], axis=1)
    spread = jnp.sqrt(mean((behind - mean(behind)[None]) ** 2) / jnp.maximum(number - 1, 1)[None])
    close = mean(behind) <= _SURE * spread
    close = jnp.where(jnp.isfinite(average), close, False)
    order = jnp.array(SIMPLEST)
    first = order[jnp.argmax(close[order], axis=0)]
    return jnp.where(number > 2, first, order[0]).astype(jnp.int32)


def lines(where: Known, x: Float[Array, "n time d"]) -> Float[Array, "n time d"]:
    """Linear interpolation; 0, the mean of scaled data, where a channel is never observed."""
    time = x.shape[1]
    before = jnp.where(where.before < 0, where.after, where.before)
    after = jnp.where(where.after == time, where.before, where.after)
    low, high = (jnp.take_along_axis(x, jnp.clip(i, 0, time - 1), axis=1) for i in (before, after))
    span = jnp.maximum(after - before, 1).astype(x.dtype)
    share = (jnp.arange(time)[None, :, None] - before) / span
    return jnp.where(where.mask.any(axis=1, keepdims=True), low + share * (high - low), 0)


def _ridge(autocov, ridge):
    variance = jnp.diagonal(autocov[0])
    changes = 2 * (variance - jnp.diagonal(autocov[1]))
    return jnp.maximum(ridge * changes, _LEAST * variance + jnp.finfo(variance.dtype).tiny)


def _by_rule(where, x, simple, autocov, gaps, row, start):
    """A stretch by every rule, `(rules, block, d)`."""
    which = _kriging.entries(where, row, start, gaps.period)
    values = x[row, jnp.minimum(which.step, x.shape[1] - 1), which.channel]
    steps, inside = _steps(start, x.shape)
    kriged = _kriging.krige(values, which, autocov, gaps.ridge, len(steps))
    return jnp.concatenate([kriged, simple[:, row, inside]])


def _simple(where: Known, x, filled, season) -> Float[Array, "2 n time d"]:
    return jnp.stack([lines(where, x), _season(where, filled, season)])


def _season(where: Known, filled, season):
    """What was there the last and the next season, the nearer one more; lines without a season."""
    time = filled.shape[1]
    step = jnp.arange(time)[None, :, None]
    safe = jnp.maximum(season, 1)
    back = safe * (-(-(step - where.before) // safe))
    forth = safe * (-(-(where.after - step) // safe))
    has_back = (where.before >= 0) & (step - back >= 0)
    has_forth = (where.after < time) & (step + forth < time)
    earlier = jnp.take_along_axis(filled, jnp.clip(step - back, 0, time - 1), axis=1)
    later = jnp.take_along_axis(filled, jnp.clip(step + forth, 0, time - 1), axis=1)
    share = back / jnp.maximum(back + forth, 1)
    between = earlier + share.astype(filled.dtype) * (later - earlier)
    found = jnp.where(has_back & has_forth, between, jnp.where(has_back, earlier, later))
    return jnp.where((has_back | has_forth) & (season > 0), found, lines(where, filled))


def _side(where: Known) -> Bool[Array, "n time d"]:
    """Whether an entry lies before the first or after the last observed one of its channel."""
    return (where.before < 0) | (where.after == where.mask.shape[1])


def _steps(start, shape):
    """The steps of a stretch, and the nearest that exist."""
    _, time, d = shape
    steps = start + jnp.arange(_kriging.sizes(d, time)[0])
    return steps, jnp.minimum(steps, time - 1)


def _stretches(todo: Bool[Array, "n time d"], most: int | None = None):
    """How many stretches hold such entries (`most` of them, evenly), and where each begins."""
    n, time, d = todo.shape
    block = _kriging.sizes(d, time)[0]
    blocks = -(-time // block)
    wide = jnp.pad(todo, ((0, 0), (0, blocks * block - time), (0, 0)))
    flags = wide.reshape(n * blocks, -1).any(1)
    ranks = jnp.cumsum(flags)
    number = ranks[-1] if most is None else jnp.minimum(ranks[-1], most)

    def place(i):
        rank = i if most is None else (2 * i + 1) * ranks[-1] // jnp.maximum(2 * number, 1)
        at = jnp.searchsorted(ranks, rank + 1)
        return at // blocks, at % blocks * block

    return number, place

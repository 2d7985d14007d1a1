"""The stationary Gaussian of a series: its autocovariance by EM, and the smoother it gives."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute.masking import masked_mean
from jaximpute.maths import random
from jaximpute.maths.gaussians import conditional_mean, conditional_moments, leave_one_out
from jaximpute.maths.seasons import autocovariance
from jaximpute.methods.simple import _gaps, _kriging
from jaximpute.types import PRNGKey

# of the variance of one-step differences: noise that the observations are allowed
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_START = 1e-3  # the ridge until one is chosen
_SAMPLED = 64  # windows, at most, from which averages over windows are estimated
_SCORED = 128  # and in which the ridge is chosen
_PARTS = 4  # of the record, one of them left out of the moments that are judged in it
_GOLDEN = (5**0.5 - 1) / 2
_FIRM = 1e-3  # of the variances, added to a covariance that cannot be factorised


class Stationary(NamedTuple):
    """A stationary Gaussian process.

    Attributes:
        mean: of each channel, `(d,)`.
        autocov: covariance of the channels with themselves `h` steps later, `(lags, d, d)`; more
            lags than a window has.
        ridge: variance added to each channel's own at lag 0, `(d,)`.
        gaps: how gaps longer than a window are filled.
    """

    mean: Float[Array, "d"]
    autocov: Float[Array, "lags d d"]
    ridge: Float[Array, "d"]
    gaps: _gaps.Gaps


def fit(
    x: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    weight: Float[Array, "n"],
    *,
    block: int,
    context: int,
    passes: int,
) -> Stationary:
    """Autocovariance by EM, started from linear interpolation; ridge by leaving one out.

    The expectation step treats disjoint windows as independent, and takes the covariance they are
    left with from some of them. The ridge is chosen after either half of the passes, in parts of
    the record that the moments leave out: many channels fit their own noise. Nothing is drawn at
    random: windows lie evenly.
    """
    n, time, _ = x.shape
    length, ridges = block + 2 * context, jnp.asarray(RIDGES, x.dtype)
    rows, starts = _some_windows(0, weight, time, length, _SCORED)
    part = _parts(n, time)
    middle = jnp.minimum(starts + length // 2, time - 1)

    def choose(filled, left):
        def without(number):
            return _maximise(filled, left, weight, ridges[0], part != number)

        models = jax.lax.map(without, jnp.arange(_PARTS))
        scored = part[rows, middle], rows, starts
        errors = jax.lax.map(lambda ridge: _error(models, ridge, x, mask, *scored), ridges)
        return _least(ridges, errors)

    def half(carry, numbers):
        def one(carry, number):
            filled, left = carry
            model = _maximise(filled, left, weight, carry_ridge)
            filled = smooth(model, x, mask, block=length, context=0, otherwise=filled)
            some = _some_windows(number, weight, x.shape[1], length, _SAMPLED)
            return (filled, _left(model, x, mask, *some)), None

        filled, left, carry_ridge = carry
        filled, left = jax.lax.scan(one, (filled, left), numbers)[0]
        return (filled, left, choose(filled, left)), None

    nothing = jnp.zeros((length, *x.shape[-1:] * 2), x.dtype)
    start = (_gaps.lines(_kriging.known(mask), x), nothing, jnp.asarray(_START, x.dtype))
    numbers = jnp.arange(2 * ((passes + 1) // 2)).reshape(2, -1)
    (filled, left, ridge), _ = jax.lax.scan(half, start, numbers)
    model = _maximise(filled, left, weight, ridge)

    def centred(a):
        return a - model.mean[None, None]

    gaps = _gaps.choose(centred(x), mask, weight, centred(filled), left, context)
    autocov = autocovariance(centred(filled), weight, left)
    better = _gaps.fill(centred(x), mask, centred(filled), autocov, gaps, context)
    autocov = autocovariance(better, weight, left)
    return model._replace(autocov=autocov, gaps=gaps)


def complete(model: Stationary, x, mask, *, block: int, context: int):
    """Short gaps by windows, long ones by the rule chosen for them; observed entries kept."""
    lines = _gaps.lines(_kriging.known(mask), x)
    filled = smooth(model, x, mask, block=block, context=context, otherwise=lines)
    mean = model.mean[None, None]
    far = _gaps.fill(x - mean, mask, filled - mean, model.autocov, model.gaps, context)
    return jnp.where(mask, x, far + mean)


def draw(key: PRNGKey, model: Stationary, x, mask, *, block: int, context: int):
    r"""A random completion, by Matheron's rule.

    .. math:: \hat x(x_o) + z - \hat x(z_o)

    The path :math:`z` of the process is as long as the series, and :math:`\hat x` the mean of
    `complete`, linear in what is observed. So blocks agree at their borders, and a gap that is
    filled by another rule is drawn with the error that this rule makes of such paths.
    """
    path = _path(key, model, x.shape[0], x.shape[1], block, context)
    flat = model._replace(mean=jnp.zeros_like(model.mean))
    again = complete(flat, jnp.where(mask, path, 0), mask, block=block, context=context)
    mean = complete(model, x, mask, block=block, context=context)
    return jnp.where(mask, x, mean + path - again)


def _path(key: PRNGKey, model: Stationary, n: int, time: int, block: int, context: int):
    """Series `(n, time, d)` of the process about 0, each block given `2 * context` steps before."""
    d = model.mean.shape[0]
    past = 2 * context * d
    cov = _covariance(model, block + 2 * context)
    root = jnp.linalg.cholesky(cov)
    # one that single precision cannot factorise is near one that it can
    firm = jnp.linalg.cholesky(cov + _FIRM * jnp.diag(jnp.diagonal(cov)))
    root = jnp.where(jnp.isfinite(root).all(), root, firm)
    own, cross = root[past:, past:], root[past:, :past]
    k_begin, k_run = jax.random.split(key)

    def times(a, b):
        return jnp.matmul(a, b.T, precision="highest")

    def one(carry, i):
        noise = random.normal(jax.random.fold_in(k_run, i), (n, block * d), cov.dtype)
        # the root's rows turn the past into the noise that made it, and that into what follows
        made = jax.scipy.linalg.solve_triangular(root[:past, :past], carry.T, lower=True).T
        new = times(made, cross) + times(noise, own)
        return jnp.concatenate([carry, new], axis=1)[:, -past:], new

    begin = times(random.normal(k_begin, (n, past), cov.dtype), root[:past, :past])
    _, blocks = jax.lax.scan(one, begin, jnp.arange(-(-time // block)))
    return jnp.moveaxis(blocks, 0, 1).reshape(n, -1, d)[:, :time]


def smooth(
    model: Stationary,
    x: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    *,
    block: int,
    context: int,
    otherwise: Float[Array, "n time d"],
) -> Float[Array, "n time d"]:
    """Each block's mean given what is observed in it and in its context; observed entries kept.

    Where the factorisation fails in this precision the answer is that of `otherwise`.
    """
    n, time, d = x.shape
    blocks = -(-time // block)
    padding = ((0, 0), (context, context + blocks * block - time), (0, 0))
    x_wide, mask_wide = jnp.pad(x, padding), jnp.pad(mask, padding)
    rows = jnp.repeat(jnp.arange(n), blocks)
    starts = jnp.tile(jnp.arange(blocks) * block, n)
    length = block + 2 * context
    means = _conditional(model, length, *_cut((x_wide, mask_wide), rows, starts, length))
    inner = means.reshape(-1, length, d)[:, context : context + block]
    means = inner.reshape(n, blocks * block, d)[:, :time]
    return jnp.where(mask, x, jnp.where(jnp.isfinite(means), means, otherwise))


def _maximise(filled, left, weight, ridge, used=True) -> Stationary:
    """Moments of completed series, plus the autocovariance that their missing entries keep.

    Where steps are not `used`, `(n, time)`, the moments are of the others.
    """
    _, time, _ = filled.shape
    lags = left.shape[0]
    w = jnp.where(used, jnp.broadcast_to(weight[:, None], filled.shape[:2]), 0)[..., None]
    total = jnp.maximum(w.sum(), jnp.finfo(filled.dtype).tiny)
    mean = jnp.where(w > 0, w * filled, 0).sum((0, 1)) / total
    y = jnp.where(w > 0, filled - mean[None, None], 0)
    later = jnp.pad(y, ((0, 0), (0, lags), (0, 0)))

    def at(lag):
        shifted = jax.lax.dynamic_slice_in_dim(later, lag, time, axis=1)
        # dividing by the whole length, whatever the lag, is what keeps the matrix positive
        return jnp.einsum("nti,ntj->ij", w * y, shifted, precision="highest") / total

    autocov = jax.lax.map(at, jnp.arange(lags)) + left
    gaps = _gaps.none(filled.shape[-1], filled.dtype)
    return Stationary(mean, autocov, _noise(autocov, ridge), gaps)


def _noise(autocov, ridge) -> Float[Array, "d"]:
    """Of each channel, a share of the variance of its one-step differences."""
    variance = jnp.diagonal(autocov[0])
    changes = 2 * (variance - jnp.diagonal(autocov[1]))
    least = 1e-7 * variance + jnp.finfo(variance.dtype).tiny
    return jnp.maximum(ridge * changes, least)


def _parts(n: int, time: int) -> Int[Array, "n time"]:
    """Which part of the record a step belongs to: whole series where there are enough of them."""
    if n >= _PARTS:
        return jnp.broadcast_to(jnp.arange(n)[:, None] % _PARTS, (n, time))
    return jnp.broadcast_to(jnp.arange(time) * _PARTS // time, (n, time))


def _covariance(model: Stationary, length: int) -> Float[Array, "wd wd"]:
    """The block Toeplitz matrix of a window, time-major."""
    d = model.autocov.shape[-1]
    near = model.autocov[:length]
    both = jnp.concatenate([near[:0:-1].transpose(0, 2, 1), near])
    lag = jnp.arange(length)[None] - jnp.arange(length)[:, None] + length - 1
    cov = both[lag].transpose(0, 2, 1, 3).reshape(length * d, length * d)
    return cov + jnp.diag(jnp.tile(model.ridge, length))


def _conditional(model: Stationary, length: int, x, mask):
    return conditional_mean(x, mask, jnp.tile(model.mean, length), _covariance(model, length))


def _cut(arrays, rows: Int[Array, "k"], starts: Int[Array, "k"], length: int):
    """Windows of each array, flattened: `(k, length * d)`."""
    steps = starts[:, None] + jnp.arange(length)[None]
    return tuple(a[rows[:, None], steps].reshape(len(rows), -1) for a in arrays)


def _some_windows(number, weight, time, length, most):
    """Series in proportion to weight, and a first step each, spread evenly; `most` at most."""
    n = weight.shape[0]
    count = min(most, max(n * time // length, 8))
    u = (jnp.arange(count) + 0.5) / count
    edges = jnp.cumsum(weight)
    rows = jnp.minimum(jnp.searchsorted(edges, u * edges[-1], side="right"), n - 1)
    # multiples of the golden ratio fill the unit interval evenly, from any of them on
    share = (_GOLDEN * (jnp.arange(count) + count * number)) % 1
    return rows, (share * (max(time - length, 0) + 1)).astype(int)


def _whole(a, length):
    """Series padded to the length of a window at least."""
    return jnp.pad(a, ((0, 0), (0, max(length - a.shape[1], 0)), (0, 0)))


def _error(models: Stationary, ridge, x, mask, part, rows, starts) -> Float[Array, ""]:
    """Mean absolute error at observed entries left out, each channel in its own units.

    Not the squared one: a few jumps of a series would choose for all the rest.

    Args:
        models: one without each part of the record.
        ridge: see `RIDGES`.
        x: series.
        mask: True = observed.
        part: of each window.
        rows: the series that each window is of.
        starts: its first step.
    """
    length = models.autocov.shape[1]
    x, mask = _cut([_whole(a, length) for a in (x, mask)], rows, starts, length)

    def one(window):
        x, mask, part = window
        model = jax.tree.map(lambda leaf: leaf[part], models)
        model = model._replace(ridge=_noise(model.autocov, ridge))
        mean, cov = jnp.tile(model.mean, length), _covariance(model, length)
        return leave_one_out(x[None], mask[None], mean, cov)[0]

    return masked_mean(jnp.abs(jax.lax.map(one, (x, mask, part))), mask)


def _least(ridges, errors) -> Float[Array, ""]:
    """The ridge of least error: the lowest point of a parabola through three, in logarithms."""
    errors = jnp.where(jnp.isnan(errors), jnp.inf, errors)
    best = jnp.argmin(errors)
    middle = jnp.clip(best, 1, len(ridges) - 2)
    low, mid, high = (errors[middle + i] for i in (-1, 0, 1))
    bend = low - 2 * mid + high
    shift = jnp.where(bend > 0, 0.5 * (low - high) / jnp.where(bend > 0, bend, 1), 0)
    inner = (best == middle) & jnp.isfinite(bend)
    logs = jnp.log(ridges)
    step = logs[1] - logs[0]
    return jnp.exp(logs[best] + jnp.where(inner, shift, 0) * step).astype(errors.dtype)


def _left(model: Stationary, x, mask, rows, starts) -> Float[Array, "lags d d"]:
    """Autocovariance that the missing entries keep, averaged over windows."""
    lags, d, _ = model.autocov.shape
    inside = jnp.ones_like(mask)
    x, mask, inside = _cut([_whole(a, lags) for a in (x, mask, inside)], rows, starts, lags)
    weight = jnp.ones(len(rows), x.dtype)
    mean = jnp.tile(model.mean, lags)
    _, left = conditional_moments(x, mask, weight, mean, _covariance(model, lags))
    here = inside[0].reshape(lags, d)[:, 0]  # the same for all windows
    left = left.reshape(lags, d, lags, d).transpose(0, 2, 1, 3)
    step = jnp.arange(lags)
    later = step[:, None] + step[None]  # [step, lag]
    there = jnp.minimum(later, lags - 1)
    used = (later < lags) & here[:, None] & here[there]
    by_lag = jnp.where(used[..., None, None], left[step[:, None], there], 0).sum(0)
    by_lag = by_lag / here.sum().astype(x.dtype)
    return jnp.where(jnp.isfinite(by_lag), by_lag, 0)

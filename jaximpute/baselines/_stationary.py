"""The stationary Gaussian of a series: its autocovariance by EM, and the smoother it gives."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute import _random
from jaximpute.baselines.interpolation import interpolate
from jaximpute.gaussians import conditional_mean, conditional_moments
from jaximpute.masking import masked_mean, pick
from jaximpute.types import PRNGKey

# of the variance of one-step differences: noise that the observations are allowed
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_START = 1e-3  # the ridge until one is chosen
_SAMPLED = 64  # windows, at most, from which averages over windows are estimated
_SCORED = 512  # and on which the ridge is chosen: with few, by chance


class Stationary(NamedTuple):
    """A stationary Gaussian process.

    Attributes:
        mean: of each channel, `(d,)`.
        autocov: covariance of the channels with themselves `h` steps later, `(lags, d, d)`.
        ridge: variance added to each channel's own at lag 0, `(d,)`.
    """

    mean: Float[Array, "d"]
    autocov: Float[Array, "lags d d"]
    ridge: Float[Array, "d"]


def fit(
    key: PRNGKey,
    x: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    weight: Float[Array, "n"],
    *,
    block: int,
    context: int,
    passes: int,
) -> Stationary:
    """Autocovariance by EM, started from linear interpolation; ridge by hold-out.

    The expectation step treats disjoint windows as independent, and takes the covariance they are
    left with from a sample of them. The first half of the passes does without 5 % of the observed
    entries, on which the ridge is then chosen; the second half has them all.
    """
    key_hide, key_ridge, key_passes = jax.random.split(key, 3)
    hidden = mask & _random.bernoulli(key_hide, 0.05, mask.shape)
    length, ridges = block + 2 * context, jnp.asarray(RIDGES, x.dtype)
    windows = _some_windows(key_ridge, x, weight, length, _SCORED)

    def choose(filled, left, known):
        models = jax.lax.map(lambda r: _maximise(filled, left, weight, r), ridges)
        errors = jax.lax.map(lambda model: _error(model, x, known, hidden, *windows), models)
        return ridges[jnp.argmin(jnp.where(jnp.isnan(errors), jnp.inf, errors))]

    def half(carry, inputs):
        filled, left, ridge = carry
        known, numbers = inputs
        filled = jnp.where(known, x, filled)

        def one(carry, number):
            key = jax.random.fold_in(key_passes, number)
            filled, left = carry
            model = _maximise(filled, left, weight, ridge)
            filled = smooth(model, x, known, block=length, context=0, otherwise=filled)
            chosen = _some_windows(key, x, weight, length, _SAMPLED)
            return (filled, _left(model, x, known, *chosen)), None

        filled, left = jax.lax.scan(one, (filled, left), numbers)[0]
        # in the second half nothing is held out any more
        over = (known & hidden).any()
        ridge = jax.lax.cond(over, lambda *_: ridge, choose, filled, left, known)
        return (filled, left, ridge), None

    known = mask & ~hidden
    nothing = jnp.zeros((length, *x.shape[-1:] * 2), x.dtype)
    start = (lines(x, known), nothing, jnp.asarray(_START, x.dtype))
    numbers = jnp.arange(2 * ((passes + 1) // 2)).reshape(2, -1)
    (filled, left, ridge), _ = jax.lax.scan(half, start, (jnp.stack([known, mask]), numbers))
    return _maximise(filled, left, weight, ridge)


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
    means = _conditional(model, *_cut((x_wide, mask_wide), rows, starts, length))
    inner = means.reshape(-1, length, d)[:, context : context + block]
    means = inner.reshape(n, blocks * block, d)[:, :time]
    return jnp.where(mask, x, jnp.where(jnp.isfinite(means), means, otherwise))


def lines(x, mask):
    """Linear interpolation; 0, the mean of scaled data, where a channel is never observed."""
    channels = jax.vmap(interpolate, in_axes=(None, 1, 1), out_axes=1)
    t = jnp.arange(x.shape[1], dtype=x.dtype)
    filled = jax.vmap(channels, in_axes=(None, 0, 0))(t, x, mask)
    return jnp.where(mask.any(axis=1, keepdims=True), filled, 0)


def _maximise(filled, left, weight, ridge) -> Stationary:
    """Moments of completed series, plus the autocovariance that their missing entries keep."""
    _, time, _ = filled.shape
    lags = left.shape[0]
    total = jnp.maximum(weight.sum() * time, jnp.finfo(filled.dtype).tiny)
    w = weight[:, None, None]
    mean = jnp.where(w > 0, w * filled, 0).sum((0, 1)) / total
    y = jnp.where(w > 0, filled - mean[None, None], 0)
    later = jnp.pad(y, ((0, 0), (0, lags), (0, 0)))

    def at(lag):
        shifted = jax.lax.dynamic_slice_in_dim(later, lag, time, axis=1)
        # dividing by the whole length, whatever the lag, is what keeps the matrix positive
        return jnp.einsum("nti,ntj->ij", w * y, shifted, precision="highest") / total

    autocov = jax.lax.map(at, jnp.arange(lags)) + left
    variance = jnp.diagonal(autocov[0])
    changes = 2 * (variance - jnp.diagonal(autocov[1]))
    least = 1e-7 * variance + jnp.finfo(variance.dtype).tiny
    return Stationary(mean, autocov, jnp.maximum(ridge * changes, least))


def _covariance(model: Stationary) -> Float[Array, "wd wd"]:
    """The block Toeplitz matrix of a window, time-major."""
    lags, d, _ = model.autocov.shape
    both = jnp.concatenate([model.autocov[:0:-1].transpose(0, 2, 1), model.autocov])
    lag = jnp.arange(lags)[None] - jnp.arange(lags)[:, None] + lags - 1
    cov = both[lag].transpose(0, 2, 1, 3).reshape(lags * d, lags * d)
    return cov + jnp.diag(jnp.tile(model.ridge, lags))


def _conditional(model: Stationary, x, mask):
    lags = model.autocov.shape[0]
    return conditional_mean(x, mask, jnp.tile(model.mean, lags), _covariance(model))


def _cut(arrays, rows: Int[Array, "k"], starts: Int[Array, "k"], length: int):
    """Windows of each array, flattened: `(k, length * d)`."""
    steps = starts[:, None] + jnp.arange(length)[None]
    return tuple(a[rows[:, None], steps].reshape(len(rows), -1) for a in arrays)


def _some_windows(key, x, weight, length, most):
    """Series in proportion to weight, and a first step each; `most` at most."""
    key_rows, key_starts = jax.random.split(key)
    n, time, _ = x.shape
    count = min(most, max(n * time // length, 8))
    starts = jax.random.randint(key_starts, (count,), 0, max(time - length, 0) + 1)
    return pick(key_rows, weight, count), starts


def _whole(a, length):
    """Series padded to the length of a window at least."""
    return jnp.pad(a, ((0, 0), (0, max(length - a.shape[1], 0)), (0, 0)))


def _error(model: Stationary, x, known, hidden, rows, starts) -> Float[Array, ""]:
    """Mean absolute error at hidden entries, each channel in its own units.

    Not the squared one: a few jumps of a series would choose for all the rest.
    """
    length = model.autocov.shape[0]
    x, known, hidden = _cut([_whole(a, length) for a in (x, known, hidden)], rows, starts, length)
    return masked_mean(jnp.abs(_conditional(model, x, known) - x), hidden)


def _left(model: Stationary, x, mask, rows, starts) -> Float[Array, "lags d d"]:
    """Autocovariance that the missing entries keep, averaged over windows."""
    lags, d, _ = model.autocov.shape
    inside = jnp.ones_like(mask)
    x, mask, inside = _cut([_whole(a, lags) for a in (x, mask, inside)], rows, starts, lags)
    weight = jnp.ones(len(rows), x.dtype)
    mean = jnp.tile(model.mean, lags)
    _, left = conditional_moments(x, mask, weight, mean, _covariance(model))
    here = inside[0].reshape(lags, d)[:, 0]  # the same for all windows
    left = left.reshape(lags, d, lags, d).transpose(0, 2, 1, 3)
    step = jnp.arange(lags)
    later = step[:, None] + step[None]  # [step, lag]
    there = jnp.minimum(later, lags - 1)
    used = (later < lags) & here[:, None] & here[there]
    by_lag = jnp.where(used[..., None, None], left[step[:, None], there], 0).sum(0)
    by_lag = by_lag / here.sum().astype(x.dtype)
    return jnp.where(jnp.isfinite(by_lag), by_lag, 0)

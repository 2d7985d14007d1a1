"""Seasons of series: the autocovariance at many lags, and the lag at which they come back."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_TIMES = 4  # that a season fits into the lags, at least
_MOST_LAGS = 8192
_FEWEST = 2  # lags that a season is looked for in


def period(autocov: Float[Array, "lags d d"]) -> Int[Array, ""]:
    """The lag at which the channels are most like themselves, and least so half a lag off.

    A trend bends the autocovariance little within a lag and a half, so that it drops out. What came
    back fewer times than a few in the lags there are is a wander, not a season.
    """
    own = jnp.diagonal(autocov, axis1=1, axis2=2)
    own = (own / jnp.maximum(own[:1], jnp.finfo(own.dtype).tiny)).mean(1)
    most = (own.shape[0] - 1) // _TIMES
    lag = jnp.arange(most)

    def half(lags):  # in halves of a lag
        return 0.5 * (own[lags // 2] + own[(lags + 1) // 2])

    score = own[:most] - 0.5 * (half(lag) + half(3 * lag))
    inner = jnp.pad(score[1:-1], 1, constant_values=-1.0)
    peak = (inner > 0) & (score >= jnp.roll(score, 1)) & (score >= jnp.roll(score, -1))
    score = jnp.where(peak & (lag >= 4), score, 0)
    # the first that is about as good: its multiples are so, too
    return jnp.argmax((score >= 0.8 * score.max()) & (score > 0)).astype(jnp.int32)


def autocovariance(
    y: Float[Array, "n time d"], weight: Float[Array, "n"], left: Float[Array, "some d d"]
) -> Float[Array, "lags d d"]:
    """Of complete series of mean 0, at many lags, with what their missing entries keep.

    Dividing by the whole length, whatever the lag, is what keeps the matrix positive; a taper where
    the lags end before the record does keeps it so.
    """
    _, time, d = y.shape
    lags = _lags(time, d, len(left))
    total = jnp.maximum(weight.sum() * time, jnp.finfo(y.dtype).tiny)
    y = jnp.where(weight[:, None, None] > 0, y, 0)
    spectrum = jnp.fft.rfft(y, 2 * max(time, lags), axis=1)

    def one(i):
        cross = (weight[:, None, None] * jnp.conj(spectrum[:, :, i])[..., None] * spectrum).sum(0)
        return jnp.fft.irfft(cross, axis=0)[:lags]

    found = jax.lax.map(one, jnp.arange(d)).transpose(1, 0, 2) / total
    u = jnp.arange(lags) / lags
    bohman = (1 - u) * jnp.cos(jnp.pi * u) + jnp.sin(jnp.pi * u) / jnp.pi
    found = found * jnp.where(lags < time, bohman, 1)[:, None, None]
    return found.at[: len(left)].add(left).astype(y.dtype)


def season(x: Float[Array, "n time d"], weight: Float[Array, "n"]) -> Int[Array, ""]:
    """The steps of a season of complete series; 0 where there is none.

    Args:
        x: series, in like units.
        weight: of each; 0 for padding.

    Example:
        >>> import jax.numpy as jnp
        >>> t = jnp.arange(400.0)[None, :, None]
        >>> int(season(jnp.sin(2 * jnp.pi * t / 25), jnp.ones(1)))
        25
    """
    d = x.shape[-1]
    none = jnp.zeros((_FEWEST, d, d), x.dtype)
    return period(autocovariance(x - x.mean((0, 1), keepdims=True), weight, none))


def _lags(time: int, d: int, least: int) -> int:
    return max(least, min(time, _MOST_LAGS, max(1024, _MOST_LAGS * 64 // d**2)))

"""The random walk observed with noise, each channel apart: Kalman filter and smoother."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, clamp
from jaximpute.methods.simple._static import static_method
from jaximpute.methods.simple._time import check_times, positions
from jaximpute.types import Method, Observed

RATIOS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class KalmanState(NamedTuple):
    """What was learned of each channel.

    Attributes:
        ratio: variance of the noise over that of the walk in one unit of time, `(d,)`.
        mean: mean of the observed values, for a channel never observed in a series, `(d,)`.
    """

    ratio: Float[Array, "d"]
    mean: Float[Array, "d"]


class _Filtered(NamedTuple):
    level: Float[Array, "*shape"]
    variance: Float[Array, "*shape"]
    seen: Bool[Array, "*shape"]


def kalman(*, ratios: Sequence[float] = RATIOS, times: ArrayLike | None = None) -> Method:
    r"""Smoother of the local-level model, each channel apart, its noise by maximum likelihood.

    .. math:: x_{t_k} = x_{t_{k-1}} + \sqrt{q (t_k - t_{k-1})}\, \epsilon_k, \qquad
        y_{t_k} = x_{t_k} + \sqrt{r}\, \eta_k,

    with a flat prior on the first level. The likelihood is maximised over :math:`q` in closed form
    and over :math:`r / q` on a grid, over all series given to `init`; missing entries become the
    expected level given all observations of their series and channel. With :math:`r = 0` that is
    linear interpolation.

    Args:
        ratios: the grid for :math:`r / q`, not negative.
        times: `(time,)` positions of the steps, increasing; one apart if None.

    Returns:
        An inductive method for series.

    Raises:
        OptionError: no ratio, or a negative one.
        TimeError: `times` does not increase or, later, does not have the length of the series.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([1.0, 2.0, np.nan, 4.0, 5.0]).reshape(1, 5, 1))
        >>> method = ji.methods.kalman()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, 2].tolist()
        [3.0]

    Source: Durbin and Koopman, "Time Series Analysis by State Space Methods", 2nd ed., chapter 2.
    """
    if len(ratios) == 0 or min(ratios) < 0:
        raise OptionError(f"ratios is {tuple(ratios)}; expected at least one, none negative")
    steps = check_times(times)

    def learn(key, data: Observed) -> KalmanState:
        del key
        t = positions(steps, data)
        grid = jnp.asarray(ratios, data.values.dtype)
        scores = jax.vmap(lambda r: _log_likelihood(t, data, r))(grid)
        return KalmanState(grid[jnp.argmax(scores, axis=0)], channel_moments(data)[0])

    def estimate(key, state: KalmanState, data: Observed) -> jax.Array:
        del key
        levels = _smooth(positions(steps, data), data, state.ratio)
        seen = data.mask.any(axis=1, keepdims=True)
        return clamp(jnp.where(seen, levels, state.mean[None, None]), data)

    return static_method(learn, estimate=estimate)


def _filter_step(carry: _Filtered, gap, y, mask, ratio):
    """One step of the filter, in units where the walk has variance 1 per unit of time."""
    predicted = carry.variance + gap
    total = predicted + ratio
    surprise = jnp.where(carry.seen & mask, y - carry.level, 0)
    gain = predicted / jnp.where(total > 0, total, 1)
    level = jnp.where(carry.seen, carry.level + gain * surprise, y)
    # under the flat prior, the first observation is all that is known of the level
    first = jnp.where(mask, ratio, 0)
    variance = jnp.where(carry.seen, jnp.where(mask, gain * ratio, predicted), first)
    return _Filtered(level, variance, carry.seen | mask), surprise, total


def _start(data: Observed, ratio: Float[Array, "d"]):
    """The filter before the first step, time-major inputs, and the ratio for every series."""
    y, mask = jnp.moveaxis(data.values, 1, 0), jnp.moveaxis(data.mask, 1, 0)
    zero = jnp.zeros_like(y[0])
    return _Filtered(zero, zero, jnp.zeros_like(mask[0])), y, mask, zero + ratio[None]


def _log_likelihood(t: Float[Array, "time"], data: Observed, ratio) -> Float[Array, "d"]:
    """Of each channel, summed over series, with the walk's variance at its maximum."""
    d = data.values.shape[-1]
    start, y, mask, ratio = _start(data, jnp.full(d, ratio))

    def one(carry, inputs):
        filtered, squares, logs, count = carry
        gap, y, mask = inputs
        used = mask & filtered.seen
        filtered, surprise, total = _filter_step(filtered, gap, y, mask, ratio)
        total = jnp.where(used, total, 1)
        squares = squares + surprise**2 / total
        return (filtered, squares, logs + jnp.log(total), count + used), None

    zero = jnp.zeros_like(y[0])
    gaps = jnp.diff(t, prepend=t[:1])
    (_, *sums), _ = jax.lax.scan(one, (start, zero, zero, zero), (gaps, y, mask))
    squares, logs, count = (jnp.where(data.weight[:, None] > 0, part, 0).sum(0) for part in sums)
    variance = squares / jnp.maximum(count, 1)
    return -0.5 * (logs + count * jnp.log(jnp.maximum(variance, jnp.finfo(y.dtype).tiny)))


def _smooth(t: Float[Array, "time"], data: Observed, ratio: Float[Array, "d"]) -> jax.Array:
    """Levels given all observations, `(n, time, d)`: the filter, then Rauch-Tung-Striebel."""
    start, y, mask, ratio = _start(data, ratio)

    def forward(carry, inputs):
        gap, y, mask = inputs
        filtered, _, _ = _filter_step(carry, gap, y, mask, ratio)
        return filtered, filtered

    def backward(later, inputs):
        here, gap = inputs
        total = here.variance + gap
        # before the first observation nothing is known, and the level is the later one
        gain = jnp.where(here.seen, here.variance / jnp.where(total > 0, total, 1), 1)
        level = here.level + gain * (later - here.level)
        return level, level

    gaps = jnp.diff(t, prepend=t[:1])
    last, filtered = jax.lax.scan(forward, start, (gaps, y, mask))
    _, levels = jax.lax.scan(
        backward, last.level, (filtered, jnp.append(gaps[1:], 0)), reverse=True
    )
    return jnp.moveaxis(levels, 0, 1)

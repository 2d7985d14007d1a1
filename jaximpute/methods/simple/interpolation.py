"""Carrying, averaging and interpolating along time, each channel of each series apart.

Before the first and after the last observation the value is that of the nearest one. A channel
never observed in a series gets its mean over the rows given to `init`, or 0 if it has none.
"""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import OptionError
from jaximpute.methods.simple._time import channelwise, check_times
from jaximpute.types import Method

_Row = Float[Array, "time"]


def locf() -> Method:
    """Last observation carried forward; the first is carried back over what comes before it.

    Returns:
        An inductive method for series.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([np.nan, 1.0, np.nan, 3.0]).reshape(1, 4, 1))
        >>> method = ji.methods.locf()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, :, 0].tolist()
        [1.0, 1.0, 1.0, 3.0]
    """
    return channelwise(lambda t, x, mask: x[neighbours(mask)[0]])


def nocb() -> Method:
    """Next observation carried backward; the last is carried forward over what comes after it.

    Returns:
        An inductive method for series.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([np.nan, 1.0, np.nan, 3.0]).reshape(1, 4, 1))
        >>> method = ji.methods.nocb()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, :, 0].tolist()
        [1.0, 1.0, 3.0, 3.0]
    """
    return channelwise(lambda t, x, mask: x[neighbours(mask)[1]])


def linear(*, times: ArrayLike | None = None) -> Method:
    r"""Straight lines between neighbouring observations.

    With the observations :math:`(a, x_a)` before and :math:`(b, x_b)` after a missing time
    :math:`t`,

    .. math:: x_t = x_a + \frac{t - a}{b - a} (x_b - x_a).

    Args:
        times: `(time,)` positions of the steps, increasing; one apart if None.

    Returns:
        An inductive method for series.

    Raises:
        TimeError: `times` does not increase or, later, does not have the length of the series.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([1.0, np.nan, 4.0]).reshape(1, 3, 1))
        >>> method = ji.methods.linear(times=np.array([0.0, 1.0, 3.0]))
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, :, 0].tolist()
        [1.0, 2.0, 4.0]
    """
    return channelwise(interpolate, check_times(times))


def moving_average(*, width: int = 7, tau: float = 1.0, times: ArrayLike | None = None) -> Method:
    r"""Centred, exponentially weighted average of the observed neighbours; the start used by PSW-I.

    .. math:: x_t = \frac{\sum_k e^{-|k|/\tau} m_{t+k} x_{t+k}}{\sum_k e^{-|k|/\tau} m_{t+k}},
        \quad |k| \le \lfloor width / 2 \rfloor

    Where no neighbour is observed the entry waits: what one sweep fills counts as observed in the
    next, until nothing is missing. A gap of `g` steps takes about `g / width` sweeps.

    Args:
        width: steps in the window, at least 2; an even one is used as the next odd one.
        tau: decay length in steps (in the units of `times`), positive.
        times: `(time,)` positions of the steps; `|k|` is then the time between two steps.

    Returns:
        An inductive method for series.

    Raises:
        OptionError: `width` or `tau` out of range.
        TimeError: see `linear`.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([1.0, np.nan, 3.0]).reshape(1, 3, 1))
        >>> method = ji.methods.moving_average()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 1, 0]), 4)
        2.0

    Source: the initialisation of PSW-I (Wang et al., ICLR 2025), with its exponential window.
    """
    if width < 2:
        raise OptionError(
            f"width is {width}; expected at least 2, or no neighbour is in the window"
        )
    if not (tau > 0 and math.isfinite(tau)):
        raise OptionError(f"tau is {tau}; expected a positive number of steps")

    def fill(t: _Row, x: _Row, mask: Bool[Array, "time"]) -> _Row:
        index = jnp.arange(t.shape[0])[:, None] + jnp.arange(-(width // 2), width // 2 + 1)[None]
        inside = (index >= 0) & (index < t.shape[0])
        index = jnp.clip(index, 0, t.shape[0] - 1)
        # never quite 0, or a gap that is long in time would stay open for ever
        weight = jnp.exp(-jnp.minimum(jnp.abs(t[index] - t[:, None]) / tau, 50.0))

        def sweep(carry):
            x, known = carry
            w = jnp.where(inside & known[index], weight, 0)
            total = w.sum(1)
            average = (w * x[index]).sum(1) / jnp.where(total > 0, total, 1)
            return jnp.where(known, x, average), known | (total > 0)

        def has_gaps(carry):
            return carry[1].any() & ~carry[1].all()

        return jax.lax.while_loop(has_gaps, sweep, (x, mask))[0]

    return channelwise(fill, check_times(times))


def interpolate(t: _Row, x: _Row, mask: Bool[Array, "time"]) -> _Row:
    """Linear interpolation of one channel at every step, constant beyond its observations."""
    left, right = neighbours(mask)
    gap = t[right] - t[left]
    share = jnp.where(gap > 0, (t - t[left]) / jnp.where(gap > 0, gap, 1), 0)
    a, b = x[left], x[right]
    # rounding, too, leaves it between the two; and their difference may be no number
    return jnp.clip((1 - share) * a + share * b, jnp.minimum(a, b), jnp.maximum(a, b))


def neighbours(mask: Bool[Array, "time"]) -> tuple[Int[Array, "time"], Int[Array, "time"]]:
    """The nearest observed steps at or before, and at or after, each step.

    Beyond the first or last observation both are that one. Any step, if nothing is observed.
    """
    length = mask.shape[0]
    step = jnp.arange(length)
    before = jax.lax.cummax(jnp.where(mask, step, -1))
    after = jax.lax.cummin(jnp.where(mask, step, length), reverse=True)
    left = jnp.where(before < 0, after, before)
    right = jnp.where(after == length, before, after)
    return jnp.clip(left, 0, length - 1), jnp.clip(right, 0, length - 1)

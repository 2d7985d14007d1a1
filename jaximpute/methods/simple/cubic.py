"""Piecewise cubic interpolation along time: PCHIP and Akima, each channel of each series apart.

Both are cubic Hermite interpolants of the observed points; they differ in the slopes. Beyond the
first and last observation the value is that of the nearest one.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from jaximpute.methods.simple._time import channelwise, check_times
from jaximpute.types import Method

_Row = Float[Array, "time"]
_Slopes = Callable[[_Row, _Row, Int[Array, ""]], _Row]


def pchip(*, times: ArrayLike | None = None) -> Method:
    r"""Monotone cubic interpolation: no overshoot between two observations.

    The slope at an inner point is 0 where the secants :math:`s_{k-1}, s_k` change sign, and their
    weighted harmonic mean elsewhere,

    .. math:: d_k = \frac{w_1 + w_2}{w_1 / s_{k-1} + w_2 / s_k}, \quad
        w_1 = 2 h_k + h_{k-1}, \; w_2 = h_k + 2 h_{k-1},

    with gaps :math:`h_k` between observations; at the ends, a shape-preserving three-point formula.

    Args:
        times: `(time,)` positions of the steps, increasing; one apart if None.

    Returns:
        An inductive method for series.

    Raises:
        TimeError: see `linear`.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([0.0, 0.0, np.nan, 1.0, 1.0]).reshape(1, 5, 1))
        >>> method = ji.methods.pchip()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, 2].tolist()
        [0.5]

    Source: Fritsch and Butland, "A method for constructing local monotone piecewise cubic
    interpolants", SIAM J. Sci. Stat. Comput. 5 (1984).
    """
    return channelwise(_hermite(_pchip_slopes), check_times(times))


def akima(*, times: ArrayLike | None = None) -> Method:
    r"""Akima's cubic interpolation: smoother than PCHIP, with less ringing than a spline.

    With secants :math:`s_k`, continued linearly by two beyond each end,

    .. math:: d_k = \frac{|s_{k+1} - s_k| s_{k-1} + |s_{k-1} - s_{k-2}| s_k}
        {|s_{k+1} - s_k| + |s_{k-1} - s_{k-2}|},

    and where both differences vanish :math:`d_k = (s_{k-2} + s_{k+1}) / 2`.

    Args:
        times: `(time,)` positions of the steps, increasing; one apart if None.

    Returns:
        An inductive method for series.

    Raises:
        TimeError: see `linear`.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([1.0, 2.0, np.nan, 4.0, 5.0]).reshape(1, 5, 1))
        >>> method = ji.methods.akima()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[0, 2].tolist()
        [3.0]

    Source: Akima, "A new method of interpolation and smooth curve fitting based on local
    procedures", J. ACM 17 (1970).
    """
    return channelwise(_hermite(_akima_slopes), check_times(times))


def _hermite(slopes: _Slopes) -> Callable:
    def fill(t: _Row, x: _Row, mask: Bool[Array, "time"]) -> _Row:
        # observed points first, in order: neighbours in time are then neighbours in the array
        order = jnp.argsort(~mask, stable=True)
        knots, heights, count = t[order], x[order], mask.sum()
        d = slopes(knots, heights, count)
        rank = jnp.cumsum(mask) - 1
        last = jnp.maximum(count - 1, 0)
        a, b = jnp.maximum(rank, 0), jnp.where(rank < 0, 0, jnp.minimum(rank + 1, last))
        h = knots[b] - knots[a]
        s = jnp.where(h > 0, (t - knots[a]) / jnp.where(h > 0, h, 1), 0)
        rise = heights[b] - heights[a]
        bend = s * (1 - s) * ((1 - s) * (h * d[a] - rise) - s * (h * d[b] - rise))
        return heights[a] + s * rise + bend

    return fill


def _secants(knots: _Row, heights: _Row, count: Int[Array, ""]) -> tuple[_Row, _Row]:
    """Gaps and secants to the next observed point; 1 and 0 from the last on."""
    inner = jnp.arange(knots.shape[0]) < count - 1
    gap = jnp.diff(knots, append=knots[-1:])
    gap = jnp.where(inner & (gap > 0), gap, 1)
    return gap, jnp.where(inner, jnp.diff(heights, append=heights[-1:]) / gap, 0)


def _pchip_slopes(knots: _Row, heights: _Row, count: Int[Array, ""]) -> _Row:
    gap, secant = _secants(knots, heights, count)
    gap_before, secant_before = jnp.roll(gap, 1), jnp.roll(secant, 1)
    w1, w2 = 2 * gap + gap_before, gap + 2 * gap_before
    same_sign = secant * secant_before > 0
    harmonic = w1 / jnp.where(same_sign, secant_before, 1) + w2 / jnp.where(same_sign, secant, 1)
    inner = jnp.where(same_sign, (w1 + w2) / jnp.where(same_sign, harmonic, 1), 0)

    def end(k, following):
        """One-sided three-point slope at the outer point of secant `k`, kept monotone."""
        h0, h1, s0, s1 = gap[k], gap[following], secant[k], secant[following]
        d = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
        d = jnp.where((s0 * s1 < 0) & (jnp.abs(d) > 3 * jnp.abs(s0)), 3 * s0, d)
        return jnp.where(d * s0 > 0, d, 0)

    # with two points the following secant is the same one, and the end slope that of the line
    final = jnp.maximum(count - 2, 0)
    first_slope = end(0, jnp.minimum(1, final))
    last_slope = end(final, jnp.maximum(final - 1, 0))
    k = jnp.arange(knots.shape[0])
    return jnp.where(k == 0, first_slope, jnp.where(k == count - 1, last_slope, inner))


def _akima_slopes(knots: _Row, heights: _Row, count: Int[Array, ""]) -> _Row:
    _, secant = _secants(knots, heights, count)
    final = jnp.maximum(count - 2, 0)
    k = jnp.arange(knots.shape[0])
    rise_first = secant[jnp.minimum(1, final)] - secant[0]
    rise_last = secant[final] - secant[jnp.maximum(final - 1, 0)]

    def shifted(by):
        """Secants `k + by`, continued linearly beyond the first and the last."""
        j = k + by
        inside = jnp.clip(j, 0, final)
        beyond = jnp.where(j < 0, rise_first, rise_last)
        return secant[inside] + (j - inside).astype(secant.dtype) * beyond

    before2, before, after, after2 = shifted(-2), shifted(-1), shifted(0), shifted(1)
    change_after, change_before = jnp.abs(after2 - after), jnp.abs(before - before2)
    change = jnp.where(k < count, change_after + change_before, 0)
    # differences that are all rounding would give a slope that is all rounding
    bent = change > 16 * jnp.finfo(secant.dtype).eps * change.max()
    weighted = change_after * before + change_before * after
    return jnp.where(bent, weighted / jnp.where(bent, change, 1), (before2 + after2) / 2)

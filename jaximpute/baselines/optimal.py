"""Optimal interpolation: kriging in space and time from the nearest observed entries."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import OptionError
from jaximpute.baselines import _covariance
from jaximpute.baselines._grid import restored, standardised
from jaximpute.baselines._static import static_method
from jaximpute.masking import channel_moments, clamp
from jaximpute.types import Method, Observed

_TRIED = 512  # observed entries on which the covariance is chosen
_AT_ONCE = 256  # entries side by side: their matrices fit a cache


class OptimalState(NamedTuple):
    """What has been learned of each channel, of values that are centred and scaled.

    Attributes:
        mean: of each channel.
        scale: of each channel.
        covariance: at each lag, a table read by `_covariance.Lags`.
        nugget: variance of noise.
    """

    mean: Float[Array, "c"]
    scale: Float[Array, "c"]
    covariance: Float[Array, "c lags"]
    nugget: Float[Array, "c"]


def optimal_interpolation(*, neighbours: int = 32, reach: int = 16) -> Method:
    r"""The best linear estimate from the nearest observed entries, by a learned covariance.

    With :math:`N` the `neighbours` observed entries that vary most with a missing one,

    .. math:: \hat x_p = \mu + c_p^\top (C + \tau^2 I)^{-1} (x_N - \mu), \qquad
        C_{ij} = \rho(p_i - p_j),\; (c_p)_i = \rho(p - p_i)

    The covariance :math:`\rho` depends on the lag in time, rows and columns alone. `init` measures
    it over all pairs of observed entries, fits Matérn covariances of three degrees of smoothness to
    it, and chooses among these and the measured one (which knows of waves and drifts), with and
    without a level of its own for each neighbourhood, and among nuggets :math:`\tau^2`: by the
    squared error at observed entries, each seen as some missing entry is, through the same holes.
    Each channel is filled from itself alone.

    Args:
        neighbours: observed entries that an estimate is made of, at least 1. Time grows with their
            cube.
        reach: how many cells, frames or steps away they may lie, at least 1. Near an entry all
            are looked at, further off ever fewer; an entry with none gets the mean.

    Returns:
        An inductive method for images and fields (tag `point`). Rows to come must have the frames'
        shape.

    Raises:
        OptionError: an option below 1.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.sin(np.arange(100.0) / 5).reshape(1, 10, 10, 1)
        >>> holes = np.random.default_rng(0).random(x.shape) < 0.3
        >>> data = ji.observe(np.where(holes, np.nan, x))
        >>> method = ji.baselines.optimal_interpolation()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> filled = ji.complete(method, jax.random.key(1), state, data)
        >>> bool(np.abs(filled - x)[holes].mean() < 0.2 * x.std())
        True

    Source: Gandin, "Objective analysis of meteorological fields" (1963); kriging with a local
    neighbourhood, as in Cressie, "Statistics for spatial data" (1993), §3.
    """
    if neighbours < 1 or reach < 1:
        raise OptionError(
            f"neighbours is {neighbours} and reach {reach}; expected at least 1 of each"
        )

    def learn(key, data: Observed) -> OptimalState:
        mean, scale = channel_moments(data)
        x, mask = standardised(data, mean, scale)
        around = _Around(x.shape[2:], neighbours, reach)

        def channel(inputs):
            number, x, mask = inputs
            return _choose(jax.random.fold_in(key, number), x, mask, data.weight, around)

        channels = jnp.arange(x.shape[1]), x.swapaxes(0, 1), mask.swapaxes(0, 1)
        return OptimalState(mean, scale, *jax.lax.map(channel, channels))

    def sample(key, state: OptimalState, data: Observed) -> jax.Array:
        del key
        x, mask = standardised(data, state.mean, state.scale)
        around = _Around(x.shape[2:], neighbours, reach)

        def channel(inputs):
            covariance, nugget, x, mask = inputs
            find = partial(_estimate, covariance, nugget, around, x.ravel(), mask.ravel())
            every = jnp.arange(x.size)
            return jax.lax.map(find, every, batch_size=min(_AT_ONCE, x.size)).reshape(x.shape)

        def row(inputs):
            return jax.lax.map(channel, (state.covariance, state.nugget, *inputs))

        filled = jax.lax.map(row, (x, mask))
        return clamp(restored(filled, state.mean, state.scale, data), data)

    return static_method(learn, sample=sample)


class _Around:
    """Where neighbours are looked for: all near by, every second, fourth ... cell further off."""

    def __init__(self, shape: tuple[int, ...], neighbours: int, reach: int):
        self.shape, self.neighbours = shape, neighbours
        self.table = _covariance.lags(shape, reach)
        found = {(0, 0, 0)}
        step = 1
        while step <= reach:
            sides = [
                [i * step for i in range(-3, 4) if abs(i * step) <= min(reach, size - 1)]
                for size in shape
            ]
            found |= {(t, y, x) for t in sides[0] for y in sides[1] for x in sides[2]}
            step *= 2
        self.offsets = np.array(sorted(found - {(0, 0, 0)}) or [(0, 0, 0)])
        self.places = self.table.zero + self.offsets @ self.table.strides


def _choose(key, x, mask, weight, around: _Around):
    """The covariance and nugget that fill observed entries best, seen as missing ones are."""
    k_here, k_there = jax.random.split(key)
    tables, nuggets = _covariance.candidates(x, mask, weight, around.table)
    real = (weight > 0)[:, None, None, None]
    here, there = _some(k_here, mask & real), _some(k_there, ~mask & real)
    size = mask[0].size
    flat_x, flat_mask = x.reshape(-1, size), mask.reshape(-1, size)

    def error(candidate):
        covariance, nugget = candidate

        def one(places):
            (row, here), (other, there) = (divmod(place, size) for place in places)
            as_seen = _seen(around, flat_mask[other], there)
            found = _estimate(
                covariance, nugget, around, flat_x[row], flat_mask[row], here, as_seen
            )
            return (found - flat_x[row, here]) ** 2

        return jax.lax.map(one, (here, there), batch_size=_AT_ONCE).mean()

    errors = jax.lax.map(error, (tables, nuggets))
    best = jnp.argmin(jnp.where(jnp.isnan(errors), jnp.inf, errors))
    return tables[best], nuggets[best]


def _some(key, among: Bool[Array, "n t y x"]) -> Int[Array, "k"]:
    """Places drawn from those that are True; any, if none is."""
    counted = jnp.cumsum(among.ravel().astype(jnp.int32))
    drawn = jax.random.randint(key, (_TRIED,), 0, jnp.maximum(counted[-1], 1))
    return jnp.minimum(jnp.searchsorted(counted, drawn, side="right"), among.size - 1)


def _positions(around: _Around, place):
    """Flat places of the entries around one, and whether they lie inside."""
    t, y, x = around.shape
    centre = jnp.stack([place // (y * x), place // x % y, place % x])
    at = centre[None] + jnp.asarray(around.offsets)
    inside = ((at >= 0) & (at < jnp.array([[t, y, x]]))).all(1)
    return jnp.where(inside, (at[:, 0] * y + at[:, 1]) * x + at[:, 2], 0), inside


def _seen(around: _Around, mask, place) -> Bool[Array, "offsets"]:
    flat, inside = _positions(around, place)
    return inside & mask[flat]


def _estimate(covariance, nugget, around: _Around, x, mask, place, also=True):
    """One entry from its neighbours, `also` saying which of them may be used."""
    k = around.neighbours
    flat, _ = _positions(around, place)
    order = jnp.argsort(-covariance[around.places])
    usable = (_seen(around, mask, place) & also)[order]
    rank = jnp.cumsum(usable)
    # the first k usable ones; what there is too few of is left inert
    chosen = jnp.minimum(jnp.searchsorted(rank, jnp.arange(1, k + 1)), len(order) - 1)
    there = jnp.arange(1, k + 1) <= rank[-1]
    chosen = order[chosen]

    lag = jnp.asarray(around.places)[chosen] - around.table.zero
    both = there[:, None] & there[None]
    among = covariance[around.table.zero + lag[:, None] - lag[None]]
    eye = jnp.eye(k, dtype=x.dtype)
    matrix = jnp.where(both, among + nugget * eye, eye)
    solved = _solve(matrix, jnp.where(there, x[flat[chosen]], 0))
    return jnp.where(there, covariance[around.table.zero + lag] * solved, 0).sum()


def _solve(matrix: Float[Array, "k k"], right: Float[Array, "k"]) -> Float[Array, "k"]:
    """By elimination, without pivots as the matrix is positive; unlike LAPACK, in batches."""
    wide = jnp.concatenate([matrix, right[:, None]], axis=1)
    index = jnp.arange(len(matrix))

    def eliminate(i, wide):
        row = wide[i] / jnp.maximum(wide[i, i], 1e-5)
        column = jnp.where(index == i, 0, wide[:, i])
        return jnp.where((index == i)[:, None], row[None], wide - column[:, None] * row[None])

    return jax.lax.fori_loop(0, len(matrix), eliminate, wide)[:, -1]

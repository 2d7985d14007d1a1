"""Optimal interpolation: kriging in space and time from the nearest observed entries."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, pick
from jaximpute.maths.hole_boxes import hole_shaped
from jaximpute.methods.simple import _covariance
from jaximpute.methods.simple._blocks import nearest
from jaximpute.methods.simple._grid import restored, standardised
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

_TRIED = (256, 4096)  # hidden entries on which all candidates are tried, and the best of them
_FINALISTS = 6
_TIMES = 8  # how often others are hidden, at most
_MOST = 2**25  # entries that are looked at for the choice, margins included
_AT_ONCE = 256  # entries side by side: their matrices fit a cache
_LOOKED_AT = 8192  # places around an entry at most, those that vary most with it
_CHUNK = 128  # of these at a time, until there are enough neighbours


class OptimalState(NamedTuple):
    """What has been learned of each channel, of values that are centred and scaled.

    Attributes:
        mean: of each channel.
        scale: of each channel.
        covariance: at each lag, a table read by `_covariance.Lags`.
        nugget: variance of noise.
        frame: whether neighbours in the entry's own frame come before all others.
    """

    mean: Float[Array, "c"]
    scale: Float[Array, "c"]
    covariance: Float[Array, "c lags"]
    nugget: Float[Array, "c"]
    frame: Bool[Array, "c"]


def optimal_interpolation(*, neighbours: int = 32, reach: int = 32) -> Method:
    r"""The best linear estimate from the nearest observed entries, by a learned covariance.

    With :math:`N` the `neighbours` observed entries that vary most with a missing one,

    .. math:: \hat x_p = \mu + c_p^\top (C + \tau^2 I)^{-1} (x_N - \mu), \qquad
        C_{ij} = \rho(p_i - p_j),\; (c_p)_i = \rho(p - p_i)

    The covariance :math:`\rho` depends on the lag in time, rows and columns alone. `init` measures
    it over all pairs of observed entries, fits Matérn covariances of three degrees of smoothness to
    it, and chooses among these and the measured one (which knows of waves and drifts), with and
    without a level of its own for each neighbourhood, among nuggets :math:`\tau^2`, and whether
    neighbours in the entry's own frame come before those in others, which say little more where
    frames are alike and have the same holes. It chooses by the squared error at observed entries,
    about a tenth of which is hidden in holes shaped like those of the data
    (`partitions.hole_shaped`), so that what is left is as dense. Each channel is filled from itself
    alone.

    Args:
        neighbours: observed entries that an estimate is made of, at least 1. Time grows with their
            cube.
        reach: how many cells, frames or steps away along each axis they may lie, at least 1. Of the
            places within, the 8192 of the largest covariance are looked at; an entry with nothing
            observed there gets the mean.

    Returns:
        An inductive method for images and fields. Rows to come must have the frames'
        shape.

    Raises:
        OptionError: an option below 1.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.sin(np.arange(100.0) / 5).reshape(1, 10, 10, 1)
        >>> holes = np.random.default_rng(0).random(x.shape) < 0.3
        >>> data = ji.observe(np.where(holes, np.nan, x))
        >>> method = ji.methods.optimal_interpolation()
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
        around = _Around(x.shape[2:], reach)

        def channel(inputs):
            number, x, mask = inputs
            k = jax.random.fold_in(key, number)
            return _choose(k, x, mask, data.weight, around, neighbours)

        channels = jnp.arange(x.shape[1]), x.swapaxes(0, 1), mask.swapaxes(0, 1)
        return OptimalState(mean, scale, *jax.lax.map(channel, channels))

    def estimate(key, state: OptimalState, data: Observed) -> jax.Array:
        del key
        x, mask = standardised(data, state.mean, state.scale)
        around = _Around(x.shape[2:], reach)

        def channel(inputs):
            covariance, nugget, offsets, x, mask = inputs
            seen, values = around.padded(mask), around.padded(x)

            def find(i):
                at = around.place(i)
                lag, step, there = _nearest(around, offsets, neighbours, seen, at)
                return _estimate(around, covariance, nugget, values, lag, at + step, there)

            return _where(~mask.ravel(), find).reshape(x.shape)

        offsets = jax.vmap(around.ordered)(state.covariance, state.frame)

        def row(inputs):
            return jax.lax.map(channel, (state.covariance, state.nugget, offsets, *inputs))

        filled = jax.lax.map(row, (x, mask))
        return restored(filled, state.mean, state.scale, data)

    return static_method(learn, estimate=estimate)


def _where(wanted: Bool[Array, "size"], find) -> Float[Array, "size"]:
    """`find` of each index that is wanted, several at once, and 0 elsewhere."""
    size = min(_AT_ONCE, len(wanted))
    order = jnp.argsort(~wanted)  # those wanted first

    def batch(i, out):
        at = jax.lax.dynamic_slice_in_dim(order, i * size, size)
        return out.at[at].set(jax.vmap(find)(at), unique_indices=True)

    return jax.lax.fori_loop(0, -(-wanted.sum() // size), batch, jnp.zeros(len(wanted)))


class _Around:
    """Where neighbours are looked for: all places within reach."""

    def __init__(self, shape: tuple[int, ...], reach: int):
        self.shape, self.margin = shape, tuple(min(reach, size - 1) for size in shape)
        self.table = _covariance.lags(shape, reach)
        sides = [np.arange(-m, m + 1) for m in self.margin]
        offsets = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)
        # of places that vary as much, the nearer first
        offsets = offsets[np.argsort((offsets**2).sum(1), kind="stable")]
        self.offsets = offsets[1:] if len(offsets) > 1 else offsets
        wide = [size + 2 * m for size, m in zip(shape, self.margin, strict=True)]
        self.strides = np.array([wide[1] * wide[2], wide[2], 1])
        self.size = wide[0] * wide[1] * wide[2]

    def padded(self, row: jax.Array) -> jax.Array:
        """A row, flat, with a margin of zeros, so that offsets need no bounds."""
        return jnp.pad(row, [(m, m) for m in self.margin]).ravel()

    def place(self, i: jax.Array) -> jax.Array:
        """Where entry `i` of a flat row is in the padded one."""
        _, y, x = self.shape
        at = jnp.stack([i // (y * x), i // x % y, i % x], axis=-1)
        return (at + jnp.asarray(self.margin)) @ jnp.asarray(self.strides)

    def ordered(self, covariance: Float[Array, "lags"], frame: Bool[Array, ""]) -> jax.Array:
        """The offsets, those of the largest covariance first; with `frame` the entry's own frame
        before all others."""
        other = frame & jnp.asarray(self.offsets[:, 0] != 0)
        at = self.table.zero + jnp.asarray(self.offsets @ self.table.strides)
        order = jnp.lexsort((-covariance[at], other))[:_LOOKED_AT]
        return jnp.asarray(self.offsets)[order]


def _choose(key, x, mask, weight, around: _Around, neighbours: int):
    """The candidate that fills observed entries best, hidden in holes shaped like the others.

    All are tried on a few entries, and the best of them on more.
    """
    k_rows, k_hide, *k_some = jax.random.split(key, 2 + len(_TRIED))
    mask = mask & (weight > 0)[:, None, None, None]
    tables = _covariance.candidates(x, mask, weight, around.table)
    rows = max(1, min(len(x), _MOST // around.size))
    if rows < len(x):
        some = pick(k_rows, weight, rows)
        x, mask = x[some], mask[some]
    # where little is observed a tenth of it is not enough to judge by, so hide another and another
    times = max(1, min(_TIMES, _TIMES * _MOST // (rows * around.size)))
    often = jnp.concatenate([mask] * times)
    shown, hidden = (part[..., 0] for part in hole_shaped()(k_hide, often[..., None]))
    # all rows end to end
    seen, values = (jax.vmap(around.padded)(a).ravel() for a in (shown, x))
    levels, nuggets = jnp.meshgrid(
        *(jnp.asarray(v, x.dtype) for v in (_covariance.LEVELS, _covariance.NUGGETS))
    )
    frames = jnp.array([False, True])[: min(x.shape[1], 2)]

    def errors(entries, covariance, frame, levels, nuggets):
        offsets = around.ordered(covariance, frame)

        def one(place):
            row, place = jnp.divmod(place, mask[0].size)
            truth, at = x[row % len(x)].ravel()[place], around.place(place)
            lag, step, there = _nearest(around, offsets, neighbours, seen, row * around.size + at)
            step = row % len(x) * around.size + at + step

            def estimate(level, nugget):
                return _estimate(around, covariance + level, nugget, values, lag, step, there)

            return (jax.vmap(estimate)(levels, nuggets) - truth) ** 2

        found = jax.lax.map(one, entries, batch_size=_AT_ONCE // len(levels)).mean(axis=0)
        return jnp.where(jnp.isnan(found), jnp.inf, found)

    counts = [min(count, mask.size // 2 + 1) for count in _TRIED]
    few, many = (_some(k, hidden, count) for k, count in zip(k_some, counts, strict=True))
    each = jnp.stack(jnp.meshgrid(jnp.arange(len(tables)), jnp.arange(len(frames)), indexing="ij"))

    def first(pair):
        return errors(few, tables[pair[0]], frames[pair[1]], levels.ravel(), nuggets.ravel())

    found = jax.lax.map(first, each.reshape(2, -1).T)
    _, best = jax.lax.top_k(-found.ravel(), _FINALISTS)
    table, frame, kind = jnp.unravel_index(best, (len(tables), len(frames), levels.size))
    level, nugget = levels.ravel()[kind], nuggets.ravel()[kind]

    def second(i):
        return errors(many, tables[table[i]], frames[frame[i]], level[i][None], nugget[i][None])[0]

    i = jnp.argmin(jax.lax.map(second, jnp.arange(_FINALISTS)))
    return tables[table[i]] + level[i], nugget[i], frames[frame[i]]


def _some(key, among: Bool[Array, "n t y x"], count: int) -> Int[Array, "count"]:
    """Places drawn from those that are True; any, if none is."""
    counted = jnp.cumsum(among.ravel().astype(jnp.int32))
    drawn = jax.random.randint(key, (count,), 0, jnp.maximum(counted[-1], 1))
    return jnp.minimum(jnp.searchsorted(counted, drawn, side="right"), among.size - 1)


def _nearest(around, offsets, neighbours, seen, place):
    """The first offsets at which something is seen, in cells and in steps, and which there are."""
    steps = offsets @ jnp.asarray(around.strides)
    return nearest(steps, offsets, neighbours, _CHUNK, seen, place)


def _estimate(around, covariance, nugget, values, lag, at, there):
    """One entry from its neighbours at their lags; what there is too few of is left inert."""
    lag = lag @ jnp.asarray(around.table.strides)
    both = there[:, None] & there[None]
    among = covariance[around.table.zero + lag[:, None] - lag[None]]
    eye = jnp.eye(len(lag), dtype=values.dtype)
    matrix = jnp.where(both, among + nugget * eye, eye)
    solved = _solve(matrix, jnp.where(there, values[at], 0))
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

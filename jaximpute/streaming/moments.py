r"""What columns hold, found in one pass over blocks: counts, means, spreads, levels.

Two parts of a column with :math:`n_a, n_b` observed cells, means :math:`\mu_a, \mu_b` and sums of
squares :math:`S_a, S_b` about them make a whole with

.. math:: \mu = \mu_a + \delta \frac{n_b}{n}, \qquad
    S = S_a + S_b + \delta^2 \frac{n_a n_b}{n}, \qquad
    \delta = \mu_b - \mu_a, \quad n = n_a + n_b

(Chan, Golub and LeVeque, 1983), which loses no digits where means are large.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaximpute.catalogue import Exact
from jaximpute.data import circles, possible, scales
from jaximpute.data.circles import Circle
from jaximpute.data.codec import FEW_PAIRED, Codec, Levels, exactly, too_many
from jaximpute.data.columns import Column


class Moments(NamedTuple):
    """Of each column, over its observed cells.

    Attributes:
        cells: `(d,)` how many are observed.
        mean: `(d,)`, in units of `size`; 0 where there are none.
        squares: `(d,)` the sum of squares about the mean, in units of `size` squared.
        size: `(d,)` the largest absolute value, so that no square leaves the range of floats.
        low: `(d,)` the least value.
        high: `(d,)` the greatest.
        at_low: `(d,)` how many cells hold the least one.
        at_high: `(d,)` how many hold the greatest.
        whole: `(d,)` whether all are whole numbers.
    """

    cells: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    size: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_low: np.ndarray
    at_high: np.ndarray
    whole: np.ndarray


def of_block(values: np.ndarray) -> Moments:
    """The moments of a block.

    Args:
        values: `(rows, columns)`, NaN where missing.

    Example:
        >>> import numpy as np
        >>> a, b = of_block(np.array([[1.0], [3.0]])), of_block(np.array([[8.0], [np.nan]]))
        >>> both = merged(a, b)
        >>> (both.mean * both.size).tolist(), int(both.cells[0])
        ([4.0], 3)
    """
    x = np.ascontiguousarray(values.T)  # sums along a row of memory are several times faster
    mask = ~np.isnan(x)
    cells = mask.sum(axis=1)
    low = np.where(mask, x, np.inf).min(axis=1, initial=np.inf)
    high = np.where(mask, x, -np.inf).max(axis=1, initial=-np.inf)
    size = np.where(cells > 0, np.maximum(np.abs(low), np.abs(high)), 0.0)
    unit = np.where(mask, x, 0.0) / np.where(size > 0, size, 1.0)[:, None]
    mean = unit.sum(axis=1) / np.maximum(cells, 1)
    squares = np.where(mask, unit - mean[:, None], 0.0)
    return Moments(
        cells,
        mean,
        (squares**2).sum(axis=1),
        size,
        low,
        high,
        (x == low[:, None]).sum(axis=1),
        (x == high[:, None]).sum(axis=1),
        (~mask | (x == np.rint(x))).all(axis=1),
    )


def merged(a: Moments, b: Moments) -> Moments:
    """The moments of two parts together."""
    size = np.maximum(a.size, b.size)
    unit = np.where(size > 0, size, 1.0)
    to_a, to_b = a.size / unit, b.size / unit
    cells = a.cells + b.cells
    share = b.cells / np.maximum(cells, 1)
    delta = b.mean * to_b - a.mean * to_a
    squares = a.squares * to_a**2 + b.squares * to_b**2 + delta**2 * a.cells * share
    mean = a.mean * to_a + delta * share
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    at_low = np.where(a.low == low, a.at_low, 0) + np.where(b.low == low, b.at_low, 0)
    at_high = np.where(a.high == high, a.at_high, 0) + np.where(b.high == high, b.at_high, 0)
    whole = a.whole & b.whole
    return Moments(cells, mean, squares, size, low, high, at_low, at_high, whole)


def count_levels(values: np.ndarray, columns: Sequence[Column]) -> list[np.ndarray]:
    """For each column the observed cells of each of its levels; none for numbers."""
    return [
        np.bincount(cells[~np.isnan(cells)].astype(int), minlength=len(column.levels))
        if column.levels
        else np.zeros(0, int)
        for cells, column in zip(values.T, columns, strict=True)
    ]


def with_points(values: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """A block with sine and cosine of the columns of directions behind the others."""
    turns = [(i, column.period) for i, column in enumerate(columns) if column.period is not None]
    return np.column_stack([values, *(circles.points(values[:, i], p) for i, p in turns)])


def codec_of(
    moments: Moments,
    counts: Sequence[np.ndarray],
    columns: Sequence[Column],
    part: np.ndarray,
    exact: Exact = "",
) -> Codec:
    """The codec that `codec.learn` finds in the whole, up to rounding.

    Args:
        moments: of all rows, see `with_points`.
        counts: see `count_levels`, of all rows.
        columns: what they hold.
        part: `(rows, columns)` cells of a part, from which robust scales are taken where needed.
        exact: of the method, see `catalogue.Entry`.
    """
    numeric: list[int] = []
    levels: list[Levels] = []
    turning: list[Circle] = []
    place = len(columns)  # of the next sine, behind all columns
    constants: dict[int, float] = {}
    unlearned: dict[int, str] = {}
    for i, column in enumerate(columns):
        sines = slice(place, place + 2)
        place += 2 if column.period is not None else 0
        if not column.holds_values:
            if column.reason:
                unlearned[i] = column.reason
        elif not moments.cells[i]:
            unlearned[i] = "nothing in it is observed"
        elif moments.low[i] == moments.high[i]:
            constants[i] = float(moments.low[i])
        elif column.period is not None and exact != "copies":
            mean = moments.mean[sines] * moments.size[sines]
            low, high = float(moments.low[i]), float(moments.high[i])
            whole = column.kind == "integer"
            turning.append(circles.learn_circle(i, column.period, whole, low, high, mean))
        elif not column.levels:
            numeric.append(i)
        else:
            codes = np.flatnonzero(counts[i])
            if reason := too_many(len(codes), int(moments.cells[i])):
                unlearned[i] = reason
                continue
            share = counts[i][codes] / counts[i].sum()
            spread = float(np.sqrt((share * (1 - share)).sum()))
            levels.append(Levels(i, codes.astype(float), share, spread))
    chosen = np.array(numeric, int)
    size, cells = moments.size[chosen], moments.cells[chosen]
    centre = moments.mean[chosen] * size
    spread = np.sqrt(moments.squares[chosen] / np.maximum(cells, 1)) * size
    seen = possible.Seen(
        cells,
        centre,
        spread,
        moments.low[chosen],
        moments.high[chosen],
        moments.at_low[chosen],
        moments.at_high[chosen],
        moments.whole[chosen],
    )
    least, most = possible.bounds_of(columns, numeric, seen)
    scale = np.maximum(spread, np.finfo(float).tiny)
    centre = centre.copy()
    for j, i in enumerate(numeric):
        centre[j], scale[j] = scales.robust(part[:, i], centre[j], scale[j])
    # no spread between two ends is larger than that of values at the ends (Bhatia and Davis, 2000)
    unit = np.where(size > 0, size, 1.0)
    low, high = moments.low[chosen] / unit, moments.high[chosen] / unit
    mean = moments.mean[chosen]
    widest = (high - mean) * (mean - low) * cells
    two = (moments.squares[chosen] >= (1 - 1e-10) * widest) & (cells >= FEW_PAIRED)
    ends = np.stack([moments.low[chosen], moments.high[chosen]], axis=1)
    codec = Codec(
        chosen,
        centre,
        scale,
        np.array([columns[i].kind == "integer" for i in numeric], bool),
        tuple(levels),
        constants,
        unlearned,
        least,
        most,
        np.where(two[:, None], ends, np.nan),
        tuple(turning),
    )
    return exactly(codec, exact) if exact else codec

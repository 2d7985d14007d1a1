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

from jaximpute.data.codec import FEW_PAIRED, Codec, Levels, too_many
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
    """

    cells: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    size: np.ndarray
    low: np.ndarray
    high: np.ndarray


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
    return Moments(cells, mean, (squares**2).sum(axis=1), size, low, high)


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
    return Moments(cells, mean, squares, size, np.minimum(a.low, b.low), np.maximum(a.high, b.high))


def count_levels(values: np.ndarray, columns: Sequence[Column]) -> list[np.ndarray]:
    """For each column the observed cells of each of its levels; none for numbers."""
    return [
        np.bincount(cells[~np.isnan(cells)].astype(int), minlength=len(column.levels))
        if column.levels
        else np.zeros(0, int)
        for cells, column in zip(values.T, columns, strict=True)
    ]


def codec_of(moments: Moments, counts: Sequence[np.ndarray], columns: Sequence[Column]) -> Codec:
    """The codec that `codec.learn` finds in the whole, up to rounding.

    Args:
        moments: of all rows.
        counts: see `count_levels`, of all rows.
        columns: what they hold.
    """
    numeric: list[int] = []
    levels: list[Levels] = []
    constants: dict[int, float] = {}
    unlearned: dict[int, str] = {}
    for i, column in enumerate(columns):
        if column.kind in ("time", "other"):
            if column.reason:
                unlearned[i] = column.reason
        elif not moments.cells[i]:
            unlearned[i] = "nothing in it is observed"
        elif moments.low[i] == moments.high[i]:
            constants[i] = float(moments.low[i])
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
    scale = np.sqrt(moments.squares[chosen] / np.maximum(cells, 1)) * size
    # no spread between two ends is larger than that of values at the ends (Bhatia and Davis, 2000)
    unit = np.where(size > 0, size, 1.0)
    low, high = moments.low[chosen] / unit, moments.high[chosen] / unit
    mean = moments.mean[chosen]
    widest = (high - mean) * (mean - low) * cells
    two = (moments.squares[chosen] >= (1 - 1e-10) * widest) & (cells >= FEW_PAIRED)
    ends = np.stack([moments.low[chosen], moments.high[chosen]], axis=1)
    return Codec(
        chosen,
        moments.mean[chosen] * size,
        np.maximum(scale, np.finfo(float).tiny),
        np.array([columns[i].kind == "integer" for i in numeric], bool),
        tuple(levels),
        constants,
        unlearned,
        np.where(two[:, None], ends, np.nan),
    )

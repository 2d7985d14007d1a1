"""Columns of any kind as one standardised float matrix, and back."""

from typing import NamedTuple

import numpy as np

from jaximpute.catalogue import Exact
from jaximpute.data import possible
from jaximpute.data.bounds import beyond, clipped, reflected
from jaximpute.data.circles import Circle, circle_of, decoded, encoded
from jaximpute.data.frames import Frame
from jaximpute.data.scales import learn_scales, snapped

FAR = 1000.0  # robust deviations: a method in single precision sees no cell farther out
_HUGE = 1e300  # of numbers that differ by more than the largest there is
MOST_LEVELS = 64  # of a column that is learned
FEW_LEVELS = 10  # always learned, however few cells hold them
FEW_PAIRED = 3  # cells: of two numbers, any two values would be all there are


class Levels(NamedTuple):
    """A column learned as one indicator per level.

    Attributes:
        column: its number in the frame.
        codes: `(K,)` the levels that occur.
        share: `(K,)` of the observed cells that hold each level.
        scale: root of the indicators' total variance, so that the block weighs like one number.
    """

    column: int
    codes: np.ndarray
    share: np.ndarray
    scale: float


class Codec(NamedTuple):
    """How the columns of a frame become a matrix: numbers, a block for each `Levels`, then circles.

    Attributes:
        numeric: `(d,)` the numbers of the columns that are learned as numbers.
        centre: `(d,)` their means over observed cells; see `data.scales`.
        scale: `(d,)` their standard deviations over observed cells.
        whole: `(d,)` True where they hold integers.
        levels: the columns learned as indicators.
        constants: the columns with one observed value, and that value.
        unlearned: the columns left as they are, and why.
        low: `(d,)` the least value an answer may have, minus infinity for none.
        high: `(d,)` the greatest.
        circles: the columns learned as sine and cosine.
        exact: whether the matrix is float64, and answers that are observed values but for rounding
            become these values.
        pair: `(d, 2)` the two values of a column of numbers that has no others, such as 0 and 1;
            NaN for the rest.
    """

    numeric: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    whole: np.ndarray
    levels: tuple[Levels, ...]
    constants: dict[int, float]
    unlearned: dict[int, str]
    low: np.ndarray
    high: np.ndarray
    pair: np.ndarray
    circles: tuple[Circle, ...] = ()
    exact: bool = False

    @property
    def categories(self) -> tuple[int, ...]:
        """For each column of the matrix its category's number, -1 for numbers.

        Numbers with two values are a category of one column. The two columns of the first circle
        are -2, of the next one -3.
        """
        two = ~np.isnan(self.pair[:, 0])
        alone, first = np.where(two, np.cumsum(two) - 1, -1).tolist(), int(two.sum())
        sizes = [len(block.codes) for block in self.levels]
        indicators = np.repeat(np.arange(len(sizes)) + first, sizes).tolist()
        turns = np.repeat(-2 - np.arange(len(self.circles)), 2).tolist()
        return (*alone, *indicators, *turns)

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        indicators = sum(len(block.codes) for block in self.levels)
        return len(self.numeric) + indicators + 2 * len(self.circles)

    @property
    def sources(self) -> list[int]:
        """For each column of the matrix the number of the column it is made of."""
        indicators = [block.column for block in self.levels for _ in block.codes]
        points = [circle.column for circle in self.circles for _ in range(2)]
        return [*map(int, self.numeric), *indicators, *points]

    @property
    def columns(self) -> list[int]:
        """The numbers of the columns that are learned."""
        levels, circles = ([block.column for block in part] for part in (self.levels, self.circles))
        return [*map(int, self.numeric), *levels, *circles]


def learn(frame: Frame, exact: Exact = "") -> Codec:
    r"""Learn the coding of a frame's columns from their observed cells.

    Numbers become :math:`(x - \mu) / s`, and directions points of a circle. The indicator
    :math:`e_k` of a level with share :math:`p_k` becomes
    :math:`(e_k - p_k) / \sqrt{\sum_j p_j (1 - p_j)}`.

    Args:
        frame: what `read` returned.
        exact: of the method, see `catalogue.Entry`.

    Returns:
        The codec. Nothing is dropped: every column is in `numeric`, `levels`, `circles`,
        `constants` or `unlearned`, or is the time axis.

    Example:
        >>> import numpy as np
        >>> from jaximpute.data.frames import read
        >>> frame = read(np.array([[1.0, 5.0], [3.0, np.nan]]))
        >>> codec = learn(frame)
        >>> codec.centre.tolist(), codec.constants
        ([2.0], {1: 5.0})
    """
    mask = frame.mask
    numeric: list[int] = []
    levels: list[Levels] = []
    circles: list[Circle] = []
    constants: dict[int, float] = {}
    unlearned: dict[int, str] = {}
    pairs: list[tuple[float, float]] = []
    for i, column in enumerate(frame.columns):
        observed = frame.values[mask[:, i], i]
        if not column.holds_values:
            if column.reason:
                unlearned[i] = column.reason
        elif not observed.size:
            unlearned[i] = "nothing in it is observed"
        elif (observed == observed[0]).all():
            constants[i] = float(observed[0])
        elif column.period is not None and exact != "copies":
            circles.append(circle_of(i, column.period, column.kind == "integer", observed))
        elif column.holds_numbers:
            numeric.append(i)
            low, high = observed.min(), observed.max()
            two = len(observed) >= FEW_PAIRED and ((observed == low) | (observed == high)).all()
            pairs.append((low, high) if two else (np.nan, np.nan))
        else:
            codes, counts = np.unique(observed, return_counts=True)
            if reason := too_many(len(codes), len(observed)):
                unlearned[i] = reason
            else:
                share = counts / counts.sum()
                spread = float(np.sqrt((share * (1 - share)).sum()))
                levels.append(Levels(i, codes, share, spread))
    cells = frame.values[:, numeric]
    centre, scale = learn_scales(cells)
    low, high = possible.bounds_of(frame.columns, numeric, possible.seen_in(cells))
    codec = Codec(
        np.array(numeric, int),
        centre,
        scale,
        np.array([frame.columns[i].kind == "integer" for i in numeric], bool),
        tuple(levels),
        constants,
        unlearned,
        low,
        high,
        np.array(pairs, float).reshape(-1, 2),
        tuple(circles),
    )
    return exactly(codec, exact) if exact else codec


def exactly(codec: Codec, exact: Exact) -> Codec:
    """The codec of a method that copies, interpolates or averages cells.

    Args:
        codec: of methods in single precision.
        exact: of the method, see `catalogue.Entry`.

    Returns:
        A codec of float64 matrices. Unless they are `scaled`, their numbers are the cells
        themselves, but for a power of two where these are so large or small that their squares
        would leave the range of floats.
    """
    if exact == "scaled":
        return codec._replace(exact=True)
    size = np.maximum(np.abs(codec.centre), codec.scale)
    power = np.exp2(np.minimum(np.rint(np.log2(np.maximum(size, np.finfo(float).tiny))), 1023))
    unit = np.where((size > 1e-100) & (size < 1e100), 1.0, power)
    return codec._replace(centre=np.zeros_like(codec.centre), scale=unit, exact=True)


def encode(codec: Codec, values: np.ndarray) -> np.ndarray:
    """`(rows, columns)` cells as a `(rows, width)` matrix, NaN where missing.

    It is float32, in which cells count as `FAR` deviations from the centre if they are farther (as
    they can be where a robust scale is used), or float64 if the codec is exact.
    """
    unit = _unit(codec)
    numbers = (values[:, codec.numeric] * unit - codec.centre * unit) / (codec.scale * unit)
    blocks = [numbers if codec.exact else np.clip(numbers, -FAR, FAR)]
    for block in codec.levels:
        cells = values[:, block.column, None]
        hot = (np.equal(cells, block.codes) - block.share) / block.scale
        blocks.append(np.where(np.isnan(cells), np.nan, hot))
    blocks += [encoded(circle, values[:, circle.column]) for circle in codec.circles]
    return np.concatenate(blocks, axis=1).astype(np.float64 if codec.exact else np.float32)


def decode(
    codec: Codec, matrix: np.ndarray, values: np.ndarray, *, drawn: bool = False
) -> np.ndarray:
    """Fill the missing cells of learned and constant columns.

    Args:
        codec: what `learn` returned.
        matrix: `(rows, width)` completed, in the codec's units.
        values: `(rows, columns)` cells, NaN where missing; not changed.
        drawn: whether it is a random draw, which is reflected at the bounds; estimates are clipped.

    Returns:
        `(rows, columns)` cells; integers are rounded, and a level is the likeliest one. Cells of
        columns that were not learned stay missing.
    """
    guess = np.full_like(values, np.nan)
    numbers = _numbers(codec, matrix)
    if codec.exact:
        numbers = snapped(numbers, values[:, codec.numeric], codec.centre)
    for end in codec.pair.T:  # what is one of two values but for rounding
        # halves, as the difference of two large numbers may be no number
        width = np.abs(codec.pair[:, 1] / 2 - codec.pair[:, 0] / 2)
        near = np.abs(numbers / 2 - end / 2) <= 1e-6 * width
        numbers = np.where(near, end, numbers)
    keep = reflected if drawn else clipped
    guess[:, codec.numeric] = keep(numbers, codec.low, codec.high, codec.whole)
    start = len(codec.numeric)
    for block in codec.levels:
        stop = start + len(block.codes)
        likeliest = np.argmax(matrix[:, start:stop] * block.scale + block.share, axis=1)
        guess[:, block.column] = block.codes[likeliest]
        start = stop
    for circle in codec.circles:
        cells = values[:, circle.column]
        known = cells[~np.isnan(cells)]
        guess[:, circle.column] = decoded(circle, matrix[:, start : start + 2], known)
        start += 2
    for column, value in codec.constants.items():
        guess[:, column] = value
    return np.where(np.isnan(values), guess, values)


def impossible(codec: Codec, matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which of the missing cells `decode` has to bring back within their bounds.

    Args:
        codec: see `decode`, as for all arguments.
        matrix: completed.
        values: cells, NaN where missing.

    Returns:
        `(rows, columns)` booleans.
    """
    found = np.zeros(values.shape, bool)
    found[:, codec.numeric] = beyond(_numbers(codec, matrix), codec.low, codec.high, codec.whole)
    return found & np.isnan(values)


def middle(codec: Codec, estimate: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """The median of draws, where bounds have moved some of them.

    Args:
        codec: what `learn` returned.
        estimate: `(..., columns)` cells, the median of the draws before they were brought within
            bounds.
        draws: `(n, ..., columns)` cells.

    Returns:
        `(..., columns)`: between the quantiles of the draws in every cell.
    """
    bounded = np.isfinite(codec.low) | np.isfinite(codec.high)
    result = estimate.copy()
    for i, whole in zip(codec.numeric[bounded], codec.whole[bounded], strict=True):
        found = np.median(draws[..., i], axis=0)
        result[..., i] = np.rint(found) if whole else found
    return result


def _numbers(codec: Codec, matrix: np.ndarray) -> np.ndarray:
    coded = matrix[:, : len(codec.numeric)].astype(np.float64)
    unit, most = _unit(codec), np.finfo(np.float64).max
    numbers = coded * (codec.scale * unit) + codec.centre * unit
    return np.clip(numbers, -most * unit, most * unit) / unit


def _unit(codec: Codec) -> np.ndarray:
    """Halves for columns of numbers whose differences may be no numbers, ones for the others."""
    return np.where(np.maximum(np.abs(codec.centre), codec.scale) > _HUGE, 0.5, 1.0)


def units(codec: Codec) -> dict[int, float]:
    """By number of a column the standard deviation of its observed cells, in its own units.

    Args:
        codec: what `learn` returned for a method in single precision.

    Returns:
        Of columns of numbers and of directions.
    """
    found = dict(zip(codec.numeric.tolist(), codec.scale.tolist(), strict=True))
    return found | {c.column: c.scale * c.period / (2 * np.pi) for c in codec.circles}


def too_many(levels: int, cells: int) -> str:
    """Why a column of so many levels is not learned; empty if it is."""
    if levels > MOST_LEVELS or (levels > FEW_LEVELS and 2 * levels > cells):
        return f"it holds {levels} different values in {cells} cells, too many to learn"
    return ""

"""Columns of any kind as one standardised float matrix, and back."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaximpute.data.frames import Frame

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
    """How the columns of a frame become a matrix: numbers first, then a block for each `Levels`.

    Attributes:
        numeric: `(d,)` the numbers of the columns that are learned as numbers.
        centre: `(d,)` their means over observed cells.
        scale: `(d,)` their standard deviations over observed cells.
        whole: `(d,)` True where they hold integers.
        levels: the columns learned as indicators.
        constants: the columns with one observed value, and that value.
        unlearned: the columns left as they are, and why.
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
    pair: np.ndarray

    @property
    def categories(self) -> tuple[int, ...]:
        """For each column of the matrix its category's number, -1 for numbers.

        Numbers with two values are a category of one column.
        """
        two = ~np.isnan(self.pair[:, 0])
        alone, first = np.where(two, np.cumsum(two) - 1, -1).tolist(), int(two.sum())
        sizes = [len(block.codes) for block in self.levels]
        return (*alone, *np.repeat(np.arange(len(sizes)) + first, sizes).tolist())

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return len(self.numeric) + sum(len(block.codes) for block in self.levels)

    @property
    def columns(self) -> list[int]:
        """The numbers of the columns that are learned."""
        return [*map(int, self.numeric), *(block.column for block in self.levels)]


def learn(frame: Frame) -> Codec:
    r"""Learn the coding of a frame's columns from their observed cells.

    Numbers become :math:`(x - \mu) / s`. The indicator :math:`e_k` of a level with share
    :math:`p_k` becomes :math:`(e_k - p_k) / \sqrt{\sum_j p_j (1 - p_j)}`.

    Args:
        frame: what `read` returned.

    Returns:
        The codec. Nothing is dropped: every column is in `numeric`, `levels`, `constants` or
        `unlearned`, or is the time axis.

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
    constants: dict[int, float] = {}
    unlearned: dict[int, str] = {}
    pairs: list[tuple[float, float]] = []
    for i, column in enumerate(frame.columns):
        observed = frame.values[mask[:, i], i]
        if column.kind in ("time", "other"):
            if column.reason:
                unlearned[i] = column.reason
        elif not observed.size:
            unlearned[i] = "nothing in it is observed"
        elif (observed == observed[0]).all():
            constants[i] = float(observed[0])
        elif column.kind in ("number", "integer"):
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
    centre, scale = _moments(frame.values[:, numeric])
    whole = np.array([frame.columns[i].kind == "integer" for i in numeric], bool)
    chosen, pair = np.array(numeric, int), np.array(pairs, float).reshape(-1, 2)
    return Codec(chosen, centre, scale, whole, tuple(levels), constants, unlearned, pair)


def encode(codec: Codec, values: np.ndarray) -> np.ndarray:
    """`(rows, columns)` cells as a `(rows, width)` float32 matrix, NaN where missing."""
    blocks = [(values[:, codec.numeric] - codec.centre) / codec.scale]
    for block in codec.levels:
        cells = values[:, block.column, None]
        hot = (np.equal(cells, block.codes) - block.share) / block.scale
        blocks.append(np.where(np.isnan(cells), np.nan, hot))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def decode(codec: Codec, matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Fill the missing cells of learned and constant columns.

    Args:
        codec: what `learn` returned.
        matrix: `(rows, width)` completed, in the codec's units.
        values: `(rows, columns)` cells, NaN where missing; not changed.

    Returns:
        `(rows, columns)` cells; integers are rounded, and a level is the likeliest one. Cells of
        columns that were not learned stay missing.
    """
    guess = np.full_like(values, np.nan)
    d = len(codec.numeric)
    numbers = matrix[:, :d].astype(np.float64) * codec.scale + codec.centre
    for end in codec.pair.T:  # what is one of two values but for rounding
        near = np.abs(numbers - end) <= 1e-6 * np.abs(codec.pair[:, 1] - codec.pair[:, 0])
        numbers = np.where(near, end, numbers)
    guess[:, codec.numeric] = np.where(codec.whole, np.rint(numbers), numbers)
    start = d
    for block in codec.levels:
        stop = start + len(block.codes)
        likeliest = np.argmax(matrix[:, start:stop] * block.scale + block.share, axis=1)
        guess[:, block.column] = block.codes[likeliest]
        start = stop
    for column, value in codec.constants.items():
        guess[:, column] = value
    return np.where(np.isnan(values), guess, values)


def to_plain(codec: Codec) -> dict[str, Any]:
    """A codec as values for JSON, in which floats keep every bit."""
    return {
        "numeric": codec.numeric.tolist(),
        "centre": codec.centre.tolist(),
        "scale": codec.scale.tolist(),
        "whole": codec.whole.tolist(),
        "levels": [
            [block.column, block.codes.tolist(), block.share.tolist(), block.scale]
            for block in codec.levels
        ],
        "constants": [[column, value] for column, value in codec.constants.items()],
        "unlearned": [[column, reason] for column, reason in codec.unlearned.items()],
        "pair": codec.pair.tolist(),
    }


def from_plain(plain: Mapping[str, Any]) -> Codec:
    """The inverse of `to_plain`."""
    return Codec(
        np.array(plain["numeric"], int),
        np.array(plain["centre"], float),
        np.array(plain["scale"], float),
        np.array(plain["whole"], bool),
        tuple(
            Levels(column, np.array(codes, float), np.array(share, float), scale)
            for column, codes, share, scale in plain["levels"]
        ),
        dict(plain["constants"]),
        dict(plain["unlearned"]),
        np.array(plain["pair"], float).reshape(-1, 2),
    )


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over observed cells, safe from overflow and underflow."""
    if not values.shape[1]:
        return np.zeros(0), np.ones(0)
    size = np.nanmax(np.abs(values), axis=0)
    unit = values / size
    centre = np.nanmean(unit, axis=0)
    off = unit - centre
    spread = np.nanmax(np.abs(off), axis=0)
    scale = np.sqrt(np.nanmean((off / spread) ** 2, axis=0)) * spread * size
    return centre * size, np.maximum(scale, np.finfo(float).tiny)


def too_many(levels: int, cells: int) -> str:
    """Why a column of so many levels is not learned; empty if it is."""
    if levels > MOST_LEVELS or (levels > FEW_LEVELS and 2 * levels > cells):
        return f"it holds {levels} different values in {cells} cells, too many to learn"
    return ""

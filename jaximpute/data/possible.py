"""What a column may hold: bounds and directions, as the user says or as its own cells show."""

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from jaximpute._errors import OptionError
from jaximpute.data.columns import Column, suggest

FULL_TURN = 360.0
_EXPECTED = 5.0  # cells of a normal column beyond a bound, where none is seen
_NEAR = 0.05  # how near to 0 and 1 shares come
_DIRECTION = re.compile(
    r"(.*[_\s.])?(wd|wdir|wind_?dir|wind_?direction|dir|direction|heading|bearing|azimuth|aspect)"
    r"([_\s.(\[]*(deg|degrees|degree|10m|mean|avg)[)\]]?)*",
    re.IGNORECASE,
)


class Seen(NamedTuple):
    """Of columns of numbers, over their observed cells.

    Attributes:
        cells: `(d,)` how many are observed.
        mean: `(d,)`.
        spread: `(d,)` standard deviations.
        low: `(d,)` the least value.
        high: `(d,)` the greatest.
        at_low: `(d,)` how many cells hold the least one.
        at_high: `(d,)` how many hold the greatest.
        whole: `(d,)` whether all are whole numbers.
    """

    cells: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_low: np.ndarray
    at_high: np.ndarray
    whole: np.ndarray


def natural_bounds(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    r"""The bounds that columns show by themselves; infinite where they show none.

    A column is kept at or above 0 if nothing in it is negative, and

    - all its cells are whole numbers (counts), or
    - its least value is 0 and occurs again and again (rain), in three cells or in a tenth of them,
      two at least; or
    - a normal column of its mean and spread would have shown five negative cells,
      :math:`n \, \Phi(-\mu / s) \ge 5` (concentrations).

    It is kept at or below 1 if it is so kept above 0, nothing in it is greater than 1, and it
    touches both ends (0/1 columns, shares), or comes within a twentieth of both where a normal
    column would have gone beyond 1 in five cells. It is kept between 0 and 100 if nothing in it is
    negative or greater than 100, and 100 occurs again and again (percentages).

    Args:
        seen: of the columns.

    Returns:
        `(d,)` lower and `(d,)` upper bounds.

    Example:
        >>> rain = np.array([0.0, 0.0, 0.0, 2.5, 1.2])
        >>> low, high = natural_bounds(seen_in(rain[:, None]))
        >>> low.tolist(), high.tolist()
        ([0.0], [inf])
    """
    spread = np.where(seen.spread > 0, seen.spread, 1.0)
    with np.errstate(over="ignore"):
        below = seen.cells * ndtr(-seen.mean / spread)
        above = seen.cells * ndtr((seen.mean - 1.0) / spread)
    often_low, often_high = _often(seen.at_low, seen.cells), _often(seen.at_high, seen.cells)
    zero = (seen.low >= 0) & (seen.whole | ((seen.low == 0) & often_low) | (below >= _EXPECTED))
    zero |= (seen.low == 0) & (seen.high == 1)
    touches = (seen.low == 0) & (seen.high == 1)
    nearly = (seen.low <= _NEAR) & (seen.high >= 1 - _NEAR) & (above >= _EXPECTED)
    one = zero & (seen.high <= 1) & (touches | nearly)
    hundred = (seen.low >= 0) & (seen.high == 100) & often_high
    zero |= hundred
    top = np.where(one, 1.0, np.where(hundred, 100.0, np.inf))
    return np.where(zero, 0.0, -np.inf), top


def seen_in(values: np.ndarray) -> Seen:
    """What `natural_bounds` asks about columns, `(rows, d)` with NaN where missing."""
    x = np.asarray(values, float)
    mask = ~np.isnan(x)
    cells = mask.sum(axis=0)
    low = np.where(mask, x, np.inf).min(axis=0, initial=np.inf)
    high = np.where(mask, x, -np.inf).max(axis=0, initial=-np.inf)
    size = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(float).tiny)
    unit = np.where(mask, x, 0.0) / size
    mean = unit.sum(axis=0) / np.maximum(cells, 1)
    squares = (np.where(mask, unit - mean, 0.0) ** 2).sum(axis=0)
    spread = np.sqrt(squares / np.maximum(cells, 1))
    whole = (~mask | (x == np.rint(x))).all(axis=0)
    at_low, at_high = (x == low).sum(axis=0), (x == high).sum(axis=0)
    return Seen(cells, mean * size, spread * size, low, high, at_low, at_high, whole)


def bounds_of(
    columns: Sequence[Column], numeric: Sequence[int], seen: Seen
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of the columns that are learned as numbers: those given, else natural ones.

    Neither go beyond what the file of a column has room for.

    Args:
        columns: all of them.
        numeric: `(d,)` the numbers of those learned as numbers.
        seen: of these.

    Returns:
        `(d,)` lower and `(d,)` upper bounds.
    """
    low, high = natural_bounds(seen)
    for j, i in enumerate(numeric):
        if (given := columns[i].bounds) is not None:
            low[j] = -np.inf if given[0] is None else given[0]
            high[j] = np.inf if given[1] is None else given[1]
        if (room := columns[i].room) is not None:
            low[j], high[j] = np.clip(low[j], *room), np.clip(high[j], *room)
    return low, high


def tell(columns: Sequence[Column], bounds: Any = None, circular: Any = None) -> tuple[Column, ...]:
    """The columns, with what the user says they may hold.

    Args:
        columns: as they were read.
        bounds: by a column's name (its position for arrays) the least and greatest value that a
            missing cell may get, None for no bound on that side: `{"Ozone": (0, None)}`.
        circular: names of columns of directions, which come back to themselves after 360; or by
            name the number after which they do, `{"hour": 24}`.

    Returns:
        The columns.

    Raises:
        OptionError: a column that does not exist or holds no numbers, a lower bound above the
            upper one, no pair of numbers, or a period that is not positive.

    Example:
        >>> ozone, wind = tell(
        ...     [Column("ozone", "number"), Column("wind", "number")],
        ...     {"ozone": (0, None)},
        ...     ["wind"],
        ... )
        >>> ozone.bounds, wind.period
        ((0.0, None), 360.0)
    """
    told = list(columns)
    if bounds is not None and not isinstance(bounds, Mapping):
        raise OptionError(
            f"bounds is {bounds!r}; expected pairs by column, such as {{'Ozone': (0, None)}}"
        )
    for name, pair in (bounds or {}).items():
        for i in _find(columns, name, "bounds"):
            told[i] = told[i]._replace(bounds=_pair(told[i], pair))
    for name, period in _periods(circular).items():
        for i in _find(columns, name, "circular"):
            if not _is_number(period) or not (period > 0 and math.isfinite(period)):
                raise OptionError(
                    f"circular: the period of {told[i].called} is {period!r}; expected a positive "
                    "number, such as 360"
                )
            if told[i].bounds is not None:
                raise OptionError(f"{told[i].called} is given both as circular and with bounds")
            told[i] = told[i]._replace(period=float(period))
    return tuple(told)


def notes(columns: Sequence[Column], values: np.ndarray, *, hint: bool = True) -> list[str]:
    """What should be known about the columns' bounds and directions, for the user.

    Args:
        columns: from `tell`.
        values: `(rows, columns)` cells, NaN where missing.
        hint: whether to point out columns that look like directions.

    Returns:
        A text for each column with observed cells outside the bounds that were given, and for each
        one with holes that looks like a direction and is not given as one.
    """
    texts = []
    for i, column in enumerate(columns):
        x = values[:, i]
        if column.bounds is not None:
            low, high = column.bounds
            outside = (x < (-np.inf if low is None else low)) | (
                x > (np.inf if high is None else high)
            )
            if outside.any():
                row = int(np.argmax(outside))
                where = f" in row {row}" if column.word == "column" else ""
                texts.append(
                    f"{column.called}: {int(outside.sum())} observed cells lie outside the "
                    f"bounds given, the first{where} ({x[row]:g}); they stay as they are"
                )
        elif hint and np.isnan(x).any() and looks_circular(column, x):
            texts.append(direction_hint(column))
    return texts


def direction_hint(column: Column) -> str:
    """How to treat a column as directions."""
    return (
        f"{column.called} looks like directions in degrees, and is filled like any number, "
        f"by which 350 and 10 are far apart. If it holds directions: circular=['{column.name}'] "
        f"(--circular {column.name})"
    )


def looks_circular(column: Column, x: np.ndarray) -> bool:
    """Whether a column's name or attributes, and its range, are those of directions."""
    if not column.holds_numbers or column.period is not None:
        return False
    if not (column.angle or _DIRECTION.fullmatch(column.name.strip())):
        return False
    low, high = np.nanmin(x, initial=np.inf), np.nanmax(x, initial=-np.inf)
    return bool((low >= 0 and 180 < high <= FULL_TURN) or (-180 <= low < -90 and 90 < high <= 180))


def _often(count: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return (count >= 3) | ((count >= 2) & (count >= 0.1 * cells))


def _find(columns: Sequence[Column], name: Any, option: str) -> list[int]:
    """The numbers of the columns of a name, or of a variable's places."""
    found = [i for i, column in enumerate(columns) if str(name) in (column.name, column.variable)]
    if not found:
        word = columns[0].word if columns else "column"
        names = [each for c in columns for each in (c.name, c.variable) if each]
        near = suggest(str(name), list(dict.fromkeys(names)))
        raise OptionError(f"{option}: no {word} is called '{name}'{near}")
    for i in found:
        if not (column := columns[i]).holds_numbers:
            raise OptionError(
                f"{option}: {column.called} holds {_HOLDS.get(column.kind, column.kind)}; expected "
                f"a {column.word} of numbers"
            )
    return found


_HOLDS = {
    "boolean": "booleans",
    "category": "categories",
    "text": "texts",
    "time": "times",
    "other": "what is not learned",
}


def _pair(column: Column, pair: Any) -> tuple[float | None, float | None]:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise OptionError(
            f"bounds of {column.called} are {pair!r}; expected a pair such as (0, None)"
        )
    low, high = pair
    for end in pair:
        if end is not None and (not _is_number(end) or math.isnan(end)):
            raise OptionError(
                f"bounds of {column.called} are {pair!r}; expected numbers, or None for no bound"
            )
    if low is not None and high is not None and low > high:
        raise OptionError(
            f"bounds of {column.called} are {low} and {high}; expected the lower one first"
        )
    return None if low is None else float(low), None if high is None else float(high)


def _periods(circular: Any) -> dict[Any, Any]:
    if circular is None:
        return {}
    if isinstance(circular, Mapping):
        return dict(circular)
    if isinstance(circular, str) or not isinstance(circular, Sequence):
        raise OptionError(
            f"circular is {circular!r}; expected names of columns, such as ['wind_dir'], or their "
            "periods by name"
        )
    return dict.fromkeys(circular, FULL_TURN)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)

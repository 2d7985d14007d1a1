"""One column of a container as numbers: what it holds, and the levels behind its codes."""

import datetime
import numbers
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import narwhals as nw
import numpy as np

from jaximpute._errors import DataError
from jaximpute.data.calendars import stamps_of

ColumnKind = Literal["number", "integer", "boolean", "category", "text", "time", "group", "other"]

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_LONG, _EXACT = 10**15, 2**53  # integers of more than 15 digits; those that floats can hold
_STAMP_DIGITS = 8  # of whole numbers that are taken for days, and 10, 12, 14 for what is finer
_LONG_TEXT = re.compile(r"[0-9]{16,}|[0-9a-fA-F-]{32,36}")
_TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


class Column(NamedTuple):
    """What a column holds.

    Attributes:
        name: its name as text; the position for arrays.
        kind: `number`, `integer`, `boolean`, `category`, `text`, or one of those that are never
            learned: `time`, `group` (what tells series apart) and `other`.
        levels: the values behind the codes 0, 1, ... of a boolean, category or text column.
        limits: the least and greatest value an integer column's type can hold.
        reason: why a column is not learned that could be read.
        bounds: the least and greatest value a missing cell may get, as the user said; None on
            either side for no bound, None for what the column itself says.
        period: of a direction, after which it comes back to itself; None for all else.
        angle: whether attributes of the data say that it holds directions.
        room: the least and greatest value that its file has room for; None where any fits.
        word: what those who made the data call it: a column, or of a field a variable.
        variable: of a place in a variable, such as a station, the variable's name.
    """

    name: str
    kind: ColumnKind
    levels: tuple[Any, ...] = ()
    limits: tuple[int, int] | None = None
    reason: str = ""
    bounds: tuple[float | None, float | None] | None = None
    period: float | None = None
    angle: bool = False
    room: tuple[float, float] | None = None
    word: str = "column"
    variable: str = ""

    @property
    def holds_values(self) -> bool:
        """Whether it is of a kind that is learned, if something in it is observed."""
        return self.kind not in ("time", "group", "other")

    @property
    def holds_numbers(self) -> bool:
        """Whether its cells are numbers themselves."""
        return self.kind in ("number", "integer")

    @property
    def holds_levels(self) -> bool:
        """Whether its cells are codes of levels."""
        return self.kind in ("boolean", "category", "text")

    @property
    def called(self) -> str:
        """Its name in a message."""
        return f"{self.word} '{self.name}'"


def read_column(series: nw.Series, name: str) -> tuple[Column, np.ndarray]:
    """What a column holds, and its cells as floats.

    Args:
        series: the column.
        name: what to call it.

    Returns:
        The column, and `(rows,)` float64 cells: NaN where missing, numbers as they are, codes of
        levels for booleans, categories and text, 0 where a column that is never learned is
        observed.

    Raises:
        DataError: an object column mixes types.

    Example:
        >>> import narwhals as nw, pandas as pd
        >>> series = nw.from_native(pd.Series(["b", None, "a"]), series_only=True)
        >>> column, cells = read_column(series, "letter")
        >>> column.kind, column.levels, cells.tolist()
        ('text', ('a', 'b'), [1.0, nan, 0.0])
    """
    if is_arrow_decimal(series):
        series = nw.from_native(series.to_native().cast("float64"), series_only=True)
    dtype = series.dtype
    if dtype.is_numeric():
        limits = _limits(str(dtype))
        if dtype.is_integer() and (special := _special(series, name)) is not None:
            return special
        if limits is None and not dtype.is_float():  # decimals and 128-bit integers
            series = series.cast(nw.Float64())
        kind: ColumnKind = "integer" if dtype.is_integer() else "number"
        return Column(name, kind, limits=limits), series.to_numpy().astype(np.float64)
    if dtype == nw.Object:
        return read_objects(series.to_list(), name, series.is_null().to_numpy())
    missing = series.is_null().to_numpy()
    if dtype == nw.Boolean:
        return _levelled(series.to_list(), missing, Column(name, "boolean", (False, True)))
    if isinstance(dtype, nw.Enum):
        column = Column(name, "category", tuple(dtype.categories))
        return _levelled(series.to_list(), missing, column)
    if dtype in (nw.Categorical, nw.String):
        kind = "text" if dtype == nw.String else "category"
        cells = series.to_list()
        return _levelled(cells, missing | _blank(cells), Column(name, kind))
    if dtype.is_temporal():
        return Column(name, "time", reason="dates and times are not learned"), _presence(missing)
    return Column(name, "other", reason=f"cells of type {dtype} are not learned"), _presence(
        missing
    )


def read_objects(cells: Sequence[Any], name: str, missing: np.ndarray) -> tuple[Column, np.ndarray]:
    """`read_column` for a column of Python objects, which must all be of one sort.

    Raises:
        DataError: cells of more than one sort; names the column and the first odd row.
    """
    missing = missing | _blank(cells)
    observed = np.flatnonzero(~missing).tolist()
    sorts = [_sort(cells[row]) for row in observed]
    if len(set(sorts)) > 1:
        common = max(sorted(set(sorts)), key=sorts.count)
        row = next(r for r, sort in zip(observed, sorts, strict=True) if sort != common)
        raise DataError(
            f"column '{name}' mixes {' and '.join(sorted(set(sorts)))}: row {row} holds "
            f"{cells[row]!r} where most cells are of sort {common}. Convert the column to one "
            "type, or make the odd cells missing"
        )
    sort = sorts[0] if sorts else "text"
    if sort == "number":
        whole = all(isinstance(cells[row], numbers.Integral) for row in observed)
        long = whole and is_long(*(end(cells[row] for row in observed) for end in (min, max)))
        if long and (found := read_long(cells, name, missing)) is not None:
            return found
        values = np.full(len(cells), np.nan)
        values[observed] = [float(cells[row]) for row in observed]
        return Column(name, "integer" if whole else "number"), values
    if sort == "boolean":
        return _levelled(cells, missing, Column(name, "boolean", (False, True)))
    if sort == "text":
        return _levelled(cells, missing, Column(name, "text"))
    if sort == "time":
        return Column(name, "time", reason="dates and times are not learned"), _presence(missing)
    reason = f"cells of type {sort} are not learned"
    return Column(name, "other", reason=reason), _presence(missing)


def read_long(
    cells: Sequence[Any], name: str, missing: np.ndarray
) -> tuple[Column, np.ndarray] | None:
    """`read_column` for integers of more than 15 digits; None if they may be read as numbers.

    They are ids far oftener than quantities: if all are different, nothing is to be learned from
    them. Beyond 2^53 a float has no room for them, and each is a level of its own.
    """
    observed = [int(cells[row]) for row in np.flatnonzero(~missing).tolist()]
    levels = tuple(sorted(set(observed)))
    if 1 < len(levels) == len(observed):
        return _identifiers(name, missing)
    if max(-levels[0], levels[-1]) <= _EXACT:
        return None
    return _levelled(cells, missing, Column(name, "category", levels))


def native_values(column: Column, cells: np.ndarray) -> list[Any]:
    """Completed cells as the container's own kind of value: levels, Python integers or floats."""
    if column.holds_levels:
        return [column.levels[int(code)] for code in cells]
    if column.kind == "integer":
        low, high = column.limits or (-(2**63), 2**63 - 1)
        return [min(max(int(cell), low), high) for cell in cells]
    return [float(cell) for cell in cells]


def is_arrow_decimal(series: nw.Series) -> bool:
    """Whether a column is one of pyarrow's decimals, of any width."""
    return str(getattr(series.to_native(), "type", "")).startswith("decimal")


def suggest(wrong: str, names: Sequence[str]) -> str:
    """The end of an error about a column that does not exist."""
    close = get_close_matches(wrong, names, n=1)
    maybe = f"; did you mean '{close[0]}'?" if close else ";"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{maybe} columns: {', '.join(names[:20])}{more}"


def _levelled(
    cells: Sequence[Any], missing: np.ndarray, column: Column
) -> tuple[Column, np.ndarray]:
    observed = np.flatnonzero(~missing).tolist()
    # sorted, so that the codes do not depend on the order of the rows
    levels = column.levels or tuple(sorted({cells[row] for row in observed}, key=str))
    code = {level: i for i, level in enumerate(levels)}
    values = np.full(len(cells), np.nan)
    values[observed] = [code[cells[row]] for row in observed]
    texts = [level for level in levels if isinstance(level, str)]
    different = len(levels) == len(observed) > 2 and len(texts) == len(levels)
    if different and all(_LONG_TEXT.fullmatch(level.strip()) for level in texts):
        return _identifiers(column.name, missing)
    return column._replace(levels=levels), values


def _special(series: nw.Series, name: str) -> tuple[Column, np.ndarray] | None:
    """Whole numbers that are no quantities: stamps of the calendar, and long identifiers."""
    known = series.drop_nulls()
    if not len(known):
        return None
    low, high = int(known.min()), int(known.max())
    missing = series.is_null().to_numpy()
    if is_long(low, high) and (found := read_long(series.to_list(), name, missing)) is not None:
        return found
    long = low >= 10 ** (_STAMP_DIGITS - 1) and low != high
    if long and stamps_of(known.to_numpy(), _STAMP_DIGITS) is not None:
        reason = "dates and times are not learned"
        return Column(name, "time", reason=reason), _presence(missing)
    return None


def _identifiers(name: str, missing: np.ndarray) -> tuple[Column, np.ndarray]:
    reason = f"its {int((~missing).sum())} long values are all different, as identifiers are"
    return Column(name, "other", reason=reason), _presence(missing)


def _blank(cells: Sequence[Any]) -> np.ndarray:
    """Texts of nothing but spaces, which are missing in files, too."""
    return np.array([isinstance(cell, str) and not cell.strip() for cell in cells], bool)


def _sort(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return "boolean"
    if isinstance(cell, numbers.Real):
        return "number"
    if isinstance(cell, str):
        return "text"
    return "time" if isinstance(cell, _TIMES) else type(cell).__name__


def _presence(missing: np.ndarray) -> np.ndarray:
    return np.where(missing, np.nan, 0.0)


def is_long(low: Any, high: Any) -> bool:
    """Whether integers between the two may have more than 15 digits."""
    return max(-int(low), int(high)) >= _LONG


def _limits(dtype: str) -> tuple[int, int] | None:
    if dtype.lower() not in _INTEGERS:
        return None
    info = np.iinfo(dtype.lower())
    return int(info.min), int(info.max)

"""Typed columns for a text table."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OptionError
from jaximpute.data import calendars, numerals, signs
from jaximpute.data.columns import suggest
from jaximpute.data.dialect import Reading
from jaximpute.data.numerals import Dress
from jaximpute.files.csv import Text

INTEGER = re.compile(r"[+-]?\d{1,20}")
_CODE = re.compile(r"0\d+")
DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T]\d.*)?")
_DAY = re.compile(r"\d{1,2}([/.-])\d{1,2}\1\d{4}( .*)?|\d{4}/\d\d?/\d\d?( .*)?")
BOOLEAN = {"true": True, "false": False}
_MOSTLY = 0.9  # of a column's cells are numbers: then the others are mistakes, not texts
_MOST_DIGITS = 21  # of an integer with its sign; more are not looked at
_SHOWN = 6  # columns named in one note


class Typed(NamedTuple):
    """A text table with types.

    Attributes:
        table: integers, numbers, booleans, dates or texts, whichever all cells of a column can be.
        text: the file, with the cells that turned out to be missing.
        dresses: how the numbers of a column are written; None for columns that hold none.
        notes: what was taken as what, and how to change it.
    """

    table: pd.DataFrame
    text: Text
    dresses: list[Dress | None]
    notes: list[str]


def typed(text: Text, source: str, reading: Reading | None = None) -> Typed:
    """Find the type of each column.

    Args:
        text: a file as it is written.
        source: its name, for messages.
        reading: what the user says of it.

    Returns:
        The table.

    Raises:
        DataError: a column of numbers with few other cells that are no sign of a missing one;
            names the column and row.
        OptionError: `kinds` names a column that is not there.

    Example:
        >>> from jaximpute.files.csv import parse
        >>> found = typed(parse(b"a,b\\n1,x\\n?,y\\n3,z\\n4,x\\n", "x.csv")[0], "x.csv")
        >>> found.table["a"].tolist(), found.text.missing[1]
        ([1, <NA>, 3, 4], [True, False])
    """
    reading = reading or Reading()
    for name in reading.kinds:
        if name not in text.names:
            raise OptionError(f"--as names no column of {source}{suggest(name, text.names)}")
    numeric = [signs.numbers_of(tokens) for tokens in signs.signs_of(reading, text.names)]
    # transposed as a whole: one column at a time would walk all rows again for each
    rows = text.rows
    raw = list(zip(*rows, strict=True))
    columns = [[cell.strip() for cell in cells] for cells in raw]
    holes = [list(column) for column in zip(*text.missing, strict=True)]
    counts = [
        Counter(cell for cell, hole in zip(cells, column, strict=True) if not hole)
        for cells, column in zip(columns, holes, strict=True)
    ]
    decimal = reading.decimal or _decimal(counts)
    usual = "." if text.dialect.delimiter == "," else ","
    arrays: dict[str, Any] = {}
    dresses: list[Dress | None] = []
    notes = _Notes({}, {}, [])
    for j, name in enumerate(text.names):
        column = _Column(name, raw[j], columns[j], holes[j], counts[j], source, reading)
        if not reading.missing_only:
            _drop_odd(column, notes, decimal, usual)
        kind = reading.kinds.get(name)
        dress = None if kind == "text" else _dress(column, kind, decimal, usual)
        if kind == "text":
            arrays[name] = _texts(column)
        elif dress is None:
            arrays[name] = _others(column, notes)
        else:
            _drop_numbers(column, dress, numeric[j])
            arrays[name] = _numbers(column, dress)
            notes.dressed(name, dress, column.counts)
        dresses.append(dress if column.counts else None)
        holes[j] = column.holes
    missing = [list(row) for row in zip(*holes, strict=True)]
    return Typed(
        pd.DataFrame(arrays), text._replace(missing=missing), dresses, notes.texts(reading)
    )


class _Column(NamedTuple):
    name: str
    raw: Sequence[str]
    cells: list[str]
    holes: list[bool]
    counts: Counter[str]
    source: str
    reading: Reading

    def drop(self, cells: Mapping[str, int]) -> None:
        """Take these cells for missing."""
        for cell in cells:
            del self.counts[cell]
        for i, cell in enumerate(self.cells):
            if cell in cells:
                self.holes[i] = True

    def place(self, values: Mapping[str, Any], empty: Any = None) -> list[Any]:
        """A value for each row, by what its cell says."""
        return [
            empty if hole else values[cell]
            for cell, hole in zip(self.cells, self.holes, strict=True)
        ]


class _Notes(NamedTuple):
    """What was taken as what, by column."""

    worn: dict[Dress, list[str]]
    dropped: dict[str, list[str]]
    others: list[str]

    def dressed(self, name: str, dress: Dress, counts: Counter[str]) -> None:
        if not all(map(numerals.is_plain, counts)):
            # of whole numbers nobody knows the decimal mark
            shown = any(dress.decimal in cell for cell in counts)
            worn = dress if shown else dress._replace(decimal=".")
            self.worn.setdefault(worn, []).append(name)

    def texts(self, reading: Reading) -> list[str]:
        texts = [
            f"{_named(names)}: numbers with {numerals.named(dress)} (--decimal, or --as "
            f"'{names[0]}=text', reads them otherwise)"
            for dress, names in self.worn.items()
            if numerals.named(dress) and dress.decimal != reading.decimal
        ]
        texts += [
            f"{_named(names)}: {sign} is taken for a missing cell (--missing-only '' takes empty "
            "cells alone)"
            for sign, names in self.dropped.items()
        ]
        return [*texts, *self.others]


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"column{'s' if len(names) > 1 else ''} {shown}{more}"


def _decimal(counts: Sequence[Counter[str]]) -> str | None:
    """The decimal mark of a file: what its columns of numbers show."""
    found = set()
    for column in counts:
        cells = [cell for cell in column if numerals.looks_like_number(cell)]
        if 2 * len(cells) > len(column):
            found.add(numerals.decimal_of(cells))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _drop_odd(column: _Column, notes: _Notes, decimal: str | None, usual: str) -> None:
    """Take cells among numbers for missing that say so; refuse others that are few."""
    counts = column.counts
    numbers = [cell for cell in counts if numerals.looks_like_number(cell)]
    odd = {cell: n for cell, n in counts.items() if not numerals.looks_like_number(cell)}
    if not odd or not numbers or column.reading.kinds.get(column.name) == "text":
        return
    if numerals.dress_of(numbers, decimal, usual) is None or _is_coded(numbers):
        return
    unknown = {cell: n for cell, n in odd.items() if signs.means_unknown(cell)}
    # 1 and - may be yes and no; 1, 2 and ? are two levels and no answer
    if len(unknown) == len(odd) and (len(numbers) >= signs.FEW or set(odd) == {"?"}):
        column.drop(unknown)
        for cell, n in unknown.items():
            notes.dropped.setdefault(f"{cell!r} ({n} cells)", []).append(column.name)
        return
    rest = {cell: n for cell, n in odd.items() if cell not in unknown}
    right = sum(counts[cell] for cell in numbers)
    total = counts.total()
    if signs.are_odd(rest, numbers) or right > _MOSTLY * total:
        cell = next(iter(rest))
        row = column.cells.index(cell)
        raise DataError(
            f"{column.source}, column '{column.name}': row {row} below the header holds {cell!r} "
            f"where {right} of {total} cells are numbers. Correct it, or name it as a sign of a "
            f"missing cell (--missing {cell!r}), or read the column as text "
            f"(--as '{column.name}=text')"
            + ("" if row else "; a row of units: --skip-rows with the number of its line (2-2)")
        )
    if 2 * right > total:
        notes.others.append(
            f"column '{column.name}' is read as text, and {right} of {total} cells are numbers; "
            f"others are {', '.join(repr(cell) for cell in list(rest)[:3])}"
        )


def _is_coded(numbers: Sequence[str]) -> bool:
    return any(_CODE.fullmatch(cell) for cell in numbers)


def _dress(column: _Column, kind: str | None, decimal: str | None, usual: str) -> Dress | None:
    cells = column.counts
    if not cells:
        return None
    if kind is None and (_is_coded(list(cells)) and all(cell.isdecimal() for cell in cells)):
        return None  # 02138 is a code, and no quantity
    if kind is None and _type_of(cells) is None:
        return None  # more digits than any number here keeps
    dress = numerals.dress_of(list(cells), decimal, usual)
    if dress is None and kind == "number":
        wrong = next(
            (cell for cell in cells if not numerals.looks_like_number(cell)), next(iter(cells))
        )
        raise DataError(
            f"{column.source}, column '{column.name}': {wrong!r} is no number like the others, and "
            f"--as '{column.name}=number' says it holds numbers"
        )
    return dress


def _type_of(cells: Iterable[str]) -> str | None:
    """The type that holds the integers among these cells; None where none does."""
    whole = [cell for cell in cells if cell.lstrip("+-").isdecimal()]
    if any(len(cell) > _MOST_DIGITS for cell in whole):
        return None
    low, high = min(map(int, whole), default=0), max(map(int, whole), default=0)
    for dtype in ("Int64", "UInt64"):
        limits = np.iinfo(dtype.lower())
        if limits.min <= low and high <= limits.max:
            return dtype
    return None


def _drop_numbers(column: _Column, dress: Dress, missing: frozenset[float]) -> None:
    """A sign that is a number, written in any way: -200, -200.0 or -200,0."""
    if missing:
        found = {
            cell: n
            for cell, n in column.counts.items()
            if float(numerals.plain(cell, dress)) in missing
        }
        column.drop(found)


def _numbers(column: _Column, dress: Dress) -> Any:
    plain = {cell: numerals.plain(cell, dress) for cell in column.counts}
    dtype = _type_of(plain.values())
    if dtype and column.counts and all(INTEGER.fullmatch(number) for number in plain.values()):
        whole = {cell: int(number) for cell, number in plain.items()}
        return pd.array(column.place(whole), dtype=dtype)
    broken = {cell: float(number) for cell, number in plain.items()}
    return pd.array(column.place(broken, float("nan")), dtype="float64")


def _others(column: _Column, notes: _Notes) -> Any:
    """Booleans, dates or texts."""
    counts = column.counts
    if counts and all(cell.lower() in BOOLEAN for cell in counts):
        return pd.array(
            column.place({cell: BOOLEAN[cell.lower()] for cell in counts}), dtype="boolean"
        )
    dates = [cell for cell in counts if DATE.fullmatch(cell) or _DAY.fullmatch(cell)]
    odd = {cell: n for cell, n in counts.items() if cell not in set(dates)}
    if len(dates) >= signs.FEW and odd and all(map(signs.means_unknown, odd)):
        column.drop(odd)
        for cell, n in odd.items():
            notes.dropped.setdefault(f"{cell!r} ({n} cells)", []).append(column.name)
    if counts and len(dates) == len(counts):
        cells = list(counts)
        parsed, why = calendars.parse_dates(cells)
        if not parsed.isna().any():
            times = dict(zip(cells, parsed, strict=True))
            return pd.Series(column.place(times), dtype=parsed.dtype).array
        if why:
            notes.others.append(f"column '{column.name}' looks like dates; {why}")
    if _is_coded([cell for cell in counts if cell.isdecimal()]) and all(
        cell.isdecimal() for cell in counts
    ):
        notes.others.append(
            f"column '{column.name}' holds codes with leading zeros, which are not quantities, and "
            f"is read as text; --as '{column.name}=number' reads numbers"
        )
    taken = Counter(
        cell for cell, hole in zip(column.cells, column.holes, strict=True) if hole and cell
    )
    taken = Counter({cell: n for cell, n in taken.items() if cell in signs.MISSING})
    if taken and counts:
        shown = ", ".join(f"{cell!r} ({n} cells)" for cell, n in taken.items())
        notes.others.append(
            f"column '{column.name}': {shown} taken for missing; if that is a value: "
            f"--missing-only '{column.name}='"
        )
    return _texts(column)


def _texts(column: _Column) -> Any:
    # with the spaces around them
    texts = [None if hole else cell for cell, hole in zip(column.raw, column.holes, strict=True)]
    return pd.array(texts, dtype="string")

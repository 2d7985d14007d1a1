"""CSV as text: typed columns for the methods, and an observed cell comes back as it was written."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError

# what a missing cell may look like, spaces around it aside
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "null", "None", "<NA>", "#N/A")
MOSTLY = 0.9  # of a column's cells are numbers: then the others are mistakes, not texts

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T]\d.*)?")
_QUOTED = re.compile(r'["\r\n]')
_BOOLEAN = {"true": True, "false": False}


class Text(NamedTuple):
    """A CSV file as it is written.

    Attributes:
        names: the header.
        rows: the cells of each row below it.
        missing: for each row, True where a cell is missing.
        delimiter: between cells.
        newline: between rows.
        mark: whether the file begins with a byte-order mark.
    """

    names: list[str]
    rows: list[list[str]]
    missing: list[list[bool]]
    delimiter: str
    newline: str
    mark: bool


def parse(data: bytes, source: str, delimiter: str = ",", missing: Sequence[str] = ()) -> Text:
    """Split a CSV file into cells; checks that every row has one for each name of the header.

    Blank lines are skipped, except in a file of one column, where they are missing cells.

    Args:
        data: the file, in UTF-8.
        source: its name, for messages.
        delimiter: between cells.
        missing: what stands for a missing cell besides `MISSING`.

    Returns:
        The cells.

    Raises:
        DataError: empty, no row below the header, not UTF-8, names that are not unique, or a row
            with too many or too few cells; the message names file and line.

    Example:
        >>> text = parse(b"a,b\\n1.50,\\n", "x.csv")
        >>> text.rows, text.missing
        ([['1.50', '']], [[False, True]])
    """
    if not data.strip():
        raise DataError(f"{source} is empty; expected a header and rows below it")
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{source} is no UTF-8 text (line {line}); save it as CSV in UTF-8"
        ) from error
    reader = csv.reader(io.StringIO(decoded, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    rows: list[list[str]] = []
    try:
        for cells in reader:
            if names is None:
                names = cells or None
                continue
            if not cells and len(names) == 1:
                cells = [""]
            if not cells:
                continue
            if len(cells) != len(names):
                raise DataError(
                    f"{source}, line {reader.line_num}: {len(cells)} cells; expected {len(names)}, "
                    "one for each name in the header. Quote cells that hold the delimiter "
                    f"{delimiter!r}"
                )
            rows.append(cells)
    except csv.Error as error:
        raise DataError(f"{source}, line {reader.line_num}: {error}") from error
    if names is None or not rows:
        raise DataError(
            f"{source} has a header and no row below it; there is nothing to learn from"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{source}: column names must be unique; '{twice[0]}' occurs more than once"
        )
    tokens = {*MISSING, *(token.strip() for token in missing)}
    holes = [[cell.strip() in tokens for cell in row] for row in rows]
    newline = "\r\n" if "\r\n" in decoded else "\n"
    return Text(names, rows, holes, delimiter, newline, data.startswith(b"\xef\xbb\xbf"))


def typed(text: Text, source: str) -> pd.DataFrame:
    """The columns as integers, numbers, booleans, dates or texts, whichever all cells can be.

    Raises:
        DataError: a column of numbers with a few cells that are none; names the column and row.

    Example:
        >>> frame = typed(parse(b"a,b\\n1,x\\n,y\\n", "x.csv"), "x.csv")
        >>> frame.dtypes.astype(str).tolist()
        ['Int64', 'string']
    """
    # transposed as a whole: one column at a time would walk all rows again for each
    columns = zip(
        text.names,
        zip(*text.rows, strict=True),
        zip(*text.missing, strict=True),
        strict=True,
    )
    arrays = {name: _typed(cells, holes, name, source) for name, cells, holes in columns}
    return pd.DataFrame(arrays)


def completed(text: Text, frame: pd.DataFrame) -> Text:
    """The missing cells that `frame` holds, written in their column's manner.

    A filled number gets as many decimals as the observed cells of its column show at most (as many
    digits, if they have exponents); integers stay integers, and booleans are spelled as observed
    ones are.

    Args:
        text: the file as read; not changed.
        frame: `typed(text)`, completed.

    Returns:
        The file in which only missing cells differ.
    """
    rows = [list(row) for row in text.rows]
    missing = [list(row) for row in text.missing]
    for j in range(len(text.names)):
        column = frame.iloc[:, j]
        fill = [i for i, hole in enumerate(text.missing) if hole[j]]
        present = column.notna().to_numpy()
        fill = [i for i in fill if present[i]]
        if not fill:
            continue
        observed = [
            row[j].strip() for row, hole in zip(rows, text.missing, strict=True) if not hole[j]
        ]
        write = _writer(column, observed)
        for i, value in zip(fill, column.iloc[fill], strict=True):
            rows[i][j], missing[i][j] = write(value), False
    return text._replace(rows=rows, missing=missing)


def render(text: Text) -> bytes:
    """The file; cells are quoted where they must be."""
    # by hand: csv.writer leaves a lone carriage return unquoted, and csv.reader ends a row there
    lines = [_line(cells, text.delimiter) for cells in (text.names, *text.rows)]
    whole = text.newline.join([*lines, ""])
    return whole.encode("utf-8-sig" if text.mark else "utf-8")


def _line(cells: Sequence[str], delimiter: str) -> str:
    line = delimiter.join(cells)
    if line.count(delimiter) == len(cells) - 1 and not _QUOTED.search(line):
        return line
    return delimiter.join(
        '"{}"'.format(cell.replace('"', '""'))
        if delimiter in cell or _QUOTED.search(cell)
        else cell
        for cell in cells
    )


def _typed(cells: Sequence[str], holes: Sequence[bool], name: str, source: str) -> Any:
    observed = [cell.strip() for cell, hole in zip(cells, holes, strict=True) if not hole]
    number = [bool(_NUMBER.fullmatch(cell)) for cell in observed]
    if observed and all(number):
        if all(_INTEGER.fullmatch(cell) for cell in observed):
            whole = [int(cell) for cell in observed]
            for dtype in ("Int64", "UInt64"):
                limits = np.iinfo(dtype.lower())
                if limits.min <= min(whole) and max(whole) <= limits.max:
                    return pd.array(_place(whole, holes), dtype=dtype)
            # no type of integers holds them, and a number would lose their last digits
            return pd.array(_place(observed, holes), dtype="string")
        return pd.array(_place(map(float, observed), holes, float("nan")), dtype="float64")
    if sum(number) > MOSTLY * len(observed):
        odd = number.index(False)
        row = [i for i, hole in enumerate(holes) if not hole][odd]
        raise DataError(
            f"{source}, column '{name}': row {row} below the header holds {observed[odd]!r} where "
            f"{sum(number)} of {len(observed)} cells are numbers. Correct it, or name it as a sign "
            f"of a missing cell (--missing {observed[odd]!r})"
        )
    if observed and all(cell.lower() in _BOOLEAN for cell in observed):
        values = _place((_BOOLEAN[cell.lower()] for cell in observed), holes)
        return pd.array(values, dtype="boolean")
    if observed and all(_DATE.fullmatch(cell) for cell in observed):
        try:
            dates = pd.Series(_place(observed, holes), dtype=object)
            return pd.to_datetime(dates, format="ISO8601").array
        except ValueError:
            pass  # no day of the calendar, or time zones that differ: then they are texts
    texts = (cell for cell, hole in zip(cells, holes, strict=True) if not hole)
    return pd.array(_place(texts, holes), dtype="string")


def _place(observed: Any, holes: Sequence[bool], empty: Any = None) -> list[Any]:
    values = iter(observed)
    return [empty if hole else next(values) for hole in holes]


def _writer(column: pd.Series, observed: Sequence[str]) -> Callable[[Any], str]:
    if pd.api.types.is_bool_dtype(column.dtype):
        first = observed[0] if observed else "true"
        like = str.upper if first.isupper() else str.title if first.istitle() else str.lower
        # a value that is nowhere observed is spelled in the manner of the other
        spelled = {True: like("true"), False: like("false")}
        spelled |= {_BOOLEAN[cell.lower()]: cell for cell in reversed(observed)}
        return lambda value: spelled[bool(value)]
    if not pd.api.types.is_float_dtype(column.dtype):
        return str
    if all(_INTEGER.fullmatch(cell) for cell in observed):
        return lambda value: f"{value:z.6g}"  # numbers are known to have decimals, and show none
    mantissas = [cell.lower().split("e")[0] for cell in observed]
    decimals = max(len(part) for _, _, part in (cell.partition(".") for cell in mantissas))
    kind = "e" if any("e" in cell.lower() for cell in observed) else "f"
    return lambda value: f"{value:z.{decimals}{kind}}"  # z: no "-0.0"

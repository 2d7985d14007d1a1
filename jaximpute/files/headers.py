"""Which lines of a text file are its table: comments, names or none, units, rows, empty rows."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from jaximpute._errors import DataError
from jaximpute.data import dialect as dialects
from jaximpute.data import numerals
from jaximpute.data.dialect import Reading
from jaximpute.data.signs import MISSING, means_unknown

_SAMPLE = 200  # rows that are looked at
_ENOUGH = 3  # rows with contents, to believe that a column is never empty
_MOST_UNITS = 3  # rows of units, and of how they were averaged
_SUMMARY = re.compile(
    r"(grand |sub-?)?(totals?|sum|summe|gesamt|mean|average|avg\.?|mittelwert|somme|suma|totale)"
    r"( .*)?:?",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}[-/.]\d\d?[-/.]\d{1,4}.*")


class Found(NamedTuple):
    """Where the table is.

    Attributes:
        header: the record of the names; None if there is none.
        at: the records that are rows.
        columns: the places in a record that are columns.
        names: of the columns.
        notes: what was taken as what.
    """

    header: int | None
    at: list[int]
    columns: list[int]
    names: list[str]
    notes: list[str]


def passed_over(lines: Sequence[str], reading: Reading) -> frozenset[int]:
    """The numbers of the lines that are no part of the table: skipped, or comments.

    Without `--comment`, lines at the top that begin with `#` are comments, unless the last of them
    has as many cells as the line below: then it holds the names.

    Example:
        >>> sorted(passed_over(["# by us", "a,b", "1,2"], Reading()))
        [0]
        >>> sorted(passed_over(["#a,b", "1,2"], Reading()))
        []
    """
    over = dialects.skipped(reading.skip_rows, len(lines))
    if reading.comment is not None:
        over |= {i for i, line in enumerate(lines) if line.startswith(reading.comment)}
        return frozenset(over)
    top = []
    for i, line in enumerate(lines):
        if i in over or not line.strip():
            continue
        if not line.startswith("#"):
            below = line.rstrip("\r\n")
            break
        top.append(i)
    else:
        return frozenset(over)
    if top and any(
        count > 1 and count == dialects.count_cells(lines[top[-1]].rstrip("\r\n"), mark)[0]
        for mark in dialects.DELIMITERS
        for count in (dialects.count_cells(below, mark)[0],)
    ):
        top.pop()
    return frozenset(over | set(top))


def find(
    values: Sequence[list[str]],
    whole: set[int],
    numbers: Sequence[int],
    delimiter: str,
    source: str,
    reading: Reading,
) -> Found:
    """The table among the records of a file.

    Args:
        values: the cells of each record, without quotes.
        whole: records that are passed over.
        numbers: the line of each record.
        delimiter: between cells.
        source: for messages.
        reading: what the user says.

    Returns:
        Where the table is.

    Raises:
        DataError: no rows, rows of other lengths, or names that are not unique.
    """
    filled = [i for i in range(len(values)) if i not in whole and any(map(str.strip, values[i]))]
    if not filled:
        raise DataError(f"{source} is empty; expected a header and rows below it")
    notes: list[str] = []
    first = filled[0]
    if first and whole:
        tops = sum(i < first for i in whole)
        if tops and reading.comment is None and reading.skip_rows is None:
            lines = "1 line at the top begins" if tops == 1 else f"{tops} lines at the top begin"
            notes.append(f"{lines} with '#': comments, kept as they are")
    header = _header(values, filled, reading, notes)
    width = len(values[first])
    # a line without a delimiter and without a cell is none, except of one column: a missing cell
    body = [
        i
        for i in range(first + (header is not None), len(values))
        if i not in whole and (width == 1 or len(values[i]) > 1 or values[i][0].strip())
    ]
    if header is not None and width == 1 and reading.delimiter is None:
        mark = next((mark for mark in ";|\t" if mark in values[first][0]), None)
        if mark is not None:
            raise DataError(
                f"{source} has one column, {values[first][0]!r}, which looks like several apart "
                f"by {mark!r}; if so: --delimiter '{mark}'"
            )
    if not body:
        raise DataError(
            f"{source} has a header and no row below it; there is nothing to learn from"
        )
    if header is not None and width == 1 and reading.delimiter is None:
        _refuse_blanks(values, [first, *body], source)
    _check_lengths(values, body, numbers, width, delimiter, source)
    if width > 1:
        body = _with_contents(values, body, width, notes)
    columns, names = _columns(values, body, header, width)
    body = _below_units(values, body, columns, notes)
    _mention_summary(values, body, columns, numbers, notes)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{source}: column names must be unique; '{twice[0]}' occurs more than once. If the "
            "first line holds no names: --no-header"
        )
    return Found(header, body, columns, names, notes)


def _header(
    values: Sequence[list[str]], filled: list[int], reading: Reading, notes: list[str]
) -> int | None:
    """The record of the names, if any."""
    first, *rest = filled
    if reading.header is True:
        return first
    if reading.header is False:
        return None
    cells = [cell.strip() for cell in values[first]]
    if not rest or not _is_data(cells, [values[i] for i in rest[:_SAMPLE]]):
        return first
    if all(cell.isdecimal() for cell in cells) and len(set(cells)) == len(cells) > 1:
        whole = [int(cell) for cell in cells]
        even = whole == list(range(whole[0], whole[0] + len(whole)))
        if not even:
            notes.append(
                "the names of the columns are whole numbers; if they are the first row: --no-header"
            )
        return first
    notes.append(
        "the first line looks like a row, not like names, and is taken for one: the columns are "
        "called column_1, column_2, ... If it holds the names: --header"
    )
    return None


def _is_data(cells: Sequence[str], rows: Sequence[list[str]]) -> bool:
    """Whether the first line is made of what the columns below hold."""
    counted = False
    for j, cell in enumerate(cells):
        below = [row[j].strip() for row in rows if len(row) > j and row[j].strip()]
        if numerals.looks_like_number(cell):
            if not below or sum(map(numerals.looks_like_number, below)) < 0.5 * len(below):
                return False
            counted = True
        elif _DATE.fullmatch(cell):
            if not any(_DATE.fullmatch(other) for other in below):
                return False
        elif cell not in MISSING and not means_unknown(cell) and cell not in below:
            return False
    return counted


def _refuse_blanks(values: Sequence[list[str]], rows: Sequence[int], source: str) -> None:
    """Refuse lines of several names and numbers apart by blanks, of which none is missing."""
    names, *lines = [values[i][0].split() for i in rows[: 1 + _SAMPLE]]
    words = [word for line in lines for word in line]
    numeric = sum(map(numerals.looks_like_number, words))
    if len(names) > 1 and max(map(len, lines)) > 1 and 2 * numeric > len(words):
        raise DataError(
            f"{source} has one column, {values[rows[0]][0]!r}, which looks like several apart by "
            "blanks; if so: --delimiter whitespace. If it is one: --delimiter ,"
        )


def _check_lengths(
    values: Sequence[list[str]],
    body: Sequence[int],
    numbers: Sequence[int],
    width: int,
    delimiter: str,
    source: str,
) -> None:
    wrong = [i for i in body if len(values[i]) != width and not _is_padded(values[i], width)]
    if not wrong:
        return
    lengths = Counter(len(values[i]) for i in body)
    usual, often = lengths.most_common(1)[0]
    if width < usual and 2 * often > len(body):
        above = next((n for n, i in enumerate(body) if len(values[i]) == usual), 0)
        line = numbers[body[above]]
        if above:
            raise DataError(
                f"{source}, line {numbers[wrong[0]]}: {len(values[wrong[0]])} cells; expected "
                f"{width}, as in the first line. Most lines have {usual}, from line {line} on: if "
                f"what stands above is no part of the table: --skip-rows {line - 1}"
            )
        raise DataError(
            f"{source}, line {line}: {usual} cells; expected {width}, one for each name in the "
            f"header, and {often} of {len(body)} rows have {usual}: a name is missing, or the "
            f"first line is no header (--skip-rows 1), or cells hold {delimiter!r} and are not "
            "quoted"
        )
    row = values[wrong[0]]
    about = (
        f"{source}, line {numbers[wrong[0]]}: {len(row)} cells; expected {width}, one for each "
        "name in the header. "
    )
    if delimiter == dialects.BLANKS:
        raise DataError(
            f"{about}Cells are apart by blanks, and the lines do not stand below one another so "
            "that their places would tell which are empty. Write NA for an empty cell, put cells "
            "that hold blanks in quotes, or save the file as CSV"
        )
    if len(row) < width:
        start = row[0].strip()[:1]
        if start in ("#", "%", ";", "/", "!", "*"):
            raise DataError(f"{about}If it is a comment: --comment '{start}'")
        raise DataError(
            f"{about}The row is short: write {delimiter!r} for each cell that is empty, and put "
            "cells with line breaks in quotes; to pass over the line: "
            f"--skip-rows {numbers[wrong[0]]}-{numbers[wrong[0]]}"
        )
    raise DataError(f"{about}Quote cells that hold the delimiter {delimiter!r}")


def _is_padded(row: Sequence[str], width: int) -> bool:
    """Whether a row ends with delimiters that separate nothing."""
    return len(row) > width and not any(map(str.strip, row[width:]))


def _with_contents(
    values: Sequence[list[str]], body: list[int], width: int, notes: list[str]
) -> list[int]:
    """The rows without those that are empty, where all others have one cell that never is."""
    full = [i for i in body if any(cell.strip() for cell in values[i][:width])]
    empty = len(body) - len(full)
    if not empty or len(full) < _ENOUGH:
        return body
    always = any(all(values[i][j].strip() for i in full) for j in range(width))
    if not always:
        return body
    notes.append(f"{empty} empty rows are kept as they are, and not filled")
    return full


def _columns(
    values: Sequence[list[str]], body: Sequence[int], header: int | None, width: int
) -> tuple[list[int], list[str]]:
    """The columns that hold something or have a name; nameless ones are called by their place."""
    given = [""] * width if header is None else values[header]
    columns = [
        j
        for j in range(width)
        if given[j].strip() or width == 1 or any(values[i][j].strip() for i in body)
    ]
    names: list[str] = []
    for j in columns:
        name = given[j] if given[j].strip() else f"column_{j + 1}"
        while not given[j].strip() and name in given:
            name += "_"
        names.append(name)
    return columns, names


def _below_units(
    values: Sequence[list[str]], body: list[int], columns: Sequence[int], notes: list[str]
) -> list[int]:
    """The rows without those at the top that say in which units the numbers are."""
    sample = body[_MOST_UNITS : _MOST_UNITS + _SAMPLE]
    measured = []
    for j in columns:
        cells = [values[i][j].strip() for i in sample]
        cells = [cell for cell in cells if cell not in MISSING and not means_unknown(cell)]
        if cells and sum(map(_is_measure, cells)) >= 0.9 * len(cells):
            measured.append(j)
    count = 0
    for i in body[:_MOST_UNITS]:
        cells = [values[i][j].strip() for j in measured]
        words = [
            cell
            for cell in cells
            if cell and cell not in MISSING and not _is_measure(cell) and not means_unknown(cell)
        ]
        if len(words) < 2 or any(map(_is_measure, cells)):
            break
        shown = ", ".join(repr(cell) for cell in words[:4])
        notes.append(f"row {count + 1} below the names holds units ({shown}) and is kept as it is")
        count += 1
    return body[count:]


def _mention_summary(
    values: Sequence[list[str]],
    body: Sequence[int],
    columns: Sequence[int],
    numbers: Sequence[int],
    notes: list[str],
) -> None:
    """Point out a last row that sums up those above."""
    if len(body) < _ENOUGH:
        return
    j = next((j for j in columns if values[body[-1]][j].strip()), columns[0])
    cell = values[body[-1]][j].strip()
    if _SUMMARY.fullmatch(cell) and all(values[i][j].strip() != cell for i in body[:-1]):
        line = numbers[body[-1]]
        notes.append(
            f"the last row is called {cell!r}, and is learned from like any other; to leave it as "
            f"it is: --skip-rows {line}-{line}"
        )


def _is_measure(cell: str) -> bool:
    return numerals.looks_like_number(cell) or _DATE.fullmatch(cell) is not None

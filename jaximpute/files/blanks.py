"""Cells apart by blanks: each holds those before it, so that lines come back as they were."""

import re
from collections.abc import Sequence
from itertools import pairwise

from jaximpute._errors import DataError
from jaximpute.data.dialect import BLANKS, cells_with_blanks
from jaximpute.files.records import quoted, unquoted

_WORD = re.compile("[^ ]+")


def split(lines: Sequence[str], over: frozenset[int]) -> tuple[list[list[str]], bool]:
    """Lines as cells, each with the blanks before it, the last with those behind it, too.

    Several blanks are as good as one. Where the lines do not have as many words each, and their
    words stand below one another, a cell is what stands in the places of its column; it may be
    empty.

    Args:
        lines: without their ends.
        over: the numbers of those that are passed over.

    Returns:
        The cells of each line, and whether the places tell them apart.

    Example:
        >>> split(["a  b", "1 22 "], frozenset())
        ([['a', '  b'], ['1', ' 22 ']], False)
        >>> split(["a  b", "1 22", "  33"], frozenset())
        ([['a', '  b'], ['1', ' 22'], [' ', ' 33']], True)
    """
    words = [[line] if i in over else cells_with_blanks(line) for i, line in enumerate(lines)]
    rows = [i for i, line in enumerate(lines) if i not in over and line.strip()]
    if len({len(words[i]) for i in rows}) < 2:
        return words, False
    ends = _ends([lines[i] for i in rows], max(len(words[i]) for i in rows))
    if ends is None:
        return words, False
    placed = [[lines[i][a:b] for a, b in pairwise([0, *ends[:-1], None])] for i in rows]
    if len({len(words[i]) for i in rows[1:]}) == 1 and placed[0][0].strip():
        return words, False  # a name is missing, and nobody knows which: not the last by its place
    for i, cells in zip(rows, placed, strict=True):
        words[i] = cells
    return words, True


def value(cell: str) -> str:
    """The value of a cell."""
    return unquoted(cell.strip(BLANKS))


def join(record: Sequence[str]) -> str:
    """The cells as a line; a cell that was put behind others gets a blank before it."""
    return "".join(
        cell if not i or not cell or cell[0] in BLANKS else f" {cell}"
        for i, cell in enumerate(record)
    )


def put(record: list[str], j: int, text: str, column: Sequence[str]) -> None:
    """Write a value into a word's cell; a column whose words end at one place stays straight.

    Args:
        record: the cells of a line; changed.
        j: the number of the cell.
        text: the value.
        column: the column's cells in all rows.
    """
    if not text or any(mark in text for mark in BLANKS):
        text = quoted(text, BLANKS, always=True)
    old = record[j]
    lead = old[: len(old) - len(old.lstrip(BLANKS))]
    tail = old[len(old.rstrip(BLANKS)) :]
    if lead and "\t" not in lead and len({len(cell.rstrip(BLANKS)) for cell in column}) == 1:
        lead = " " * max(len(old) - len(tail) - len(text), 0 if j == 0 else 1)
    record[j] = f"{lead}{text}{tail}"


def put_in_place(
    record: list[str], j: int, text: str, columns: Sequence[Sequence[str]], name: str
) -> None:
    """Write a value into the places of its column.

    Args:
        record: the cells of a line; changed.
        j: the number of the cell.
        text: the value.
        columns: the cells of all columns up to this one in all rows.
        name: of the column, for messages.

    Raises:
        DataError: it is longer than the column has places.
    """
    for k, cells in enumerate(columns[:j]):  # those of a line that ends before the column
        record[k] = record[k].ljust(max(map(len, cells)))
    filled = [cell.rstrip(BLANKS) for cell in columns[j] if cell.strip(BLANKS)]
    starts = {len(cell) - len(cell.lstrip(BLANKS)) for cell in filled}
    ends = set(map(len, filled))
    new = " " * min(starts) + text if len(starts) == 1 < len(ends) else text.rjust(max(ends))
    width, last = max(map(len, columns[j])), j == len(record) - 1
    if (j and new[:1] != " ") or (not last and len(new) > width):
        raise DataError(
            f"column '{name}': the fill {text!r} takes more than the {width} places that cells of "
            "the column have, and other columns would move; save the file as CSV first"
        )
    record[j] = new if last else new.ljust(width)


def _ends(lines: Sequence[str], most: int) -> list[int] | None:
    """Where each column ends, if there are as many as words in the fullest line."""
    if any("\t" in line for line in lines):
        return None
    used = [False] * (max(map(len, lines)) + 1)
    for line in lines:
        for word in _WORD.finditer(line):
            used[word.start() : word.end()] = [True] * len(word[0])
    ends = [i + 1 for i, (here, after) in enumerate(pairwise(used)) if here and not after]
    return ends if len(ends) == most else None

"""Lines of a text file as records of cells, with the quotes they have."""

import re
from collections.abc import Sequence

from jaximpute._errors import DataError

_QUOTED = re.compile(r'["\r\n]')


def split(
    lines: Sequence[str], over: frozenset[int], delimiter: str, source: str
) -> tuple[list[list[str]], list[str], set[int], list[int]]:
    """Lines as records of cells, quotes kept.

    Args:
        lines: with their ends.
        over: the numbers of those that are passed over.
        delimiter: between cells.
        source: for messages.

    Returns:
        The records, their ends, which of them were passed over, and the line each begins on, from
        1.

    Raises:
        DataError: quotes that do not close, or text behind them.
    """
    records: list[list[str]] = []
    ends: list[str] = []
    numbers: list[int] = []
    whole: set[int] = set()
    cell = re.compile(
        rf'("[^"]*(?:""[^"]*)*"|[^{re.escape(delimiter)}\r\n]*)({re.escape(delimiter)}|\r\n|\n|\r|$)'
    )
    i = 0
    while i < len(lines):
        line, first = lines[i], i
        i += 1
        bare = line.rstrip("\r\n") if line[-1:] in "\r\n" else line
        if first in over:
            whole.add(len(records))
            record = [bare]
        elif '"' not in line:
            record = bare.split(delimiter)
        else:
            # a cell in quotes may go on in the next lines: to where the quotes are even again
            while (cells := _quoted(line, cell, delimiter)) is None:
                if i == len(lines):
                    raise DataError(
                        f"{source}, line {first + 1}: unexpected end of data: a cell's quote is "
                        "opened there and not closed"
                    )
                more, odd = [line], line.count('"') % 2 == 1
                while i < len(lines):
                    more.append(lines[i])
                    i += 1
                    odd ^= more[-1].count('"') % 2 == 1
                    if not odd:
                        break
                line = "".join(more)
            record, bare = cells, delimiter.join(cells)
            for raw in record:
                if raw.startswith('"') and not _closed(raw):
                    raise DataError(
                        f"{source}, line {first + 1}: {delimiter!r} expected after the quote that "
                        f"closes {raw[:40]}; quotes within a cell in quotes are written twice"
                    )
        records.append(record)
        ends.append(line[len(bare) :])
        numbers.append(first + 1)
    return records, ends, whole, numbers


def unquoted(cell: str) -> str:
    """The value of a cell as it is written.

    Example:
        >>> unquoted('"a, b"')
        'a, b'
    """
    return cell[1:-1].replace('""', '"') if cell[:1] == '"' else cell


def quoted(value: str, delimiter: str, always: bool = False) -> str:
    """A value as a cell, in quotes where it must be; of several delimiters any may be meant.

    Example:
        >>> quoted("a,b", ","), quoted("a", ",")
        ('"a,b"', 'a')
    """
    if always or any(mark in value for mark in delimiter) or _QUOTED.search(value):
        return '"{}"'.format(value.replace('"', '""'))
    return value


def _quoted(joined: str, cell: re.Pattern[str], delimiter: str) -> list[str] | None:
    """The cells of a record with quotes; None if it goes on."""
    record, at = [], 0
    while True:
        found = cell.match(joined, at)
        if found is None:  # text behind a closing quote, or one that is not closed yet
            return None
        raw, end = found[1], found[2]
        if raw.startswith('"') and not _closed(raw):
            rest = joined[at + 1 :].replace('""', "")
            if '"' not in rest:
                return None
        record.append(raw)
        at = found.end()
        if end != delimiter:
            return record


def _closed(raw: str) -> bool:
    return len(raw) > 1 and raw.endswith('"') and raw[1:-1].replace('""', "").count('"') == 0

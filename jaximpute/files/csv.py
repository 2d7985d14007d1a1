"""A text table as it is written: every line cell by cell, so that what is observed is copied."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaximpute._errors import DataError
from jaximpute.data import dialect as dialects
from jaximpute.data.dialect import Dialect, Reading
from jaximpute.data.signs import signs_of
from jaximpute.files import blanks, foreign, headers
from jaximpute.files.records import quoted, split, unquoted

_LINE = re.compile(r"[^\r\n]*(\r\n|\n|\r|$)")


class Text(NamedTuple):
    """A text file as it is written.

    Attributes:
        records: every line, as cells with the quotes they have; a line that is passed over is one
            cell. A cell in quotes may hold line breaks.
        ends: what each record ends with; the last may end with nothing.
        header: the number of the record that holds the names; None if none does.
        at: `(rows,)` the record of each row of the table. What is in neither is kept as it is.
        columns: the place of each column of the table in a record.
        names: of the columns.
        missing: for each row and column, True where a cell is missing.
        dialect: delimiter, encoding, newline.
        whole: the records that are no cells, but lines passed over.
    """

    records: list[list[str]]
    ends: list[str]
    header: int | None
    at: list[int]
    columns: list[int]
    names: list[str]
    missing: list[list[bool]]
    dialect: Dialect
    whole: frozenset[int] = frozenset()

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the table, without their quotes."""
        columns = self.columns
        picked = (self.records[i] for i in self.at)
        value = _value(self.dialect.delimiter)
        return [[value(record[j]) for j in columns] for record in picked]


def parse(
    data: bytes, source: str, reading: Reading | None = None, usual: str = ","
) -> tuple[Text, list[str]]:
    """Split a text file into cells, and find out which of them are the table.

    Args:
        data: the file.
        source: its name, for messages.
        reading: what the user says of it.
        usual: the delimiter of such files.

    Returns:
        The cells, and what was taken as what, in words.

    Raises:
        DataError: empty, a file of another kind, no row below the header, names that are not
            unique, a cell whose quotes do not close, or a row with too many or too few cells; the
            message names file and line.

    Example:
        >>> text, _ = parse(b"a;b\\n1,50;\\n", "x.csv")
        >>> text.rows, text.missing
        ([['1,50', '']], [[False, True]])
    """
    reading = dialects.check(reading or Reading())
    if not data.strip():
        raise DataError(f"{source} is empty; expected a header and rows below it")
    foreign.refuse_bytes(data, source)
    decoded, dialect = dialects.decode(data, source, reading.encoding)
    foreign.refuse_text(decoded, source)
    lines = [match[0] for match in _LINE.finditer(decoded)]
    if lines and not lines[-1]:
        lines.pop()
    over = headers.passed_over(lines, reading)
    delimiter = reading.delimiter
    if delimiter is None:
        shown = [
            line.rstrip("\r\n")
            for i, line in enumerate(lines[: dialects.SNIFFED])
            if i not in over and line.strip()
        ]
        delimiter = dialects.sniff(shown, usual)
    dialect = dialect._replace(delimiter=delimiter)
    if delimiter == dialects.BLANKS:
        bare = [line.rstrip("\r\n") for line in lines]
        records, fixed = blanks.split(bare, over)
        ends = [line[len(kept) :] for line, kept in zip(lines, bare, strict=True)]
        whole, numbers = set(over), list(range(1, len(lines) + 1))
        dialect = dialect._replace(fixed=fixed)
    else:
        records, ends, whole, numbers = split(lines, over, delimiter, source)
    value = _value(delimiter)
    values = [
        record if i in whole else [value(cell) for cell in record]
        for i, record in enumerate(records)
    ]
    found = headers.find(values, whole, numbers, delimiter, source, reading)
    tokens = signs_of(reading, found.names)
    columns = found.columns
    missing = [
        [values[i][j].strip() in signs for j, signs in zip(columns, tokens, strict=True)]
        for i in found.at
    ]
    notes = list(found.notes)
    if delimiter != usual and reading.delimiter is None:
        apart = "blanks" if delimiter == dialects.BLANKS else repr(delimiter)
        notes.insert(0, f"the cells of {source} are taken to be apart by {apart}")
    text = Text(
        records,
        ends,
        found.header,
        found.at,
        columns,
        found.names,
        missing,
        dialect,
        frozenset(whole),
    )
    return text, notes


def changed(text: Text, cells: Mapping[tuple[int, int], str], missing: list[list[bool]]) -> Text:
    """The file with other values in some cells.

    Args:
        text: the file; not changed.
        cells: the value of each cell that changes, by row and column of the table.
        missing: which cells are missing then.

    Returns:
        A file in which all other cells are as before.
    """
    records = list(text.records)
    spaced = text.dialect.delimiter == dialects.BLANKS
    straight = _Columns(text)
    for (row, column), value in cells.items():
        i, j = text.at[row], text.columns[column]
        if records[i] is text.records[i]:
            records[i] = list(records[i])
        old = records[i][j]
        if not spaced:
            records[i][j] = quoted(value, text.dialect.delimiter, old.startswith('"'))
            continue
        if text.dialect.fixed:
            before = [straight[k] for k in range(j + 1)]
            blanks.put_in_place(records[i], j, value, before, text.names[column])
        else:
            blanks.put(records[i], j, value, straight[j])
    return text._replace(records=records, missing=missing)


def render(text: Text, delimiter: str | None = None) -> bytes:
    """The file.

    Args:
        text: the file.
        delimiter: another one, which leaves the cells as they are.
    """
    given = text.dialect.delimiter
    if delimiter is None or delimiter == given:
        join = blanks.join if given == dialects.BLANKS else given.join
        lines = (join(record) for record in text.records)
    else:
        strip = dialects.BLANKS if given == dialects.BLANKS else ""
        lines = (
            record[0]
            if i in text.whole
            else delimiter.join(_again([cell.strip(strip) for cell in record], delimiter))
            for i, record in enumerate(text.records)
        )
    ended = (line + end for line, end in zip(lines, text.ends, strict=True))
    return dialects.encode("".join(ended), text.dialect)


def below(texts: Sequence[Text], column: str) -> Text:
    """Files of the same lines below one another, numbered from 1 in a first column.

    Lines that are neither names nor rows are left out.
    """
    first = texts[0]
    width, gap = 0, ""
    if first.dialect.fixed:  # all columns move alike
        width, gap = max(len(column), len(str(len(texts)))), " "

    def behind(cell: str, record: list[str]) -> list[str]:
        return [cell.rjust(width), gap + record[0], *record[1:]]

    kept = [] if first.header is None else [behind(column, first.records[first.header])]
    rows = [behind(str(i), text.records[at]) for i, text in enumerate(texts, 1) for at in text.at]
    start = len(kept)
    return first._replace(
        records=[*kept, *rows],
        ends=[first.dialect.newline] * (start + len(rows)),
        header=0 if kept else None,
        at=list(range(start, start + len(rows))),
        columns=[0, *(j + 1 for j in first.columns)],
        names=[column, *first.names],
        missing=[[False, *row] for text in texts for row in text.missing],
        whole=frozenset(),
    )


def beside(text: Text, columns: Mapping[str, tuple[Text, int]]) -> Text:
    """A file with further columns behind its own, taken from files of the same rows.

    Args:
        text: the file; not changed.
        columns: by their names: a file, and the number of its column.
    """
    width = max(len(record) for i, record in enumerate(text.records) if i not in text.whole)
    more = {i: [""] * len(columns) for i in range(len(text.records)) if i not in text.whole}
    if text.header is not None:
        more[text.header] = [quoted(name, text.dialect.delimiter) for name in columns]
    for row, i in enumerate(text.at):
        more[i] = [other.records[other.at[row]][other.columns[j]] for other, j in columns.values()]
    records = [
        record if i in text.whole else [*record, *[""] * (width - len(record)), *more[i]]
        for i, record in enumerate(text.records)
    ]
    return text._replace(
        records=records,
        columns=[*text.columns, *range(width, width + len(columns))],
        names=[*text.names, *columns],
        missing=[
            [*row, *(other.missing[i][j] for other, j in columns.values())]
            for i, row in enumerate(text.missing)
        ],
    )


def made(names: Sequence[str], rows: Sequence[Sequence[str]], dialect: Dialect) -> Text:
    """A text file of these values, nothing in it missing.

    Example:
        >>> render(made(["a"], [["x,y"]], Dialect()))
        b'a\\n"x,y"\\n'
    """
    records = [[quoted(cell, dialect.delimiter) for cell in row] for row in (names, *rows)]
    missing = [[False] * len(names) for _ in rows]
    at = list(range(1, len(records)))
    ends = [dialect.newline] * len(records)
    return Text(records, ends, 0, at, list(range(len(names))), list(names), missing, dialect)


class _Columns(dict[int, list[str]]):
    """The cells of a column, made when they are asked for."""

    def __init__(self, text: Text) -> None:
        self.text = text

    def __missing__(self, j: int) -> list[str]:
        self[j] = [self.text.records[at][j] for at in self.text.at]
        return self[j]


def _value(delimiter: str) -> Callable[[str], str]:
    """What takes a cell to its value."""
    return blanks.value if delimiter == dialects.BLANKS else unquoted


def _again(record: Sequence[str], delimiter: str) -> list[str]:
    """Cells with quotes where another delimiter needs them."""
    return [
        cell if cell[:1] == '"' or delimiter not in cell else quoted(cell, delimiter)
        for cell in record
    ]

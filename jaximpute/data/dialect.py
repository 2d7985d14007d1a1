"""How a text file is written: what a user says of it, and what it shows itself."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaximpute._errors import DataError, OptionError
from jaximpute.data.numerals import looks_like_number

DELIMITERS = (",", ";", "\t", "|")
KINDS = ("text", "number")
BLANKS = " \t"  # the delimiter of cells that are apart by any number of these
SNIFFED = 200  # lines that are looked at for the delimiter
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_WORD = re.compile(r'[ \t]*(?:"[^"]*(?:""[^"]*)*"(?=[ \t]|$)|[^ \t]+)')
_THOUSANDS = re.compile(r"\D*\d{1,3}( \d{3})+([.,]\d+)?( ?\D+)?")
_NAMED |= {"whitespace": BLANKS, "blanks": BLANKS}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Reading(NamedTuple):
    """What a user says about how a file is to be read; None and empty leave it to the file.

    Attributes:
        delimiter: between cells: one character, `tab`, or `whitespace` for any number of blanks.
        decimal: mark of numbers, `.` or `,`.
        encoding: of the text, such as `latin-1`.
        header: whether the first line holds names.
        skip_rows: lines that are no part of the table: `4` = the first four; `2-2,5-7` = these.
        comment: what lines begin with that are no part of the table.
        missing: what stands for a missing cell besides the usual; `NAME=TEXT` for one column.
        missing_only: the same, in place of the usual; only empty cells are missing besides.
        kinds: `text` or `number` for columns that are to be read as such.
        variables: of NetCDF and Zarr: those that are read; the others are carried along.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip_rows: str | None = None
    comment: str | None = None
    missing: tuple[str, ...] = ()
    missing_only: tuple[str, ...] = ()
    kinds: Mapping[str, str] = {}
    variables: tuple[str, ...] = ()

    @property
    def of_text(self) -> list[str]:
        """The options given that make sense for text files alone, as flags."""
        flags = {
            "--delimiter": self.delimiter,
            "--decimal": self.decimal,
            "--encoding": self.encoding,
            "--header/--no-header": self.header,
            "--skip-rows": self.skip_rows,
            "--comment": self.comment,
            "--missing-only": self.missing_only or None,
            "--as": self.kinds or None,
        }
        return [flag for flag, value in flags.items() if value is not None]


class Dialect(NamedTuple):
    """How a text file is written.

    Attributes:
        delimiter: between cells; `BLANKS` if any number of them is as good as one.
        encoding: of the text.
        mark: whether it begins with a byte-order mark.
        newline: between lines, mostly.
        fixed: whether cells apart by blanks are told by their places.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    mark: bool = False
    newline: str = "\n"
    fixed: bool = False


def check(reading: Reading) -> Reading:
    """The options with names of characters resolved.

    Raises:
        OptionError: a value that an option does not take.

    Example:
        >>> check(Reading(delimiter="tab")).delimiter
        '\\t'
    """
    delimiter = reading.delimiter
    if delimiter is not None:
        delimiter = _NAMED.get(delimiter.lower(), delimiter)
        if delimiter != BLANKS and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise OptionError(
                f"--delimiter is {delimiter!r}; expected one character, such as ';', or tab or "
                "whitespace"
            )
    if reading.decimal not in (None, ".", ","):
        raise OptionError(f"--decimal is {reading.decimal!r}; expected . or ,")
    if reading.decimal is not None and reading.decimal == delimiter:
        raise OptionError("--decimal and --delimiter are the same; expected two characters")
    if reading.encoding is not None:
        try:
            codecs.lookup(reading.encoding)
        except LookupError as error:
            raise OptionError(
                f"--encoding is {reading.encoding!r}, which is none that is known; expected "
                "utf-8, latin-1, cp1252 or another one of Python's"
            ) from error
    for name, kind in reading.kinds.items():
        if kind not in KINDS:
            raise OptionError(
                f"--as {name}={kind}: expected {' or '.join(KINDS)} behind the column's name"
            )
    if reading.comment == "":
        raise OptionError("--comment is empty; expected what such lines begin with, such as '#'")
    skipped(reading.skip_rows, 0)
    return reading._replace(delimiter=delimiter)


def skipped(rows: str | None, lines: int) -> set[int]:
    """The numbers, from 0, of the lines named by `--skip-rows`.

    Args:
        rows: what it says.
        lines: how many there are; those after them are none.

    Raises:
        OptionError: it names none.

    Example:
        >>> sorted(skipped("2", 9)), sorted(skipped("2-2,4-5", 9))
        ([0, 1], [1, 3, 4])
    """
    if rows is None:
        return set()
    text = str(rows).strip()
    try:
        if text.isdigit():
            return set(range(min(int(text), lines)))
        chosen: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition("-")
            chosen |= set(range(int(first) - 1, min(int(last or first), lines)))
        if -1 in chosen:
            raise ValueError
    except ValueError:
        raise OptionError(
            f"--skip-rows is {rows!r}; expected how many lines at the top (4), or the numbers of "
            "lines (2-2 or 1-3,5-5)"
        ) from None
    return chosen


def decode(data: bytes, source: str, encoding: str | None) -> tuple[str, Dialect]:
    """A file's text and how it is written, the delimiter aside.

    Raises:
        DataError: it is not in that encoding; names the line.
    """
    mark = next((found for found in _MARKS if data.startswith(found[0])), None)
    chosen = encoding or (mark[1] if mark else "utf-8")
    try:
        text = data.decode(chosen)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        if encoding is not None:
            raise DataError(f"{source} is no text in {encoding} (line {line})") from error
        raise DataError(
            f"{source} is no UTF-8 text (line {line}); name its encoding, for instance "
            "--encoding cp1252 or --encoding latin-1, or save it in UTF-8"
        ) from error
    marked = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    windows = text.count("\r\n")
    newline = "\r\n" if 2 * windows > text.count("\n") else "\n"
    return text, Dialect(encoding=chosen, mark=marked, newline=newline)


def encode(text: str, dialect: Dialect) -> bytes:
    """The inverse of `decode`.

    Raises:
        DataError: a character that the encoding does not have.
    """
    try:
        return f"{chr(0xFEFF) if dialect.mark else ''}{text}".encode(dialect.encoding)
    except UnicodeEncodeError as error:
        raise DataError(f"cannot be written in {dialect.encoding}: {error}") from error


def sniff(lines: Sequence[str], usual: str) -> str:
    """The delimiter that gives most lines as many cells as the first has.

    It is blanks where these alone make numbers of half of the cells.

    Args:
        lines: of the table, its header first.
        usual: the one to believe in where several do as well.

    Returns:
        The delimiter; `usual` where none divides the lines alike.

    Example:
        >>> sniff(["a;b", "2,5;1", "3,5;2"], ",")
        ';'
    """
    best, most = usual, 0.0
    for delimiter in (usual, *(other for other in DELIMITERS if other != usual)):
        score = _agreement(lines, delimiter)
        if score > most:
            best, most = delimiter, score
    best = best if most else agreeing(lines) or usual
    return BLANKS if _blanks(lines, best) else best


def _blanks(lines: Sequence[str], other: str) -> bool:
    """Whether every line has as many words, half of them numbers, of which `other` makes fewer."""
    words = [cells_with_blanks(line) for line in lines]
    width = len(words[0]) if words else 0
    if width < 2 or len(words) < 2 or any(len(row) != width for row in words):
        return False
    rows = words[1:]
    columns = [_numbers([row[j] for row in rows]) for j in range(width)]
    sure = width > 2 or min(columns) > 0.5 or any("  " in line.strip() for line in lines)
    # what does not divide the names makes no cells
    cells = [cell for line in lines[1:] for cell in line.split(other) if other in lines[0]]
    return sure and sum(share > 0.5 for share in columns) >= 0.5 * width and _numbers(cells) < 0.5


def _numbers(cells: Sequence[str]) -> float:
    bare = [cell.strip() for cell in cells]
    return sum(looks_like_number(cell) and _is_one(cell) for cell in bare) / max(1, len(bare))


def _is_one(cell: str) -> bool:
    """Whether blanks in a cell can be those between thousands."""
    return not re.search(r"[ \t]", cell) or _THOUSANDS.fullmatch(cell) is not None


def cells_with_blanks(line: str) -> list[str]:
    """The words of a line with the blanks before them; what is behind the last belongs to it.

    Example:
        >>> cells_with_blanks(' 1  "a b" ')
        [' 1', '  "a b" ']
    """
    if not line.strip(BLANKS):
        return [line]
    cells = _WORD.findall(line)
    return [*cells[:-1], cells[-1] + line[sum(map(len, cells)) :]]


def agreeing(lines: Sequence[str]) -> str | None:
    """The delimiter by which most lines have as many cells, the first line aside."""
    scores = {}
    for delimiter in DELIMITERS:
        counts = Counter(count_cells(line, delimiter)[0] for line in lines)
        cells, often = max(counts.items(), key=lambda found: found[1], default=(1, 0))
        scores[delimiter] = often / len(lines) if cells > 1 and lines else 0.0
    best = max(scores, key=lambda delimiter: scores[delimiter])
    return best if scores[best] > 0.5 else None


def count_cells(line: str, delimiter: str) -> tuple[int, int]:
    """The cells of a line, and those of them that stand before empty ones at its end."""
    if '"' in line:
        try:
            cells: list[Any] = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            cells = line.split(delimiter)
    else:
        cells = line.split(delimiter)
    full = len(cells)
    while full and not cells[full - 1].strip():
        full -= 1
    return len(cells), full


def _agreement(lines: Sequence[str], delimiter: str) -> float:
    counts = [count_cells(line, delimiter) for line in lines]
    if not counts or counts[0][0] < 2:
        return 0.0
    width = counts[0][0]
    agree = sum(cells == width or full <= width < cells for cells, full in counts[1:])
    share = agree / max(1, len(counts) - 1)
    return share if share > 0.5 or len(counts) == 1 else 0.0

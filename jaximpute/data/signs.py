"""What stands for a missing cell: the usual signs, those a user names, and those that look odd."""

import re
from collections.abc import Collection, Mapping, Sequence

from jaximpute._errors import OptionError
from jaximpute.data import numerals
from jaximpute.data.dialect import Reading

# what a missing cell may look like, spaces around it aside
MISSING = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "null", "None", "<NA>"),
    *("#N/A", "-NaN", "-nan"),
)
# words that mean unknown: missing among numbers, and pointed out among texts
_WORDS = frozenset(
    {
        *("unknown", "unk", "missing", "not available", "not known", "unavailable", "undefined"),
        *("unspecified", "not specified", "not stated", "not applicable", "no data", "nodata"),
        *("none", "nil", "na", "n.a.", "n/a", "nd", "n/d", "n.d.", "void", "null", "nan"),
        *("#value!", "#ref!", "#div/0!", "#name?", "#null!", "#num!"),
    }
)
_MARKS = re.compile(r"[?.\-_*#/\\~–—…]{1,4}")
FEW = 3  # different odd cells among numbers that may be signs


def signs_of(reading: Reading, names: Sequence[str]) -> list[frozenset[str]]:
    """For each column, the texts that stand for a missing cell.

    `NAME=TEXT` is for the column of that name; where no column is called so, it is a text as it is.

    Example:
        >>> signs = signs_of(Reading(missing=("-9", "b=?")), ["a", "b"])
        >>> "-9" in signs[0], "?" in signs[0], "?" in signs[1]
        (True, False, True)
    """
    more, more_of = by_column(reading.missing, names)
    only, only_of = by_column(reading.missing_only, names)
    usual = {"", *only} if only else set(MISSING)
    return [
        frozenset(({"", *only_of[name]} if name in only_of else usual) | more | more_of[name])
        if name in more_of
        else frozenset(({"", *only_of[name]} if name in only_of else usual) | more)
        for name in names
    ]


def numbers_of(signs: Collection[str]) -> frozenset[float]:
    """The signs that are numbers: any way to write such a number is a sign, too."""
    return frozenset(float(sign) for sign in signs if sign and numerals.is_plain(sign))


def number_of(sign: str, word: str, names: Sequence[str]) -> float:
    """A sign as a number, for data that hold nothing else.

    Args:
        sign: as the user wrote it.
        word: for the data's columns.
        names: of these.

    Raises:
        OptionError: it is none.

    Example:
        >>> number_of("-9999", "variable", ["t"])
        -9999.0
    """
    if numerals.is_plain(sign):
        return float(sign)
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise OptionError(
        f"--missing {sign}: expected a number such as -9999, or NAME=-9999 for one {word}; "
        f"the {word}s are {shown}"
    )


def taken(sign: str, cells: int, where: Sequence[str], word: str) -> str:
    """How many cells were taken for missing by a sign, and where, in words."""
    if not cells:
        return f"{sign} is held by no cell of a {word} of numbers; nothing is missing by it"
    return (
        f"{sign} is taken for a missing cell {cells} times, in {word}{'s' * (len(where) > 1)} "
        + ", ".join(where[:10])
        + (f" and {len(where) - 10} more" if len(where) > 10 else "")
    )


def means_unknown(cell: str) -> bool:
    """Whether a cell says that nothing is known.

    Example:
        >>> [means_unknown(cell) for cell in ("?", "Unknown", "-", "north")]
        [True, True, True, False]
    """
    return cell.lower() in _WORDS or _MARKS.fullmatch(cell) is not None


def are_odd(odd: Mapping[str, int], numbers: Collection[str]) -> bool:
    """Whether cells among numbers are few different ones, as signs are, and not values.

    However many cells hold them: what tells a sign is that it is always the same.

    Args:
        odd: how often each cell occurs that is no number.
        numbers: the different cells that are.
    """
    return len(odd) <= FEW and len(numbers) >= max(8, 4 * len(odd))


def by_column(texts: Sequence[str], names: Sequence[str]) -> tuple[set[str], dict[str, set[str]]]:
    """The signs of all columns, and those of single ones: `NAME=TEXT`."""
    everywhere: set[str] = set()
    of_column: dict[str, set[str]] = {}
    for text in texts:
        name, equals, sign = text.partition("=")
        if equals and name in names:
            of_column.setdefault(name, set()).add(sign.strip())
        else:
            everywhere.add(text.strip())
    return everywhere, of_column

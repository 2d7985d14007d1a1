"""What stands for a missing cell: the usual signs, those a user names, and those that look odd."""

import re
from collections.abc import Collection, Mapping, Sequence

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
    more, more_of = _by_column(reading.missing, names)
    only, only_of = _by_column(reading.missing_only, names)
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


def _by_column(texts: Sequence[str], names: Sequence[str]) -> tuple[set[str], dict[str, set[str]]]:
    everywhere: set[str] = set()
    of_column: dict[str, set[str]] = {}
    for text in texts:
        name, equals, sign = text.partition("=")
        if equals and name in names:
            of_column.setdefault(name, set()).add(sign.strip())
        else:
            everywhere.add(text.strip())
    return everywhere, of_column

"""Numbers in other dress: thousands apart, decimal commas, units, currency, a long minus."""

import re
from collections.abc import Collection
from typing import NamedTuple

MINUS = "\u2212"
_SPACES = " \u00a0\u2009\u202f"
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_CURRENCY = "[$€£¥₹]|USD|EUR|GBP|CHF|JPY|CNY|INR"
# units that are written without a space; behind a space any short word is one
_UNITS = (
    "mm|cm|dm|m|km|µm|nm|mg|µg|g|kg|t|ml|l|L|s|ms|min|h|Hz|kHz|MHz|V|mV|kV|A|mA|W|kW|MW|Wh|kWh|MWh|"
    "Pa|hPa|kPa|bar|mbar|K|C|F|ppm|ppb|px|kB|MB|GB|kr|m2|m3|m²|m³|m/s|km/h"
)
_SUFFIX = (
    rf"[{_SPACES}]?(?:%|‰|°[CFK]?|[$€£¥₹]|{_UNITS})|[{_SPACES}][A-Za-zµ°][\w°²³µ/·^*-]{{0,11}}"
)
_CELL = re.compile(
    rf"(?P<sign>[+\-{MINUS}]?)(?P<prefix>(?:(?:{_CURRENCY})[{_SPACES}]?)?)"
    rf"(?P<late>[+\-{MINUS}]?)"
    rf"(?P<body>\d[\d.,'{_SPACES}]*(?<=\d)|[.,]\d+)"
    r"(?P<power>(?:[eE][+-]?\d+|[dD][+-]\d+)?)"  # Fortran writes D, and always its sign
    rf"(?P<suffix>(?:{_SUFFIX})?)"
)
_SURE = {mark: re.compile(rf"[^.,]*\d+{re.escape(mark)}(\d\d?|\d{{4,}})[^.,\d]*") for mark in ".,"}
_ZERO = re.compile(r"[^.,\d]*0,\d+[^.,\d]*")  # no thousands begin with a zero


class Dress(NamedTuple):
    """How the numbers of a column are written.

    Attributes:
        decimal: between whole and broken part.
        group: between thousands; empty if they are not apart.
        prefix: a currency before the number.
        suffix: a unit, with the space before it.
        minus: the sign of numbers below zero.
        late: whether the sign stands behind the prefix.
        brackets: whether numbers below zero stand in parentheses, without a sign.
        power: what stands before exponents, where it is not the usual `e`.
    """

    decimal: str = "."
    group: str = ""
    prefix: str = ""
    suffix: str = ""
    minus: str = "-"
    late: bool = False
    brackets: bool = False
    power: str = ""

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing but a number, so that no meaning is lost without the dress."""
        return not self.prefix and not self.suffix


PLAIN = Dress()


def is_plain(cell: str) -> bool:
    """Whether a cell is a number as computers write it.

    Example:
        >>> is_plain("-1.5e3"), is_plain("1,5")
        (True, False)
    """
    return _PLAIN.fullmatch(cell) is not None


def looks_like_number(cell: str) -> bool:
    """Whether a cell is a number in any dress."""
    return is_plain(cell) or _parts(cell) is not None


def decimal_of(cells: Collection[str]) -> str | None:
    """The decimal mark that a file's cells show without doubt; None if both or neither.

    Example:
        >>> decimal_of(["2,6", "1360"]), decimal_of(["1,234"])
        (',', None)
    """
    comma = any(_SURE[","].fullmatch(cell) or _ZERO.fullmatch(cell) for cell in cells)
    point = any(_SURE["."].fullmatch(cell) for cell in cells)
    return None if comma == point else "," if comma else "."


def dress_of(cells: Collection[str], decimal: str | None = None, usual: str = ".") -> Dress | None:
    """The one dress that all cells wear; None if there is none.

    Args:
        cells: of one column, those that are observed, without spaces around them.
        decimal: the file's decimal mark, where it is known.
        usual: the mark to believe in where cells such as 1,234 could be either.

    Returns:
        The dress.

    Example:
        >>> dress_of(["62.5 kg", "70 kg"]).suffix, dress_of(["1,234", "950"]).group
        (' kg', ',')
        >>> dress_of(["2,6", "-200"]).decimal, dress_of(["a", "1"])
        (',', None)
    """
    if decimal != "," and all(map(is_plain, cells)):
        return PLAIN
    parts = [_parts(cell) for cell in cells]
    if not cells or any(part is None for part in parts):
        return None
    found = [part for part in parts if part is not None]
    prefixes = {part["prefix"] for part in found}
    suffixes = {part["suffix"] for part in found}
    if len({prefix.strip() for prefix in prefixes}) > 1:
        return None
    if len({suffix.strip() for suffix in suffixes}) > 1:
        return None
    signs = {part["sign"] + part["late"] for part in found}
    if any(len(sign) > 1 for sign in signs):
        return None
    enclosed = sum(map(_is_enclosed, cells))
    # all in parentheses are notes or references; beside a minus they are something else
    if enclosed and (enclosed == len(cells) or _has_minus(cells)):
        return None
    powers = {part["power"][:1] for part in found} & {"d", "D"}
    bodies = [part["body"] for part in found]
    # exponents stand behind plain numbers only
    marks = _marks(bodies, decimal, usual)
    if marks is None:
        return None
    return Dress(
        *marks,
        min(prefixes),
        min(suffixes, key=len),
        MINUS if MINUS in signs else "-",
        not enclosed and any(part["late"] for part in found),
        bool(enclosed),
        min(powers, default=""),
    )


def plain(cell: str, dress: Dress) -> str:
    """A cell as computers write numbers.

    Example:
        >>> plain("$1,137.50", Dress(group=",", prefix="$"))
        '1137.50'
    """
    if dress == PLAIN:
        return cell
    part = _parts(cell)
    if part is None:
        return cell
    body = part["body"]
    for space in _SPACES if dress.group and dress.group in _SPACES else dress.group:
        body = body.replace(space, "")
    sign = (part["sign"] + part["late"]).replace(MINUS, "-")
    power = part["power"].replace("D", "e").replace("d", "e")
    return f"{sign}{body.replace(dress.decimal, '.')}{power}"


def clothe(number: str, dress: Dress) -> str:
    """A number as computers write it, as the column writes its own.

    Example:
        >>> clothe("-1137.50", Dress(group=",", prefix="$", minus="-"))
        '-$1,137.50'
    """
    if dress == PLAIN:
        return number
    minus = dress.minus if number.startswith("-") else ""
    whole, point, rest = number.lstrip("-").partition(".")
    if dress.group and "e" not in number:
        whole = f"{int(whole):,}".replace(",", dress.group)
    if dress.power:
        whole, rest = (part.replace("e", dress.power) for part in (whole, rest))
    body = f"{whole}{dress.decimal if point else ''}{rest}"
    if dress.brackets:
        inner = f"{dress.prefix}{body}{dress.suffix}"
        return f"({inner})" if minus else inner
    sign = (dress.prefix, minus) if dress.late else (minus, dress.prefix)
    return f"{''.join(sign)}{body}{dress.suffix}"


def named(dress: Dress) -> str:
    """A dress in words."""
    words = []
    if dress.decimal != ".":
        words.append("decimal commas")
    if dress.group:
        words.append(f"thousands apart by {dress.group!r}")
    if dress.prefix or dress.suffix:
        words.append(f"the unit {(dress.prefix + dress.suffix).strip()!r}")
    if dress.minus != "-":
        words.append("the minus U+2212")
    if dress.brackets:
        words.append("those below zero in parentheses")
    if dress.power:
        words.append(f"exponents behind {dress.power}")
    return ", ".join(words)


def _parts(cell: str) -> re.Match[str] | None:
    """The parts of a number; of one in parentheses as if it had a minus."""
    return _CELL.fullmatch(f"-{cell[1:-1]}" if _is_enclosed(cell) else cell)


def _is_enclosed(cell: str) -> bool:
    return cell[:1] == "(" and cell[-1:] == ")"


def _has_minus(cells: Collection[str]) -> bool:
    return any(mark in cell for cell in cells for mark in ("-", MINUS) if "e" not in cell.lower())


def _marks(bodies: list[str], decimal: str | None, usual: str) -> tuple[str, str] | None:
    """Decimal mark and thousands' separator that fit all numbers."""
    fits = [
        (mark, group)
        for mark, group in (
            *((".", ""), (".", ","), (",", ""), (",", ".")),
            *((mark, gap) for mark in ".," for gap in (*_SPACES, "'")),
        )
        if all(_fits(body, mark, group) for body in bodies)
    ]
    if decimal is not None:
        fits = [(mark, group) for mark, group in fits if mark == decimal or _whole(bodies)]
    if not fits:
        return None
    if _whole(bodies):
        return (decimal or usual, "")
    # 1,234 fits thousands and a decimal comma; beside 950 it is thousands, since decimals are
    # written as often in all cells
    bare = [body for body in bodies if body.isdecimal()]
    if decimal is None and bare and max(map(len, bare)) <= 3:
        return min(fits, key=lambda found: not found[1])
    return min(fits, key=lambda found: found[0] != (decimal or usual))


def _whole(bodies: list[str]) -> bool:
    return all(body.isdecimal() for body in bodies)


def _fits(body: str, mark: str, group: str) -> bool:
    if not group:
        return re.fullmatch(rf"\d*(?:{re.escape(mark)}?\d+)?", body) is not None
    gap = re.escape(group)
    thousands = rf"[1-9]\d{{0,2}}(?:{gap}\d{{3}})*|0|\d{{1,3}}"
    return re.fullmatch(rf"(?:{thousands})(?:{re.escape(mark)}\d+)?", body) is not None

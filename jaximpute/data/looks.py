"""One look at every column before anything is learned: what may not mean what it seems to."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaximpute.data import numerals, signs
from jaximpute.data.columns import Column

# what instruments, models and old formats write where they have nothing
_NINES = re.compile(r"(9{2,}|8{3,}|7{3,}|6{4,})(\.(9+|25|8+|0+))?|9\.99+e[+-]?\d+|1e[23]\d")
_ENDS = (32767.0, 32768.0, 65535.0, 2147483647.0, 2147483648.0, 99990.0)
_FEW = 5  # different values that a column must hold besides
_OFTEN = 3  # times that a value without such a shape must occur
_FAR = 3.0  # spreads of the rest that it lies off
_NEAR = 0.5  # the same for values of such a shape
_CONFIRMED = 0.05  # the same where other columns hold the value far off
_FLAG = re.compile(r"(^|[_\W])(qc|qf|flag|quality|status|qualifier)s?([_\W]|$)", re.IGNORECASE)
_ID = re.compile(r"(^|[_\W])(id|uid|uuid|key|code|isbn|phone|account|zip|plz)s?$", re.IGNORECASE)


class Sentinel(NamedTuple):
    """A value that may stand for a missing cell.

    Attributes:
        column: its number.
        value: what is repeated.
        cells: how many hold it.
        low: least of the other values.
        high: greatest of them.
        sure: whether several columns agree on it, so that it is close to certain.
    """

    column: int
    value: float
    cells: int
    low: float
    high: float
    sure: bool


def sentinels(columns: Sequence[np.ndarray]) -> list[Sentinel]:
    r"""Extremes that are repeated and lie far off the rest of their column.

    With :math:`s` the distance from the 5 % to the 95 % quantile of the other cells, and :math:`g`
    that to the next of them: :math:`g \ge 3 s` and three times or more, or :math:`g \ge s / 2` for
    values such as -9999 and 999.9. A value found so in one column is looked for at the ends of the
    others.

    Args:
        columns: `(rows,)` each, NaN where missing.

    Returns:
        One for each column and value.

    Example:
        >>> found = sentinels([np.array([1.0, 2, 3, 4, 5, 6, -9999, -9999])])
        >>> found[0].value, found[0].cells, found[0].sure
        (-9999.0, 2, False)
    """
    found = [hit for i, cells in enumerate(columns) for hit in _far_off(i, cells)]
    directly: dict[float, set[int]] = {}
    for hit in found:
        directly.setdefault(hit.value, set()).add(hit.column)
    for value, where in directly.items():
        for i, cells in enumerate(columns):
            if i not in where and (end := _at_end(i, cells, value)) is not None:
                found.append(end)
    everywhere: dict[float, set[int]] = {}
    for hit in found:
        everywhere.setdefault(hit.value, set()).add(hit.column)
    agreed = {
        value
        for value, where in directly.items()
        if (len(where) >= 2 and (len(everywhere[value]) >= 3 or (value < 0 and _is_shaped(value))))
        # or below zero, where nothing else is
        or (value < 0 and _negatives(found, value) >= (2 if len(where) >= 2 else 3))
    }
    return sorted(hit._replace(sure=hit.value in agreed) for hit in found)


def remarks(columns: Sequence[Column], values: np.ndarray) -> list[str]:
    """What a user should know of columns before they are learned.

    Args:
        columns: what they hold.
        values: `(rows, columns)`, NaN where missing.

    Returns:
        Texts for warnings, each with what to do.

    Example:
        >>> column = Column("t", "number")
        >>> cells = np.array([[1.0], [2], [3], [4], [5], [6], [999.9], [999.9]])
        >>> remarks([column], cells)[0][:40]
        "column 't' holds 999.9 in 2 cells, and f"
    """
    advice = "--missing '{name}={value:.10g}' (in Python, replace it by nan)"
    texts = extremes(columns, values, "column", advice)
    for i, column in enumerate(columns):
        cells = values[:, i]
        known = ~np.isnan(cells)
        if column.kind in ("text", "category"):
            texts += _of_texts(column, cells[known].astype(int))
        elif column.kind == "integer" and not known.all():
            texts += _of_integers(column, cells[known])
    return texts


def extremes(columns: Sequence[Column], values: np.ndarray, what: str, advice: str) -> list[str]:
    """The repeated extremes of the columns of numbers, as texts for warnings.

    Args:
        columns: what they hold.
        values: `(rows, columns)`, NaN where missing.
        what: to call a column.
        advice: what to do; may hold `{name}` and `{value}`.
    """
    numeric = [i for i, column in enumerate(columns) if column.holds_numbers]
    texts = []
    for hit in sentinels([values[:, i] for i in numeric]):
        name = columns[numeric[hit.column]].name
        texts.append(
            f"{what} '{name}' holds {hit.value:.10g} in {hit.cells} cells, and from {hit.low:.6g} "
            f"to {hit.high:.6g} in the others; if it means missing: "
            + advice.format(name=name, value=hit.value)
        )
    return texts


def _of_texts(column: Column, codes: np.ndarray) -> list[str]:
    levels = [level for level in column.levels if isinstance(level, str)]
    if not levels or len(levels) < len(column.levels):
        return []
    counts = np.bincount(codes, minlength=len(levels))
    unknown = [
        (level, int(n))
        for level, n in zip(levels, counts, strict=True)
        if n and signs.means_unknown(level.strip())
    ]
    if unknown and len(unknown) < len(levels):
        shown = ", ".join(f"{level!r} ({n} cells)" for level, n in unknown[:4])
        advice = " ".join(f"--missing '{column.name}={level.strip()}'" for level, _ in unknown[:4])
        return [
            f"column '{column.name}' holds {shown}; if that means missing: {advice} (in Python, "
            "replace it by None)"
        ]
    cells = [level.strip() for level in levels]
    coded = any(re.fullmatch(r"0\d+", cell) for cell in cells)
    dress = None if coded or len(cells) < 3 else numerals.dress_of(cells)
    if dress is not None:
        how = numerals.named(dress)
        return [
            f"column '{column.name}' holds numbers as text{f' ({how})' if how else ''}, and is "
            "learned as text; convert it to numbers first"
        ]
    return []


def _of_integers(column: Column, cells: np.ndarray) -> list[str]:
    different = np.unique(cells)
    if _FLAG.search(column.name) and 1 < len(different) <= 10:
        return [
            f"column '{column.name}' looks like flags ({len(different)} different whole numbers), "
            f"and is learned as a quantity; --as '{column.name}=text' learns categories"
        ]
    long = len(cells) > 2 and len(different) == len(cells) and np.abs(cells).min() >= 1e5
    if long and (_ID.search(column.name) or np.abs(cells).min() >= 1e9):
        return [
            f"column '{column.name}' looks like identifiers (long whole numbers, all different), "
            f"and is learned as a quantity; --as '{column.name}=text' reads them as texts"
        ]
    return []


def _negatives(found: Sequence[Sentinel], value: float) -> int:
    """Columns in which nothing but the value is below zero; none if any has more."""
    hits = [hit for hit in found if hit.value == value]
    return len({hit.column for hit in hits}) if all(hit.low >= 0 for hit in hits) else 0


def _far_off(column: int, cells: np.ndarray) -> list[Sentinel]:
    cells = cells[~np.isnan(cells)]
    found: list[Sentinel] = []
    while cells.size > 3 and len(found) < 3:
        hit = next(
            (
                hit
                for value in (float(cells.min()), float(cells.max()))
                if (hit := _beside(column, cells, value)) is not None
            ),
            None,
        )
        if hit is None:
            break
        found.append(hit)
        cells = cells[cells != hit.value]
    return found


def _beside(column: int, cells: np.ndarray, value: float) -> Sentinel | None:
    """The value, if it lies far off the others."""
    count = int(np.count_nonzero(cells == value))
    shaped = _is_shaped(value)
    if count < (1 if shaped else _OFTEN) or value == 0 or count == cells.size:
        return None
    rest, low, high, spread, gap = _rest(cells, value)
    if shaped:
        scale = max(spread, 0.5 * float(np.abs(np.median(rest))))
        least = _NEAR if count > 1 else _FAR
        if abs(value) < 100 and count < 2:
            return None
        far = gap >= least * scale and gap > 0
    else:
        far = gap >= _FAR * spread and len(np.unique(rest[:10_000])) >= _FEW
    return Sentinel(column, value, count, low, high, False) if far else None


def _at_end(column: int, cells: np.ndarray, value: float) -> Sentinel | None:
    """The value, found in other columns, if it is an end of this one."""
    cells = cells[~np.isnan(cells)]
    count = int(np.count_nonzero(cells == value))
    if count < 2 or count == cells.size or value not in (cells.min(), cells.max()):
        return None
    _, low, high, spread, gap = _rest(cells, value)
    other_side = (value < 0 <= low) or (value > 0 >= high)
    if gap < (_CONFIRMED if other_side else _NEAR) * spread:
        return None
    return Sentinel(column, value, count, low, high, False)


def _rest(cells: np.ndarray, value: float) -> tuple[np.ndarray, float, float, float, float]:
    rest = cells[cells != value]
    low, high = float(rest.min()), float(rest.max())
    ends = np.quantile(rest, [0.05, 0.95])
    spread = float(ends[1] - ends[0]) or high - low
    return rest, low, high, spread, low - value if value < low else value - high


def _is_shaped(value: float) -> bool:
    size = abs(value)
    return _NINES.fullmatch(f"{size:.10g}") is not None or size in _ENDS

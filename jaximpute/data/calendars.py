"""Times as whole numbers (20240131, 202401311830) and as texts of several countries."""

import datetime
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_JITTER = 1000  # microseconds; dates from fractions of days are off by tens of them
_STAMPS = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = (1500, 2300)
_DAY = r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})"
_CLOCK = r"(\d{1,2})[.:](\d{2})(?:[.:](\d{2}))?"
_DATED = re.compile(rf"(?:{_DAY}|(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}))(?:[ T]+{_CLOCK})?")
CLOCK = re.compile(_CLOCK)
_OFFSET = re.compile(r".*[0-9](Z|[+-]\d{2}:?\d{2})")


def stamps_of(numbers: np.ndarray, least_digits: int = 6) -> pd.DatetimeIndex | None:
    """Whole numbers that are all days, months, hours, minutes or seconds of the calendar.

    Args:
        numbers: `(n,)`, without gaps.
        least_digits: 6 to take 202401 for a month, 8 for days and finer alone.

    Returns:
        The times; None if any number is none.

    Example:
        >>> stamps_of(np.array([20240131, 20240201])).day.tolist()
        [31, 1]
        >>> stamps_of(np.array([20240131, 20240231])) is None
        True
    """
    values = np.asarray(numbers, np.float64)
    if not values.size or not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        return None
    digits = len(str(int(values[0]))) if values[0] > 0 else 0
    if digits not in _STAMPS or digits < least_digits:
        return None
    if values.min() < 10.0 ** (digits - 1) or values.max() >= 10.0**digits:
        return None
    year = values // 10.0 ** (digits - 4)
    if year.min() < _YEARS[0] or year.max() > _YEARS[1]:
        return None
    texts = pd.Series(values.astype(np.int64).astype(str))
    parsed = pd.to_datetime(texts, format=_STAMPS[digits], errors="coerce")
    return None if parsed.isna().any() else pd.DatetimeIndex(parsed)


def since_first(dates: pd.Index) -> pd.TimedeltaIndex:
    """Dates of any calendar that cftime knows (360_day, noleap, ...) as distances from the first.

    In seconds where all are whole ones but for the rounding of dates made from fractions of days,
    and in microseconds elsewhere; both reach further than the nanoseconds of pandas.

    Example:
        >>> from datetime import datetime
        >>> days = pd.Index([datetime(2001, 1, 31), datetime(2001, 2, 2)], dtype=object)
        >>> since_first(days).days.tolist()
        [0, 2]
    """
    first, unit = dates[0], datetime.timedelta(microseconds=1)
    exact = np.array([(date - first) // unit for date in dates], np.int64)
    seconds = np.rint(exact / 1e6)
    if (np.abs(exact - 1e6 * seconds) <= _JITTER).all():
        return pd.TimedeltaIndex(seconds.astype("timedelta64[s]"))
    return pd.TimedeltaIndex(exact.astype("timedelta64[us]"))


def numbers_of(times: pd.DatetimeIndex, like: int) -> np.ndarray:
    """Times as whole numbers of as many digits as one of them has.

    Example:
        >>> numbers_of(pd.DatetimeIndex(["2024-02-01"]), like=20240131).tolist()
        [20240201]
    """
    return times.strftime(_STAMPS[len(str(like))]).astype(np.int64).to_numpy()


def parse_dates(texts: Sequence[Any]) -> tuple[pd.Series, str]:
    """Texts as times: ISO 8601, stamps without marks, or day, month and year in one order.

    Where offsets from UTC differ, as they do where summer time begins, the times are in UTC.

    Args:
        texts: one for each row.

    Returns:
        The times, NaT where a text is none, and what else there is to say: why a text that looks
        like a date was not taken for one.

    Example:
        >>> parse_dates(["31/01/2024 18.00", "01/02/2024 18.00"])[0].dt.day.tolist()
        [31, 1]
        >>> parse_dates(["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"])[0].dt.hour.tolist()
        [0, 1]
    """
    cells = pd.Series(list(texts), dtype=object)
    offsets = {found[1] for cell in cells if (found := _OFFSET.fullmatch(str(cell)))}
    parsed = pd.to_datetime(cells, errors="coerce", format="ISO8601", utc=len(offsets) > 1)
    if len(offsets) > 1:
        aware = np.array([bool(_OFFSET.fullmatch(str(cell))) for cell in cells])
        if not aware.all():  # a time without offset is at no known instant
            parsed[~aware] = pd.NaT
    if not parsed.isna().any():
        return parsed, ""
    if all(isinstance(cell, str) and cell.strip().isdecimal() for cell in cells):
        stamps = stamps_of(cells.astype(str).str.strip().astype("int64").to_numpy())
        if stamps is not None:
            return pd.Series(stamps), ""
    ordered, why = _in_order(cells)
    return (parsed, why) if ordered is None else (ordered, "")


def _in_order(cells: pd.Series) -> tuple[pd.Series | None, str]:
    """Dates whose order of day and month all rows agree on."""
    parts = [_DATED.fullmatch(str(cell).strip()) for cell in cells]
    if any(part is None for part in parts):
        return None, ""
    found = [part for part in parts if part is not None]
    dotted = any(part[2] == "." for part in found)  # where days come first
    read = [_parsed(found, day_first) for day_first in ((True,) if dotted else (True, False))]
    possible = [times for times in read if times is not None]
    if len(possible) == 2 and not possible[0].equals(possible[1]):
        uneven = [_unevenness(times) for times in possible]
        if uneven[0] == uneven[1]:
            return None, (
                "days and months cannot be told apart, since neither goes beyond 12; write the "
                "dates as year-month-day"
            )
        # days in a row, and not one day of each month
        return possible[int(uneven[1] < uneven[0])], ""
    return (possible[0], "") if possible else (None, "")


def _parsed(parts: Sequence[re.Match[str]], day_first: bool) -> pd.Series | None:
    texts = []
    for part in parts:
        a, b = (part[1], part[3]) if day_first else (part[3], part[1])
        year, month, day = (part[4], b, a) if part[4] else (part[5], part[6], part[7])
        clock = f"{int(part[8] or 0):02}:{part[9] or '00'}:{part[10] or '00'}"
        texts.append(f"{year}-{int(month):02}-{int(day):02} {clock}")
    parsed = pd.Series(pd.to_datetime(texts, format="%Y-%m-%d %H:%M:%S", errors="coerce"))
    return None if parsed.isna().any() else parsed


def _unevenness(times: pd.Series) -> float:
    """The longest distance of neighbours, in usual ones."""
    gaps = np.diff(np.unique(times.to_numpy()).astype("int64"))
    return float(gaps.max() / np.median(gaps)) if gaps.size else 1.0

"""The time axis: stamps in any order and at any distance, seen as the steps of a series."""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import OptionError, TimeError
from jaximpute.data import calendars
from jaximpute.types import Observed

JITTER = 0.1  # of a step that a stamp may lie off its slot: months of 28 to 31 days are even
DRIFT = 0.25  # the same across a long gap
MOST_GRID = 4  # a grid may have at most this many rows for each row given
_MOST_ABSENT = 10_000  # and so many more, of series that are completed by what others taught


class Stamps(NamedTuple):
    """A time axis as given.

    Attributes:
        ticks: `(rows,)` whole ticks for dates, plain numbers otherwise.
        labels: the stamps as given, for messages.
        seconds: in a tick; None for plain numbers.
        group: the number of the series that each row belongs to; None for one series, or for
            several of one length and with the same stamps.
    """

    ticks: np.ndarray
    labels: pd.Index
    seconds: float | None
    group: np.ndarray | None = None


class Axis(NamedTuple):
    """Where each row lies among the steps of the series.

    Attributes:
        order: `(T,)` the rows in order of time.
        slots: `(T,)` the step of each row of `order`.
        length: number of steps; more than T where rows are absent from a regular grid.
        positions: `(length,)` of the steps, in usual steps; None if regular.
        seconds: in a usual step; None if the axis is not a time.
        at: of series with stamps of their own, the place of each row in all steps of all series,
            one after the other; `order` and `slots` are then of the stamps that any of them has.
        static: columns with one value for each series, which have no gaps in time.
    """

    order: np.ndarray
    slots: np.ndarray
    length: int
    positions: np.ndarray | None
    seconds: float | None
    at: np.ndarray | None = None
    static: tuple[int, ...] = ()

    def absent(self, count: int) -> int:
        """How many steps of `count` series no row fills."""
        rows = count * len(self.order) if self.at is None else len(self.at)
        return count * self.length - rows


def parse_stamps(
    stamps: Any, rows: int, what: str = "time", group: np.ndarray | None = None
) -> Stamps:
    """The time axis from dates, texts that can be read as dates, or numbers.

    Args:
        stamps: one stamp for each row.
        rows: how many there must be.
        what: the stamps' name in messages.
        group: the number of the series that each row belongs to; None for one.

    Returns:
        The stamps, checked to be complete and distinct.

    Raises:
        TimeError: another number of stamps, missing or duplicate stamps, or not a time.

    Example:
        >>> parse_stamps(["2024-01-01", "2024-01-03"], rows=2).seconds < 1
        True
    """
    try:
        labels = pd.Index(stamps)
    except (TypeError, ValueError) as error:
        raise TimeError(f"{what} is no row of stamps: {error}") from None
    if len(labels) != rows or isinstance(labels, pd.MultiIndex):
        raise TimeError(f"{what} has {len(labels)} stamps for {rows} rows; expected one for each")
    if labels.hasnans:
        row = int(np.flatnonzero(labels.isna())[0])
        raise TimeError(
            f"{what} is missing in row {row} ({labels.isna().sum()} rows in all); "
            "every row needs a stamp. Drop those rows, or fill in their stamps"
        )
    index = _as_ticks(labels, what)
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
        ticks, seconds = index.asi8, pd.Timedelta(1, index.unit).total_seconds()
        seconds = seconds or 1e-9
    else:
        ticks, seconds = index.to_numpy(), None
    both = pd.DataFrame({"tick": np.asarray(ticks), "group": 0 if group is None else group})
    twice = labels[both.duplicated().to_numpy()].unique()
    if len(twice):
        shown = ", ".join(str(label) for label in twice[:5]) + (", ..." if len(twice) > 5 else "")
        raise TimeError(
            f"{what} holds {len(twice)} duplicate stamps: {shown}; a series has one row "
            "for each. Average or drop the extra rows, or name the column that tells the series "
            "apart: group= (--group)"
        )
    return Stamps(ticks, labels, seconds, group)


def make_axis(stamps: Stamps | None, length: int) -> tuple[Axis, list[str]]:
    r"""The steps of a series, and what a user should know about them.

    With :math:`h` the median distance of neighbouring stamps, a distance :math:`\delta` is a whole
    number :math:`k` of steps if :math:`|\delta / h - k| \le \min(0.1 k, 0.25)`. If all are, the
    rows lie on a regular grid, and steps without a row are missing rows of it. Otherwise (or if the
    grid had over 4 steps a row) the rows are the steps, at positions :math:`(t - t_0) / h`.

    Series with stamps of their own share the steps that any of them has.

    Args:
        stamps: the time axis; None for regular windows.
        length: number of rows of each series.

    Returns:
        The axis, and texts for warnings.
    """
    if stamps is not None and stamps.group is not None:
        ticks, which = np.unique(stamps.ticks, return_inverse=True)
        shared, _ = make_axis(Stamps(ticks, pd.Index(ticks), stamps.seconds), len(ticks))
        return shared._replace(at=stamps.group * shared.length + shared.slots[which]), []
    regular = np.arange(length)
    if stamps is None:
        return Axis(regular, regular, length, None, None), []
    order = np.argsort(stamps.ticks, kind="stable")
    notes = []
    if (order != regular).any():
        notes.append(
            "the rows are not in order of time; they were sorted to be imputed, and the result "
            "keeps their order"
        )
    if length == 1:
        return Axis(order, regular, 1, None, None), notes
    ticks = stamps.ticks[order]
    gaps = np.diff(ticks)
    usual = float(np.quantile(gaps, 0.5, method="lower"))  # one that occurs, never a mean of two
    seconds = None if stamps.seconds is None else usual * stamps.seconds
    counts = np.maximum(np.rint(gaps / usual), 1)
    on_grid = np.abs(gaps / usual - counts) <= np.minimum(JITTER * counts, DRIFT)
    if on_grid.all() and counts.sum() + 1 <= MOST_GRID * length:
        slots = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        return Axis(order, slots, int(slots[-1]) + 1, None, seconds), notes
    positions = (ticks - ticks[0]) / usual
    return Axis(order, regular, length, positions, seconds), notes


def step_of(stamps: Stamps) -> float:
    """The usual step of series, in seconds for dates.

    Example:
        >>> step_of(parse_stamps(["2024-01-01", "2024-01-02", "2024-01-04"], rows=3))
        86400.0
    """
    gaps = np.diff(np.unique(stamps.ticks))
    usual = float(np.quantile(gaps, 0.5, method="lower")) if len(gaps) else 1.0
    return usual * (stamps.seconds or 1.0)


def axis_by(stamps: Stamps, rows: np.ndarray, step: float) -> Axis:
    """The axis of one of several series, on steps of a length that is known.

    Args:
        stamps: of all series.
        rows: of this one.
        step: in seconds for dates; see `step_of`.

    Returns:
        An axis whose `order` holds numbers of `rows`.

    Raises:
        TimeError: its rows lie between the steps, or too far from one another.

    Example:
        >>> stamps = parse_stamps([9.0, 4.0, 5.0], rows=3)
        >>> axis_by(stamps, np.array([1, 0]), 1.0).slots.tolist()
        [0, 5]
    """
    order = rows[np.argsort(stamps.ticks[rows], kind="stable")]
    gaps = np.diff(stamps.ticks[order]) * (stamps.seconds or 1.0) / step
    counts = np.maximum(np.rint(gaps), 1)
    off = np.abs(gaps - counts) > np.minimum(JITTER * counts, DRIFT)
    unit = "" if stamps.seconds is None else " seconds"
    if off.any():
        raise TimeError(
            f"the stamp {stamps.labels[order[1:][off][0]]} lies between the steps of "
            f"{step:g}{unit} that were learned from. Round the stamps to steps, or use impute()"
        )
    length = int(counts.sum()) + 1
    if length > MOST_GRID * len(rows) + _MOST_ABSENT:
        raise TimeError(
            f"a series of {len(rows)} rows from {stamps.labels[order[0]]} to "
            f"{stamps.labels[order[-1]]} has {length} steps of {step:g}{unit}, nearly all absent. "
            "Call its parts different series"
        )
    slots = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    return Axis(order, slots, length, None, None if stamps.seconds is None else step)


def place(axis: Axis, rows: np.ndarray, count: int = 1) -> np.ndarray:
    """Rows `(count * T, D)` as series `(count, length, D)`, NaN in steps that no row fills."""
    if axis.at is not None:
        every = np.full((count * axis.length, rows.shape[-1]), np.nan, rows.dtype)
        every[axis.at] = rows
        return every.reshape(count, axis.length, -1)
    series = rows.reshape(count, len(axis.order), rows.shape[-1])
    placed = np.full((count, axis.length, rows.shape[-1]), np.nan, rows.dtype)
    placed[:, axis.slots] = series[:, axis.order]
    return placed


def take(axis: Axis, series: np.ndarray) -> np.ndarray:
    """Series `(count, length, D)` as the rows they were placed from, `(count * T, D)`."""
    if axis.at is not None:
        return series.reshape(-1, series.shape[-1])[axis.at]
    rows = np.empty((len(series), len(axis.order), series.shape[-1]), series.dtype)
    rows[:, axis.order] = series[:, axis.slots]
    return rows.reshape(-1, series.shape[-1])


def part(data: Observed, last: int) -> tuple[np.ndarray, Observed]:
    """The values of a series before its last steps, and these steps; all of them if 0."""
    start = data.values.shape[1] - last if last else 0
    end = data._replace(values=data.values[:, start:], mask=data.mask[:, start:])
    return np.asarray(data.values[:, :start]), end


def long_gaps(axis: Axis, mask: np.ndarray, max_gap: Any, count: int = 1) -> np.ndarray:
    """The missing cells in gaps that are longer than `max_gap`.

    A gap is a run of missing steps of one channel, steps without a row included; at the ends of the
    series it counts like any other. Its length is the number of its steps, and on an irregular axis
    the distance from its first stamp to its last, in usual steps, plus one.

    Args:
        axis: of the series.
        mask: `(count * T, D)`, True = observed.
        max_gap: steps, or for an axis of dates a duration (`"3h"`, a timedelta).
        count: number of series.

    Returns:
        `(count * T, D)`, True where a cell is to be left empty.

    Raises:
        OptionError: `max_gap` is no positive number of steps and no duration.

    Example:
        >>> import numpy as np
        >>> axis, _ = make_axis(None, 4)
        >>> mask = np.array([[True], [False], [False], [True]])
        >>> long_gaps(axis, mask, max_gap=1)[:, 0].tolist()
        [False, True, True, False]
    """
    return gap_lengths(axis, mask, count) > _in_steps(max_gap, axis) + 1e-6


def gap_lengths(axis: Axis, mask: np.ndarray, count: int = 1) -> np.ndarray:
    """The length of the gap in which each cell lies, `(count * T, D)`; 0 where it is observed, or
    has no place in time.

    Args:
        axis: see `long_gaps`, as all arguments.
        mask: True = observed.
        count: number of series.
    """
    missing = np.isnan(place(axis, np.where(mask, 0.0, np.nan), count))
    if axis.at is not None:  # a series ends with its own last row
        rows = ~np.isnan(place(axis, np.zeros((len(axis.at), 1)), count))
        begun, ended = (np.logical_or.accumulate(rows[:, ::way], axis=1) for way in (1, -1))
        missing &= begun & ended[:, ::-1]
    step = np.arange(axis.length)[None, :, None]
    first = np.maximum.accumulate(np.where(missing, -1, step), axis=1) + 1
    after = np.where(missing, axis.length, step)[:, ::-1]
    last = np.minimum.accumulate(after, axis=1)[:, ::-1] - 1
    position = step[0, :, 0] if axis.positions is None else axis.positions
    # clipped where a step is observed: there first = last + 1, and the cell is not missing
    top = axis.length - 1
    gap = position[np.clip(last, 0, top)] - position[np.clip(first, 0, top)] + 1
    lengths = take(axis, np.where(missing, gap, 0))
    lengths[:, list(axis.static)] = 0
    return lengths


def _in_steps(max_gap: Any, axis: Axis) -> float:
    if isinstance(max_gap, int | np.integer) and not isinstance(max_gap, bool):
        steps = float(max_gap)
    elif not isinstance(max_gap, str | datetime.timedelta | np.timedelta64):
        raise OptionError(f"max_gap is {max_gap!r}; expected a number of steps, or a duration")
    elif axis.seconds is None:
        raise OptionError(
            f"max_gap is {max_gap!r}; expected a number of steps (a duration needs dates)"
        )
    else:
        try:
            steps = pd.Timedelta(max_gap).total_seconds() / axis.seconds
        except ValueError as error:
            raise OptionError(
                f"max_gap is {max_gap!r}; expected a number of steps, or a duration such as '3h': "
                f"{error}"
            ) from None
    if not steps > 0:
        raise OptionError(f"max_gap is {max_gap!r}; expected more than 0")
    return steps


def _as_ticks(labels: pd.Index, what: str) -> pd.Index:
    if isinstance(labels, pd.PeriodIndex):
        return labels.to_timestamp()
    if isinstance(labels, pd.DatetimeIndex | pd.TimedeltaIndex):
        return labels
    if type(labels[0]).__module__.split(".")[0] == "cftime":
        return calendars.since_first(labels)
    if pd.api.types.is_bool_dtype(labels.dtype):
        raise TimeError(f"{what} holds booleans; expected dates or numbers")
    if pd.api.types.is_numeric_dtype(labels.dtype):
        values = labels.to_numpy(dtype=np.float64)
        if np.isinf(values).any():
            raise TimeError(f"{what} is infinite in row {int(np.flatnonzero(np.isinf(values))[0])}")
        dates = calendars.stamps_of(values) if len(values) > 1 else None
        return pd.Index(values) if dates is None else dates
    return _parse_texts(list(labels), what)


def joined(dates: Sequence[Any], clocks: Sequence[Any]) -> list[str | None]:
    """Dates and times of day, from two columns, as texts.

    Example:
        >>> joined(["10/03/2004"], ["18.00.00"])
        ['10/03/2004 18.00.00']
    """
    missing = (None, "")
    return [
        None
        if date in missing or clock in missing or date is pd.NaT
        else f"{date.date() if isinstance(date, datetime.datetime) else date} {clock}"
        for date, clock in zip(dates, clocks, strict=True)
    ]


def _parse_texts(texts: Sequence[Any], what: str) -> pd.DatetimeIndex:
    parsed, why = calendars.parse_dates(texts)
    if parsed.isna().any():
        row = int(np.flatnonzero(parsed.isna())[0])
        raise TimeError(
            f"{what} is {texts[row]!r} in row {row}, which is no date in ISO form "
            f"(2024-01-31 18:00){': ' if why else ''}{why}; parse the stamps first, for instance "
            "with pandas.to_datetime(..., format=...)"
        )
    return pd.DatetimeIndex(parsed)

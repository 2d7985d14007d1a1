"""`forecast`: the steps after the last one, by the methods that fill gaps at random."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute import registry
from jaximpute._errors import DataError, OptionError, TimeError
from jaximpute.data import calendars, possible, series
from jaximpute.data.frames import Frame, read, settled
from jaximpute.tasks import filling, longform, plan
from jaximpute.tasks.choose import resolve
from jaximpute.tasks.multiple import interval
from jaximpute.tasks.report import Report
from jaximpute.tasks.trials import check_level

# steps of the past that a window shows beside those asked for, at least
CONTEXT = 48
_USUAL = "csbi0"  # whose windows can be asked for the steps to come alone


class Forecast(NamedTuple):
    """What may come.

    Attributes:
        median: of the draws, a frame of the steps to come, with the columns of the series; of
            several those of each, in the order in which they first appear.
        low: lower ends of the intervals.
        high: upper ends.
        draws: the draws, each a frame like `median`.
        report: what was done; see `tasks.filling.fill`.
    """

    median: Any
    low: Any
    high: Any
    draws: list[Any]
    report: Report


def forecast(
    data: Any,
    horizon: int,
    method: str = "auto",
    draws: int = 100,
    *,
    time: str | None = None,
    group: Any = None,
    level: float = 0.9,
    context: int | None = None,
    seed: int = 0,
    preset: str = "balanced",
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    max_memory: float | None = None,
    progress: bool = False,
    **options: Any,
) -> Forecast:
    r"""Draw what may follow a series, or each of several.

    The steps to come are taken as missing, and drawn given the last `context` steps:
    :math:`p(x_{T+1:T+h} \mid x_{T-c+1:T})`. Methods that are trained on a split (CSDI, CSBI) are
    trained to answer for the last `horizon` steps of windows, each seen relative to the last value
    before them. Gaps in the past may stay. Several series are learned from together, and each goes
    on from its own end, wherever that lies.

    Args:
        data: a frame of numbers in order of time, evenly spaced but for gaps: of pandas, polars or
            pyarrow, or what xarray holds of `(time, station)`.
        horizon: steps to draw, at least 1.
        method: one that draws on series, or `auto`.
        draws: how many, at least 1.
        time: the column of time stamps; the index, which is then of dates, if None.
        group: the column or columns that tell series below one another apart. The levels beside
            the dates of an index are groups without being named.
        level: nominal coverage of the intervals, in (0, 1).
        context: steps of the past in a window, at least 1; by default as many as are drawn, and 48
            at least.
        seed: of everything random.
        preset: of the method.
        bounds: of what may come, see `impute`.
        circular: columns of directions.
        max_memory: megabytes that it may take, by the measure of one trial step.
        progress: show a progress bar.
        **options: of the method.

    Returns:
        Median, intervals and draws of the steps to come, in containers like `data`.

    Raises:
        DataError: no frame, too short, or what tells series apart is missing in a row.
        TimeError: the times do not tell the next one, or those of one of several series are not
            evenly spaced; the message names it.
        OptionError: see `impute_many`; or `horizon` or `context` out of range.
        DivergenceError: training met numbers that are not finite.
        OutOfMemoryError: it would take more than `max_memory`.

    Example:
        >>> import numpy as np, pandas as pd
        >>> days = pd.date_range("2024-01-01", periods=60)
        >>> series = pd.DataFrame({"x": np.sin(np.arange(60.0))}, index=days)
        >>> small = {"steps": 1, "sgd_steps": 2, "width": 8, "heads": 2, "draw_steps": 2}
        >>> found = forecast(series, 2, "csdi", draws=3, context=8, **small)
        >>> [str(day.date()) for day in found.median.index]
        ['2024-03-01', '2024-03-02']
    """
    context = past(horizon) if context is None else context
    if horizon < 1 or context < 1:
        raise OptionError(f"horizon is {horizon} and context {context}; expected at least 1")
    if draws < 1:
        raise OptionError(f"draws is {draws}; expected at least 1")
    check_level(level)
    long = longform.apart(data, time, group)
    ends = [_end(part, horizon, long.time, name) for name, part in long.parts.items()]
    most = max(len(end.steps) for end in ends)
    window = min(context + horizon, most)
    if window <= horizon:
        raise DataError(f"the series has {most - horizon} rows; there is nothing to forecast from")
    name = _USUAL if method == "auto" else resolve(method, "series", draws=True)
    known = registry.entry(name).forecast
    own: dict[str, Any] = {
        "window": window,
        "split": "forecast",
        "horizon": horizon,
        "centred": True,
    }
    options = {key: own[key] for key in known} | options
    # whole windows, counted from the end: every step to come is drawn in one window, with its past
    frame = _laid(ends, most - most % options.get("window", window))
    frame = frame._replace(columns=possible.tell(frame.columns, bounds, circular))
    alone = "horizon" in known and all(end.positions is None for end in ends)
    last = options["window"] if alone else 0
    if max_memory is not None:
        asked: dict[str, Any] = {"preset": preset, "options": options, "draws": draws}
        plan.measure(frame, name, most=max_memory, last=last, **asked)
    filled = filling.fill(
        frame,
        name,
        seed=seed,
        preset=preset,
        progress=progress,
        options=options,
        draws=draws,
        last=last,
        hint=circular is None,
    )

    def frames(values: np.ndarray) -> Any:
        every = settled(frame, values).reshape(len(ends), -1, values.shape[1])
        parts = []
        for end, steps in zip(ends, every, strict=True):
            made = end.later.copy()
            made[end.channels] = steps[-horizon:]
            parts.append(made)
        return long.joined(parts)

    median, low, high = (frames(v) for v in (filled.values, *interval(frame, filled, level)))
    return Forecast(median, low, high, [frames(one) for one in filled.draws], filled.report)


class _End(NamedTuple):
    """A series up to the steps that are to come.

    Attributes:
        steps: `(T, D)` those to come, and absent ones, empty.
        positions: of the steps, in usual steps; None if they are even.
        later: the rows to come.
        channels: the columns that are forecast.
    """

    steps: np.ndarray
    positions: np.ndarray | None
    later: pd.DataFrame
    channels: pd.Index


def _end(part: pd.DataFrame, horizon: int, time: str | None, name: tuple[Any, ...]) -> _End:
    told = ", ".join(map(str, name))
    try:
        extended = extend(part, horizon, time)
    except TimeError as error:
        raise TimeError(f"group '{told}': {error}" if name else str(error)) from None
    channels = extended.columns if time is None else extended.columns.drop(time)
    steps, positions = _grid(extended[channels].to_numpy(), _stamps(extended, time))
    even = np.array_equal(positions, np.arange(len(steps)))
    if name and not even:
        raise TimeError(
            f"group '{told}' is not evenly spaced in time; several series are forecast by steps. "
            "Round its stamps to steps, or forecast it on its own"
        )
    return _End(steps, None if even else positions, extended.iloc[-horizon:], channels)


def _laid(ends: Sequence[_End], length: int) -> Frame:
    """The last steps of series, which end together."""
    steps = np.full((len(ends), length, len(ends[0].channels)), np.nan)
    for own, end in zip(steps, ends, strict=True):
        last = end.steps[-length:]
        own[length - len(last) :] = last
    positions = np.arange(float(length)) if ends[0].positions is None else ends[0].positions
    frame = read(steps, positions[-length:])
    names = map(str, ends[0].channels)
    named = (one._replace(name=name) for one, name in zip(frame.columns, names, strict=True))
    return frame._replace(columns=tuple(named))


def past(horizon: int) -> int:
    """Steps of the past that are enough for so many to come, if nothing else is said."""
    return max(CONTEXT, horizon)


def _stamps(extended: pd.DataFrame, time: str | None) -> pd.Index:
    return extended.index if time is None else pd.Index(extended[time])


def _grid(values: np.ndarray, stamps: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Rows as steps, absent ones empty, and where these lie. Rows of a calendar are its steps."""
    if rule(stamps) is not None:
        return values, np.arange(len(values), dtype=float)
    axis, _ = series.make_axis(series.parse_stamps(stamps, len(stamps)), len(stamps))
    steps = series.place(axis, values)[0]
    return steps, np.arange(axis.length, dtype=float) if axis.positions is None else axis.positions


def extend(data: Any, horizon: int, time: str | None) -> pd.DataFrame:
    """The frame with `horizon` empty rows at its end, whose times go on as before.

    Args:
        data: see `forecast`, as for all arguments.
        horizon: number of rows.
        time: the column of time stamps.

    Returns:
        A longer frame; whole numbers become floats, which can be missing.

    Raises:
        DataError: no frame of numbers.
        TimeError: the times do not tell the next one.
    """
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"expected a pandas frame, and this is a {type(data).__name__}")
    if time is not None and time not in data.columns:
        raise TimeError(f"no column is called {time!r}")
    stamps = data.index if time is None else pd.Index(data[time])
    if stamps.dtype.kind in "OU" or isinstance(stamps.dtype, pd.StringDtype):
        stamps = _dates(stamps)
    channels = data.columns if time is None else data.columns.drop(time)
    wrong = [str(c) for c in channels if not pd.api.types.is_numeric_dtype(data[c].dtype)]
    if wrong:
        raise DataError(f"columns of a forecast hold numbers; '{wrong[0]}' does not. Drop it first")
    later = _following_as_written(stamps, horizon)
    past = data[channels].astype(np.float64).to_numpy()
    values = np.concatenate([past, np.full((horizon, len(channels)), np.nan)])
    index = stamps.append(later).rename(stamps.name)
    if time is None:
        return pd.DataFrame(values, index=index, columns=channels)
    made = pd.DataFrame(values, columns=channels)
    made.insert(list(data.columns).index(time), time, index)
    return made


def _following_as_written(stamps: pd.Index, horizon: int) -> pd.Index:
    """`following`, by the calendar for whole numbers such as 20240131, too."""
    numeric = pd.api.types.is_integer_dtype(stamps.dtype) and not stamps.hasnans
    dates = calendars.stamps_of(stamps.to_numpy()) if numeric and len(stamps) > 1 else None
    if dates is None:
        return following(stamps, horizon)
    later = following(dates, horizon)
    return pd.Index(calendars.numbers_of(later, int(stamps[0])), dtype=stamps.dtype)


def following(stamps: pd.Index, horizon: int) -> pd.Index:
    """The stamps after the last one, by calendar where the stamps follow one.

    Raises:
        TimeError: fewer than two stamps, or not in order.
    """
    if len(stamps) < 2 or not stamps.is_monotonic_increasing or not stamps.is_unique:
        raise TimeError("a forecast needs at least two stamps, in order of time and distinct")
    if isinstance(stamps, pd.PeriodIndex):
        return pd.period_range(stamps[-1] + 1, periods=horizon)
    if isinstance(stamps, pd.DatetimeIndex):
        step = rule(stamps) or pd.Series(stamps).diff().median()
        return pd.date_range(stamps[-1], periods=horizon + 1, freq=step)[1:]
    if stamps.dtype.kind not in "iuf":
        raise TimeError(f"stamps of type {stamps.dtype} do not tell the next one; take dates")
    step = np.median(np.diff(stamps.to_numpy(np.float64)))
    later = stamps[-1] + step * np.arange(1, horizon + 1)
    return pd.Index(later if stamps.dtype.kind == "f" or step % 1 else later.astype(np.int64))


def rule(stamps: pd.Index) -> Any:
    """The calendar that stamps follow, as pandas calls it; None if there is none.

    Days without a single weekend are working days (`B`), holidays or not.
    """
    if isinstance(stamps, pd.PeriodIndex):
        return stamps.freq if (np.diff(stamps.asi8) == 1).all() else None
    if not isinstance(stamps, pd.DatetimeIndex) or len(stamps) < 3:
        return None
    with warnings.catch_warnings():
        # pandas announces that it will answer with an offset; both will do here
        warnings.simplefilter("ignore")
        found = pd.infer_freq(stamps)
    if found is not None:
        return found
    days = pd.Series(stamps).diff().dropna()
    daily = (stamps == stamps.normalize()).all() and days.median() == pd.Timedelta(days=1)
    return "B" if daily and len(stamps) > 10 and (stamps.day_of_week < 5).all() else None


def _dates(stamps: pd.Index) -> pd.Index:
    try:
        return pd.DatetimeIndex(pd.to_datetime(stamps, format="ISO8601"))
    except (ValueError, TypeError) as error:
        raise TimeError(
            f"the time stamps are no dates in ISO form (2024-01-31 18:00): {error}. Parse them "
            "first, for instance with pandas.to_datetime(..., format=...)"
        ) from None

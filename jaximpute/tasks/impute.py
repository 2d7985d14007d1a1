"""`impute`: one call, any container, nothing changed but the gaps."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaximpute._errors import ImputationWarning, OptionError
from jaximpute.data import possible
from jaximpute.data.frames import Container, read, write
from jaximpute.tasks.choose import resolve
from jaximpute.tasks.filling import fill
from jaximpute.tasks.intervals import fill_between
from jaximpute.tasks.report import Report
from jaximpute.tasks.trials import check_level
from jaximpute.types import Answer


class Result(NamedTuple):
    """A completed container and where it comes from.

    Attributes:
        data: the completed copy.
        mask: True = was observed; of the array's shape, or `(rows, columns)` for frames.
        report: what was done, as plain values for JSON; see `fill`, and `interval` in it.
        low: with `interval`, a container like `data` with the lower ends of the intervals, equal
            to it where observed and in columns without an order.
        high: the upper ends.
        sets: by name of a column of booleans, categories or texts that lacks cells, for each row
            a tuple of the levels it may have: one where observed, none where left empty.
    """

    data: Container
    mask: np.ndarray
    report: Report
    low: Container | None = None
    high: Container | None = None
    sets: dict[str, list[tuple[Any, ...]]] | None = None


def impute(
    data: Container,
    method: Any = "auto",
    *,
    time: Any = None,
    group: Any = None,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    dims: Sequence[str] | None = None,
    never_impute: Any = None,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    progress: bool = False,
    answer: Answer = "estimate",
    **options: Any,
) -> Container:
    """Fill in the missing cells of a table, series, images or fields.

    Numbers are standardised, booleans, texts and categories become indicators, and the answer is
    decoded back: whole numbers stay whole, categories stay categories. Columns that cannot be
    learned (dates, free text, nothing observed) stay as they are, with a warning that names them.

    Args:
        data: a NumPy or JAX array (rows, columns), (n, time, channels), (n, y, x, channels) or
            (n, time, y, x, channels), a pandas, polars or pyarrow frame or series, or an xarray
            `DataArray` or `Dataset`. NaN, None, NA and null are missing. A frame with a
            `DatetimeIndex`, anything with `time`, and 3-D arrays are series; 4-D arrays are images,
            5-D arrays fields; what xarray holds is one of the three by its dimensions; the rest are
            tables.
        method: a name of `registry.names()`; `auto` picks by kind of data, and with the preset
            `best` it picks for a table the method that does best on some of its own cells. Or a
            method of your own, see `registry.named`.
        time: the column that holds the time stamps, or an array of them. In any order; absent rows
            of a regular grid count as missing; irregular stamps go to methods that take them.
        group: of frames in long form, the column or columns that tell the series below one another
            apart, such as `"station"`; their stamps and lengths may differ, and what a method
            learns, it learns from all of them. The levels beside the dates of an index are groups
            without being named.
        seed: of everything random; the same seed gives the same answer.
        preset: `fast`, `balanced`, `best` or `paper`.
        max_gap: leave gaps of a series that are longer empty, those at its ends included: a number
            of steps, or a duration such as `"3h"` if the stamps are dates.
        dims: of xarray's objects: the names of the dimensions of time, rows and columns, such as
            `("time", "lat", "lon")`, or of rows and columns alone. Told by the CF conventions'
            attributes or by their names if left out. All other dimensions are samples. What has a
            time alone is one series, a column a station; by `("time",)` each is its own series.
        never_impute: booleans `(y, x)` of a field, True where nothing is to be filled. Without it,
            cells of xarray's fields that are observed at no time, as land is, stay empty; False
            fills them too. Plain arrays are filled everywhere.
        bounds: by a column's name (its position for arrays) the least and greatest value that a
            missing cell may get, None for none: `{"Ozone": (0, None)}`. Without it a column says
            so itself: counts, rain, shares and the like get no negative fills, see
            `data.possible.natural_bounds`; `(None, None)` takes that off.
        circular: columns of directions, filled the shorter way round: names, or by name what they
            come back after, `{"wind_dir": 360}`; an empty list silences the hint at others.
        progress: show what is going on, and a progress bar (on stderr, if that is a terminal).
        answer: the best single `estimate`, or one random `draw` of what the cells may have been, of
            methods that draw; `impute_many` makes several.
        **options: of the method; `registry.options(name)` lists them.

    Returns:
        A copy of the container, of the same type, schema, index and column order. Observed cells
        are bit-identical.

    Raises:
        DataError: the data cannot be used as given; the message names column and row.
        TimeError: the time axis cannot be used.
        OptionError: unknown method, preset or option, or a value it does not take.
        DivergenceError: training met numbers that are not finite.

    Warns:
        ImputationWarning: cells were left empty, rows were not in order of time, gaps of a series
            are longer than the method sees, the method ended worse than it started on cells held
            out, observed cells lie outside the bounds given (they stay as they are), or a column
            looks like directions and is not given as one.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> ji.impute(np.array([[1.0, 4.0], [3.0, np.nan]]), method="mean").tolist()
        [[1.0, 4.0], [3.0, 4.0]]
    """
    result = _impute(
        data, method, time, group, dims, bounds, circular, seed=seed, preset=preset,
        max_gap=max_gap, never_impute=never_impute, progress=progress, answer=answer,
        options=options,
    )  # fmt: skip
    _warn(result.report["warnings"])
    return result.data


def impute_with_report(
    data: Container,
    method: Any = "auto",
    *,
    time: Any = None,
    group: Any = None,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    dims: Sequence[str] | None = None,
    never_impute: Any = None,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    progress: bool = False,
    answer: Answer = "estimate",
    interval: float | None = None,
    **options: Any,
) -> Result:
    r"""`impute`, with the mask of what was observed, a report, and intervals if asked for.

    Intervals are made of errors. Some observed cells are hidden, as the data's own holes lie, the
    method is run again without them, and a completion :math:`\hat x` of a cell becomes

    .. math:: [\hat x - q s, \hat x + q s]

    with :math:`q` such that the wanted share of the hidden cells lies within, by column, and where
    there are cells enough by how far away observed ones are. The intervals of methods that draw
    are the quantiles of their draws, widened or narrowed by such a :math:`q`. They hold what they
    say if what is missing is like what is observed; where cells are missing because of their own
    value, nothing that is observed can tell, and they may hold less.

    Args:
        data: see `impute`, as for all arguments.
        method: a name, or `auto`.
        time: the time axis.
        group: what tells series apart.
        seed: of everything random.
        preset: of the method.
        max_gap: longest gap to fill.
        dims: of xarray's objects.
        never_impute: where nothing is to be filled.
        bounds: of what cells may get.
        circular: columns of directions.
        progress: show a progress bar.
        answer: `estimate` or `draw`.
        interval: coverage in (0, 1), such as 0.9, of intervals for the cells of columns of numbers
            and directions, and of sets of levels for the others. The method is run two to six
            times.
        **options: of the method.

    Returns:
        The completed container, the mask and the report, whose `interval` has the coverage of
        hidden cells that did not make the intervals; and their ends.

    Raises:
        DataError: see `impute`; or too few cells can be hidden for intervals.
        TimeError, OptionError: see `impute`; or `interval` is out of range, or asked of a draw.

    Example:
        >>> import numpy as np
        >>> result = impute_with_report(np.array([[1.0, 4.0], [3.0, np.nan]]), method="mean")
        >>> result.report["missing"], result.report["filled"]
        ({'1': 1}, 1)

    Source: Lei et al., "Distribution-free predictive inference for regression", JASA 113 (2018);
    Romano, Patterson and Candes, "Conformalized quantile regression", NeurIPS 2019.
    """
    result = _impute(
        data, method, time, group, dims, bounds, circular, seed=seed, preset=preset,
        max_gap=max_gap, never_impute=never_impute, progress=progress, answer=answer,
        options=options, interval=interval,
    )  # fmt: skip
    _warn(result.report["warnings"])
    return result


def _impute(data, method, time, group, dims, bounds, circular, interval=None, **how) -> Result:
    if interval is not None:
        check_level(interval)
        if how["answer"] == "draw":
            raise OptionError(
                "interval goes with answer='estimate'; the spread of draws is in impute_many"
            )
    frame = read(data, time, dims, group)
    frame = frame._replace(columns=possible.tell(frame.columns, bounds, circular))
    name = resolve(method, frame.kind, draws=how["answer"] == "draw")
    how["hint"] = circular is None
    shape = np.shape(data) if isinstance(data, np.ndarray | jax.Array) else frame.values.shape
    mask = frame.mask.reshape(shape)
    if interval is None:
        filled = fill(frame, name, **how)
        return Result(write(frame, filled.values), mask, filled.report)
    filled, low, high, sets = fill_between(frame, name, interval, **how)
    named = {}
    for i, own in sets.items():
        levels = frame.columns[i].levels
        named[frame.names[i]] = [tuple(levels[k] for k in np.flatnonzero(row)) for row in own]
    values, low, high = (write(frame, cells) for cells in (filled.values, low, high))
    return Result(values, mask, filled.report, low, high, named)


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        # up past `impute`, to the line of the user
        warnings.warn(text, ImputationWarning, stacklevel=3)

"""Frames of pandas, polars and pyarrow as cells: their columns, their times, their groups."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from jaximpute._errors import DataError, TimeError
from jaximpute.data import panels
from jaximpute.data.columns import Column, ColumnKind, read_column, suggest
from jaximpute.data.series import Stamps, joined, parse_stamps

_TIMES = (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)


class Cells(NamedTuple):
    """The cells of a frame; see `data.frames.Frame`."""

    values: np.ndarray
    columns: tuple[Column, ...]
    shape: tuple[int, ...]
    stamps: Stamps | None


class _Axis(NamedTuple):
    """The time axis, the names of the columns it is, and of those that tell series apart."""

    stamps: Stamps | None
    times: tuple[Hashable, ...] = ()
    groups: tuple[Hashable, ...] = ()


def read_table(data: Any, time: Any, group: Any = None) -> Cells:
    """Read a frame, or a series, of a library that narwhals knows.

    Args:
        data: the frame.
        time: its time axis, see `data.frames.read`.
        group: what tells the series below one another apart, see there.

    Raises:
        DataError: no such frame, no cells, or columns of one name.
        TimeError: see `data.frames.read`.
        OptionError: a group without a time.
    """
    try:
        read_as = nw.from_native(data, eager_only=True, allow_series=True)
    except TypeError:
        raise DataError(
            f"data is a {type(data).__module__}.{type(data).__qualname__}; expected a NumPy or JAX "
            "array, or a pandas, polars or pyarrow table (collect a lazy frame first)"
        ) from None
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"column names must be unique: {error}") from None
    table = read_as.to_frame() if isinstance(read_as, nw.Series) else read_as
    if 0 in table.shape:
        raise DataError(
            f"the table has {table.shape[0]} rows and {table.shape[1]} columns; expected at least "
            "one row below the header, and one column"
        )
    labels = list(table.columns)
    axis = _find_axis(table, labels, data, time, group)
    read_cells = []
    for label, series in zip(labels, table.iter_columns(), strict=True):
        if label in axis.times + axis.groups:
            kind: ColumnKind = "time" if label in axis.times else "group"
            read_cells.append((Column(str(label), kind), np.zeros(len(series))))
        else:
            read_cells.append(read_column(series, str(label)))
    columns, values = stack(read_cells)
    return Cells(values, columns, _shape(axis.stamps, values), axis.stamps)


def stack(read_cells: Sequence[tuple[Column, np.ndarray]]) -> tuple[tuple[Column, ...], np.ndarray]:
    """Columns beside one another."""
    columns, cells = zip(*read_cells, strict=True)
    return columns, np.column_stack(cells)


def _shape(stamps: Stamps | None, values: np.ndarray) -> tuple[int, ...]:
    if stamps is None:
        return values.shape
    if stamps.group is None:
        return (1, *values.shape)
    groups, times = int(stamps.group.max()) + 1, len(np.unique(stamps.ticks))
    panels.check_room(groups, times, values.size, values.shape[1])
    return groups, times, values.shape[1]


def _find_axis(table: nw.DataFrame, labels: list[Any], data: Any, time: Any, group: Any) -> _Axis:
    index = getattr(data, "index", None)
    if time is None and group is None:
        if isinstance(index, pd.MultiIndex):
            return _from_levels(index)
        if isinstance(index, _TIMES):
            return _Axis(parse_stamps(index, table.shape[0]))
        return _Axis(None)
    names: tuple[Hashable, ...] = ()
    numbers = None
    levels = index.names if isinstance(index, pd.MultiIndex) else ()
    named = levels and (time is None or isinstance(time, str))
    if named and {time, *panels.listed(group)} <= {None, *levels}:
        return _from_levels(index, time, group)
    if group is not None:
        panels.check_group(group, time, labels, dated=isinstance(index, _TIMES))
        names = panels.listed(group)
        every = list(table.iter_columns())
        numbers = panels.number_groups({str(n): every[labels.index(n)].to_list() for n in names})
    stamps, times = _find_stamps(table, labels, index if time is None else time, numbers)
    return _Axis(stamps, times, names)


def _from_levels(index: pd.MultiIndex, time: Any = None, group: Any = None) -> _Axis:
    """Of an index with one level of dates: what tells the series apart are the others.

    Levels may be named instead; without a group's name, all but the time are groups.
    """
    dated = [i for i, level in enumerate(index.levels) if isinstance(level, _TIMES)]
    if time is not None:
        dated = [index.names.index(time)]
    if len(dated) != 1 or index.nlevels < 2:
        if group is not None:
            raise TimeError(
                f"the index has {len(dated)} levels of dates, and no time is given; expected one, "
                "or time= with the name of a level"
            )
        return _Axis(None)
    others = [i for i in range(index.nlevels) if i != dated[0]]
    if group is not None:
        others = [i for i in others if index.names[i] in panels.listed(group)]
    cells = {str(index.names[i] or i): index.get_level_values(i).tolist() for i in others}
    when = index.get_level_values(dated[0])
    return _Axis(parse_stamps(when, len(index), "the index", panels.number_groups(cells)))


def _find_stamps(
    table: nw.DataFrame, labels: list[Any], time: Any, group: np.ndarray | None
) -> tuple[Stamps, tuple[Hashable, ...]]:
    """The time axis, and the names of the columns it is."""
    rows = table.shape[0]
    if not np.isscalar(time):
        return parse_stamps(time, rows, group=group), ()
    columns = list(table.iter_columns())
    parts = str(time).split("+")
    if time not in labels and len(parts) == 2 and all(part in labels for part in parts):
        halves = [columns[labels.index(part)].to_list() for part in parts]
        return parse_stamps(joined(*halves), rows, f"columns {time!r}", group), tuple(parts)
    if time not in labels:
        names = [str(label) for label in labels]
        raise TimeError(f"no column is called {time!r}{suggest(str(time), names)}")
    series = columns[labels.index(time)]
    native = series.to_native()
    stamps = native if isinstance(native, pd.Series) else series.to_numpy()
    try:
        return parse_stamps(stamps, rows, f"column {time!r}", group), (time,)
    except TimeError as error:
        if group is not None:
            raise
        cells = {
            label: [str(cell) for cell in column.to_list()]
            for label, column in zip(labels, columns, strict=True)
        }
        if (apart := panels.telling_apart(cells, time)) is None:
            raise
        raise TimeError(
            f"{error}. Column '{apart[0]}' tells rows of the same stamp apart: they are "
            f"{apart[1]} series below one another, group='{apart[0]}' (--group {apart[0]})"
        ) from None

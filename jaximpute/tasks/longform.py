"""Series below one another, from any frame or from xarray, as frames of pandas; and back."""

from collections.abc import Callable
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OptionError, TimeError
from jaximpute.data import panels
from jaximpute.data.fields import is_gridded

_DATED = (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)


class Long(NamedTuple):
    """Series told apart.

    Attributes:
        parts: by what tells a series apart its rows, without the columns that do.
        time: the column of time stamps; None if the index is.
        joined: frames of other steps of the same series, in the order of `parts`, as one container
            of the type that was given.
    """

    parts: dict[tuple[Any, ...], pd.DataFrame]
    time: str | None
    joined: Callable[[list[pd.DataFrame]], Any]


def apart(data: Any, time: Any, group: Any) -> Long:
    """Tell series apart.

    Args:
        data: a frame of pandas, polars or pyarrow, or xarray's `DataArray` or `Dataset` of
            `(time, station)` in any order.
        time: the column of time stamps; the index, which is then of dates, if None.
        group: the column or columns that tell series apart; or the levels of a `MultiIndex` beside
            its dates, and the dimensions of xarray's beside its time, without being named.

    Returns:
        The series; one, under the name `()`, if there is nothing that tells rows apart.

    Raises:
        DataError: no such container, no such column, or what tells series apart is missing in a
            row; the message names it.
        OptionError: a group is given for a container that names its own, or without a time.

    Example:
        >>> table = pd.DataFrame({"id": ["a", "b", "a"], "day": [1, 1, 2], "x": [1.0, 5.0, 2.0]})
        >>> long = apart(table, "day", "id")
        >>> {name: part["x"].tolist() for name, part in long.parts.items()}
        {('a',): [1.0, 2.0], ('b',): [5.0]}
    """
    if is_gridded(data):
        return _of_gridded(data, time, group)
    if not isinstance(data, pd.DataFrame):
        return _of_native(data, time, group)
    index = data.index
    if time is None and group is None and isinstance(index, pd.MultiIndex):
        return _of_levels(data, index)
    if group is None:
        return Long({(): data}, time, lambda frames: frames[0])
    panels.check_group(group, time, list(data.columns), dated=isinstance(index, _DATED))
    names = list(panels.listed(group))
    numbers = panels.number_groups({str(name): data[name].tolist() for name in names})
    _, first = np.unique(numbers, return_index=True)
    labels = [tuple(data[name].iloc[i] for name in names) for i in first]
    own = data.drop(columns=names)
    parts = {label: own[numbers == number] for number, label in enumerate(labels)}

    def joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
        named = []
        for label, frame in zip(labels, frames, strict=True):
            made = frame.copy()
            for name, value in zip(names, label, strict=True):
                cells = [value] * len(made)
                made[name] = pd.Series(cells, made.index, data[name].dtype)
            named.append(made[list(data.columns)])
        return pd.concat(named, ignore_index=time is not None)

    return Long(parts, time, joined)


def _of_levels(data: pd.DataFrame, index: pd.MultiIndex) -> Long:
    dated = [i for i, level in enumerate(index.levels) if isinstance(level, _DATED)]
    if len(dated) != 1:
        raise TimeError(
            f"the index has {len(dated)} levels of dates; expected one, and others that tell "
            "series apart. Or name columns: time=, group="
        )
    names = [f"level {i}" for i in range(index.nlevels)]
    others = [name for i, name in enumerate(names) if i != dated[0]]
    flat = data.set_axis(index.set_names(names)).reset_index()
    long = apart(flat, names[dated[0]], others)
    return long._replace(
        joined=lambda frames: long.joined(frames).set_index(names).rename_axis(index.names)
    )


def _of_gridded(data: Any, time: Any, group: Any) -> Long:
    if time is not None or group is not None:
        raise OptionError(
            "time= and group= name columns of a frame; what xarray holds has its own dimensions"
        )
    array = not hasattr(data, "data_vars")
    plain = data.reset_coords(drop=True)
    whole = plain.to_dataset(name="value") if array else plain
    long = apart(whole.to_dataframe(), None, None)

    def joined(frames: list[pd.DataFrame]) -> Any:
        made = long.joined(frames).to_xarray()
        made = made["value"].rename(data.name) if array else made
        return made.transpose(*data.dims) if array else made

    return long._replace(joined=joined)


def _of_native(data: Any, time: Any, group: Any) -> Long:
    table = nw.from_native(data, eager_only=True, pass_through=True)
    if not isinstance(table, nw.DataFrame):
        raise DataError(
            f"this is a {type(data).__name__}; expected a frame of pandas, polars or pyarrow, or "
            "xarray's (time, station)"
        )
    columns = {
        name: table[name].to_numpy() if table[name].dtype.is_numeric() else _objects(table[name])
        for name in table.columns
    }
    long = apart(pd.DataFrame(columns), time, group)

    def joined(frames: list[pd.DataFrame]) -> Any:
        made, backend = long.joined(frames), table.implementation
        series = []
        for name in table.columns:
            cells = made[name]
            if pd.api.types.is_float_dtype(cells.dtype):
                one = nw.new_series(name, cells.tolist(), nw.Float64, backend=backend)
            else:
                one = nw.new_series(name, cells.tolist(), backend=backend).cast(table[name].dtype)
            series.append(one)
        return nw.from_dict({one.name: one for one in series}, backend=backend).to_native()

    return long._replace(joined=joined)


def _objects(series: nw.Series) -> Any:
    cells = series.to_list()
    return pd.to_datetime(cells) if series.dtype.is_temporal() else pd.Series(cells, dtype=object)

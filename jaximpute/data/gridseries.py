"""Variables along time alone, as stations have them: xarray's objects as series."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import fields
from jaximpute.data.columns import Column
from jaximpute.data.series import Stamps, parse_stamps


class Strand(NamedTuple):
    """How the variables of a `DataArray` or `Dataset` lie along time.

    Attributes:
        names: the variables that are filled; None for the single one of a `DataArray`.
        orders: of each variable its dimensions in the order of a frame's cells.
        parts: of each variable its columns.
        shape: `(series, time, columns)`.
        stamps: the time axis; None for steps without coordinates.
        notes: what should be known, for the user.
    """

    names: tuple[Any, ...] | None
    orders: tuple[tuple[Any, ...], ...]
    parts: tuple[slice, ...]
    shape: tuple[int, int, int]
    stamps: Stamps | None
    notes: tuple[str, ...]


def is_series(data: Any, dims: Sequence[str] | None = None) -> bool:
    """Whether an xarray object is read as series: time, and no grid of rows and columns.

    Args:
        data: a `DataArray` or `Dataset`.
        dims: as the user names them; one alone is the time.
    """
    if dims is not None:
        return len(dims) == 1
    found = fields.axes_of(data)
    if "T" not in found:
        return False
    plane = {found.get("Y"), found.get("X")}
    arrays = [
        array
        for array in getattr(data, "data_vars", {None: data}).values()
        if fields.holds_quantities(array)
    ]
    if None not in plane and any(plane <= set(array.dims) for array in arrays):
        return False
    # two that are no rows and columns by name may be them all the same, which a user has to say
    return all(_places(array, found["T"]) <= 1 for array in arrays if found["T"] in array.dims)


def _places(array: Any, time: Any) -> int:
    """How many dimensions an array has besides the time, those of one cell aside."""
    return sum(size > 1 for dim, size in array.sizes.items() if dim != time)


def read_series(
    data: Any, dims: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[Column, ...], Strand]:
    """The variables along time as the columns of series.

    Without `dims` all are one series: a variable of `(time,)` is a column, one of `(time, station)`
    a column for each station, so that stations help one another. With `dims` each place along the
    further dimensions is a series of its own.

    Args:
        data: a `DataArray` or `Dataset`. Variables without time, flags and bounds of cells stay as
            they are.
        dims: the name of the time alone; None to be told by attributes and names.

    Returns:
        `(series * time, columns)` float64 with NaN where missing, the columns, and how they lie.

    Raises:
        OptionError: no such dimension.
        DataError: no variable of numbers along time, or `dims` and further dimensions that differ.
        TimeError: stamps that are missing or occur twice.
    """
    if dims is None:
        time = fields.axes_of(data)["T"]
    else:
        (time,) = fields.check_dims(tuple(dims), [str(dim) for dim in data.dims])
    arrays = _along(data, time)
    names = tuple(arrays) if hasattr(data, "data_vars") else None
    further = [tuple(dim for dim in array.dims if dim != time) for array in arrays.values()]
    if dims is not None and len({frozenset(rest) for rest in further}) > 1:
        raise DataError(
            "the variables have different further dimensions: "
            + ", ".join(f"{name} {tuple(array.dims)}" for name, array in arrays.items())
            + "; fill those that agree together, the others apart (--variables, or "
            "data[['a', 'b']] in Python)"
        )
    steps = dict(zip(data.dims, data.shape, strict=True)) if names is None else data.sizes
    if 0 in (sizes := [size for array in arrays.values() for size in array.shape]):
        raise DataError(f"the variables have sizes {sizes}; expected at least one cell along each")
    cells: list[np.ndarray] = []
    columns: list[Column] = []
    parts, orders, notes = [], [], fields.flag_notes(data, (time,))
    for (name, array), rest in zip(arrays.items(), further, strict=True):
        order = (time, *rest) if dims is None else (*further[0], time)
        read = np.array(array.transpose(*order).values, np.float64)
        (about,) = fields.columns_of(None if names is None else (name,), [array])
        notes += fields.without_invalid(read, array, about.name)
        width = math.prod(read.shape[1:]) if dims is None else 1
        parts.append(slice(len(columns), len(columns) + width))
        orders.append(order)
        cells.append(read.reshape(-1, width))
        if dims is None and rest:
            shown = about.name if name is not None or array.name is not None else ""
            columns += [
                about._replace(name=f"{shown}[{label}]" if shown else label, variable=about.name)
                for label in _labels(data, array, rest)
            ]
        else:
            columns.append(about)
    values = np.concatenate(cells, axis=1)
    shape = (len(values) // steps[time], steps[time], len(columns))
    strand = Strand(names, tuple(orders), tuple(parts), shape, _stamps(data, time), tuple(notes))
    return values, tuple(columns), strand


def _along(data: Any, time: Any) -> dict[Any, Any]:
    """The variables of numbers that have the time."""
    if not hasattr(data, "data_vars"):
        fields.check_array(data)
        return {data.name: data}
    aside = _bounds(data)
    arrays = {
        name: array
        for name, array in data.data_vars.items()
        if time in array.dims and fields.holds_quantities(array) and str(name) not in aside
    }
    if not arrays:
        raise DataError(
            f"no variable of numbers has the dimension '{time}'; the variables have: "
            + ", ".join(f"{name} {tuple(a.dims)}" for name, a in data.data_vars.items())
        )
    return arrays


def _bounds(data: Any) -> set[str]:
    """The variables that are ends of the cells of others, by the CF conventions."""
    return {
        str(about[key])
        for variable in data.variables.values()
        for about in (variable.attrs, variable.encoding)
        for key in ("bounds", "climatology")
        if key in about
    }


def _labels(data: Any, array: Any, dims: tuple[Any, ...]) -> list[str]:
    """What the places along further dimensions are called, the last one running fastest."""
    found = [""]
    for dim in dims:
        own = _names_along(data, array, dim)
        found = [f"{before}, {label}" if before else label for before in found for label in own]
    return found


def _names_along(data: Any, array: Any, dim: Any) -> list[str]:
    size = array.sizes[dim]
    named = [
        each
        for each in {**array.coords, **getattr(data, "data_vars", {})}.values()
        if each.attrs.get("cf_role") == "timeseries_id"
    ]
    for each in (*named, *([array.coords[dim]] if dim in array.coords else [])):
        if each.dims != (dim,) or each.dtype.kind not in "iufSUOT":
            continue
        labels = [
            (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip()
            for value in each.values.tolist()
        ]
        if len(set(labels)) == size:
            return labels
    return [str(i) for i in range(size)]


def _stamps(data: Any, time: Any) -> Stamps | None:
    if time not in data.coords:
        return None
    coordinate = data.coords[time]
    if coordinate.dtype.kind not in "fiumMO":
        raise DataError(
            f"the coordinate '{time}' holds {coordinate.dtype}; expected times or numbers"
        )
    return parse_stamps(coordinate.to_index(), coordinate.size, f"coordinate '{time}'")

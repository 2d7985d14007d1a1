"""Gridded data by the names of their dimensions: xarray in, xarray out."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError, OptionError
from jaximpute.data import cfpacking
from jaximpute.data.columns import Column
from jaximpute.types import Kind

# names, `axis` and `standard_name` attributes, and units by which conventions tell dimensions
_KNOWN = (
    ("T", ("time", "t", "date", "valid_time"), ()),
    ("Y", ("lat", "latitude", "y", "rlat", "northing"), ("degrees_north", "degree_north")),
    ("X", ("lon", "longitude", "x", "rlon", "easting"), ("degrees_east", "degree_east")),
)
_ENDLESS = 1e18  # single precision and 64 bits hold more than is ever met
_UNEVEN = 0.05  # relative differences between the steps of a grid that are worth a word


class Grid(NamedTuple):
    """How the variables of a `DataArray` or `Dataset` lie in a frame.

    Attributes:
        names: the variables that are filled; None for the single one of a `DataArray`.
        dims: all dimensions in the order of the frame: samples first, then `(time,) y, x`.
        shape: `(n, time, y, x, variables)`, or `(n, y, x, variables)` without time.
        notes: what should be known, for the user.
        uneven: the dimensions whose steps differ.
    """

    names: tuple[Any, ...] | None
    dims: tuple[Any, ...]
    shape: tuple[int, ...]
    notes: tuple[str, ...]
    uneven: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """`field`, or `image` without time."""
        return "field" if len(self.shape) == 5 else "image"


def is_gridded(data: Any) -> bool:
    """Whether this is an xarray object, without importing xarray."""
    return type(data).__module__.split(".")[0] == "xarray" and hasattr(data, "dims")


def read_grid(
    data: Any, dims: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[Column, ...], Grid]:
    """The variables of a `DataArray` or `Dataset` as cells.

    Args:
        data: the object. In a `Dataset`, all variables of numbers that have these dimensions are
            filled together; the others stay as they are.
        dims: the dimensions of time, rows and columns, or of rows and columns alone. By default
            they are told by attributes of the CF conventions (`axis`, `standard_name`, `units`), or
            by their names. All other dimensions are samples.

    Returns:
        `(cells, variables)` float64 with NaN where missing, the variables, and how they lie.

    Raises:
        OptionError: `dims` names a dimension that is not there, or not two or three of them.
        DataError: dimensions that cannot be told, or no variable of numbers.
    """
    names, arrays, chosen, rest = layout(data, dims)
    order = (*rest, *chosen)
    columns = columns_of(names, arrays)
    cells, notes = [], flag_notes(data, chosen)
    for array, column in zip(arrays, columns, strict=True):
        read = np.array(array.transpose(*order).values, np.float64)
        notes += without_invalid(read, array, column.name)
        cells.append(read)
    values = np.stack(cells, axis=-1)
    samples = int(np.prod(values.shape[: len(rest)], dtype=int))
    shape = (samples, *values.shape[len(rest) :])
    if 0 in shape:
        raise DataError(f"the grid has shape {shape}; expected at least one cell along each axis")
    uneven = uneven_steps(data, chosen)
    grid = Grid(names, order, shape, (*notes, *uneven.values()), tuple(uneven))
    return values.reshape(-1, len(arrays)), columns, grid


def columns_of(names: tuple[Any, ...] | None, arrays: Sequence[Any]) -> tuple[Column, ...]:
    """What the variables hold, and what their file has room for.

    Args:
        names: see `layout`.
        arrays: the variables.
    """
    return tuple(
        Column(
            str(name if name is not None else a.name if a.name is not None else 0),
            "number" if np.issubdtype(a.dtype, np.floating) else "integer",
            angle=is_angle(a.attrs),
            room=room_of(a),
            word="variable",
        )
        for name, a in zip(names or (None,), arrays, strict=True)
    )


def room_of(array: Any) -> tuple[float, float] | None:
    """What a variable's file has room for; None of types that hold whatever there is."""
    low, high = cfpacking.packing_of(array).room
    low, high = (-np.inf if low < -_ENDLESS else low), (np.inf if high > _ENDLESS else high)
    return None if np.isinf([low, high]).all() else (low, high)


def flag_notes(data: Any, dims: Sequence[Any]) -> list[str]:
    """What to say of variables that hold flags: they are no quantities."""
    named = [
        str(name)
        for name, array in getattr(data, "data_vars", {}).items()
        if set(dims) <= set(array.dims) and holds_flags(array)
    ]
    if not named:
        return []
    shown = ", ".join(f"'{name}'" for name in named[:10])
    return [
        f"{shown} {'holds' if len(named) == 1 else 'hold'} flags (flag_values, flag_masks or "
        "flag_meanings), which are no quantities: left as they are, and not used to fill others"
    ]


def holds_flags(array: Any) -> bool:
    """Whether the attributes of a variable say that its numbers are flags."""
    return any(key in array.attrs for key in ("flag_values", "flag_masks", "flag_meanings"))


def holds_quantities(array: Any) -> bool:
    """Whether an array holds numbers that can be filled: no texts, dates or flags."""
    return array.dtype.kind in "fiu" and not holds_flags(array)


def without_invalid(cells: np.ndarray, array: Any, name: str) -> list[str]:
    """Make missing what is not valid by the variable's attributes, and say so."""
    packing = cfpacking.packing_of(array)
    wrong = cfpacking.outside(packing, cells)
    if not wrong.any():
        return []
    seen = cells[wrong]
    cells[wrong] = np.nan
    return [
        f"variable '{name}': {int(wrong.sum())} cells, from {seen.min():g} to {seen.max():g}, lie "
        f"outside its valid range ({packing.valid[0]:g} to {packing.valid[1]:g}; valid_min, "
        "valid_max, valid_range), and are missing by the conventions"
    ]


def layout(
    data: Any, dims: Sequence[str] | None = None
) -> tuple[tuple[Any, ...] | None, list[Any], tuple[Any, ...], tuple[Any, ...]]:
    """Which variables are filled, and along which dimensions; reads no cell.

    Args:
        data: a `DataArray` or `Dataset`.
        dims: see `read_grid`.

    Returns:
        The names of the variables (None for a `DataArray`), the variables, the dimensions of time,
        rows and columns (or of rows and columns), and all others.

    Raises:
        OptionError, DataError: see `read_grid`.
    """
    whole = [str(dim) for dim in data.dims]
    chosen = _infer(data) if dims is None else check_dims(tuple(dims), whole)
    names, arrays = _variables(data, chosen)
    return names, arrays, chosen, tuple(dim for dim in arrays[0].dims if dim not in chosen)


def is_angle(attributes: Mapping[Any, Any]) -> bool:
    """Whether the attributes of a variable say that it holds directions.

    Example:
        >>> is_angle({"units": "degrees"}), is_angle({"units": "degrees_C"})
        (True, False)
    """
    named = str(attributes.get("standard_name", ""))
    units = str(attributes.get("units", "")).strip().lower()
    return named.endswith(("_direction", "_azimuth_angle")) or units in ("degree", "degrees", "deg")


def never(grid: Grid, mask: np.ndarray, never_impute: Any) -> tuple[np.ndarray, str]:
    """The cells that are to stay empty, and why.

    Args:
        grid: how the variables lie.
        mask: `(cells, variables)`, True = observed.
        never_impute: True where nothing is to be filled: `(y, x)`, of all samples, times and
            variables, an array or a `DataArray` with these two dimensions. None stands for the
            cells of a field that are observed at no time, of each sample and variable by itself;
            False for none.

    Returns:
        `(cells, variables)`, True = stays empty, and the reason for reports.

    Raises:
        OptionError: a mask of another shape or type.
    """
    if never_impute is False:
        return np.zeros(mask.shape, bool), ""
    if never_impute is None:
        if grid.kind != "field":
            return np.zeros(mask.shape, bool), ""
        unseen = ~mask.reshape(grid.shape).any(axis=1, keepdims=True)
        cells = np.broadcast_to(unseen, grid.shape).reshape(mask.shape)
        return cells, "observed at no time, as land is; never_impute=False fills them too"
    if is_gridded(never_impute):
        if set(never_impute.dims) != set(grid.dims[-2:]):
            raise OptionError(
                f"never_impute has the dimensions {tuple(never_impute.dims)}; expected "
                f"{grid.dims[-2:]}"
            )
        never_impute = never_impute.transpose(*grid.dims[-2:]).values
    land = np.asarray(never_impute)
    if land.dtype != bool or land.shape != grid.shape[-3:-1]:
        raise OptionError(
            f"never_impute is of type {land.dtype} and shape {land.shape}; expected booleans of "
            f"shape {grid.shape[-3:-1]}, True where nothing is to be filled"
        )
    cells = np.broadcast_to(land[..., None], grid.shape).reshape(mask.shape)
    return cells, "in never_impute"


def array_grid(shape: tuple[int, ...]) -> Grid:
    """The grid of a plain array of images or fields."""
    dims = ("n", "time", "y", "x") if len(shape) == 5 else ("n", "y", "x")
    return Grid(tuple(range(shape[-1])), dims, shape, ())


def axes_of(data: Any) -> dict[str, Any]:
    """The dimensions that are time, rows and columns, by `T`, `Y` and `X`, as far as is told."""
    found: dict[str, Any] = {}
    for dim in data.dims:
        coordinate = data.coords.get(dim)
        about = {} if coordinate is None else coordinate.attrs
        dates = coordinate is not None and holds_dates(coordinate)
        for axis, names, units in _KNOWN:
            told = (
                about.get("axis") == axis
                or str(about.get("standard_name", "")).lower() in names
                or about.get("units") in units
                or str(dim).lower() in names
                or (axis == "T" and dates)
            )
            if told:
                found.setdefault(axis, dim)
                break
    return found


def holds_dates(array: Any) -> bool:
    """Whether an array holds dates, those of other calendars (cftime) included."""
    if array.dtype.kind == "M":
        return True
    first = array.values.flat[0] if array.dtype.kind == "O" and array.size else None
    return type(first).__module__.split(".")[0] == "cftime"


def _infer(data: Any) -> tuple[Any, ...]:
    found = axes_of(data)
    if not {"Y", "X"} <= set(found):
        raise DataError(
            f"which of the dimensions {tuple(map(str, data.dims))} are time, rows and columns "
            "cannot be told from their names or attributes; name them, for instance "
            "dims=('time', 'lat', 'lon'), two of them for images, or the time alone for series"
        )
    return tuple(found[axis] for axis in "TYX" if axis in found)


def check_dims(dims: tuple[str, ...], whole: list[str]) -> tuple[str, ...]:
    """Refuse names of dimensions that are not there, and other numbers of them than are known."""
    for dim in dims:
        if dim not in whole:
            close = get_close_matches(dim, whole, n=1)
            maybe = f"; did you mean '{close[0]}'?" if close else ";"
            raise OptionError(
                f"no dimension is called '{dim}'{maybe} dimensions: {', '.join(whole)}"
            )
    if len(dims) not in (1, 2, 3) or len(set(dims)) < len(dims):
        raise OptionError(
            f"dims is {dims}; expected the dimensions of time, rows and columns, or of rows and "
            "columns, each once, or the time alone"
        )
    return dims


def _variables(data: Any, dims: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, list[Any]]:
    if not hasattr(data, "data_vars"):
        check_array(data)
        return None, [data]
    numbers = {
        name: a
        for name, a in data.data_vars.items()
        if set(dims) <= set(a.dims) and holds_quantities(a)
    }
    if not numbers:
        raise DataError(
            f"no variable of numbers has the dimensions {tuple(map(str, dims))}; the variables "
            "have: " + ", ".join(f"{n} {tuple(a.dims)}" for n, a in data.data_vars.items())
        )
    shapes = {name: set(a.dims) for name, a in numbers.items()}
    if len({frozenset(s) for s in shapes.values()}) > 1:
        raise DataError(
            "the variables have different further dimensions: "
            + ", ".join(f"{n} {tuple(a.dims)}" for n, a in numbers.items())
            + "; fill those that agree together, the others apart (--variables, or "
            "data[['a', 'b']] in Python)"
        )
    return tuple(numbers), list(numbers.values())


def check_array(data: Any) -> None:
    """Refuse a `DataArray` that holds no quantities.

    Raises:
        DataError: texts or dates, or flags.
    """
    if data.dtype.kind not in "fiu":
        raise DataError(f"the array has dtype {data.dtype}; expected numbers, NaN = missing")
    if holds_flags(data):
        raise DataError(
            f"'{data.name}' holds flags (flag_values, flag_masks or flag_meanings), which are "
            "no quantities; drop these attributes to fill it like any number"
        )


def uneven_steps(data: Any, dims: tuple[Any, ...]) -> dict[str, str]:
    """The dimensions whose steps differ, and what to say of it."""
    notes = {}
    for dim in dims:
        coordinate = data.coords.get(dim)
        if coordinate is None or coordinate.size < 3 or coordinate.dtype.kind not in "fiuM":
            continue
        steps = np.diff(coordinate.values.astype(np.float64))
        # months differ by a tenth, which is no uneven grid
        allowed = 0.15 if coordinate.dtype.kind == "M" else _UNEVEN
        usual = np.median(steps)
        if np.abs(steps - usual).max() > allowed * abs(usual):
            notes[str(dim)] = (
                f"the steps of '{dim}' differ ({steps.min():.4g} to {steps.max():.4g}); distances "
                "are counted in cells, as if the grid were even"
            )
    return notes

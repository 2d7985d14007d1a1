"""Gridded data by the names of their dimensions: xarray in, xarray out."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError, OptionError
from jaximpute.data.columns import Column
from jaximpute.types import Kind

# names, `axis` and `standard_name` attributes, and units by which conventions tell dimensions
_KNOWN = (
    ("T", ("time", "t", "date", "valid_time"), ()),
    ("Y", ("lat", "latitude", "y", "rlat", "northing"), ("degrees_north", "degree_north")),
    ("X", ("lon", "longitude", "x", "rlon", "easting"), ("degrees_east", "degree_east")),
)
SPREAD, UNNAMED = "_std", "values"  # what the names of standard deviations end with
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
    cells = [np.asarray(a.transpose(*order).values, np.float64) for a in arrays]
    values = np.stack(cells, axis=-1)
    samples = int(np.prod(values.shape[: len(rest)], dtype=int))
    shape = (samples, *values.shape[len(rest) :])
    if 0 in shape:
        raise DataError(f"the grid has shape {shape}; expected at least one cell along each axis")
    columns = tuple(
        Column(
            str(name if name is not None else a.name if a.name is not None else 0),
            "number" if np.issubdtype(a.dtype, np.floating) else "integer",
            angle=is_angle(a.attrs),
            word="variable",
        )
        for name, a in zip(names or (None,), arrays, strict=True)
    )
    uneven = uneven_steps(data, chosen)
    grid = Grid(names, order, shape, tuple(uneven.values()), tuple(uneven))
    return values.reshape(-1, len(arrays)), columns, grid


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
    chosen = _infer(data) if dims is None else _check_dims(tuple(dims), whole)
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


def write_grid(data: Any, grid: Grid, values: np.ndarray, fill: np.ndarray) -> Any:
    """A copy with some cells filled; coordinates, attributes and encoding are kept.

    Args:
        data: what `read_grid` was given.
        grid: how its variables lie.
        values: `(cells, variables)`.
        fill: which of them to write.
    """
    names = grid.names or (None,)
    result = data.copy(deep=True)
    for i, name in enumerate(names):
        if not fill[:, i].any():
            continue
        array = result if name is None else result[name]
        straight = array.transpose(*grid.dims)
        cells = np.array(straight.values)
        here = fill[:, i].reshape(cells.shape)
        cells[here] = values[:, i].reshape(cells.shape)[here].astype(cells.dtype)
        filled = straight.copy(data=cells).transpose(*array.dims)
        if name is None:
            result = filled
        else:
            result[name] = filled
        (result if name is None else result[name]).encoding = dict(array.encoding)
    return result


def with_spread(data: Any, grid: Grid, completed: Any, spread: np.ndarray, draws: int) -> Any:
    """The completion with the standard deviation of the draws beside each variable.

    Args:
        data: what `read_grid` was given.
        grid: how its variables lie.
        completed: `data` completed.
        spread: `(cells, variables)` standard deviations, 0 where observed, NaN where left empty.
        draws: from how many draws.

    Returns:
        A `Dataset`: the completion, a `DataArray` under its own name or else `values`, and for each
        variable `NAME_std`, in its units and of a float type, with attributes that say what it is.

    Raises:
        DataError: a variable is called `NAME_std` already.
    """
    check_spread(data, grid)
    names = grid.names
    if names is None:
        names = (data.name if data.name is not None else UNNAMED,)
        completed = completed.to_dataset(name=names[0])
    beside = {}
    for i, name in enumerate(names):
        array = completed[name]
        straight = array.transpose(*grid.dims)
        wide = np.float64 if array.dtype == np.float64 else np.float32
        cells = spread[:, i].reshape(straight.shape).astype(wide)
        known = {key: array.attrs[key] for key in ("units",) if key in array.attrs}
        about = array.attrs.get("long_name") or array.attrs.get("standard_name") or name
        one = straight.copy(data=cells).transpose(*array.dims)
        one.attrs = {
            "long_name": f"standard deviation of {about} between {draws} random completions",
            **known,
            "cell_methods": "realization: standard_deviation",
            "comment": f"0 where {name} is observed",
        }
        one.encoding = {}  # packing fits the values, not their spread
        beside[f"{name}{SPREAD}"] = one
    return completed.assign(beside)


def check_spread(data: Any, grid: Grid) -> None:
    """Refuse data in which a name that `with_spread` adds is taken.

    Raises:
        DataError: it is.
    """
    held = {str(name) for name in (*getattr(data, "data_vars", ()), *data.coords)}
    for name in grid.names or ():
        if f"{name}{SPREAD}" in held:
            raise DataError(f"the data have a variable '{name}{SPREAD}' already; rename it")


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


def _infer(data: Any) -> tuple[Any, ...]:
    found: dict[str, Any] = {}
    for dim in data.dims:
        coordinate = data.coords.get(dim)
        about = {} if coordinate is None else coordinate.attrs
        dates = coordinate is not None and coordinate.dtype.kind == "M"
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
    if not {"Y", "X"} <= set(found):
        raise DataError(
            f"which of the dimensions {tuple(map(str, data.dims))} are time, rows and columns "
            "cannot be told from their names or attributes; name them, for instance "
            "dims=('time', 'lat', 'lon'), or two of them for images"
        )
    return tuple(found[axis] for axis in "TYX" if axis in found)


def _check_dims(dims: tuple[str, ...], whole: list[str]) -> tuple[str, ...]:
    for dim in dims:
        if dim not in whole:
            close = get_close_matches(dim, whole, n=1)
            maybe = f"; did you mean '{close[0]}'?" if close else ";"
            raise OptionError(
                f"no dimension is called '{dim}'{maybe} dimensions: {', '.join(whole)}"
            )
    if len(dims) not in (2, 3) or len(set(dims)) < len(dims):
        raise OptionError(
            f"dims is {dims}; expected the dimensions of time, rows and columns, or of rows and "
            "columns, each once"
        )
    return dims


def _variables(data: Any, dims: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, list[Any]]:
    if not hasattr(data, "data_vars"):
        if data.dtype.kind not in "fiu":
            raise DataError(f"the array has dtype {data.dtype}; expected numbers, NaN = missing")
        return None, [data]
    numbers = {
        name: a
        for name, a in data.data_vars.items()
        if set(dims) <= set(a.dims) and a.dtype.kind in "fiu"
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
            + "; fill those that agree together, the others apart"
        )
    return tuple(numbers), list(numbers.values())


def check_learning(
    grid: Grid, mask: np.ndarray, kept: np.ndarray, method: str, options: Mapping[str, Any]
) -> list[str]:
    """What a network that learns fields from incomplete samples cannot do on a grid.

    Args:
        grid: how the variables lie.
        mask: `(cells, variables)`, True = observed.
        kept: those that are left empty.
        method: its name.
        options: its options.

    Returns:
        A note if places are to be filled that no sample shows at any time.

    Raises:
        OptionError: a spectral network on a grid whose steps differ.
    """
    if options.get("net") == "fno" and grid.uneven:
        raise OptionError(
            f"net='fno' works with Fourier modes, and the steps of {' and '.join(grid.uneven)} "
            "differ: a mode is no wave there. Interpolate to an even grid first, or take net='unet'"
        )
    time = (1,) if grid.kind == "field" else ()
    unseen = ~mask.reshape(grid.shape).any(axis=(0, *time))
    wanted = unseen & ~kept.reshape(grid.shape).all(axis=(0, *time))
    if not wanted.any():
        return []
    y, x, channel = (int(i) for i in np.argwhere(wanted)[0])
    return [
        f"{int(wanted.sum())} places are observed in no sample at any time, the first in row {y}, "
        f"column {x}, variable {channel}: '{method}' cannot learn them, and fills them with what "
        "it carries over from others"
    ]


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

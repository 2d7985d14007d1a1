"""Completed grids in the container they came in, and their deviation beside them."""

from typing import Any

import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import cfpacking
from jaximpute.data.fields import Grid
from jaximpute.data.gridseries import Strand

SPREAD, UNNAMED = "_std", "values"  # what the names of standard deviations end with


def filled_cells(before: Any, after: Any) -> tuple[np.ndarray, np.ndarray]:
    """Which cells of a variable were filled, and all its cells as they are now.

    Args:
        before: a variable; one that holds no numbers has no cells that are filled.
        after: the same completed, its dimensions in any order.

    Returns:
        Booleans and cells of the shape of `before`.
    """
    new = after.transpose(*before.dims).values
    if before.dtype.kind not in "fiu":
        return np.zeros(before.shape, bool), new
    # what was missing is NaN, or not valid
    return np.asarray(~(before.values == new) & np.isfinite(new)), new


def write_grid(data: Any, lies: Grid | Strand, values: np.ndarray, fill: np.ndarray) -> Any:
    """A copy with some cells filled; coordinates, attributes and encoding are kept.

    Args:
        data: what `read_grid` or `read_series` was given.
        lies: how its variables lie.
        values: `(cells, columns)`.
        fill: which of them to write.
    """
    result = data.copy(deep=True)
    for i, name in enumerate(lies.names or (None,)):
        array = result if name is None else result[name]
        here = _own(lies, i, array, fill)
        if not here.any():
            continue
        cells = np.array(array.values)
        kept = cfpacking.writable(cfpacking.packing_of(array), _own(lies, i, array, values)[here])
        cells[here] = kept.astype(cells.dtype)
        filled = array.copy(data=cells)
        if name is None:
            result = filled
        else:
            result[name] = filled
        (result if name is None else result[name]).encoding = dict(array.encoding)
    return result


def _own(lies: Grid | Strand, i: int, array: Any, cells: np.ndarray) -> np.ndarray:
    """The cells of one variable, along its own dimensions."""
    if isinstance(lies, Grid):
        order, part = lies.dims, slice(i, i + 1)
    else:
        order, part = lies.orders[i], lies.parts[i]
    straight = cells[:, part].reshape([array.sizes[dim] for dim in order])
    return straight.transpose([order.index(dim) for dim in array.dims])


def with_spread(
    data: Any, lies: Grid | Strand, completed: Any, spread: np.ndarray, draws: int
) -> Any:
    """The completion with the standard deviation of the draws beside each variable.

    Args:
        data: what `read_grid` or `read_series` was given.
        lies: how its variables lie.
        completed: `data` completed.
        spread: `(cells, columns)` standard deviations, 0 where observed, NaN where left empty.
        draws: from how many draws.

    Returns:
        A `Dataset`: the completion, a `DataArray` under its own name or else `values`, and for each
        variable `NAME_std`, in its units and of a float type, with attributes that say what it is.

    Raises:
        DataError: a variable is called `NAME_std` already.
    """
    check_spread(data, lies)
    names = lies.names
    if names is None:
        names = (data.name if data.name is not None else UNNAMED,)
        completed = completed.to_dataset(name=names[0])
    beside = {}
    for i, name in enumerate(names):
        array = completed[name]
        wide = np.float64 if array.dtype == np.float64 else np.float32
        cells = _own(lies, i, array, spread).astype(wide)
        known = {key: array.attrs[key] for key in ("units",) if key in array.attrs}
        about = array.attrs.get("long_name") or array.attrs.get("standard_name") or name
        one = array.copy(data=cells)
        one.attrs = {
            "long_name": f"standard deviation of {about} between {draws} random completions",
            **known,
            "cell_methods": "realization: standard_deviation",
            "comment": f"0 where {name} is observed",
        }
        one.encoding = {}  # packing fits the values, not their spread
        beside[f"{name}{SPREAD}"] = one
    return completed.assign(beside)


def check_spread(data: Any, lies: Grid | Strand) -> None:
    """Refuse data in which a name that `with_spread` adds is taken.

    Raises:
        DataError: it is.
    """
    held = {str(name) for name in (*getattr(data, "data_vars", ()), *data.coords)}
    for name in lies.names or ():
        if f"{name}{SPREAD}" in held:
            raise DataError(f"the data have a variable '{name}{SPREAD}' already; rename it")

"""Completed grids in the container they came in, and their deviation beside them."""

from typing import Any

import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import cfpacking
from jaximpute.data.fields import Grid

SPREAD, UNNAMED = "_std", "values"  # what the names of standard deviations end with


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
        kept = cfpacking.writable(
            cfpacking.packing_of(array), values[:, i].reshape(cells.shape)[here]
        )
        cells[here] = kept.astype(cells.dtype)
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

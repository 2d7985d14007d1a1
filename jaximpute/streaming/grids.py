"""Zarr and NetCDF in blocks along time, opened lazily by xarray."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import cfpacking, fields, gridseries
from jaximpute.files import grids
from jaximpute.streaming.types import Source


class Lazy(NamedTuple):
    """An open dataset, and how its variables lie.

    Attributes:
        dataset: of xarray; cells are read when they are asked for.
        names: the variables that are filled.
        dims: their dimensions in the order of a block: the one that blocks go along first.
        notes: what should be known of it, for the user.
    """

    dataset: Any
    names: tuple[Any, ...]
    dims: tuple[Any, ...]
    notes: tuple[str, ...]

    def window(self, name: Any, start: int, stop: int) -> tuple[slice, ...]:
        """Where a block lies in a variable, in the variable's own order of dimensions."""
        along = slice(start, stop)
        return tuple(
            along if dim == self.dims[0] else slice(None) for dim in self.dataset[name].dims
        )

    def straight(self, name: Any, cells: np.ndarray) -> np.ndarray:
        """Cells of a variable in a block's order, from the variable's own."""
        own = self.dataset[name].dims
        return cells.transpose([own.index(dim) for dim in self.dims if dim in own])

    def back(self, name: Any, cells: np.ndarray) -> np.ndarray:
        """The inverse of `straight`."""
        own = self.dataset[name].dims
        there = [dim for dim in self.dims if dim in own]
        return cells.transpose([there.index(dim) for dim in own])


def open_grid(path: str, dims: Sequence[str] | None = None) -> Source:
    """A Zarr store or NetCDF file as steps of time, or without time as images.

    Args:
        path: of the file.
        dims: see `jaximpute.data.fields.read_grid`.

    Returns:
        The source. Steps have the event `(samples, y, x, variables)`, where all dimensions besides
        time, rows and columns are samples; images `(y, x, variables)`.

    Raises:
        DataError: it cannot be read, or images along more than one further dimension.
        OptionError: `dims` is wrong.
        MissingExtraError: the libraries are not installed.
    """
    dataset = grids.open_lazily(path)
    if gridseries.is_series(dataset, dims):
        raise DataError(
            f"{path} holds series, without rows and columns, and these are completed whole; leave "
            "out --block-rows"
        )
    names, arrays, chosen, rest = fields.layout(dataset, dims)
    # a store lists its variables in any order, another one at the next opening
    names = tuple(sorted(names or (), key=str))
    arrays = [dataset[name] for name in names]
    timed = len(chosen) == 3
    if not timed and len(rest) != 1:
        raise DataError(
            f"{path} has no time, and besides rows and columns the dimensions "
            f"{tuple(map(str, rest))}; blocks go along time or along one further dimension. Name "
            "it as the time: dims=('NAME', 'y', 'x') (--dims)"
        )
    order = (chosen[0], *rest, *chosen[1:]) if timed else (*rest, *chosen)
    sizes = dict(zip(arrays[0].dims, arrays[0].shape, strict=True))
    length, space = sizes[order[0]], tuple(sizes[dim] for dim in order[-2:])
    if 0 in sizes.values():
        raise DataError(f"the grid in {path} has the sizes {sizes}; expected at least 1 each")
    samples = (math.prod(sizes[dim] for dim in rest),) if timed else ()
    event = (*samples, *space, len(arrays))
    packings = [cfpacking.packing_of(array) for array in arrays]
    notes = [*fields.flag_notes(dataset, chosen), *fields.uneven_steps(dataset, chosen).values()]
    notes += [
        f"variable '{name}': cells outside its valid range ({packing.valid[0]:g} to "
        f"{packing.valid[1]:g}) are missing by the conventions"
        for name, packing in zip(names, packings, strict=True)
        if np.isfinite(packing.valid).any()
    ]
    lazy = Lazy(dataset, names, order, tuple(notes))

    def read(start: int, stop: int) -> np.ndarray:
        cells = []
        for name, packing in zip(names, packings, strict=True):
            part = dataset[name].isel({order[0]: slice(start, stop)}).transpose(*order)
            read = np.array(part.values, np.float64).reshape(-1, *event[:-1])
            read[cfpacking.outside(packing, read)] = np.nan
            cells.append(read)
        return np.stack(cells, axis=-1)

    chunk = min(length, math.lcm(*(_chunk(array, order[0]) for array in arrays)))
    return Source(
        path,
        "field" if timed else "image",
        "time" if timed else "rows",
        length,
        event,
        fields.columns_of(names, arrays),
        unit=chunk,
        align=chunk if grids.is_zarr(path) else 1,  # two blocks never write to one chunk
        read=read,
        native=lazy,
    )


def _chunk(array: Any, dim: Any) -> int:
    """Steps that a store writes together: those of a chunk, or of a shard of chunks."""
    place = array.dims.index(dim)
    for key in ("shards", "chunks", "chunksizes"):
        if sizes := array.encoding.get(key):
            return max(1, int(sizes[place]))
    return 1

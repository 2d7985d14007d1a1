"""Files written block by block: whole at the end, and safe to go on with after a crash.

A sink works in a folder of its own. A block may be written twice, with the same cells. What is
written survives the death of the process; of the machine, too, but for Zarr, whose chunks the
system brings to the disk when it likes.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from jaximpute._errors import OptionError
from jaximpute.data import cfpacking
from jaximpute.data.npyrows import Rows
from jaximpute.files import arrays, grids, zarrfolders
from jaximpute.files.atomic import to_disk
from jaximpute.streaming import parquet_output, parts
from jaximpute.streaming.grids import Lazy
from jaximpute.streaming.types import PARQUET, Sink, Source


def check_format(source: Source, output: str) -> None:
    """Refuse an output of another format than the source's.

    Raises:
        OptionError: it is.
    """
    of, to = Path(source.path).suffix.lower(), Path(output).suffix.lower()
    groups: list[tuple[str, ...]] = [PARQUET, grids.NETCDF]
    same = next((group for group in groups if of in group), (of,))
    if to not in same:
        raise OptionError(
            f"block by block a file is written in its own format: {' or '.join(same)} here, and "
            f"not {output}"
        )


def open_sink(source: Source, folder: Path, *, fresh: bool) -> Sink:
    """Begin to write, or go on.

    Args:
        source: what is completed.
        folder: to work in.
        fresh: whether nothing was written before.

    Raises:
        OSError: the disk is full, for instance.
    """
    if grids.is_zarr(source.path):
        return _zarr(source, folder / "whole.zarr", fresh)
    if grids.is_grid_file(source.path):
        return _netcdf(source, folder)
    if Path(source.path).suffix.lower() in PARQUET:
        return parquet_output.plain(source, folder)
    return _npy(source, folder / "whole.npy", fresh)


def _npy(source: Source, whole: Path, fresh: bool) -> Sink:
    array: Rows = source.native
    if fresh:
        about = {"descr": np.lib.format.dtype_to_descr(array.dtype), "shape": array.shape}
        with whole.open("wb") as out:
            np.lib.format.write_array_header_1_0(out, {**about, "fortran_order": False})
    # by writes and not through a memory map, in which a full disk would kill the process
    with whole.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        begin = file.tell()
    row = array.dtype.itemsize * int(np.prod(array.shape[1:]))

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        cells = np.array(array.read(start, stop), order="C")
        cells[fill] = arrays.cast(values[fill], cells.dtype)
        with whole.open("r+b") as out:
            out.seek(begin + start * row)
            out.write(cells.tobytes())
            to_disk(out)

    return Sink(write, lambda: whole)


def _zarr(source: Source, whole: Path, fresh: bool) -> Sink:
    import zarr

    if fresh:
        zarrfolders.copy(source.path, whole)  # all that is not filled stays as it is
    else:
        zarrfolders.clear(whole)
    lazy: Lazy = source.native
    before: Any = zarr.open_group(source.path, mode="r")
    after: Any = zarr.open_group(whole, mode="r+")

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        for i, name in enumerate(lazy.names):
            if fill[..., i].any():
                place = lazy.window(name, start, stop)
                cells = np.asarray(before[str(name)][place])
                after[str(name)][place] = patched(lazy, name, cells, fill[..., i], values[..., i])

    return Sink(write, lambda: whole)


def _netcdf(source: Source, folder: Path) -> Sink:
    # a file of HDF5 that is killed while it is written may be lost: gaps go to parts first
    lazy: Lazy = source.native

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        with parts.part(folder, start, stop).open("wb") as out:
            np.savez(out, fill=np.packbits(fill), values=values[fill])
            to_disk(out)

    def finish() -> Path:
        import h5py

        whole = folder / "whole.nc"
        shutil.copyfile(source.path, whole)
        with h5py.File(whole, "r+") as file:
            for part in parts.all_parts(folder, source.length):
                start, stop = parts.span(part)
                shape = (stop - start, *source.event)
                with np.load(part, allow_pickle=False) as saved:
                    bits = np.unpackbits(saved["fill"], count=int(np.prod(shape)))
                    fill, values = bits.astype(bool).reshape(shape), np.zeros(shape)
                    values[fill] = saved["values"]
                for i, name in enumerate(lazy.names):
                    if fill[..., i].any():
                        place, variable = lazy.window(name, start, stop), file[str(name)]
                        variable[place] = patched(
                            lazy, name, variable[place], fill[..., i], values[..., i]
                        )
        return whole

    return Sink(write, finish)


def patched(
    lazy: Lazy, name: object, cells: np.ndarray, fill: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """A block of a variable as its file holds it, with some cells filled.

    Args:
        lazy: the open dataset.
        name: of the variable.
        cells: as read from the file, in its own order of dimensions and packed.
        fill: which cells to fill, in the order of a block.
        values: what with, in the order of a block; finite in `fill`.
    """
    shape = lazy.straight(name, cells).shape
    here = lazy.back(name, fill.reshape(shape))
    new = lazy.back(name, np.where(fill, values, 0.0).reshape(shape))
    result = np.array(cells)
    packing = cfpacking.packing_of(lazy.dataset[name])
    result[here] = cfpacking.encoded(packing, new[here]).astype(cells.dtype)
    return result

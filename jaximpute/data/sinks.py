"""Files written block by block: whole at the end, and safe to go on with after a crash.

A sink works in a folder of its own. A block may be written twice, with the same cells. What is
written survives the death of the process; of the machine, too, but for Zarr, whose chunks the
system brings to the disk when it likes.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import OptionError
from jaximpute.data import gridfiles
from jaximpute.data.files import pyarrow
from jaximpute.data.gridblocks import Lazy, encoded
from jaximpute.data.parquetrows import filled
from jaximpute.data.sources import PARQUET, Source


class Sink(NamedTuple):
    """Where completed blocks go.

    Attributes:
        write: `(start, stop, fill, values)`: rows or steps, of which the cells in `fill` take the
            `values`, and all others are copied as the file holds them, bit for bit.
        finish: puts the parts together, if there are any, and returns the path of the whole.
    """

    write: Callable[[int, int, np.ndarray, np.ndarray], None]
    finish: Callable[[], Path]


NOWHERE = Sink(lambda start, stop, fill, values: None, Path)  # of a run that writes nothing


def check_format(source: Source, output: str) -> None:
    """Refuse an output of another format than the source's.

    Raises:
        OptionError: it is.
    """
    of, to = Path(source.path).suffix.lower(), Path(output).suffix.lower()
    groups: list[tuple[str, ...]] = [PARQUET, gridfiles.NETCDF]
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
    if gridfiles.is_zarr(source.path):
        return _zarr(source, folder / "whole.zarr", fresh)
    if gridfiles.is_grid_file(source.path):
        return _netcdf(source, folder)
    if Path(source.path).suffix.lower() in PARQUET:
        return _parquet(source, folder)
    return _npy(source, folder / "whole.npy", fresh)


def _npy(source: Source, whole: Path, fresh: bool) -> Sink:
    array = source.native
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
        cells = np.array(array[start:stop], order="C")
        cells[fill] = values[fill].astype(cells.dtype)
        with whole.open("r+b") as out:
            out.seek(begin + start * row)
            out.write(cells.tobytes())
            _settle(out)

    return Sink(write, lambda: whole)


def _parquet(source: Source, folder: Path) -> Sink:
    arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
    file, rows = source.native
    schema = file.schema_arrow
    pressed = file.metadata.row_group(0).column(0).compression.lower()
    how = {"compression": "none" if pressed == "uncompressed" else pressed}

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        flat = (stop - start, len(source.columns))
        table = filled(rows(start, stop), source.columns, fill.reshape(flat), values.reshape(flat))
        with _part(folder, start, stop).open("wb") as out:
            parquet.write_table(table, out, row_group_size=max(1, stop - start), **how)
            _settle(out)

    def finish() -> Path:
        whole = folder / "whole.parquet"
        with whole.open("wb") as out:
            with parquet.ParquetWriter(out, schema, **how) as writer:
                for part in _parts(folder, source.length):
                    table = parquet.read_table(part, use_threads=False, memory_map=False)
                    writer.write_table(arrow.Table.from_batches(table.to_batches(), schema))
            _settle(out)
        return whole

    return Sink(write, finish)


def _zarr(source: Source, whole: Path, fresh: bool) -> Sink:
    import zarr

    if fresh:
        shutil.rmtree(whole, ignore_errors=True)
        shutil.copytree(source.path, whole)  # all that is not filled stays as it is
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
        with _part(folder, start, stop).open("wb") as out:
            np.savez(out, fill=np.packbits(fill), values=values[fill])
            _settle(out)

    def finish() -> Path:
        import h5py

        whole = folder / "whole.nc"
        shutil.copyfile(source.path, whole)
        with h5py.File(whole, "r+") as file:
            for part in _parts(folder, source.length):
                start, stop = _span(part)
                shape = (stop - start, *source.event)
                with np.load(part, allow_pickle=False) as held:
                    bits = np.unpackbits(held["fill"], count=int(np.prod(shape)))
                    fill, values = bits.astype(bool).reshape(shape), np.zeros(shape)
                    values[fill] = held["values"]
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
    result[here] = encoded(lazy, name, new)[here].astype(cells.dtype)
    return result


def _settle(file) -> None:
    file.flush()
    os.fsync(file.fileno())


def _part(folder: Path, start: int, stop: int) -> Path:
    return folder / f"rows_{start:015d}_{stop:015d}.part"


def _span(part: Path) -> tuple[int, int]:
    start, stop = part.stem.split("_")[1:]
    return int(start), int(stop)


def _parts(folder: Path, length: int) -> list[Path]:
    parts = sorted(folder.glob("rows_*.part"))
    spans = [_span(part) for part in parts]
    edges = [0, *(stop for _, stop in spans)]
    assert edges[-1] == length
    assert [start for start, _ in spans] == edges[:-1]
    return parts

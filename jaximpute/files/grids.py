"""NetCDF and Zarr through xarray: read whole or lazily, written whole or not at all."""

import contextlib
import gc
import importlib
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaximpute._errors import DataError, JaximputeError, need_extra
from jaximpute.data import hdf5check, hdf5filters, hdf5links
from jaximpute.files import atomic, zarrcodecs, zarrfolders

NETCDF, ZARR = (".nc", ".nc4"), (".zarr",)
SUFFIXES = (*NETCDF, *ZARR)
_UNEVEN = ("month", "year", "common_year")  # units of time without a length of their own
# how a store compresses; other formats, and other versions of this one, know other codecs
_CODECS = ("compressor", "compressors", "filters", "serializer", "shards", "preferred_chunks")


def is_grid_file(path: str) -> bool:
    """Whether a path is named like a file of gridded data."""
    return Path(path).suffix.lower() in SUFFIXES


def is_zarr(path: str) -> bool:
    """Whether a path is named like a Zarr store, which is a folder."""
    return Path(path).suffix.lower() in ZARR


def read_dataset(path: str) -> Any:
    """A file as a `Dataset`, loaded whole, so that the file may be replaced.

    Raises:
        DataError: no such file, or it cannot be read.
        MissingExtraError: the libraries are not installed.
    """
    with open_lazily(path) as dataset, _damage_named(path, "cannot be read"):
        return dataset.load()


def open_lazily(path: str) -> Any:
    """A file as a `Dataset` whose cells are read when they are asked for, and not kept.

    Raises:
        DataError: no such file, or it cannot be read.
        MissingExtraError: the libraries are not installed.
    """
    library = xarray(zarr=is_zarr(path))
    if not Path(path).exists():
        raise DataError(f"cannot read {path}: No such file or directory")
    if is_zarr(path):
        zarrfolders.refuse_links(path)
        zarrcodecs.check(path)
    store, engine = (
        ("Zarr", {"engine": "zarr", "consolidated": False}) if is_zarr(path) else ("NetCDF", {})
    )
    with _damage_named(path, f"cannot be read as {store}"):
        if not is_zarr(path):
            _open_once(path)
        dataset = _with_times(library, path, engine)
    if not is_zarr(path):
        return dataset
    # a store lists its variables in an order that varies, and methods see them in that order
    names = sorted(dataset.data_vars, key=str)
    return dataset.drop_vars(names).assign({name: dataset[name] for name in names})


def _with_times(library: Any, path: str, engine: dict[str, Any]) -> Any:
    """A dataset; of units and calendars that give no dates, times are the numbers they are.

    "months since" is one of them, which some calendars have as dates that cannot be written, and
    every other calendar where cftime is not installed. Their distances are those that the file
    means, and they are written as they were read.
    """
    try:
        dataset = library.open_dataset(path, cache=False, **engine)
        units = (one.encoding.get("units") for one in dataset.variables.values())
        if not any(str(unit).lower().startswith(_UNEVEN) for unit in units):
            return dataset
        dataset.close()
    except ValueError as error:
        if "unable to decode time units" not in str(error):
            raise
        _let_go(error)
    return library.open_dataset(path, cache=False, decode_times=False, **engine)


@contextlib.contextmanager
def _damage_named(path: str, what: str) -> Iterator[None]:
    """Turn what the libraries raise where a file is damaged, whatever that is, into one error."""
    try:
        yield
    except (JaximputeError, MemoryError):
        raise
    except Exception as error:
        text = f"{error}".strip() or type(error).__name__
        _let_go(error)
        raise DataError(f"{path} {what}: {text}") from error


def _let_go(error: BaseException) -> None:
    """End what a library has half opened; h5netcdf says a traceback of its own when that ends."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        one: BaseException | None = error
        while one is not None:
            traceback.clear_frames(one.__traceback__)
            one = one.__context__
        gc.collect()
    finally:
        sys.unraisablehook = before


def _open_once(path: str) -> None:
    """Let HDF5 refuse a file by itself; h5netcdf, if it cannot open one, leaves a traceback."""
    h5py = importlib.import_module("h5py")
    if h5py.is_hdf5(path):
        hdf5check.check(path)
        with h5py.File(path, "r") as file:
            hdf5links.refuse(file, path)
            hdf5filters.check(file, path)


def netcdf(dataset: Any) -> bytes:
    """A `Dataset` as the bytes of a NetCDF file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "filled.nc"
        without_codecs(dataset).to_netcdf(file, engine="h5netcdf")
        return file.read_bytes()


def to_zarr(dataset: Any, to: Path) -> None:
    """A `Dataset` as a new Zarr store."""
    # the third version of the format has no consolidated metadata
    without_codecs(dataset).to_zarr(to, mode="w", consolidated=False)


def write_zarr(
    make: Callable[[Path], None], path: str, *, force: bool = False, like: str | None = None
) -> None:
    """Write a Zarr store: it is made beside its place and renamed, so it appears whole or not.

    Args:
        make: makes it where it is told to, such as `to_zarr` of a `Dataset`.
        path: the store.
        force: replace a store that exists.
        like: what it is made of; see `atomic.replacing`.

    Raises:
        OutputError: see `check_zarr`; or writing failed.
        MissingExtraError: zarr is not installed.
    """
    check_zarr(path, force=force)
    xarray(zarr=True)
    with atomic.replacing_folder(path, force=force, like=like) as beside:
        make(beside)


def check_zarr(path: str, *, force: bool = False) -> None:
    """Refuse a path that `write_zarr` would refuse.

    Raises:
        OutputError: it exists and `force` is false, or holds what is no part of a Zarr store; or
            there is no folder for it.
        MissingExtraError: zarr is not installed.
    """
    zarrfolders.check(path)
    atomic.check_new(path, force=force)
    xarray(zarr=True)


def xarray(zarr: bool = False) -> Any:
    """The library.

    Args:
        zarr: whether it is to read or write Zarr, and not NetCDF.

    Raises:
        MissingExtraError: it, or what it needs for the format, is not installed.
    """
    needed = ["zarr"] if zarr else ["h5netcdf", "h5py"]
    words = ("xarray with zarr", "Zarr") if zarr else ("xarray with h5netcdf", "reading NetCDF")
    try:
        for module in needed:
            importlib.import_module(module)
        return importlib.import_module("xarray")
    except ImportError as error:
        raise need_extra(words[0], "fields", words[1]) from error


def without_codecs(dataset: Any) -> Any:
    """A shallow copy whose variables keep their packing and forget their compression."""
    bare = dataset.copy()
    for name, variable in bare.variables.items():
        kept = {key: value for key, value in variable.encoding.items() if key not in _CODECS}
        bare[name].encoding = kept
    return bare

"""A completed file of gridded data: a copy of what was read, in which only filled cells differ.

Groups, attributes, unlimited dimensions, chunks, compression and variables that nobody understood
come along, since nothing but the filled cells is written anew.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import cfpacking, gridwriting
from jaximpute.files import grids, identity, zarrfolders


class Origin(NamedTuple):
    """Where a `Dataset` was read from.

    Attributes:
        path: of the file.
        dataset: as it was read, loaded.
        was: its fingerprint before it was read.
    """

    path: str
    dataset: Any
    was: dict[str, int | str]


def read(path: str) -> Origin:
    """A file, loaded whole, and what tells whether it changes later.

    Raises:
        DataError: see `files.grids.read_dataset`; or nothing but groups is in it.
        MissingExtraError: the libraries are not installed.
    """
    was = identity.fingerprint_of(path)
    dataset = grids.read_dataset(path)
    if not dataset.data_vars and (groups := groups_of(path)):
        raise DataError(
            f"{path} holds no variables but those in groups ({', '.join(groups[:10])}), and only "
            "variables outside groups are filled; copy the group that is to be filled into a file "
            "of its own (ncks -G : -g NAME in.nc out.nc, for instance)"
        )
    return Origin(path, dataset, was)


def groups_of(path: str) -> list[str]:
    """The names of the groups in a file."""
    if grids.is_zarr(path):
        import zarr

        return sorted(name for name, _ in zarr.open_group(path, mode="r").groups())
    import h5py

    if not h5py.is_hdf5(path):  # older formats have none
        return []
    with h5py.File(path, "r") as file:
        return sorted(name for name in file if isinstance(file[name], h5py.Group))


def fits(origin: Origin, path: str) -> bool:
    """Whether an output is of the format of what was read, so that it can be a copy."""
    if grids.is_zarr(path) or grids.is_zarr(origin.path):
        return grids.is_zarr(path) and grids.is_zarr(origin.path)
    import h5py

    return bool(h5py.is_hdf5(origin.path))


def check(origin: Origin, path: str) -> None:
    """Refuse an output of another format for a file with groups, which would be lost.

    Raises:
        DataError: it is one.
    """
    if not fits(origin, path) and (groups := groups_of(origin.path)):
        raise DataError(
            f"{origin.path} holds the groups {', '.join(groups[:10])}, which would not come along "
            f"to {path}; write it in its own format"
        )


def write(origin: Origin, completed: Any, to: Path) -> None:
    """Copy the file and write into the copy what was filled.

    Args:
        origin: what was read.
        completed: a copy of `origin.dataset` with cells filled, and perhaps variables added.
        to: does not exist.

    Raises:
        DataError: the file was changed since it was read.
        OSError: the disk is full, for instance.
    """
    if zarr := grids.is_zarr(origin.path):
        zarrfolders.copy(origin.path, to)
    else:
        shutil.copyfile(origin.path, to)
    if identity.fingerprint_of(origin.path) != origin.was:
        raise DataError(
            f"{origin.path} was changed while it was completed, and nothing is written: the result "
            "would be a mixture. Run the command again when nothing writes to the file"
        )
    if zarr:
        import zarr as library

        _patch(origin, completed, library.open_group(to, mode="r+"))
    else:
        import h5py

        with h5py.File(to, "r+") as file:
            _patch(origin, completed, file)
    added = [name for name in completed.data_vars if name not in origin.dataset.data_vars]
    if added:
        beside = grids.without_codecs(completed[added].reset_coords(drop=True))
        beside = beside.drop_vars(list(beside.coords))
        beside.attrs = {}
        if zarr:
            beside.to_zarr(to, mode="a", consolidated=False)
        else:
            beside.to_netcdf(to, mode="a", engine="h5netcdf")


def _patch(origin: Origin, completed: Any, store: Any) -> None:
    for name, before in origin.dataset.data_vars.items():
        here, new = gridwriting.filled_cells(before, completed[name])
        if not here.any():
            continue
        codes = np.asarray(store[str(name)][...])
        packing = cfpacking.packing_of(before)
        codes[here] = cfpacking.encoded(packing, new[here]).astype(codes.dtype)
        store[str(name)][...] = codes

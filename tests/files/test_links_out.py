"""Grids that lead to files outside: nothing of these is read, whole or by blocks."""

import sys
from pathlib import Path

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.files import grids
from tests.helpers.commands import call

xarray = pytest.importorskip("xarray")
pytest.importorskip("zarr")
h5py = pytest.importorskip("h5py")


def data() -> "xarray.Dataset":
    x = np.arange(32.0).reshape(8, 2, 2)
    x[5, 1, 1] = np.nan
    return xarray.Dataset({"v": (("time", "lat", "lon"), x)})


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("more", [(), ("--block-rows", "4")], ids=["whole", "blocks"])
def test_a_chunk_that_is_a_link_is_not_followed(version, more, tmp_path):
    store, out = tmp_path / "x.zarr", tmp_path / "out.zarr"
    how = {"zarr_format": version, "encoding": {"v": {"chunks": (4, 2, 2)}}}
    data().to_zarr(store, consolidated=False, **how)
    chunk = store / "v" / ("0.0.0" if version == 2 else "c/0/0/0")
    secret = tmp_path / "secret"
    chunk.rename(secret)
    chunk.symlink_to(secret)
    done = call("impute", store, "-o", out, "-m", "mean", *more)
    assert done.exit_code == 3
    assert "is a link out of the store" in " ".join(done.stderr.split())
    assert not out.exists()
    chunk.unlink()
    secret.rename(store / "v" / "beside")  # within the store it may be one
    chunk.symlink_to(store / "v" / "beside")
    assert grids.read_dataset(str(store))["v"].sum() == np.nansum(data()["v"])


@pytest.mark.parametrize("how", ["link", "cells", "view"])
def test_hdf5_that_lies_elsewhere_is_not_read(how, tmp_path):
    secret, path = tmp_path / "secret", tmp_path / "x.nc"
    data().to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    data().to_netcdf(path, engine="h5netcdf")
    secret.write_bytes(b"secrets!" * 4)
    with h5py.File(path, "a") as file:
        group = file.create_group("deep")
        if how == "link":
            group["w"] = h5py.ExternalLink(str(tmp_path / "other.nc"), "/v")
        elif how == "cells":
            group.create_dataset("w", (32,), np.uint8, external=[(str(secret), 0, 32)])
        else:
            layout = h5py.VirtualLayout((8, 2, 2), float)
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.nc"), "v", (8, 2, 2))
            group.create_virtual_dataset("w", layout)
    with pytest.raises(ji.DataError, match=r"'deep/w' in .*x\.nc lies in another file"):
        grids.read_dataset(str(path))


def test_a_view_of_the_same_file_is_read(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["v"] = np.arange(4.0)
        layout = h5py.VirtualLayout((4,), float)
        layout[:] = h5py.VirtualSource(file["v"])
        file.create_virtual_dataset("w", layout)
        file["x"] = h5py.SoftLink("/v")
    with h5py.File(path) as file:
        assert grids.hdf5links.refuse(file, str(Path(path))) is None

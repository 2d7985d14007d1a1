"""Damaged NetCDF files from which the HDF5 library does not come back."""

import gc

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.data import hdf5check
from jaximpute.files import grids

h5py = pytest.importorskip("h5py")
xr = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")


@pytest.fixture(autouse=True)
def leave_none():
    yield
    hdf5check._stop()


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.nc"
    data = xr.Dataset({"v": (("time", "lat", "lon"), np.ones((3, 2, 2)))})
    data.to_netcdf(path, engine="h5netcdf")
    return path


def test_a_file_that_is_read_for_ever_is_refused(whole, monkeypatch):
    hdf5check._stop()
    with monkeypatch.context() as patch:
        endless = hdf5check._LOOK.replace('look("/", file)', "while True: pass")
        patch.setattr(hdf5check, "_LOOK", endless)
        with pytest.raises(ji.DataError, match=r"does not come back from it within 0\.5 s"):
            hdf5check.check(str(whole), seconds=0.5)
    assert not hdf5check._KEPT
    hdf5check.check(str(whole))  # by another process


def test_a_crash_of_the_library_is_named(whole, monkeypatch):
    hdf5check._stop()
    crash = hdf5check._LOOK.replace('look("/", file)', "import os; os.abort()")
    monkeypatch.setattr(hdf5check, "_LOOK", crash)
    with pytest.raises(ji.DataError, match=r"whole\.nc is damaged: the HDF5 library crashes"):
        grids.open_lazily(str(whole))
    assert not hdf5check._KEPT


def test_where_no_process_starts_files_are_read_all_the_same(whole, monkeypatch):
    hdf5check._stop()
    monkeypatch.setattr(hdf5check.sys, "executable", "/nowhere/python")
    with grids.open_lazily(str(whole)) as data:
        assert data.v.shape == (3, 2, 2)
    monkeypatch.undo()
    monkeypatch.setattr(hdf5check, "_LOOK", "raise SystemExit(1)")
    with grids.open_lazily(str(whole)) as data:
        assert data.v.shape == (3, 2, 2)


def test_one_process_is_kept(whole):
    hdf5check.check(str(whole))
    first = hdf5check._KEPT[0].process.pid
    hdf5check.check(str(whole))
    assert hdf5check._KEPT[0].process.pid == first


def test_cells_of_every_file_are_read_and_not_of_the_first_alone(whole, monkeypatch):
    hdf5check._stop()
    few = hdf5check._LOOK.replace("2**26", "130")  # bytes, enough for one such file
    marked = few.replace("thing[...]", "name == 'v' and open(file.filename + '.read', 'x')")
    monkeypatch.setattr(hdf5check, "_LOOK", marked)
    copy = whole.with_name("copy.nc")
    copy.write_bytes(whole.read_bytes())
    for path in (whole, copy):
        hdf5check.check(str(path))
        assert path.with_name(path.name + ".read").exists()


def test_a_file_that_is_half_opened_leaves_no_traceback(whole, capfd):
    data = bytearray(whole.read_bytes())
    data[data.find(b"OHDR") + 12] ^= 1  # against its check sum
    whole.write_bytes(data)
    with pytest.raises(ji.DataError, match="cannot be read as NetCDF"):
        grids.open_lazily(str(whole))
    gc.collect()
    assert "Traceback" not in capfd.readouterr().err


def test_filters_that_are_not_installed_are_named(tmp_path):
    path = tmp_path / "a.nc"
    with h5py.File(path, "w") as file:
        file["w"] = np.ones(4)
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((4,))
        how.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((4,))
        made = h5py.h5d.create(file.id, b"packed", h5py.h5t.IEEE_F64LE, space, how)
        made.write_direct_chunk((0,), b"x" * 32)
    with pytest.raises(ji.DataError, match=r"'packed' in .* HDF5 filter 32999"):
        grids.open_lazily(str(path))

"""Fields in files: standard deviations of draws beside the values, and Zarr stores."""

import os
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute.cli import app
from jaximpute.data import frames, gridwriting
from jaximpute.files import draws as many
from jaximpute.files import grids, sheets
from jaximpute.tasks import filling
from jaximpute.tasks.filling import Filled
from jaximpute.tasks.multiple import deviation

xr = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")
RUNNER = CliRunner()
TINY = {"sgd_total": 2, "steps": 1, "feed": "observed", "width": 8, "members": 1, "batch": 2}
TINY |= {"partition": "pixel"}


def _sea(attrs=True):
    rng = np.random.default_rng(0)
    values = 280 + rng.normal(size=(3, 4, 5)).astype(np.float32)
    values[:, 1:3, 2] = np.nan
    values[0, 1:3, 2] = 281
    values[:, :, 0] = np.nan
    return xr.DataArray(
        values,
        dims=("time", "lat", "lon"),
        coords={"time": pd.date_range("2020-01-01", periods=3), "lat": np.arange(4.0)},
        name="sst",
        attrs={"units": "K", "long_name": "sea surface temperature"} if attrs else {},
    )


def call(*arguments):
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def _check_spread(data, before):
    assert set(data.data_vars) == {"sst", "sst_std"}
    std, seen = data.sst_std, ~np.isnan(before.values)
    assert std.dims == before.dims
    assert std.dtype == before.dtype
    assert (std.values[seen] == 0).all()
    assert (std.values[0, 1:, 1:3, 2] > 0).all()
    assert np.isnan(std.values[..., 0]).all()
    assert std.attrs["units"] == "K"
    assert "standard deviation of sea surface temperature between 3" in std.attrs["long_name"]
    np.testing.assert_array_equal(data.sst.values[seen], before.values[seen])
    assert data.sst.attrs == before.attrs


def test_draws_leave_their_standard_deviation_beside_the_median(tmp_path, monkeypatch):
    # what is missing in one member is observed in the other: it can be learned, and varies
    sea = xr.concat([_sea(), _sea().copy(data=_sea().values[..., [0, 4, 3, 2, 1]])], dim="member")
    sea.encoding = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280, "_FillValue": -9999}
    source, target = tmp_path / "sst.nc", tmp_path / "filled.zarr"
    sea.to_netcdf(source, engine="h5netcdf")
    options = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    fill, kept = filling.fill, []  # runs once for both ways to ask
    monkeypatch.setattr(filling, "fill", lambda *a, **k: kept.append(fill(*a, **k)) or kept[-1])
    done = call("impute", source, "-o", target, "-m", "context_query", "--draws", 3, *options)
    assert done.exit_code == 0, done.output
    packed = grids.read_dataset(str(source)).sst
    written = grids.read_dataset(str(target))
    _check_spread(written, packed)
    assert "scale_factor" not in written.sst_std.encoding
    assert written.sst.encoding["dtype"] == np.int16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ji.ImputationWarning)
        monkeypatch.setattr(filling, "fill", lambda *a, **k: kept[-1])
        result = ji.impute_many(packed, "context_query", draws=3, **TINY)
    _check_spread(result.spread, packed)
    np.testing.assert_allclose(result.spread.sst_std, written.sst_std, rtol=1e-3, atol=1e-5)


@pytest.mark.fast
def test_the_deviation_is_that_of_the_draws():
    sea = _sea(attrs=False)
    frame = frames.read(sea)
    draws = np.where(frame.mask, frame.values, [[[1.0]], [[2.0]], [[6.0]]])
    spread = deviation(frame, Filled(frame.values, {}, draws))
    np.testing.assert_allclose(spread[~frame.mask], np.sqrt(7))
    whole = gridwriting.with_spread(sea, frame.grid, sea, spread, 3)
    assert "units" not in whole.sst_std.attrs
    assert "deviation of sst between" in whole.sst_std.attrs["long_name"]
    unnamed = sea.rename(None)
    assert "values_std" in gridwriting.with_spread(unnamed, frame.grid, unnamed, spread, 3)


@pytest.mark.fast
def test_what_cannot_have_a_deviation_is_refused(tmp_path):
    plain, taken = tmp_path / "sst.nc", tmp_path / "taken.nc"
    sea = _sea().to_dataset()
    sea.to_netcdf(plain, engine="h5netcdf")
    sea.assign(sst_std=sea.sst.isel(time=0, drop=True)).to_netcdf(taken, engine="h5netcdf")
    for source, draws, more, code, words in [
        (plain, 1, [], 2, "one draw has no standard deviation"),
        (plain, 3, ["--method", "harmonic"], 2, "not random draws"),
        (taken, 3, [], 3, "'sst_std' already"),
    ]:
        done = call("impute", source, "-o", tmp_path / "out.nc", "--draws", draws, *more)
        assert (done.exit_code, words in done.output) == (code, True), done.output
    with pytest.raises(ji.DataError, match="'sst_std' already"):
        ji.impute_many(grids.read_dataset(str(taken)), draws=2)


def test_a_store_goes_in_and_comes_out_whole(tmp_path):
    source, target = tmp_path / "sst.zarr", tmp_path / "filled.zarr"
    sea = _sea().to_dataset().assign_attrs(Conventions="CF-1.8")
    sea.sst.encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -9999}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about its own formats
        sea.to_zarr(source, zarr_format=2)
    arguments = ("impute", source, "-o", target, "--method", "mean")
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    before, after = (grids.read_dataset(str(path)) for path in (source, target))
    seen = ~np.isnan(before.sst.values)
    np.testing.assert_array_equal(after.sst.values[seen], before.sst.values[seen])
    assert np.isfinite(after.sst.values[..., 1:]).all()
    assert after.attrs == before.attrs
    assert after.sst.attrs == before.sst.attrs
    assert after.sst.encoding["dtype"] == np.int16
    xr.testing.assert_identical(after.drop_vars("sst"), before.drop_vars("sst"))
    assert "exists; pass --force" in call(*arguments).output
    assert call(*arguments, "--force").exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["filled.zarr", "sst.zarr"]
    assert call("impute", source, "-o", tmp_path / "a.nc", "--method", "mean").exit_code == 0


@pytest.mark.fast
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_store_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch, failure):
    target = tmp_path / "sst.zarr"
    grids.write_zarr(partial(grids.to_zarr, _sea().to_dataset()), str(target))

    def half(self, store, **options):
        (store / "sst").mkdir(parents=True)
        raise failure

    monkeypatch.setattr(xr.Dataset, "to_zarr", half)
    wrong = ji.OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(wrong):
        grids.write_zarr(partial(grids.to_zarr, _sea().to_dataset()), str(target), force=True)
    assert os.listdir(tmp_path) == ["sst.zarr"]
    assert grids.read_dataset(str(target)).sst.shape == (3, 4, 5)


@pytest.mark.fast
def test_what_is_no_store_is_not_touched(tmp_path):
    other = tmp_path / "precious.zarr"
    other.mkdir()
    (other / "letter").write_text("dear")
    with pytest.raises(ji.OutputError, match="no Zarr store"):
        sheets.check_output(str(other), force=True)
    with pytest.raises(ji.DataError, match="cannot be read as Zarr"):
        sheets.read_file(str(other))
    with pytest.raises(ji.DataError, match="No such file"):
        sheets.read_file(str(tmp_path / "none.zarr"))
    with pytest.raises(ji.OutputError, match="there is no folder"):
        sheets.check_output(str(tmp_path / "no" / "a.zarr"))
    assert not many.is_folder(str(other))
    assert many.is_folder(str(tmp_path))


def test_variables_of_a_store_are_read_in_one_order(tmp_path):
    shape = ("time", "y")
    names = ["b", "a", "d", "c"]
    before = xr.Dataset(
        {name: (shape, np.full((2, 3), float(i))) for i, name in enumerate(names)},
        coords={"place": ("y", [3.0, 1.0, 2.0]), "alone": 7},
        attrs={"title": "four"},
    )
    before.to_zarr(tmp_path / "four.zarr", consolidated=False)
    read = grids.read_dataset(str(tmp_path / "four.zarr"))
    assert list(read.data_vars) == sorted(names)
    xr.testing.assert_identical(read, before)

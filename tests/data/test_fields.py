"""xarray in, xarray out: only missing cells change, and bad input says what is wrong."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute.cli import app
from jaximpute.data import fields
from jaximpute.files import sheets
from jaximpute.tasks.impute import impute_with_report

RUNNER = CliRunner()


def _sea(seed=0, units=True):
    """Six months on a small grid, with a column of land and holes that move."""
    rng = np.random.default_rng(seed)
    values = 280 + rng.normal(size=(6, 4, 5)).cumsum(1).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0] = np.where(np.isnan(values[0]), 281, values[0])
    values[:, :, 0] = np.nan
    return xr.DataArray(
        values.astype(np.float32),
        dims=("time", "lat", "lon"),
        coords={
            "time": pd.date_range("2020-01-01", periods=6, freq="MS"),
            "lat": ("lat", np.arange(4.0), {"units": "degrees_north"} if units else {}),
            "lon": ("lon", np.arange(5.0)),
            "depth": 0.5,
        },
        name="sst",
        attrs={"units": "K", "cell_methods": "time: mean"} if units else {},
    )


def _quiet(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ji.ImputationWarning)
        return ji.impute(*args, method="harmonic", **options)


def _only_gaps_changed(before, after, land=True):
    seen = ~np.isnan(before.values)
    np.testing.assert_array_equal(before.values[seen], after.values[seen])
    assert np.isnan(after.values[..., 0]).all() == land
    assert np.isfinite(after.values[..., 1:]).all()


def test_a_data_array_comes_back_with_all_that_belongs_to_it():
    sea = _sea()
    sea.encoding = {"_FillValue": np.float32(-999)}
    before = sea.copy(deep=True)
    with pytest.warns(ji.ImputationWarning, match="observed at no time, as land is"):
        filled = ji.impute(sea, method="harmonic")
    xr.testing.assert_identical(sea, before)
    _only_gaps_changed(sea, filled)
    xr.testing.assert_identical(filled.copy(data=sea.values), sea)
    assert filled.encoding == sea.encoding
    assert filled.dtype == np.float32


def test_the_order_of_dimensions_does_not_matter_and_comes_back():
    sea = _sea()
    other = sea.transpose("lon", "time", "lat")
    filled = _quiet(other, dims=("time", "lat", "lon"))
    assert filled.dims == other.dims
    np.testing.assert_allclose(filled.transpose(*sea.dims), _quiet(sea), rtol=1e-6)
    renamed = sea.rename(time="a", lat="b", lon="c").drop_vars("a").assign_coords(b=np.arange(4.0))
    again = _quiet(renamed, dims=("a", "b", "c"))
    np.testing.assert_allclose(again.values, _quiet(sea).values, rtol=1e-6)


def test_a_dataset_keeps_what_is_not_filled():
    sea = _sea()
    data = xr.Dataset(
        {
            "sst": sea,
            "ice": _sea(1).drop_attrs(deep=False),
            "bounds": (("time", "edge"), np.zeros((6, 2))),
            "name": ((), "north"),
        },
        attrs={"Conventions": "CF-1.8"},
    )
    filled = _quiet(data)
    _only_gaps_changed(data.sst, filled.sst)
    _only_gaps_changed(data.ice, filled.ice)
    xr.testing.assert_identical(filled.drop_vars(["sst", "ice"]), data.drop_vars(["sst", "ice"]))
    assert filled.sst.attrs == sea.attrs
    assert list(filled.data_vars) == list(data.data_vars)


def test_further_dimensions_are_samples():
    members = xr.concat([_sea(0), _sea(1)], dim="member")
    filled = _quiet(members)
    assert filled.dims == members.dims
    _only_gaps_changed(members, filled)


@pytest.mark.parametrize("as_array", [False, True])
def test_never_impute_says_where(as_array):
    sea = _sea()
    land = np.zeros((4, 5), bool)
    land[2:] = True
    mask = land if as_array else xr.DataArray(land.T, dims=("lon", "lat"))
    filled = _quiet(sea, never_impute=mask)
    seen = ~np.isnan(sea.values)
    assert (np.isfinite(filled.values) == (seen | ~land)).all()
    everywhere = ji.impute(sea, method="harmonic", never_impute=False)  # warns of nothing
    assert np.isfinite(everywhere.values).all()


def test_each_variable_has_its_own_land():
    sea = _sea()
    ice = _sea(1).copy(data=np.where(np.isnan(_sea(1).values), 1.0, _sea(1).values))
    filled = _quiet(xr.Dataset({"sst": sea, "ice": ice}))
    assert np.isnan(filled.sst.values[..., 0]).all()
    assert np.isfinite(filled.ice.values).all()


def test_without_time_it_is_images_and_nothing_is_land():
    picture = _sea()[1].drop_vars("time")
    filled = ji.impute(picture, method="harmonic")
    assert np.isfinite(filled.values).all()


def test_arrays_of_images_and_fields_are_filled_everywhere():
    x = _sea().values[None, ..., None]
    result = impute_with_report(x, method="harmonic")
    assert result.report["kind"] == "field"
    assert result.mask.shape == x.shape
    assert np.isfinite(result.data).all()
    assert impute_with_report(x[:, 0], method="harmonic").report["kind"] == "image"


def test_auto_fills_fields():
    result = impute_with_report(_sea(), never_impute=False)
    assert result.report["method"] == "stack"
    assert max(result.report["chosen"]["weights"].values()) > 0
    assert np.isfinite(result.data.values).all()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"dims": ("time", "latt", "lon")}, ji.OptionError, "did you mean 'lat'"),
        ({"dims": ("time", "lat", "lon", "lat")}, ji.OptionError, "time, rows and columns"),
        ({"dims": ("lat", "lat", "lon")}, ji.OptionError, "each once"),
        ({"time": "time"}, ji.OptionError, "tables and series"),
        ({"max_gap": 2}, ji.OptionError, "no gaps in time"),
        ({"never_impute": np.zeros((5, 4), bool)}, ji.OptionError, r"\(4, 5\)"),
        ({"never_impute": np.zeros((4, 5))}, ji.OptionError, "booleans"),
        ({"method": "spirit"}, ji.OptionError, "methods for a field"),
    ],
)
def test_wrong_options_say_what_is_wrong(options, error, words):
    with pytest.raises(error, match=words):
        ji.impute(_sea(), **{"method": "mean", **options})


@pytest.mark.fast
def test_dimensions_that_cannot_be_told_must_be_named():
    sea = _sea(units=False).rename(lat="row", lon="column")
    with pytest.raises(ji.DataError, match="name them"):
        ji.impute(sea)
    with pytest.raises(ji.DataError, match="no variable of numbers"):
        ji.impute(xr.Dataset({"a": ("lat", np.zeros(3)), "b": ("lon", np.zeros(2))}))
    with pytest.raises(ji.OptionError, match="this is none"):
        ji.impute(np.zeros((2, 2)), dims=("y", "x"))
    with pytest.raises(ji.OptionError, match="images and fields"):
        ji.impute(np.array([[1.0, np.nan], [2.0, 3.0]]), never_impute=False)


@pytest.mark.fast
def test_attributes_tell_dimensions_that_names_do_not():
    sea = _sea(units=False).rename(lat="row", lon="column")
    sea["row"].attrs["axis"], sea["column"].attrs["standard_name"] = "Y", "longitude"
    _, _, grid = fields.read_grid(sea)
    assert grid.dims == ("time", "row", "column")


def test_all_land_stays_as_it_is():
    sea = _sea()
    empty = sea.copy(data=np.full(sea.shape, np.nan, np.float32))
    with pytest.warns(ji.ImputationWarning, match="nothing in it is observed"):
        filled = ji.impute(empty, method="harmonic")
    xr.testing.assert_identical(filled, empty)


def test_an_uneven_grid_is_mentioned():
    sea = _sea().assign_coords(lat=[0.0, 1.0, 2.0, 9.0])
    with pytest.warns(ji.ImputationWarning, match="steps of 'lat' differ"):
        ji.impute(sea, method="harmonic", never_impute=False)


def test_infinite_values_are_refused():
    sea = _sea()
    sea[0, 0, 1] = np.inf
    with pytest.raises(ji.DataError, match="infinite"):
        ji.impute(sea, method="mean")


def test_a_file_without_units_goes_through_the_command_line(tmp_path):
    source, target = tmp_path / "sst.nc", tmp_path / "filled.nc"
    sea = _sea(units=False)
    sea.encoding = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280, "_FillValue": -9999}
    sea.to_netcdf(source, engine="h5netcdf")
    arguments = ["impute", str(source), "-o", str(target), "--method", "harmonic"]
    done = RUNNER.invoke(app, [*arguments, "--dims", "time,lat,lon"])
    assert done.exit_code == 0, done.output
    assert "observed at no time" in done.output
    with xr.open_dataset(source) as before, xr.open_dataset(target) as after:
        _only_gaps_changed(before.sst, after.sst)
        assert after.sst.encoding["dtype"] == np.int16
        assert after.sst.encoding["_FillValue"] == -9999
        assert list(after.coords) == list(before.coords)
    done = RUNNER.invoke(app, [*arguments, "--fill-unseen", "--force"])
    assert done.exit_code == 0, done.output
    with xr.open_dataset(target) as after:
        assert np.isfinite(after.sst).all()


def test_the_command_line_refuses_what_it_cannot_write(tmp_path):
    source = tmp_path / "sst.nc"
    _sea().to_netcdf(source, engine="h5netcdf")
    for more, code, words in [
        ([], 2, "-o filled.nc"),
        (["-o", str(tmp_path / "out.csv")], 2, "written as NetCDF"),
        (["-o", str(tmp_path / "out.nc"), "--dims", "time,lat,lot"], 2, "did you mean 'lo"),
    ]:
        done = RUNNER.invoke(app, ["impute", str(source), "--method", "mean", *more])
        assert (done.exit_code, words in done.output) == (code, True), done.output
    done = RUNNER.invoke(app, ["simulate", str(source), "-o", str(tmp_path / "holes.nc")])
    assert (done.exit_code, "not emptied" in done.output) == (3, True), done.output
    (tmp_path / "broken.nc").write_bytes(b"no such format")
    done = RUNNER.invoke(app, ["impute", str(tmp_path / "broken.nc"), "-o", "x.nc"])
    assert done.exit_code == 3
    assert "cannot be read as NetCDF" in done.output


@pytest.mark.fast
def test_without_xarray_the_extra_is_named(tmp_path, monkeypatch):
    source = tmp_path / "sst.nc"
    source.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(ji.MissingExtraError, match=r"jaximpute\[fields\]"):
        sheets.read_file(str(source))

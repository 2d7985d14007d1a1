"""NetCDF, Zarr and xarray without rows and columns: stations, and single records, as series."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute.cli import app
from jaximpute.data import calendars, frames, gridwriting

xr = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")
HOURS, STATIONS = 48, ("KSEA", "KPDX", "KSFO")


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def stations(holes=True, order=("time", "station")):
    t = np.arange(HOURS)
    wave = np.sin(2 * np.pi * t / 24)
    air = np.stack([10 + 3 * wave, 12 + 2 * wave, 15 + wave], axis=1).astype(np.float32)
    sun = np.maximum(wave, 0) * 500
    if holes:
        air[[3, 4, 20], [0, 0, 2]] = np.nan
        sun[30] = np.nan
    air = xr.DataArray(air, dims=("time", "station"), attrs={"units": "degC"}).transpose(*order)
    flag = xr.DataArray(np.arange(HOURS) % 3, dims="time", attrs={"flag_values": [0, 1, 2]})
    return xr.Dataset(
        {
            "air": air,
            "sun": ("time", sun, {"units": "W m-2", "long_name": "sun"}),
            "qc": flag,
            "altitude": ("station", [130.0, np.nan, 4.0]),
            "time_bnds": (("time", "nv"), np.stack([t - 0.5, t + 0.5], axis=1)),
        },
        {
            "time": ("time", pd.date_range("2024-01-01", periods=HOURS, freq="h")),
            "station": list(STATIONS),
        },
        {"title": "three stations"},
    ).assign_coords(time=lambda d: d.time.assign_attrs(bounds="time_bnds"))


def save(data, path, **encoding):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about its own formats
        if path.suffix == ".zarr":
            data.to_zarr(path, consolidated=False, encoding=encoding)
        else:
            data.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def load(path):
    how = {"engine": "zarr", "consolidated": False} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, **how) as data:
        return data.load()


def test_stations_are_columns_of_one_series():
    frame = frames.read(stations())
    assert frame.kind == "series"
    assert frame.shape == (1, HOURS, 4)
    assert frame.names == ("air[KSEA]", "air[KPDX]", "air[KSFO]", "sun")
    assert frame.stamps.seconds is not None


@pytest.mark.parametrize("order", [("time", "station"), ("station", "time")])
def test_a_dataset_of_series_is_completed_like_its_table(order):
    data = stations(order=order).drop_vars("qc")
    filled = ji.impute(data, "linear")
    table = pd.DataFrame(
        {name: data.air.sel(station=name).values.astype(float) for name in STATIONS},
        index=data.time.to_index(),
    ).assign(sun=data.sun.values)
    expected = ji.impute(table, "linear", bounds={"KSEA": (None, None)})
    for name in STATIONS:
        got = filled.air.sel(station=name).values
        np.testing.assert_allclose(got, expected[name].to_numpy(), rtol=1e-6)
    np.testing.assert_allclose(filled.sun.values, expected["sun"].to_numpy(), rtol=1e-6)
    xr.testing.assert_identical(filled.drop_vars(["air", "sun"]), data.drop_vars(["air", "sun"]))
    known = ~np.isnan(data.air.values)
    assert (filled.air.values[known] == data.air.values[known]).all()
    assert filled.air.dims == order
    assert filled.air.attrs == data.air.attrs
    assert filled.air.dtype == np.float32


def test_each_station_by_itself_is_asked_for_by_the_time_alone():
    data = stations()[["air"]]
    frame = frames.read(data, dims=("time",))
    assert frame.shape == (3, HOURS, 1)
    assert frame.names == ("air",)
    filled = ji.impute(data, "linear", dims=("time",))
    together = ji.impute(data, "linear")
    np.testing.assert_allclose(filled.air.values, together.air.values, rtol=1e-6)


def test_an_array_of_one_record_without_coordinates():
    data = xr.DataArray([1.0, np.nan, 3.0, 4.0], dims="time")
    assert ji.impute(data, "linear").values.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_file_of_stations_comes_back_whole(tmp_path, suffix):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    packed = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768}
    save(stations(), path, air=packed)
    done = call("impute", path, "-o", out, "--method", "linear", "--bounds", "air=-50:60")
    assert done.exit_code == 0, done.output
    assert "4 of 4" in done.stderr
    assert "'qc' holds flags" in done.stderr
    before, after = load(path), load(out)
    for name in ("qc", "altitude", "time_bnds", "time", "station"):
        xr.testing.assert_identical(
            before[name].reset_coords(drop=True), after[name].reset_coords(drop=True)
        )
    known = ~np.isnan(before.air.values)
    assert (before.air.values[known] == after.air.values[known]).all()
    assert not np.isnan(after.air.values).any()
    assert after.air.encoding["dtype"] == np.dtype("int16")
    assert after.attrs == before.attrs
    truth = stations(holes=False).air.values
    assert np.abs(after.air.values - truth).max() < 0.3


def test_draws_of_stations_have_their_spread_beside_them():
    data = stations()[["sun", "air"]]
    frame = frames.read(data)
    spread = np.where(frame.mask, 0.0, [1.0, 2.0, 3.0, 4.0])
    wide = gridwriting.with_spread(data, frame.strand, data, spread, 5)
    assert wide.air_std.dims == ("time", "station")
    assert wide.air_std.values[3].tolist() == [2.0, 0.0, 0.0]
    assert wide.air_std.values[20].tolist() == [0.0, 0.0, 4.0]
    assert wide.sun_std.values[30] == 1.0


def test_intervals_of_stations_are_variables_beside_theirs(tmp_path):
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    save(stations()[["air"]], path)
    few = ["--set", "score_steps=3", "--set", "sde_steps=3", "--set", "steps=1", "--set", "width=8"]
    run = ["impute", path, "--method", "diffusion", *few, "-o", out]
    done = call(*run, "--draws", 3, "--interval", 0.8)
    assert done.exit_code == 0, done.output
    after = load(out)
    assert after.air_low.dims == ("time", "station")
    assert ((after.air_low <= after.air) & (after.air <= after.air_high)).all()


def test_variables_are_chosen(tmp_path):
    grid = xr.DataArray(np.ones((HOURS, 3, 3)), dims=("time", "lat", "lon"))
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    save(stations().assign(rain=grid.where(grid.lat > 0)), path)
    done = call("impute", path, "-o", out, "--method", "linear", "--variables", "sun")
    assert done.exit_code == 0, done.output
    before, after = load(path), load(out)
    assert not np.isnan(after.sun).any()
    xr.testing.assert_identical(before.drop_vars("sun"), after.drop_vars("sun"))
    wrong = call("impute", path, "-o", out, "--force", "--variables", "sum,air")
    assert wrong.exit_code == 2
    assert (
        "no variable is called 'sum'; did you mean 'sun'? variables: air, sun, qc" in wrong.stderr
    )
    flags = call("impute", path, "-o", out, "--force", "--variables", "qc")
    assert flags.exit_code == 2
    assert "'qc' holds flags" in flags.stderr
    table = tmp_path / "a.csv"
    table.write_text("a\n1\n")
    assert call("impute", table, "--variables", "a").exit_code == 2


def test_fields_of_different_dimensions_are_filled_apart(tmp_path):
    draw = np.random.default_rng(0)
    shape = {"time": 4, "lat": 5, "lon": 6, "depth": 2}
    flat, deep = (
        draw.normal(size=[shape[dim] for dim in dims]) for dims in (list(shape)[:3], shape)
    )
    flat[1, 2, 3], deep[1, 2, 3, 1] = np.nan, np.nan
    path, out, both = (tmp_path / name for name in ("in.nc", "out.nc", "both.nc"))
    save(xr.Dataset({"flat": (list(shape)[:3], flat), "deep": (list(shape), deep)}), path)
    done = call("impute", path, "-o", out, "--method", "mean")
    assert done.exit_code == 3
    assert "--variables" in done.stderr
    assert call("impute", path, "-o", out, "--method", "mean", "--variables", "deep").exit_code == 0
    assert np.isnan(load(out).flat.values).sum() == 1
    assert not np.isnan(load(out).deep).any()
    done = call("impute", out, "-o", both, "--method", "mean", "--variables", "flat")
    assert done.exit_code == 0
    assert not np.isnan(load(both).flat).any()


def test_what_is_added_may_not_be_called_like_a_variable_that_was_not_chosen(tmp_path):
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    data = stations()
    save(data.assign(sun_std=data.sun, sun_low=data.sun), path)
    run = ["impute", path, "-o", out, "--variables", "sun", "--method", "diffusion"]
    for option in (["--draws", 2], ["--interval", 0.5]):
        done = call(*run, *option)
        assert (done.exit_code, "already" in done.stderr) == (3, True), done.output
        assert not out.exists()


def test_stamps_that_occur_twice_are_refused():
    data = stations()
    twice = data.assign_coords(time=np.repeat(data.time.values[::2], 2))
    with pytest.raises(ji.TimeError, match="duplicate"):
        ji.impute(twice, "linear")


def test_inspect_shows_stations(tmp_path):
    path = tmp_path / "in.nc"
    save(stations(), path)
    done = call("inspect", path)
    assert done.exit_code == 0
    assert "air[KSEA]" in done.stdout


@pytest.mark.parametrize("calendar", ["360_day", "noleap"])
@pytest.mark.parametrize("dims", [("time",), ("time", "lat", "lon")])
def test_other_calendars(tmp_path, calendar, dims):
    pytest.importorskip("cftime")
    size = {"time": 40, "lat": 3, "lon": 3}
    values = np.ones([size[dim] for dim in dims]) * np.arange(40.0).reshape(
        -1, *[1] * (len(dims) - 1)
    )
    values[5] = np.nan
    # the 30th of February, or four centuries of days without a leap year
    times = xr.date_range("2001-02-25", periods=40, calendar=calendar, use_cftime=True)
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    save(xr.Dataset({"v": (dims, values)}, {"time": times}), path)
    done = call("impute", path, "-o", out, "--method", "linear" if len(dims) == 1 else "mean")
    assert done.exit_code == 0, done.output
    before, after = load(path), load(out)
    assert (before.time.values == after.time.values).all()
    assert not np.isnan(after.v).any()
    if len(dims) == 1:
        np.testing.assert_allclose(after.v, np.arange(40.0), rtol=1e-6)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    ("units", "calendar", "dtype"),
    [
        ("months since 2000-01-15", "standard", "i4"),
        ("months since 2000-01-15", "noleap", "f4"),
        ("years since 1850-01-01", "360_day", "f8"),
        ("months since 2000-01-15", "360_day", "f8"),
        ("days since 2001-02-25", "360_day", "f8"),
        ("hours since 0001-01-01", "julian", "i8"),
    ],
)
def test_times_that_are_no_dates_here_are_numbers(tmp_path, units, calendar, dtype, suffix):
    """With cftime, or for units that it does not know: distances count, bits come back."""
    raw = np.array([0, 1, 2, 3, 5, 6, 7], dtype)  # a step is absent
    values = np.array([0.0, np.nan, 2, 3, np.nan, 6, 7])
    times = ("time", raw, {"units": units, "calendar": calendar})
    path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    save(xr.Dataset({"v": ("time", values)}, {"time": times}), path)
    done = call("impute", path, "-o", out, "--method", "linear")
    assert done.exit_code == 0, done.output
    engine = "zarr" if suffix == ".zarr" else "h5netcdf"
    how = {"engine": engine, "decode_times": False}
    how |= {"consolidated": False} if suffix == ".zarr" else {}
    with xr.open_dataset(path, **how) as before, xr.open_dataset(out, **how) as after:
        assert after.time.dtype == before.time.dtype
        assert after.time.values.tobytes() == before.time.values.tobytes()
        assert after.time.attrs == before.time.attrs
        np.testing.assert_allclose(after.v, [0, 1, 2, 3, 5, 6, 7], rtol=1e-6)


def test_distances_of_dates_finer_than_seconds():
    first = datetime.datetime(2001, 2, 25)
    for step, jitter in ((0.25, 0), (1.0, 20)):
        off = [
            datetime.timedelta(seconds=step * i, microseconds=jitter * (i % 2)) for i in range(5)
        ]
        found = calendars.since_first(pd.Index([first + each for each in off], dtype=object))
        assert found.total_seconds().tolist() == [step * i for i in range(5)]

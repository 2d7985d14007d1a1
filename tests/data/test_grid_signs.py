"""`--missing` for data of numbers alone: NetCDF, Zarr and NumPy."""

import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from jaximpute.cli import app

xr = pytest.importorskip("xarray")
h5py = pytest.importorskip("h5py")
pytest.importorskip("h5netcdf")
SIGN = -9999


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def codes(dtype, sign=SIGN):
    t, y, x = np.meshgrid(np.arange(5), np.arange(4), np.arange(3), indexing="ij")
    whole = (100 + 10 * t + y + x).astype(dtype)
    holes = np.zeros(whole.shape, bool)
    holes[1, 2, 1] = holes[2, 0, 0] = True
    if dtype == "f4":
        whole += np.float32(0.1)
    whole[holes] = sign
    return whole, holes


def write(path, raw, **attrs):
    data = xr.Dataset(
        {
            "v": (("time", "lat", "lon"), raw, attrs),
            "w": (("time", "lat", "lon"), raw.copy(), {"flag_values": [0, 1]}),
        },
        {"time": pd.date_range("2020", periods=len(raw))},
    )
    fills = {"v": {"_FillValue": None}, "w": {"_FillValue": None}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".zarr":
            data.to_zarr(path, consolidated=False, encoding=fills)
        else:
            data.to_netcdf(path, engine="h5netcdf", encoding=fills)


def raw_of(path, name="v"):
    how = {"engine": "zarr", "consolidated": False} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, mask_and_scale=False, **how) as data:
        return data[name].load()


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    ("dtype", "attrs", "sign"),
    [
        ("f4", {}, "-9999"),
        ("f8", {}, "v=-9999.0"),
        ("i2", {}, "-9999"),
        ("i8", {}, "-9999"),
        ("i2", {"scale_factor": 0.1, "add_offset": 3.0}, "-9999"),  # as packed
        ("i2", {"scale_factor": 0.1, "add_offset": 3.0}, "-996.9"),  # as decoded
        ("f4", {"scale_factor": 0.5}, "-4999.5"),
    ],
)
def test_a_number_that_is_not_declared_means_missing(tmp_path, suffix, dtype, attrs, sign):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    raw, holes = codes(dtype)
    write(path, raw, **attrs)
    done = call("impute", path, "-o", out, "--method", "mean", "--missing", sign)
    assert done.exit_code == 0, done.output
    assert "taken for a missing cell 2 times, in variable 'v'" in done.stderr
    assert "filled 2 of 2" in done.stderr
    got = raw_of(out)
    assert got.dtype == raw.dtype
    assert got.attrs == raw_of(path).attrs
    assert got.values[~holes].tobytes() == raw[~holes].tobytes()
    assert ((got.values[holes] > 99) & (got.values[holes] < 160)).all()
    assert raw_of(out, "w").values.tobytes() == raw.tobytes()


@pytest.mark.fast
def test_a_sign_of_three_nines_and_a_half_is_found_in_single_precision(tmp_path):
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    raw, holes = codes("f4", np.float32(999.9))
    write(path, raw)
    done = call("impute", path, "-o", out, "--method", "mean", "--missing", "999.9")
    assert done.exit_code == 0
    assert "filled 2 of 2" in done.stderr
    assert (raw_of(out).values[holes] < 200).all()


@pytest.mark.fast
def test_decoded_numbers_come_before_packed_ones(tmp_path):
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    raw, _ = codes("i2", sign=0)
    raw[0, 0, 0] = 100  # 10 as decoded
    raw[0, 0, 1] = 10
    write(path, raw, scale_factor=0.1)
    done = call("impute", path, "-o", out, "--method", "mean", "--missing", "10")
    assert done.exit_code == 0, done.output
    after = raw_of(out).values
    assert after[0, 0, 1] == 10
    assert (after != raw).sum() == (raw == 100).sum()


@pytest.mark.fast
def test_cells_that_are_left_empty_keep_their_sign(tmp_path):
    raw, _ = codes("i2")
    raw[:, 3, 2] = SIGN  # land
    for suffix in (".nc", ".npy"):
        path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        if suffix == ".nc":
            write(path, raw)
        else:
            np.save(path, np.where(np.arange(3) == 2, SIGN, raw[:, :2]).reshape(-1, 3))
        done = call("impute", path, "-o", out, "--method", "mean", "--missing", SIGN)
        assert done.exit_code == 0, done.output
        after = raw_of(out).values if suffix == ".nc" else np.load(out)
        assert after.dtype == raw.dtype
        left = after[:, 3, 2] if suffix == ".nc" else after[:, 2]
        assert (left == SIGN).all()
        assert (after == SIGN).sum() == left.size


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i8", "u1", ">f4", ">i4"])
def test_arrays_of_numbers(tmp_path, dtype):
    sign = 255 if dtype == "u1" else SIGN
    held = (np.arange(60).reshape(20, 3) % 50 + 2**53 * (dtype == "i8")).astype(dtype)
    holes = np.zeros(held.shape, bool)
    holes[[3, 7], [0, 2]] = True
    held[holes] = sign
    path, out = tmp_path / "in.npy", tmp_path / "out.npy"
    np.save(path, held)
    done = call("impute", path, "-o", out, "--method", "mean", "--missing", sign)
    assert (done.exit_code, "filled 2 of 2" in done.stderr) == (0, True), done.output
    after = np.load(out)
    assert after.dtype == held.dtype
    assert after[~holes].tobytes() == held[~holes].tobytes()
    assert (after[holes] != sign).all()
    one = call("impute", path, "-o", out, "--force", "--method", "mean", "--missing", f"2={sign}")
    assert one.exit_code == 0
    assert "filled 1 of 1" in one.stderr


@pytest.mark.fast
@pytest.mark.parametrize("sign", ["NA", "u=-9999", "1,5"])
def test_what_is_no_number_is_refused(tmp_path, sign):
    path = tmp_path / "in.nc"
    write(path, codes("i2")[0])
    np.save(tmp_path / "in.npy", np.ones((4, 2)))
    for each in (path, tmp_path / "in.npy"):
        done = call("impute", each, "-o", f"{each}.out{each.suffix}", "--missing", sign)
        assert done.exit_code == 2
        assert sign in done.stderr


@pytest.mark.fast
def test_a_sign_that_is_nowhere_is_said(tmp_path):
    path = tmp_path / "in.nc"
    write(path, codes("i2")[0])
    done = call("impute", path, "-o", tmp_path / "o.nc", "--method", "mean", "--missing", "-1")
    assert "-1 is held by no cell" in done.stderr

"""Gridded files that people have: the same file comes back with only its gaps filled."""

import shutil

import numpy as np
import pytest

import jaximpute as ji

xr = pytest.importorskip("xarray")
h5py = pytest.importorskip("h5py")
pytest.importorskip("h5netcdf")

from tests.helpers.grids import call, field, impute, load, save, smooth  # noqa: E402


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("how", [[], ["--block-rows", 2]])
@pytest.mark.parametrize(
    "packing",
    [
        {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768},
        {"dtype": "int16", "scale_factor": -0.01, "add_offset": 0.0, "_FillValue": -9999},
        {"dtype": "uint8", "scale_factor": 1.3, "_FillValue": 0},
    ],
)
def test_a_peak_beyond_what_the_packing_holds(tmp_path, suffix, how, packing):
    # a plane that rises to 400 and 420; its top is missing
    y, x = np.meshgrid(np.arange(8.0), np.arange(8.0), indexing="ij")
    values = np.stack([150 + 20 * (x + y)] * 4)
    hidden = values > 320
    hidden[0, :2] = hidden[0, :2]
    data = field(np.where(hidden, np.nan, values)).to_dataset(name="t")
    path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    save(data, path, t=packing)
    said = impute(path, out, "--method", "biharmonic", "--fill-unseen", *how)
    before, after = (load(each).t.values for each in (path, out))
    raw, written = (load(each, decode_cf=False).t.values for each in (path, out))
    seen = ~np.isnan(before)
    np.testing.assert_array_equal(raw[seen], written[seen])
    most = 255 * 1.3 if packing["dtype"] == "uint8" else 327.68
    assert np.isfinite(after).all()
    assert after[~seen].min() > 300
    assert after[~seen].max() <= most
    assert after[~seen].max() > most - 0.1
    assert "variable 't':" in said
    assert "fills are kept within" in said
    assert f"filled {int((~seen).sum())} of {int((~seen).sum())}" in said


@pytest.mark.parametrize("dtype", ["uint16", "uint8"])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_rain_in_unsigned_numbers_never_wraps(tmp_path, dtype, suffix):
    random = np.random.default_rng(1)
    rain = np.where(random.random((6, 8, 9)) < 0.6, 0.0, random.gamma(1.0, 6.0, (6, 8, 9)))
    rain = np.clip(rain, 0, 24)
    hidden = random.random(rain.shape) < 0.4
    hidden[0] = False
    data = field(np.where(hidden, np.nan, rain)).to_dataset(name="precip")
    path, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    absent = np.iinfo(dtype).max
    save(data, path, precip={"dtype": dtype, "scale_factor": 0.1, "_FillValue": absent})
    said = impute(path, out, "--method", "biharmonic")  # which goes below 0
    found = load(out).precip.values
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 48
    assert f"filled {hidden.sum()} of {hidden.sum()}" in said


def test_what_python_fills_fits_into_the_packing_too():
    y, x = np.meshgrid(np.arange(8.0), np.arange(8.0), indexing="ij")
    values = np.stack([150 + 20 * (x + y)] * 3)
    data = field(np.where(values > 320, np.nan, values))
    data.encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -9999}
    with pytest.warns(ji.ImputationWarning, match="has room for no more than -327.68 to 327.67"):
        filled = ji.impute(data, "biharmonic", never_impute=False)
    assert filled.values.max() == pytest.approx(327.67)
    assert filled.encoding == data.encoding


@pytest.mark.parametrize("how", [[], ["--block-rows", 2]])
def test_all_that_is_no_gap_comes_along(tmp_path, how):
    values, hidden = smooth()
    data = field(np.where(hidden, np.nan, values), units="K").to_dataset(name="t2m")
    data["crs"] = ((), 7, {"grid_mapping_name": "latitude_longitude"})
    data["label"] = (("lat",), [f"row {i}" for i in range(6)])
    data.attrs["title"] = "kept"
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    packing = {"dtype": "int16", "scale_factor": 0.001, "_FillValue": -9999, "zlib": True}
    data.to_netcdf(
        path,
        engine="h5netcdf",
        encoding={"t2m": {**packing, "chunksizes": (1, 3, 7)}},
        unlimited_dims=["time"],
    )
    deep = xr.Dataset({"sigma": (("k",), [1.0, np.nan])}, attrs={"of": "t2m"})
    deep.to_netcdf(path, engine="h5netcdf", group="uncertainty/deep", mode="a")
    impute(path, out, "--method", "window_average", *how)
    with h5py.File(path) as before, h5py.File(out) as after:
        names: list[str] = []
        before.visit(names.append)
        for name in names:
            one, other = before[name], after[name]
            assert sorted(one.attrs) == sorted(other.attrs)
            if isinstance(one, h5py.Group):
                continue
            assert (one.dtype, one.chunks, one.maxshape) == (
                other.dtype,
                other.chunks,
                other.maxshape,
            )
            if name != "t2m":
                np.testing.assert_array_equal(one[...], other[...])
        assert before["t2m"].compression == after["t2m"].compression
        assert after["t2m"].maxshape[0] is None
        old, new = before["t2m"][...], after["t2m"][...]
        assert ((old == new) == (old != -9999)).all()


def test_a_file_of_groups_only_is_named(tmp_path):
    values, _ = smooth()
    path = tmp_path / "in.nc"
    field(values).to_dataset(name="t").to_netcdf(path, engine="h5netcdf", group="forecast")
    done = call("impute", path, "-o", tmp_path / "out.nc")
    assert done.exit_code == 3
    assert "but those in groups (forecast)" in done.stderr


def test_groups_are_not_lost_to_another_format(tmp_path):
    values, hidden = smooth()
    path = tmp_path / "in.nc"
    field(np.where(hidden, np.nan, values)).to_dataset(name="t").to_netcdf(path, engine="h5netcdf")
    xr.Dataset({"a": 1}).to_netcdf(path, engine="h5netcdf", group="more", mode="a")
    done = call("impute", path, "-o", tmp_path / "out.zarr", "--method", "mean")
    assert done.exit_code == 3
    assert "the groups more, which would not come along" in done.stderr


def test_a_file_that_changes_meanwhile_is_refused(tmp_path, monkeypatch):
    from jaximpute.files import sheets

    values, hidden = smooth()
    path = tmp_path / "in.nc"
    save(field(np.where(hidden, np.nan, values)).to_dataset(name="t"), path)
    sheet = sheets.read_file(str(path))
    save(field(values + 1).to_dataset(name="t"), path)
    with pytest.raises(ji.DataError, match="was changed while"):
        sheets.write_file(sheet, str(tmp_path / "out.nc"))
    assert not (tmp_path / "out.nc").exists()


@pytest.mark.parametrize(
    "about", [{"flag_values": np.arange(4, dtype="i1")}, {"flag_masks": [1, 2]}]
)
@pytest.mark.parametrize("how", [[], ["--block-rows", 2]])
def test_flags_are_left_as_they_are(tmp_path, about, how):
    values, hidden = smooth()
    flags = np.where(hidden, np.nan, np.random.default_rng(0).integers(0, 4, hidden.shape))
    data = field(np.where(hidden, np.nan, values)).to_dataset(name="sst")
    data["quality"] = field(flags, **about, flag_meanings="good fair bad none")
    path, out, alone = (tmp_path / f"{name}.nc" for name in ("in", "out", "alone"))
    packing = {"dtype": "int8", "_FillValue": -1}
    save(data, path, quality=packing)
    save(data.drop_vars("quality"), alone)
    said = impute(path, out, "--method", "harmonic", *how)
    assert "'quality' holds flags" in said
    found = load(out)
    np.testing.assert_array_equal(found.quality.values, load(path).quality.values)
    assert np.isfinite(found.sst.values).all()
    impute(alone, tmp_path / "other.nc", "--method", "harmonic", *how)
    np.testing.assert_array_equal(found.sst.values, load(tmp_path / "other.nc").sst.values)
    with pytest.raises(ji.DataError, match="holds flags"):
        ji.impute(data.quality, "mean")


@pytest.mark.parametrize("how", [[], ["--block-rows", 3]])
@pytest.mark.parametrize(
    "about", [{"valid_min": -2.0, "valid_max": 45.0}, {"valid_range": np.array([-2, 45], "f4")}]
)
def test_what_is_not_valid_is_missing(tmp_path, about, how):
    values, hidden = smooth()
    data = field(np.where(hidden, -9999, 10 + values).astype("f4"), **about).to_dataset(name="sst")
    path, out = tmp_path / "in.nc", tmp_path / "out.nc"
    save(data, path)
    said = impute(path, out, "--method", "window_average", *how)
    found = load(out).sst.values
    assert f"filled {hidden.sum()} of {hidden.sum()}" in said
    assert "valid range (-2 to 45" in said
    np.testing.assert_array_equal(found[~hidden], data.sst.values[~hidden])
    assert np.abs(found - 10 - values)[hidden].max() < 1.0


def test_a_repeated_extreme_is_named():
    values, hidden = smooth((6, 6, 7))
    with pytest.warns(ji.ImputationWarning, match=r"holds -9999 in \d+ cells"):
        ji.impute(field(np.where(hidden, -9999.0, 10 + values)).rename("sst"), "mean")
    cells = np.where(hidden, -9999.0, 10 + values)[..., None]
    with pytest.warns(ji.ImputationWarning, match=r"holds -9999 in \d+ cells"):
        ji.impute(cells, "mean")
    with pytest.warns(ji.ImputationWarning, match=r"replace it by nan"):
        ji.impute(cells.reshape(-1, 7), "mean")


def test_fields_in_place_of_the_input(tmp_path):
    values, hidden = smooth()
    path, kept = tmp_path / "in.zarr", tmp_path / "kept.zarr"
    save(field(np.where(hidden, np.nan, values)).to_dataset(name="t"), path)
    shutil.copytree(path, kept)
    impute(path, path, "--method", "mean", "--force")
    before, after = load(kept).t.values, load(path).t.values
    np.testing.assert_array_equal(before[~hidden], after[~hidden])
    assert np.isfinite(after).all()

"""Parquet, Zarr and NetCDF block by block: what is kept, and what blocks of time may change."""

from pathlib import Path

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.streaming import feeds, formats, impute_file
from jaximpute.streaming.spans import spans_of
from jaximpute.tasks.choose import inductive

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
xarray = pytest.importorskip("xarray")

ROWS = 90


def table() -> "arrow.Table":
    random = np.random.default_rng(0)

    def holed(values, kind=None):
        keep = random.random(ROWS) > 0.2
        cells = [value if kept else None for value, kept in zip(values, keep, strict=True)]
        return arrow.array(cells, kind)

    words = random.choice(["x", "y", "z"], ROWS).tolist()
    columns = {
        "number": holed(random.normal(size=ROWS).tolist(), arrow.float32()),
        "whole": holed(random.integers(0, 9, ROWS).tolist(), arrow.int8()),
        "word": holed(words),
        "level": holed(words).dictionary_encode(),
        "flag": holed((random.random(ROWS) < 0.5).tolist()),
        "nan": arrow.array([float("nan") if i % 7 == 0 else i * 1.5 for i in range(ROWS)]),
        "date": holed(list(range(ROWS)), arrow.timestamp("ms")),
        "name": arrow.array([f"row {i}" for i in range(ROWS)]),
    }
    return arrow.table(columns).replace_schema_metadata({"about": "kept"})


def test_parquet_is_what_it_is_in_memory(tmp_path):
    path, out = tmp_path / "x.parquet", tmp_path / "out.pq"
    parquet.write_table(table(), path, row_group_size=40, compression="zstd")
    given = parquet.read_table(path)
    with pytest.warns(ji.ImputationWarning, match="dates and times"):
        inside = ji.impute(given, "mean")
    found = []
    for block in (ROWS, 13, 40):
        about = impute_file.impute_file(str(path), str(out), "mean", block_rows=block, force=True)
        assert about["blocks"] == -(-ROWS // block)
        found.append(parquet.read_table(out))
    # values, for each row group has a dictionary of its own
    assert found[0].to_pydict() == found[1].to_pydict() == found[2].to_pydict()
    assert found[0].schema.equals(given.schema, check_metadata=True)
    assert parquet.ParquetFile(out).metadata.row_group(0).column(0).compression == "ZSTD"
    assert about["missing"]["word"] == given["word"].null_count
    assert about["not_learned"].keys() == {"date", "name"}
    assert "'date'" in about["warnings"][0]
    for name in given.column_names:
        old, new, like = (one[name].to_pylist() for one in (given, found[0], inside))
        for before, after, other in zip(old, new, like, strict=True):
            if before is not None and before == before:
                assert after == before
            elif isinstance(other, float):
                assert after == pytest.approx(other, abs=1e-4)
            else:
                assert after == other
    assert found[0]["number"].null_count == found[0]["word"].null_count == 0


def test_parquet_that_cannot_be_used(tmp_path):
    path = tmp_path / "x.parquet"
    for content, words in (
        (b"nothing", "is no Parquet file"),
        (None, "has 0 rows"),
    ):
        if content is None:
            parquet.write_table(table()[:0], path)
        else:
            path.write_bytes(content)
        with pytest.raises(ji.DataError, match=words):
            impute_file.impute_file(str(path), str(tmp_path / "y.parquet"))


def film(times: int = 24) -> "xarray.Dataset":
    random = np.random.default_rng(0)
    land = np.zeros((4, 5), bool)
    land[0, :2] = True

    def punched(scale):
        x = scale * random.normal(size=(times, 4, 5)).cumsum(axis=0)
        return np.where(land | (random.random(x.shape) < 0.3), np.nan, x)

    return xarray.Dataset(
        {
            "warm": (("time", "lat", "lon"), punched(1).astype("f4"), {"units": "K"}),
            "packed": (("lat", "time", "lon"), punched(2).transpose(1, 0, 2)),
            "area": (("lat",), np.arange(4.0)),
        },
        coords={
            "time": np.datetime64("2020-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h"),
            "lat": np.arange(4.0),
            "lon": np.arange(5.0),
        },
        attrs={"title": "kept"},
    )


PACKED = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -9999}


def write(data: "xarray.Dataset", path: Path) -> None:
    if path.suffix == ".nc":
        data.to_netcdf(path, engine="h5netcdf", encoding={"packed": {**PACKED, "zlib": True}})
        return
    chunks = {"packed": {**PACKED, "chunks": (4, 2, 5)}, "warm": {"chunks": (3, 2, 5)}}
    data.to_zarr(path, encoding=chunks, consolidated=False)


def read(path: Path, **keywords) -> "xarray.Dataset":
    how = {} if path.suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    with xarray.open_dataset(path, **how, **keywords) as data:
        return data.load()


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_fields_are_filled_region_by_region(tmp_path, suffix):
    path, out, again = (tmp_path / f"{name}{suffix}" for name in ("x", "out", "again"))
    write(film(), path)
    about = impute_file.impute_file(str(path), str(out), "window_average", block_rows=6, margin=1)
    assert (about["blocks"], about["kind"]) == (4, "field")
    given, found = read(path), read(out)
    with pytest.warns(ji.ImputationWarning, match="as land is"):
        inside = ji.impute(given, "window_average")
    assert "as land is" in about["warnings"][0]
    for name, close in (("warm", 1e-5), ("packed", 0.0051)):
        # it looks one frame back and ahead, and that is in the window
        np.testing.assert_allclose(found[name], inside[name], atol=close)
        assert found[name].dims == given[name].dims
    raw, filled = (read(one, decode_cf=False) for one in (path, out))
    for name, empty in (("warm", np.isnan(raw["warm"].values)), ("packed", raw["packed"] == -9999)):
        kept = ~np.asarray(empty)
        assert (filled[name].values[kept] == raw[name].values[kept]).all()
        assert filled[name].dtype == raw[name].dtype
        assert str(sorted(filled[name].attrs.items())) == str(sorted(raw[name].attrs.items()))
    assert found.attrs == given.attrs
    assert found.drop_vars(["warm", "packed"]).identical(given.drop_vars(["warm", "packed"]))

    class Stop(Exception):
        pass

    def watch(done, blocks):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        impute_file.impute_file(
            str(path), str(again), "window_average", block_rows=6, margin=1, watch=watch
        )
    rest = impute_file.impute_file(str(path), str(again), "window_average", block_rows=6, margin=1)
    assert rest["went_on_at"] == 2
    assert rest["hashes"] == about["hashes"]
    assert read(again).identical(found)


def test_a_window_gives_what_the_whole_gives_where_the_method_sees_no_further(tmp_path):
    write(film(), tmp_path / "x.zarr")
    source = formats.open_source(str(tmp_path / "x.zarr"))
    assert (source.along, source.length, source.align) == ("time", 24, 6)
    spans = spans_of(source, 1, 2)
    assert (spans.block, spans.window) == (6, 10)  # whole chunks of both variables
    assert [(first, last) for *_, first, last in spans.all] == [
        (0, 10),
        (4, 14),
        (10, 20),
        (14, 24),
    ]
    assert all(first <= a < b <= last for a, b, first, last in spans.all)
    (whole,) = feeds.windows_of(source.read(0, 24))
    for a, b, first, last in spans.all:
        (window,) = feeds.windows_of(source.read(first, last))
        np.testing.assert_array_equal(window[a - first : b - first], whole[a:b])
    pool = next(feeds.pools(source, 20, 0, spans.window))
    assert pool.shape == (2, 10, 4, 5, 2)


@pytest.mark.parametrize("dims", [("n", "y", "x"), ("member", "time", "y", "x")])
def test_images_and_ensembles_are_filled_in_place(tmp_path, dims):
    shape = {"n": 7, "member": 3, "time": 8, "y": 2, "x": 3}
    random, path = np.random.default_rng(0), tmp_path / "x.zarr"
    x = random.normal(size=[shape[dim] for dim in dims])
    x[random.random(x.shape) < 0.3] = np.nan
    xarray.Dataset({"v": (dims, x)}).to_zarr(path, consolidated=False)
    with pytest.raises(ji.OutputError, match="exists"):
        impute_file.impute_file(str(path), str(path), "mean")
    about = impute_file.impute_file(str(path), str(path), "mean", block_rows=2, force=True)
    assert about["kind"] == ("image" if "n" in dims else "field")
    found = read(path)["v"].to_numpy()
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[~np.isnan(x)], x[~np.isnan(x)])
    assert [one.name for one in tmp_path.iterdir()] == ["x.zarr"]


def test_a_series_is_filled_across_the_borders_of_blocks(tmp_path):
    steps, path = 40, tmp_path / "x.parquet"
    random = np.random.default_rng(0)
    level = np.where(random.random(steps) < 0.4, np.nan, random.normal(size=steps))
    level[[0, 12, -1]] = 1.0
    level[13:16] = np.nan  # over the border of two blocks
    stamps = np.datetime64("2020-01-01", "s") + 3600 * np.arange(steps)
    parquet.write_table(arrow.table({"day": stamps, "level": level, "other": level[::-1]}), path)
    out = tmp_path / "out.parquet"
    about = impute_file.impute_file(
        str(path), str(out), "linear", time="day", block_rows=8, margin=5
    )
    assert (about["kind"], about["blocks"], about["not_learned"]) == ("series", 5, {})
    inside = ji.impute(parquet.read_table(path), "linear", time="day")
    found = parquet.read_table(out)
    assert found["day"].equals(inside["day"])
    for name in ("level", "other"):
        np.testing.assert_allclose(found[name], inside[name], atol=1e-5)
    # what a block cannot know is refused
    for table, words in (
        (found.take(arrow.array(range(steps))[::-1]), "not in order"),
        (found.take([0, 1, 2, 4, 5]), "rows are absent"),
    ):
        parquet.write_table(table, path)
        with pytest.raises(ji.TimeError, match=words):
            impute_file.impute_file(str(path), str(out), time="day", force=True)
    with pytest.raises(ji.TimeError, match="no column is called 'dai'; did you mean 'day'"):
        impute_file.impute_file(str(path), str(out), time="dai", force=True)


def test_grids_need_their_dimensions(tmp_path):
    film().rename(lon="column").drop_vars("area").to_netcdf(tmp_path / "x.nc")
    with pytest.raises(ji.DataError, match="cannot be told"):
        impute_file.impute_file(str(tmp_path / "x.nc"), str(tmp_path / "y.nc"))
    film().mean("lon").drop_vars("area").to_netcdf(tmp_path / "x.nc")
    with pytest.raises(ji.DataError, match="are completed whole"):
        impute_file.impute_file(str(tmp_path / "x.nc"), str(tmp_path / "y.nc"))
    with pytest.raises(ji.OptionError, match="takes series data"):
        inductive("csdi", "table", "read it whole")

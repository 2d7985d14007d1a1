"""Fills stay what their columns may hold: by every door, for estimates and for draws."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute.cli import app
from jaximpute.streaming import impute_file
from jaximpute.tasks.impute import impute_with_report

RUNNER = CliRunner()
METHODS = ("gaussian", "soft_impute", "ice")


def _table(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    count = rng.poisson(0.8, n).astype(float)
    other = 2 * count + rng.normal(0, 1, n)
    gone = rng.random(n) < 0.2
    return pd.DataFrame(
        {
            "count": pd.array(np.where(gone, np.nan, count), dtype="Int64"),
            "flag": np.where(gone[::-1], np.nan, (count > 1) * 1.0),
            "other": other,
        }
    )


def _censored(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A column of which half lies below 0 and is recorded as 0, and one that goes with it."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, 2))
    x[:, 1] = np.maximum(0, 0.6 * x[:, 0] + 0.8 * x[:, 1])
    gone = rng.random(n) < 0.3
    return np.where(np.array([False, True]) & gone[:, None], np.nan, x), gone


@pytest.mark.parametrize("method", METHODS)
def test_counts_and_flags_get_no_impossible_values(method):
    result = impute_with_report(_table(), method)
    assert result.data["count"].min() >= 0
    assert 0 <= result.data.flag.min() <= result.data.flag.max() <= 1
    assert result.report["bounds"]["count"] == [0.0, None]
    assert result.report["bounds"]["flag"] == [0.0, 1.0]
    assert "other" not in result.report["bounds"]
    if method == "gaussian":
        fills = result.data.flag[_table().flag.isna()]
        assert 0 < result.report["clipped"]["flag"] == ((fills == 0) | (fills == 1)).sum()


def test_fields_of_rain_get_no_negative_rain():
    rng = np.random.default_rng(0)
    rain = np.where(rng.random((10, 8, 9)) < 0.8, 0, rng.gamma(1, 3, (10, 8, 9)))
    rain[rng.random(rain.shape) < 0.2] = np.nan
    for method in ("biharmonic", "optimal_interpolation"):
        filled = ji.impute(xr.DataArray(rain, dims=("time", "lat", "lon")), method)
        assert float(filled.min()) >= 0
    free = ji.impute(rain[None, ..., None], "biharmonic", bounds={0: (None, None)})
    assert free.min() < -0.1


@pytest.mark.parametrize("method", METHODS)
def test_bounds_hold_where_they_are_given(method):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    x[::4, 1] = np.nan
    holed = pd.DataFrame(x, columns=["a", "b"])
    with pytest.warns(ji.ImputationWarning, match="observed cells lie outside the bounds given"):
        filled = ji.impute(holed, method, bounds={"b": (-0.5, 0.25)})
    assert filled.b[::4].between(-0.5, 0.25).all()
    np.testing.assert_array_equal(filled.b[1::4], holed.b[1::4])


def test_draws_of_a_censored_column_do_not_pile_up_at_its_bound():
    x, gone = _censored()
    observed = (x[~gone, 1] == 0).mean()
    many = ji.impute_many(x, "mice", draws=20)
    draws = np.stack(many.draws)[:, gone, 1]
    assert draws.min() >= 0
    assert (draws < 1e-6).mean() < observed
    assert (many.low[gone, 1] <= many.median[gone, 1]).all()
    assert (many.median[gone, 1] <= many.high[gone, 1]).all()
    assert many.report["clipped"].keys() <= {"1"}


def test_streams_keep_the_bounds_and_count(tmp_path):
    table = _table()[["count", "other"]].astype(float).to_numpy()
    np.save(tmp_path / "x.npy", table)
    about = impute_file.impute_file(
        str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), "gaussian", block_rows=100
    )
    filled = np.load(tmp_path / "y.npy")
    assert filled[:, 0].min() >= 0
    assert about["bounds"] == {"0": [0.0, None]}
    free = impute_file.impute_file(
        str(tmp_path / "x.npy"), None, "gaussian", block_rows=100, bounds={0: (None, None)}
    )
    assert free["bounds"] == {}
    assert about["clipped"]["0"] == (filled[np.isnan(table[:, 0]), 0] == 0).sum()
    with pytest.raises(ji.OptionError, match="no column is called 'count'"):
        impute_file.impute_file(str(tmp_path / "x.npy"), None, "mean", bounds={"count": (0, 1)})


def test_saved_models_keep_bounds_and_directions(tmp_path):
    table = _table()[["count", "other"]].astype(float)
    table["dir"] = np.mod(350 + 20 * np.random.default_rng(0).random(len(table)), 360)
    table.loc[::7, "dir"] = np.nan
    imputer = ji.Imputer("gaussian", bounds={"count": (0.5, 2)}, circular=["dir"])
    with pytest.warns(ji.ImputationWarning, match="'count': .* outside the bounds given"):
        filled = imputer.fit(table).transform(table)
    fills = filled[table["count"].isna(), 0]
    assert 0.5 <= fills.min() <= fills.max() <= 2
    turned = filled[::7, 2]
    assert ((turned > 340) | (turned < 20)).all()
    imputer.save(tmp_path / "m")
    again = ji.Imputer.load(tmp_path / "m").transform(table)
    np.testing.assert_array_equal(again, filled)


def test_directions_go_the_shorter_way_round():
    hours = pd.date_range("2020", periods=7, freq="h")
    holed = pd.DataFrame({"wind_dir": [350.0, None, 10, 355, None, None, 5]}, index=hours)
    filled = ji.impute(holed, "linear", circular=["wind_dir"]).wind_dir.tolist()
    np.testing.assert_allclose(filled, [350, 0, 10, 355, 358.33, 1.67, 5], atol=0.01)
    whole = ji.impute(holed.astype("Int64"), "linear", circular={"wind_dir": 360})
    assert whole.wind_dir.tolist() == [350, 0, 10, 355, 358, 2, 5]
    for method in ("locf", "nocb", "mode"):
        found = ji.impute(holed, method, circular=["wind_dir"]).wind_dir
        assert found.isin(holed.wind_dir.dropna()).all()
    with pytest.warns(ji.ImputationWarning, match="looks like directions"):
        ji.impute(holed, "linear")


def test_draws_and_intervals_of_directions_go_round():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    table = pd.DataFrame({"x": x, "heading": np.mod(3 * x + rng.normal(size=200), 360)})
    truth = table.heading.copy()
    table.loc[::4, "heading"] = np.nan
    many = ji.impute_many(table, "mice", draws=20, circular=["heading"])
    gone = table.heading.isna()

    def off(a, b):
        return np.mod(a - b + 180, 360) - 180

    assert np.abs(off(many.median.heading, truth)[gone]).mean() < 3
    width = np.mod(many.high.heading - many.low.heading, 360)[gone]
    assert (width < 30).all()
    assert (off(many.low.heading, many.median.heading)[gone] <= 0).all()
    assert (many.low.heading > many.high.heading)[gone].any()  # across north


def test_directions_are_scored_the_shorter_way_round():
    x = np.mod(np.random.default_rng(0).normal(0, 5, (200, 1)), 360)
    scores = ji.evaluate(x, ["mean"], circular=[0], repeats=1, verbose=False)
    found = scores.set_index(["column", "metric"])["mean"]
    assert found["(overall)", "mae"] < 8
    assert 0.4 < found["(overall)", "mae_std"] < 1.6


def test_forecasts_keep_bounds():
    days = pd.date_range("2024-01-01", periods=60)
    rain = np.maximum(0, np.random.default_rng(0).normal(size=60))
    small = {"steps": 1, "sgd_steps": 2, "width": 8, "heads": 2, "draw_steps": 2}
    found = ji.forecast(pd.DataFrame({"rain": rain}, index=days), 3, draws=5, context=8, **small)
    assert min(frame.rain.min() for frame in found.draws) >= 0
    assert found.report["bounds"] == {"rain": [0.0, None]}
    assert (found.low.rain <= found.median.rain).all()


def test_the_command_line_says_and_repeats_it(tmp_path):
    table = pd.DataFrame({"dir": [350, None, 10, 355], "v": [0.5, 2.0, None, 4.0]})
    table.insert(0, "t", pd.date_range("2020-01-01", periods=4).astype(str))
    table.to_csv(tmp_path / "in.csv", index=False)
    paths = [str(tmp_path / name) for name in ("in.csv", "out.csv", "out.json")]
    told = ["--time", "t", "--method", "linear", "--circular", "dir", "--bounds", "v=:2.5"]
    done = RUNNER.invoke(app, ["impute", paths[0], "-o", paths[1], "--report", paths[2], *told])
    assert done.exit_code == 0, done.output
    filled = pd.read_csv(paths[1])
    assert filled.dir.tolist() == [350, 0, 10, 355]
    assert filled.v.tolist() == [0.5, 2.0, 2.5, 4.0]
    assert "outside the bounds given" in done.output
    about = json.loads((tmp_path / "out.json").read_text())
    assert about["bounds"] == {"v": [None, 2.5]}
    assert about["circular"] == {"dir": 360.0}
    assert about["clipped"] == {"v": 1}
    assert RUNNER.invoke(app, ["reproduce", paths[2]]).exit_code == 0
    (tmp_path / "set.toml").write_text('circular = ["dir"]\nbounds = ["v=:2.5"]\n')
    arguments = ["--time", "t", "--method", "linear", "--config", str(tmp_path / "set.toml")]
    again = RUNNER.invoke(app, ["impute", paths[0], "-o", str(tmp_path / "b.csv"), *arguments])
    assert again.exit_code == 0
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()
    for wrong in ("v", "v=1", "v=a:b", "w=0:", "v=3:1"):
        refused = RUNNER.invoke(app, ["impute", paths[0], "--bounds", wrong])
        assert refused.exit_code == 2


def test_no_negative_zero_is_written(tmp_path):
    path = tmp_path / "rain.csv"
    path.write_text(
        "t,rain,y\n2024-01-01,0.0,-1\n2024-01-02,,\n2024-01-03,0.0,0\n2024-01-04,7.4,4\n"
    )
    done = RUNNER.invoke(app, ["impute", str(path), "--time", "t", "--method", "pchip"])
    assert done.exit_code == 0
    assert "2024-01-02,0.0," in done.output
    assert "-0.0" not in done.output

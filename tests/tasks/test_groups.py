"""Several series below one another: completed, drawn, scored and planned as series."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

import jaximpute as ji
from tests.helpers.commands import call


def stations(n=60):
    """Three stations that share a wave, of different lengths; every seventh cell is missing."""
    rng, parts = np.random.default_rng(0), []
    for number, (name, length) in enumerate([("A", n), ("B", n - 15), ("C", n - 30)]):
        t = np.arange(length) + 5 * number
        wave = np.sin(t / 4) + 0.1 * rng.normal(size=length) + 10 * number
        day = pd.Timestamp("2024-01-01") + pd.to_timedelta(t, unit="D")
        parts.append(pd.DataFrame({"station": name, "day": day, "v": wave, "w": 2 * wave}))
    table = pd.concat(parts).sample(frac=1.0, random_state=0).reset_index(drop=True)
    table.loc[::7, "v"] = np.nan
    return table


def test_interpolation_by_groups_is_that_of_each_group_alone():
    table = stations()
    together = ji.impute(table, "linear", time="day", group="station")
    assert together.columns.equals(table.columns)
    for name, rows in table.groupby("station"):
        alone = ji.impute(rows.sort_values("day"), "linear", time="day").loc[rows.index]
        pd.testing.assert_frame_equal(together.loc[rows.index], alone)
        assert together.loc[rows.index, "station"].eq(name).all()


def test_wide_and_long_answer_alike_where_channels_stand_alone():
    table = stations()
    long = ji.impute(table, "linear", time="day", group="station")
    wide = table.pivot(index="day", columns="station", values="v")
    filled = ji.impute(wide, "linear")
    for row in np.flatnonzero(table["v"].isna()):
        assert np.isclose(long.loc[row, "v"], filled.loc[table.loc[row, "day"], table.station[row]])


def test_what_is_learned_is_learned_from_all():
    table = stations()
    truth = 0.5 * table["w"]
    hidden = table["v"].isna()
    filled = ji.impute(table, "gaussian", time="day", group="station")
    # the other column tells the cell, and the three levels are the stations'
    assert np.abs(filled["v"] - truth)[hidden].max() < 0.3


def test_draws_intervals_scores_and_costs_take_groups():
    table = stations()
    told = {"time": "day", "group": "station"}
    many = ji.impute_many(table, "gaussian", draws=3, **told)
    assert len(many.draws) == 3
    assert many.median["v"].notna().all()
    result = ji.impute_with_report(table, "linear", max_gap=9, **told)
    assert result.report["time"]["series"] == 3
    assert result.report["filled"] == int(table["v"].isna().sum())
    assert result.report["time"]["absent_rows"] == 3 * 60 - len(table)
    scores = ji.evaluate(table, ["linear", "mean"], repeats=1, verbose=False, **told)
    best = scores[(scores["column"] == "(overall)") & (scores["metric"] == "score")]
    assert best.iloc[0]["method"] == "linear"
    assert ji.plan(table, "linear", **told).rows == 3


def test_the_command_line_takes_groups(tmp_path):
    table = stations()
    table.to_csv(tmp_path / "in.csv", index=False)
    told = ("--time", "day", "--group", "station", "-m", "linear")
    report = tmp_path / "report.json"
    done = call(
        "impute", tmp_path / "in.csv", "-o", tmp_path / "out.csv", *told, "--report", report
    )
    assert done.exit_code == 0, done.stderr
    filled = pd.read_csv(tmp_path / "out.csv", parse_dates=["day"])
    wanted = ji.impute(table, "linear", time="day", group="station")
    np.testing.assert_allclose(filled["v"], wanted["v"], atol=1e-6)
    assert json.loads(report.read_text())["settings"]["group"] == ["station"]
    again = call("reproduce", report)
    assert again.exit_code == 0, again.stderr
    seen = call("inspect", tmp_path / "in.csv", "--time", "day", "--group", "station")
    assert "135 rows of 3 series" in seen.stdout
    done = call("impute", tmp_path / "in.csv", *told, "--plot", tmp_path / "p.png")
    assert done.exit_code == 2
    assert "--group" in done.stderr


def test_a_group_without_times_is_refused(tmp_path):
    stations().to_csv(tmp_path / "in.csv", index=False)
    done = call("impute", tmp_path / "in.csv", "--group", "station")
    assert done.exit_code == 2
    assert "--time" in done.stderr
    with pytest.raises(ji.OptionError, match="columns of a frame"):
        ji.impute(np.ones((4, 2)), group="a")


def test_gaps_are_measured_within_each_group():
    table = stations().sort_values(["station", "day"], ignore_index=True)
    table["v"] = table["w"] / 2
    table.loc[57:62, "v"] = np.nan  # three rows at the end of A, three at the beginning of B
    table.loc[80:83, "v"] = np.nan
    told = {"time": "day", "group": "station", "max_gap": 3}
    with pytest.warns(ji.ImputationWarning, match="longer than max_gap"):
        filled = ji.impute(table, "linear", **told)
    assert np.flatnonzero(filled["v"].isna()).tolist() == [80, 81, 82, 83]
    with pytest.warns(ji.ImputationWarning, match="longer than max_gap"):
        many = ji.impute_many(table, "gaussian", draws=2, preset="fast", **told)
    for one in many.draws:
        assert np.flatnonzero(one["v"].isna()).tolist() == [80, 81, 82, 83]
    with pytest.raises(ji.DataError, match="'station' is missing in row 4"):
        ji.impute(table.assign(station=table.station.where(table.index != 4)), **told)


def test_containers_answer_alike():
    """Long form, an index, polars, and arrays of stations and times in either order."""
    table = stations()
    table = table[table.day.between("2024-01-11", "2024-02-09")].reset_index(drop=True)
    told = {"time": "day", "group": "station"}
    filled = ji.impute(table, "gaussian", preset="fast", **told)
    levels = table.set_index(["station", "day"])
    by_levels = ji.impute(levels, "gaussian", preset="fast")
    assert by_levels.index.equals(levels.index)
    named = ji.impute(levels, "gaussian", preset="fast", **told)
    native = ji.impute(pl.from_pandas(table), "gaussian", preset="fast", **told)
    for other in (by_levels, named, native.to_pandas()):
        np.testing.assert_allclose(other[["v", "w"]], filled[["v", "w"]], atol=1e-6)
    wanted = filled.set_index(["station", "day"]).to_xarray().transpose("station", "day")
    arrays = levels.to_xarray().rename(day="time")
    for order in (("station", "time"), ("time", "station")):
        found = ji.impute(arrays.transpose(*order), "gaussian", preset="fast", dims=("time",))
        for name in ("v", "w"):
            assert found[name].dims == order
            cells = found[name].transpose("station", "time")
            np.testing.assert_allclose(cells, wanted[name], atol=0.05)

"""Series below one another in a file larger than memory: whole in every block, each on its own."""

import json

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from tests.helpers.commands import call
from tests.tasks.test_groups import stations
from tests.tasks.test_static import highlands

TOLD = {"time": "day", "group": "station"}


@pytest.fixture
def file(tmp_path):
    """Stations below one another, the last row first within each."""
    table = stations().sort_values(["station", "day"], ascending=[True, False], ignore_index=True)
    table.to_parquet(tmp_path / "in.parquet")
    return table, str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")


def test_blocks_are_whole_series_and_answer_as_all_together(file):
    table, path, out = file
    report = ji.impute_file(path, out, "linear", block_rows=60, **TOLD)
    assert (report["blocks"], report["time"]["series"], report["rows"]) == (3, 3, 135)
    assert report["missing"] == {"v": int(table.v.isna().sum())}
    assert report["filled"] == int(table.v.isna().sum())
    wanted = ji.impute(table, "linear", **TOLD)
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted)
    ji.impute_file(path, out, "linear", block_rows=1000, force=True, **TOLD)
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted)


def test_what_is_learned_fills_and_blocks_do_not_matter(file):
    table, path, out = file
    first = ji.impute_file(path, out, "gaussian", block_rows=60, preset="fast", **TOLD)
    again = ji.impute_file(path, None, "gaussian", block_rows=200, preset="fast", **TOLD)
    filled = pd.read_parquet(out)
    assert np.abs(filled.v - table.w / 2)[table.v.isna()].max() < 0.5
    assert first["filled"] == again["filled"]
    whole = pd.read_parquet(out)
    ji.impute_file(path, out, "gaussian", block_rows=200, preset="fast", force=True, **TOLD)
    pd.testing.assert_frame_equal(pd.read_parquet(out), whole)


def test_draws_and_long_gaps(file):
    table, path, out = file
    table.loc[5:14, "v"] = np.nan
    table.to_parquet(path)
    how = {"block_rows": 60, "preset": "fast", "max_gap": 4, **TOLD}
    ji.impute_file(path, out, "gaussian", completions=3, **how)
    drawn = pd.read_parquet(out)
    assert drawn.draw.tolist() == np.repeat([1, 2, 3], 135).tolist()
    parts = [part.reset_index(drop=True) for _, part in drawn.groupby("draw")]
    for part in parts:
        assert part.v[5:15].isna().all()
        assert part.v.isna().sum() < 14
    assert not parts[0].v.equals(parts[1].v)
    report = ji.impute_file(path, out, "linear", force=True, **how)
    assert report["left_empty"]["v"]["reason"] == "in gaps longer than max_gap"
    with pytest.warns(ji.ImputationWarning, match="longer than max_gap"):
        wanted = ji.impute(table, "linear", max_gap=4, **TOLD)
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted)


def test_static_columns_stay_one_value(tmp_path):
    table, whole = highlands()
    table.loc[table.station == "s2", "height"] = None
    table.to_parquet(tmp_path / "in.parquet")
    out = str(tmp_path / "out.parquet")
    how = {"block_rows": 90, "circular": ["turn"], **TOLD}
    ji.impute_file(str(tmp_path / "in.parquet"), out, "mean", **how)
    filled = pd.read_parquet(out)
    columns = ["station", "zone", "turn"]
    pd.testing.assert_frame_equal(filled[columns], whole[columns])
    known = table.station != "s2"
    np.testing.assert_array_equal(filled.height[known], whole.height[known])
    assert filled.height[~known].nunique() == 1


def test_a_run_goes_on_after_a_crash(file):
    table, path, out = file

    def stop(done, blocks):
        if done == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        ji.impute_file(path, out, "linear", block_rows=60, watch=stop, **TOLD)
    report = ji.impute_file(path, out, "linear", block_rows=60, **TOLD)
    assert report["went_on_at"] == 2
    pd.testing.assert_frame_equal(pd.read_parquet(out), ji.impute(table, "linear", **TOLD))


@pytest.mark.parametrize(
    ("change", "how", "error", "words"),
    [
        (lambda t: t.sort_values("day"), {}, ji.DataError, "do not lie together"),
        (lambda t: t, {"block_rows": 59}, ji.OptionError, "series 'A' has 60 rows"),
        (lambda t: t.assign(station=t.station.where(t.index != 3)), {}, ji.DataError, "row 3"),
        (lambda t: t, {"group": "it"}, ji.DataError, "no column of .* is called 'it'"),
        (lambda t: t, {"time": None}, ji.OptionError, "no time is given"),
        (lambda t: t.assign(day=t.day[0]), {}, ji.TimeError, "duplicate"),
        (
            lambda t: t.assign(day=t.day + pd.to_timedelta(t.index % 5 * 3, unit="h")),
            {},
            ji.TimeError,
            "irregular",
        ),
        (lambda t: t, {"group": None, "max_gap": 3}, ji.OptionError, "max_gap needs whole"),
    ],
    ids=["apart", "short", "no id", "name", "no time", "twice", "uneven", "max_gap"],
)
def test_what_cannot_be_read_in_blocks_is_said(file, change, how, error, words):
    table, path, out = file
    change(table).to_parquet(path)
    with pytest.raises(error, match=words):
        ji.impute_file(path, out, "linear", **{**TOLD, **how})


def test_the_command_line(file, tmp_path):
    table, path, out = file
    told = ("--time", "day", "--group", "station", "--block-rows", "60", "--max-gap", "5")
    report = tmp_path / "report.json"
    done = call("impute", path, "-o", out, *told, "-m", "linear", "--report", report)
    assert done.exit_code == 0, done.stderr
    wanted = ji.impute(table, "linear", max_gap=5, **TOLD)
    pd.testing.assert_frame_equal(pd.read_parquet(out), wanted)
    assert json.loads(report.read_text())["settings"]["group"] == ["station"]
    again = call("reproduce", report)
    assert again.exit_code == 0, again.stderr

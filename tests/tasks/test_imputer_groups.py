"""`Imputer` on series below one another: learned from all, each completed on its own."""

import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

import jaximpute as ji
from tests.helpers.commands import call
from tests.tasks.test_groups import stations
from tests.tasks.test_static import highlands

TOLD = {"time": "day", "group": "station"}


def fitted(table, method="gaussian", **more):
    return ji.Imputer(method, preset="fast", random_state=0, **TOLD, **more).fit(table)


def test_interpolation_is_that_of_impute():
    table = stations()
    filled = fitted(table, "linear").transform(table)
    pd.testing.assert_frame_equal(filled, ji.impute(table, "linear", **TOLD))


def test_a_series_gets_the_same_answer_alone_later_and_among_others():
    table = stations()
    imputer = fitted(table)
    together = imputer.transform(table)
    assert together.v.notna().all()
    for _, rows in table.groupby("station"):
        pd.testing.assert_frame_equal(imputer.transform(rows), together.loc[rows.index])
    held = table.assign(
        v=np.where(table.v.isna(), np.nan, table.station.map({"A": 1, "B": 2, "C": 3}))
    )
    among, alone = imputer.transform(held), imputer.transform(held[held.station == "A"])
    pd.testing.assert_frame_equal(alone, among[held.station == "A"])
    turned = imputer.transform(table[::-1])
    pd.testing.assert_frame_equal(turned[::-1], together)


def test_a_station_never_seen_is_completed_by_what_the_others_taught(tmp_path):
    table = stations()
    imputer = fitted(table[table.station != "C"], max_gap=5)
    new = table[table.station == "C"].assign(station="D").reset_index(drop=True)
    filled = imputer.transform(new)
    hidden = new.v.isna()
    assert np.abs(filled.v - new.w / 2)[hidden].max() < 0.5
    imputer.save(tmp_path / "model")
    again = ji.Imputer.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.transform(new), filled)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(imputer)).transform(new), filled)


def test_draws_differ_and_long_gaps_stay():
    table = stations()
    order = table[table.station == "A"].sort_values("day").index
    table.loc[order[20:28], "v"] = np.nan
    imputer = fitted(table, max_gap=4)
    draws = imputer.sample(table, 3)
    for one in [*draws, imputer.transform(table)]:
        assert one.loc[order[20:28], "v"].isna().all()
        assert one.v.isna().sum() < 12
    assert not draws[0].v.equals(draws[1].v)


def test_containers_answer_alike():
    table = stations()
    wanted = fitted(table).transform(table)
    levels = table.set_index(["station", "day"])
    by_levels = ji.Imputer("gaussian", preset="fast", random_state=0, **TOLD).fit(levels)
    filled = by_levels.transform(levels)
    assert filled.index.equals(levels.index)
    np.testing.assert_allclose(filled[["v", "w"]], wanted[["v", "w"]], atol=1e-6)
    native = pl.from_pandas(table)
    other = ji.Imputer("gaussian", preset="fast", random_state=0, **TOLD).fit(native)
    np.testing.assert_allclose(
        other.transform(native).select("v", "w").to_numpy(), wanted[["v", "w"]], atol=1e-6
    )


def test_wide_and_long_answer_alike_where_channels_stand_alone():
    table = stations()
    wide = table.pivot(index="day", columns="station", values="v").reset_index()
    filled = ji.Imputer("linear", time="day").fit(wide).transform(wide).set_index("day")
    long = fitted(table, "linear").transform(table)
    for row in np.flatnonzero(table["v"].isna()):
        assert np.isclose(long.v[row], filled.loc[table.day[row], table.station[row]])


def test_static_columns_stay_what_they_are_in_series_to_come():
    table, whole = highlands()
    imputer = fitted(table[table.station != "s7"], circular=["turn"])
    new = table[table.station == "s7"]
    wanted = whole[whole.station == "s7"]
    pd.testing.assert_frame_equal(
        imputer.transform(new).drop(columns=["v", "zone"]), wanted.drop(columns=["v", "zone"])
    )
    bare = imputer.transform(new.assign(height=np.nan))
    assert bare.height.nunique() == 1
    assert bare.height.notna().all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: t.assign(station=None), ji.DataError, "'station' is missing in row 0"),
        (lambda t: t.assign(day=np.arange(len(t))), ji.TimeError, "holds numbers, and dates"),
        (
            lambda t: t.assign(day=t.day + pd.to_timedelta(t.index % 2 * 7, unit="h")),
            ji.TimeError,
            "lies between the steps of 86400 seconds",
        ),
        (
            lambda t: t.assign(day=t.day.where(t.day != t.day.max(), pd.Timestamp("2100-01-01"))),
            ji.TimeError,
            "nearly all absent",
        ),
        (lambda t: t.to_numpy(), ji.DataError, "expected a frame"),
    ],
    ids=["no id", "numbers", "between", "a hole", "array"],
)
def test_what_cannot_be_completed_is_said(change, error, words):
    table = stations()
    imputer = fitted(table, "linear")
    with pytest.raises(error, match=words):
        imputer.transform(change(table))


def test_what_cannot_be_learned_is_said():
    table = stations()
    uneven = table.assign(day=table.day + pd.to_timedelta(table.index % 5 * 3, unit="h"))
    with pytest.raises(ji.TimeError, match="irregular"):
        fitted(uneven, "linear")
    with pytest.raises(ji.OptionError, match="no gaps in time"):
        ji.Imputer("mean", max_gap=3).fit(table[["v", "w"]])
    with pytest.raises(ji.OptionError, match="only completes the rows it learns from"):
        fitted(table, "soft_impute")


def test_the_command_line_learns_from_some_stations_and_completes_others(tmp_path):
    table = stations().assign(w=lambda t: t.w + 100)
    table.loc[::11, "w"] = np.nan
    old, new = table[table.station != "C"], table[table.station == "C"]
    old.to_csv(tmp_path / "old.csv", index=False)
    new.to_csv(tmp_path / "new.csv", index=False)
    told = ("--time", "day", "--group", "station", "--max-gap", "9")
    done = call("fit", tmp_path / "old.csv", "--save", tmp_path / "m", "-m", "linear", *told)
    assert done.exit_code == 0, done.stderr
    assert "learned 2 columns of 105 rows" in done.stderr
    report = tmp_path / "report.json"
    done = call(
        *("apply", tmp_path / "m", tmp_path / "new.csv", "-o", tmp_path / "out.csv"),
        *("--report", report),
    )
    assert done.exit_code == 0, done.stderr
    filled = pd.read_csv(tmp_path / "out.csv")
    wanted = ji.impute(new, "linear", **TOLD)
    np.testing.assert_allclose(filled[["v", "w"]], wanted[["v", "w"]], atol=1e-5)
    new.assign(station=None).to_csv(tmp_path / "new.csv", index=False)
    done = call("apply", tmp_path / "m", tmp_path / "new.csv")
    assert done.exit_code == 3
    assert "'station' is missing in row 0" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("step", 0), ("dated", 1), ("static", [9]), ("static", None)]
)
def test_what_is_saved_of_the_time_is_checked(name, value, tmp_path):
    fitted(stations(), "mean").save(tmp_path / "model")
    about = json.loads((tmp_path / "model" / "imputer.json").read_text())
    about["along"][name] = value
    (tmp_path / "model" / "imputer.json").write_text(json.dumps(about))
    with pytest.raises(ji.DataError, match="is damaged"):
        ji.Imputer.load(tmp_path / "model")

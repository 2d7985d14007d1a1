"""Columns with one value for each series: seen by the method, never spoiled, filled alike."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.data.frames import read
from jaximpute.data.panels import static_columns

TOLD = {"time": "day", "group": "station"}


def highlands(stations=8, n=40, missing=0.3):
    """Stations whose level is told by their elevation, below one another, and what is true."""
    rng, parts = np.random.default_rng(0), []
    for number in range(stations):
        height = 100.1 * number + 0.7
        level = -0.05 * height + np.sin(np.arange(n) / 4)
        about = {"station": f"s{number}", "day": pd.date_range("2024-01-01", periods=n)}
        about |= {"height": height, "zone": "low" if number < 4 else "high", "turn": 40.0 * number}
        parts.append(pd.DataFrame({**about, "v": level + 0.1 * rng.normal(size=n)}))
    whole = pd.concat(parts, ignore_index=True)
    table = whole.copy()
    table.loc[rng.random(len(table)) < missing, "v"] = np.nan
    for column in ("height", "zone", "turn"):
        table.loc[rng.random(len(table)) < 0.2, column] = None
    return table, whole


def test_what_is_static_is_told_from_what_is_measured_once():
    group = np.repeat(np.arange(3), 3)
    once = np.full(9, np.nan)
    once[[0, 3, 6]] = [1.0, 2.0, 3.0]  # once in each series
    height = np.repeat([5.0, 5.0, 8.0], 3)
    height[1] = np.nan
    same, moving = np.ones(9), np.arange(9.0)
    cells = np.column_stack([once, height, same, moving])
    assert static_columns(cells, group) == (1,)


@pytest.mark.parametrize("method", ["mean", "linear", "kalman", "gaussian", "soft_impute"])
def test_a_static_value_is_copied_bit_for_bit_and_spoils_nothing(method):
    table, whole = highlands()
    filled = ji.impute(table, method, circular=["turn"], **TOLD)
    assert np.abs(filled.v - whole.v).max() < np.ptp(whole.v)
    pd.testing.assert_frame_equal(filled.drop(columns="v"), whole.drop(columns="v"))


def test_a_series_that_shows_none_gets_one_value():
    table, whole = highlands()
    table.loc[table.station == "s2", ["height", "zone", "turn"]] = None
    filled = ji.impute(table, "gaussian", circular=["turn"], max_gap=12, **TOLD)
    own = filled[filled.station == "s2"]
    assert (own[["height", "zone", "turn"]].nunique() == 1).all()
    assert own.zone.iloc[0] == "low"
    assert abs(own.height.iloc[0] - whole.height[whole.station == "s2"].iloc[0]) < 60
    many = ji.impute_many(table, "gaussian", draws=4, circular=["turn"], **TOLD)
    drawn = [one[one.station == "s2"].height for one in many.draws]
    assert all(one.nunique() == 1 for one in drawn)
    assert len({one.iloc[0] for one in drawn}) == 4


def test_a_static_column_tells_the_level_of_a_station():
    table, whole = highlands()
    table.loc[(table.station == "s5") & (table.index % 8 != 0), "v"] = np.nan
    hidden = table.v.isna() & (table.station == "s5")
    errors = [
        (ji.impute(data, "gaussian", **TOLD).v - whole.v)[hidden].abs().mean()
        for data in (table, table.drop(columns=["height", "zone", "turn"]))
    ]
    assert errors[0] <= errors[1]


def test_windows_of_arrays_have_static_channels_too():
    table, _ = highlands()
    array = table[["height", "v"]].to_numpy().reshape(8, 40, 2)
    assert read(array).static == (0,)
    long = ji.impute(table[["station", "day", "height", "v"]], "mean", **TOLD)
    windows = ji.impute(array, "mean")
    np.testing.assert_array_equal(windows.reshape(-1, 2), long[["height", "v"]])
    assert read(array[:1]).static == ()

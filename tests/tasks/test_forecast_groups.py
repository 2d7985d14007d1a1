"""Several series forecast together: each goes on from its own end, in the container it came in."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import jaximpute as ji
from jaximpute.tasks.forecast import forecast
from tests.helpers.commands import call

HOW = {"method": "window_gaussian", "draws": 5, "context": 10}


def long(lengths=(60, 45, 52)):
    """Series of different lengths that begin at different days, with rows of all in turn."""
    rng, parts = np.random.default_rng(0), []
    for i, length in enumerate(lengths):
        t = np.arange(length)
        day = pd.date_range("2024-01-01", periods=length) + pd.Timedelta(days=3 * i)
        wave = np.sin(t / 4 + i) + 0.1 * rng.normal(size=length)
        parts.append(pd.DataFrame({"id": "ABC"[i], "day": day, "v": wave, "w": 2 * wave}))
    table = pd.concat(parts).sort_values(["day", "id"], ignore_index=True)
    table.loc[::9, "v"] = np.nan
    return table


def test_one_group_is_the_series_itself():
    table = long((60,))
    alone = forecast(table.drop(columns="id"), 4, time="day", **HOW)
    grouped = forecast(table, 4, time="day", group="id", **HOW)
    pd.testing.assert_frame_equal(
        grouped.median.drop(columns="id"), alone.median.reset_index(drop=True)
    )
    assert grouped.median.columns.tolist() == ["id", "day", "v", "w"]


def test_each_group_goes_on_from_its_own_end():
    table = long()
    found = forecast(table, 4, time="day", group="id", **HOW)
    assert found.median.id.tolist() == [*"AAAABBBBCCCC"]
    for name, rows in found.median.groupby("id"):
        last = table[table.id == name].day.max()
        assert rows.day.tolist() == list(pd.date_range(last, periods=5)[1:])
    assert len(found.draws) == 5
    assert (found.low.v <= found.high.v).all()
    assert found.median.v.notna().all()


def test_containers_answer_alike():
    table = long()
    wanted = forecast(table, 4, time="day", group="id", **HOW).median
    levels = forecast(table.set_index(["id", "day"]), 4, **HOW).median
    assert levels.index.names == ["id", "day"]
    pd.testing.assert_frame_equal(levels.reset_index(), wanted, check_dtype=False)
    dated = forecast(table.set_index("day"), 4, group="id", **HOW).median
    pd.testing.assert_frame_equal(dated.reset_index()[wanted.columns], wanted, check_dtype=False)
    other = forecast(pl.from_pandas(table), 4, time="day", group="id", **HOW).median
    assert isinstance(other, pl.DataFrame)
    assert other.schema["day"] == pl.from_pandas(table).schema["day"]
    np.testing.assert_array_equal(other.select("v", "w").to_numpy(), wanted[["v", "w"]])


def test_an_array_of_stations_in_either_order():
    t = pd.date_range("2024-01-01", periods=60)
    table = pd.concat(
        [pd.DataFrame({"id": n, "day": t, "v": np.sin(np.arange(60) / 4)}) for n in "AB"]
    )
    array = table.set_index(["id", "day"]).v.to_xarray()
    wanted = forecast(table, 4, time="day", group="id", **HOW).median
    for given in (array, array.transpose("day", "id")):
        found = forecast(given, 4, **HOW).median
        assert found.dims == given.dims
        assert found.name == "v"
        values = found.transpose("id", "day").to_numpy().ravel()
        np.testing.assert_allclose(values, wanted.v, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: t.assign(id=t.id.where(t.index != 3)), ji.DataError, "'id' is missing in row 3"),
        (lambda t: t[::-1], ji.TimeError, "group '.': a forecast needs"),
        (lambda t: t[(t.id != "B") | (t.day < "2024-01-05")], ji.TimeError, "group 'B'"),
        (lambda t: t.rename(columns={"id": "it"}), ji.DataError, "no column is called 'id'"),
        (
            lambda t: t.assign(day=t.day + pd.to_timedelta(t.index % 2 * 7, unit="h")),
            ji.TimeError,
            "group '.' is not evenly spaced",
        ),
    ],
    ids=["missing id", "order", "one row", "name", "uneven"],
)
def test_what_cannot_be_forecast_names_the_group(change, error, words):
    with pytest.raises(error, match=words):
        forecast(change(long()), 4, time="day", group="id", **HOW)
    with pytest.raises(ji.OptionError, match="no time is given"):
        forecast(long(), 4, group="id", **HOW)


def test_the_command_line(tmp_path):
    table = long()
    table.to_csv(tmp_path / "in.csv", index=False)
    told = ("--time", "day", "--group", "id", "--horizon", 4, "--draws", 5, "--context", 10)
    how = (*map(str, told), "-m", "window_gaussian", "-o", tmp_path / "out.csv")
    done = call("forecast", tmp_path / "in.csv", *how)
    assert done.exit_code == 0, done.stderr
    assert "4 steps of 3 series" in done.stderr
    wide = pd.read_csv(tmp_path / "out.csv", parse_dates=["day"])
    assert wide.columns.tolist() == ["id", "day", "v", "w", "v_low", "v_high", "w_low", "w_high"]
    wanted = forecast(table, 4, time="day", group="id", **HOW).median
    np.testing.assert_allclose(wide.v, wanted.v, atol=1e-6)
    done = call("forecast", tmp_path / "in.csv", *how, "--force", "--plot", tmp_path / "p.png")
    assert done.exit_code == 2
    assert "--group" in done.stderr

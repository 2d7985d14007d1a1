"""Forecasts: times that go on, futures that are drawn, and what cannot be forecast."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.tasks import filling
from jaximpute.tasks.forecast import extend, following, forecast
from tests.helpers.commands import call

SMALL = {"steps": 1, "sgd_steps": 2, "width": 8, "heads": 2, "layers": 1, "draw_steps": 2}


def waves(rows=90) -> pd.DataFrame:
    t = np.arange(float(rows))
    frame = pd.DataFrame({"a": np.sin(t / 4), "b": np.cos(t / 4)})
    frame.insert(0, "day", pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d"))
    frame.loc[7, "a"] = np.nan
    return frame


@pytest.mark.fast
@pytest.mark.parametrize(
    ("stamps", "later"),
    [
        (pd.date_range("2024-01-31", periods=4, freq="ME"), ["2024-05-31", "2024-06-30"]),
        (pd.date_range("2024-01-01 22:00", periods=3, freq="h"), ["2024-01-02 01:00:00"]),
        (pd.Index([1, 3, 5]), [7, 9]),
        (pd.Index([0.5, 1.0, 1.5]), [2.0]),
        (pd.period_range("2024-01", periods=3, freq="M"), ["2024-04"]),
        (pd.bdate_range("2024-01-01", "2024-02-02").delete(3), ["2024-02-05", "2024-02-06"]),
    ],
    ids=["month ends", "hours", "whole", "halves", "periods", "working days and a holiday"],
)
def test_times_go_on_as_before(stamps, later):
    found = following(stamps, len(later))
    wanted = later if stamps.dtype.kind in "if" else pd.Index(later).astype(found.dtype)
    assert list(found) == list(wanted)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.iloc[::-1], "in order of time"),
        (lambda f: f.assign(day="soon"), "no dates"),
        (lambda f: f.assign(word="x"), "'word' does not"),
        (lambda f: f.to_numpy(), "pandas frame"),
    ],
    ids=["order", "dates", "texts", "array"],
)
def test_what_cannot_be_forecast_is_said(change, words):
    with pytest.raises(ji.JaximputeError, match=words):
        extend(change(waves()), 3, "day")


@pytest.mark.fast
def test_ranges_and_lengths_are_checked():
    with pytest.raises(ji.OptionError, match="horizon is 0"):
        forecast(waves(), 0, time="day")
    with pytest.raises(ji.OptionError, match="not random draws"):
        forecast(waves(), 2, "linear", time="day")


def test_futures_are_drawn_and_the_file_has_intervals(tmp_path):
    waves().to_csv(tmp_path / "in.csv", index=False)
    out, picture = tmp_path / "out.csv", tmp_path / "p.png"
    flags = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    done = call(
        *("forecast", tmp_path / "in.csv", "--time", "day", "--horizon", "4", "--draws", "5"),
        *("--method", "csdi", "--context", "12", "-o", out, "--plot", picture, *flags),
    )
    assert done.exit_code == 0, done.stderr
    wide = pd.read_csv(out)
    assert wide.columns.tolist() == ["day", "a", "b", "a_low", "a_high", "b_low", "b_high"]
    assert wide["day"].tolist() == [f"2024-03-{day}" for day in (31,)] + [
        f"2024-04-0{day}" for day in (1, 2, 3)
    ]
    for name in ("a", "b"):
        assert (wide[f"{name}_low"] <= wide[name]).all()
        assert (wide[name] <= wide[f"{name}_high"]).all()
        assert (wide[f"{name}_low"] < wide[f"{name}_high"]).all()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "forecast 4 steps with 'csdi' in" in done.stderr
    digits = out.read_text().splitlines()[1].split(",")[1].lstrip("-").replace(".", "").lstrip("0")
    assert len(digits) <= 7
    wide.rename(columns={"b": "a_low", "a_low": "c"}).to_csv(tmp_path / "in.csv", index=False)
    done = call("forecast", tmp_path / "in.csv", "--time", "day", "--horizon", "4")
    assert done.exit_code == 3
    assert "column 'a_high' has the name of an interval's end" in done.stderr


def test_only_the_last_window_is_drawn_and_absent_rows_are_steps(monkeypatch):
    """Rows 40 and 41 are absent: the window counts steps, of which it holds 16."""
    seen = {}

    def fill(frame, name, *, options, last, **rest):
        seen.update(options=options, last=last, shape=frame.shape, frame=frame)
        draws = np.broadcast_to(np.arange(3.0)[:, None, None], (3, *frame.values.shape))
        return filling.Filled(draws[1], {"method": name}, draws)

    monkeypatch.setattr(filling, "fill", fill)
    found = forecast(waves().drop(index=[40, 41]), 4, "csbi0", 3, time="day", context=12)
    assert seen["last"] == seen["options"]["window"] == 16
    assert seen["options"]["centred"] is True
    assert len(seen["frame"].values) == 80  # 94 steps, of which five whole windows
    missing = np.flatnonzero(np.isnan(seen["frame"].values).all(axis=1))
    np.testing.assert_array_equal(missing, [26, 27, 76, 77, 78, 79])
    assert found.median["day"].astype(str).tolist()[0] == "2024-03-31"
    np.testing.assert_array_equal(found.low["a"], 0)
    np.testing.assert_array_equal(found.high["b"], 2)

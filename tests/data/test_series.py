"""The time axis against hand-made cases."""

import numpy as np
import pandas as pd
import pytest

from jaximpute import OptionError, TimeError
from jaximpute.data.series import long_gaps, make_axis, parse_stamps, place, take

pytestmark = pytest.mark.fast


def axis_of(stamps):
    return make_axis(parse_stamps(stamps, len(stamps)), len(stamps))


def test_even_stamps_are_the_steps():
    axis, notes = axis_of(pd.date_range("2024-01-01", periods=5, freq="15min"))
    assert axis.slots.tolist() == [0, 1, 2, 3, 4]
    assert (axis.length, axis.positions, axis.seconds, notes) == (5, None, 900.0, [])


def test_absent_rows_become_steps():
    axis, _ = axis_of([0.0, 1.0, 2.0, 5.0, 6.0])
    assert axis.slots.tolist() == [0, 1, 2, 5, 6]
    rows = np.arange(5.0)[:, None]
    placed = place(axis, rows)
    assert placed.shape == (1, 7, 1)
    assert np.flatnonzero(np.isnan(placed[0, :, 0])).tolist() == [3, 4]
    np.testing.assert_array_equal(take(axis, placed), rows)


def test_unsorted_rows_are_sorted_and_put_back():
    axis, notes = axis_of(pd.to_datetime(["2024-01-03", "2024-01-01", "2024-01-02"]))
    rows = np.array([[3.0], [1.0], [2.0]])
    placed = place(axis, rows)
    assert placed[0, :, 0].tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(take(axis, placed), rows)
    assert len(notes) == 1
    assert "not in order of time" in notes[0]


def test_windows_share_the_axis():
    axis, _ = axis_of([10.0, 30.0, 20.0])
    rows = np.arange(12.0).reshape(6, 2)
    placed = place(axis, rows, count=2)
    np.testing.assert_array_equal(placed[1], rows[[3, 5, 4]])
    np.testing.assert_array_equal(take(axis, placed), rows)


@pytest.mark.parametrize("freq", ["MS", "ME", "QS", "YS", "W", "D", "h"])
def test_calendar_steps_are_regular(freq):
    axis, _ = axis_of(pd.date_range("1999-12-01", periods=40, freq=freq))
    assert (axis.length, axis.positions) == (40, None)


def test_absent_months_are_counted():
    stamps = pd.date_range("2020-01-01", periods=36, freq="MS").delete(range(7, 19))
    axis, _ = axis_of(stamps)
    assert axis.length == 36
    assert axis.slots.tolist() == [*range(7), *range(19, 36)]


def test_local_days_survive_the_change_of_clocks():
    axis, _ = axis_of(pd.date_range("2024-03-25", periods=20, freq="D", tz="Europe/Berlin"))
    assert (axis.length, axis.positions) == (20, None)


def test_irregular_stamps_become_positions():
    axis, _ = axis_of([0.0, 1.0, 2.0, 3.4, 4.4])
    assert axis.length == 5
    np.testing.assert_allclose(axis.positions, [0, 1, 2, 3.4, 4.4])


def test_a_sparse_grid_is_not_built():
    axis, _ = axis_of([0.0, 1.0, 2.0, 1000.0])
    assert axis.length == 4
    np.testing.assert_allclose(axis.positions, [0, 1, 2, 1000])


def test_one_row():
    axis, _ = axis_of([7.0])
    assert (axis.length, axis.positions) == (1, None)


@pytest.mark.parametrize(
    "stamps",
    [
        ["2024-01-01", "2024-01-02"],
        ["2024-01-01 00:00", "2024-01-02T00:00:00"],
        pd.period_range("2024-01-01", periods=2, freq="D"),
        np.array(["2024-01-01", "2024-01-02"], "datetime64[ns]"),
        pd.to_timedelta([0, 24], unit="h"),
    ],
)
def test_dates_in_many_forms(stamps):
    axis, _ = axis_of(stamps)
    assert axis.seconds == pytest.approx(86400)


def test_nanoseconds_are_kept_apart():
    axis, _ = axis_of(pd.DatetimeIndex(np.array([0, 1, 2], "datetime64[ns]") + 10**18))
    assert axis.seconds == pytest.approx(1e-9)


@pytest.mark.parametrize(
    ("stamps", "rows", "match"),
    [
        ([0, 1], 3, "2 stamps for 3 rows"),
        ([0.0, np.nan], 2, "missing in row 1"),
        ([0.0, np.inf], 2, "infinite in row 1"),
        (["2024-01-01", "soon"], 2, "'soon' in row 1"),
        ([True, False], 2, "booleans"),
        (3.0, 1, "no row of stamps"),
        ([1, 5, 1, 5, 2], 5, "2 duplicate stamps: 1, 5"),
        (pd.to_datetime(["2024-01-01"] * 2), 2, "duplicate stamps: 2024-01-01"),
    ],
)
def test_bad_stamps_are_named(stamps, rows, match):
    with pytest.raises(TimeError, match=match):
        parse_stamps(stamps, rows)


def slow_gaps(positions, mask, most):
    """One run of missing cells after another."""
    left = np.zeros_like(mask)
    for channel in range(mask.shape[1]):
        t = 0
        while t < len(mask):
            if mask[t, channel]:
                t += 1
                continue
            end = t
            while end + 1 < len(mask) and not mask[end + 1, channel]:
                end += 1
            left[t : end + 1, channel] = positions[end] - positions[t] + 1 > most
            t = end + 1
    return left


@pytest.mark.parametrize("irregular", [False, True])
def test_long_gaps_against_a_slow_twin(irregular):
    rng = np.random.default_rng(0)
    stamps = np.cumsum(rng.uniform(0.2, 3.0, 60)) if irregular else np.arange(60.0)
    axis, _ = axis_of(stamps)
    mask = rng.random((60, 4)) > 0.6
    positions = np.arange(60) if axis.positions is None else axis.positions
    for most in (1, 3, 6):
        expected = slow_gaps(positions, mask, most)
        np.testing.assert_array_equal(long_gaps(axis, mask, most), expected)
        assert 0 < expected.sum() < (~mask).sum() or most > 1


def test_gaps_count_absent_rows_and_both_ends():
    axis, _ = axis_of(pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-07"]))
    mask = np.array([[False], [True], [False], [True]])
    assert long_gaps(axis, mask, 3)[:, 0].tolist() == [False, False, True, False]
    assert long_gaps(axis, mask, "4D")[:, 0].tolist() == [False] * 4
    assert long_gaps(axis, mask, pd.Timedelta("12h"))[:, 0].tolist() == [True, False, True, False]


@pytest.mark.parametrize("max_gap", [0, -1, True, 2.5, "long", "0h", None])
def test_bad_gaps_are_refused(max_gap):
    axis, _ = axis_of(pd.date_range("2024", periods=4))
    with pytest.raises(OptionError, match="max_gap"):
        long_gaps(axis, np.ones((4, 1), bool), max_gap)


def test_a_duration_needs_dates():
    axis, _ = axis_of([0, 1, 2])
    with pytest.raises(OptionError, match="needs dates"):
        long_gaps(axis, np.ones((3, 1), bool), "2h")

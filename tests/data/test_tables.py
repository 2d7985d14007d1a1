"""Series below one another in a frame, told apart by a column or by an index."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaximpute import DataError, OptionError, TimeError
from jaximpute.data import series
from jaximpute.data.frames import read, write

pytestmark = pytest.mark.fast


def long():
    """Two stations, of different lengths and times, their rows mixed."""
    return pd.DataFrame(
        {
            "station": ["A", "B", "A", "B", "A", "B"],
            "day": pd.to_datetime(
                ["2024-01-01", "2024-01-03", "2024-01-02", "2024-01-02", "2024-01-04", "2024-01-06"]
            ),
            "v": [1.0, 20.0, np.nan, np.nan, 4.0, 50.0],
        }
    )


def test_rows_come_to_their_step_and_back():
    frame = read(long(), "day", group="station")
    assert frame.kind == "series"
    assert frame.shape == (2, 5, 3)
    axis, notes = series.make_axis(frame.stamps, frame.shape[1])
    assert not notes
    placed = series.place(axis, frame.values[:, 2:], 2)[..., 0]
    nan = np.nan
    # of the days from the first to the sixth; nobody has the fifth
    np.testing.assert_array_equal(
        placed, [[1, nan, nan, 4, nan, nan], [nan, nan, 20, nan, nan, 50]]
    )
    np.testing.assert_array_equal(series.take(axis, placed[..., None])[:, 0], frame.values[:, 2])
    assert axis.absent(2) == 6
    assert [column.kind for column in frame.columns] == ["group", "time", "number"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=25, unique=True)
)
def test_any_rows_come_back_in_their_order(rows):
    groups, times = np.array(rows).T
    data = pd.DataFrame({"g": groups, "t": times, "v": np.arange(float(len(rows)))})
    frame = read(data, "t", group="g")
    axis, _ = series.make_axis(frame.stamps, frame.shape[1])
    placed = series.place(axis, frame.values, frame.shape[0])
    np.testing.assert_array_equal(series.take(axis, placed), frame.values)
    assert int(np.isfinite(placed[..., 2]).sum()) == len(rows)
    assert write(frame, frame.values).equals(data)


def test_an_index_of_names_and_dates_and_other_libraries_are_read_alike():
    data = long()
    wanted = read(data, "day", group="station")
    levels = read(data.set_index(["station", "day"]))
    assert levels.kind == "series"
    assert levels.shape == (2, 5, 1)
    np.testing.assert_array_equal(levels.stamps.group, wanted.stamps.group)
    other = read(pl.from_pandas(data), "day", group=["station"])
    np.testing.assert_array_equal(other.stamps.group, wanted.stamps.group)
    pair = read(data.assign(unit=1), "day", group=["station", "unit"])
    assert pair.shape == (2, 5, 4)


def test_what_cannot_be_told_apart_is_refused():
    data = long()
    with pytest.raises(OptionError, match="no time is given"):
        read(data, group="station")
    with pytest.raises(DataError, match="no column is called 'staton'; did you mean 'station'"):
        read(data, "day", group="staton")
    with pytest.raises(DataError, match="column 'station' is missing in row 2"):
        read(data.assign(station=["A", "B", None, "B", "A", "B"]), "day", group="station")
    with pytest.raises(TimeError, match="1 duplicate stamps"):
        read(pd.concat([data, data[:1]], ignore_index=True), "day", group="station")
    with pytest.raises(OptionError, match="both the time and a group"):
        read(data, "day", group="day")
    with pytest.raises(OptionError, match="columns of a frame"):
        read(np.ones((4, 2)), np.arange(4), group="0")
    n = 8000
    apart = pd.DataFrame({"g": np.arange(n), "t": np.arange(n) ** 1.5, "v": np.ones(n)})
    with pytest.raises(TimeError, match="time since the start of each"):
        read(apart, "t", group="g")

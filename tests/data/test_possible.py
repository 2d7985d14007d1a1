"""What columns may hold: by their own cells, and as the user says."""

import numpy as np
import pytest

from jaximpute import OptionError
from jaximpute.data import possible
from jaximpute.data.columns import Column
from jaximpute.data.frames import read
from jaximpute.streaming import moments

RNG = np.random.default_rng(0)
N = 300
COLUMNS = {
    "count": (RNG.poisson(2.0, N).astype(float), (0, np.inf)),
    "counts far from 0": (RNG.integers(50, 90, N).astype(float), (0, np.inf)),
    "0/1": ((RNG.random(N) < 0.3).astype(float), (0, 1)),
    "share": (RNG.beta(0.5, 0.5, N), (0, 1)),
    "rain": (np.where(RNG.random(N) < 0.8, 0, RNG.gamma(1, 3, N)), (0, np.inf)),
    "concentration": (RNG.gamma(2.0, 1.0, N) + 0.1, (0, np.inf)),
    "humidity": (np.minimum(100, RNG.normal(85, 15, N)), (0, 100)),
    "celsius": (RNG.normal(5, 8, N), (-np.inf, np.inf)),
    "mild celsius": (np.clip(RNG.normal(20, 4, N), 5, None), (-np.inf, np.inf)),
    "one exact 0": (np.r_[0.0, RNG.normal(20, 4, N - 1)], (-np.inf, np.inf)),
    "whole celsius": (np.rint(RNG.normal(5, 8, N)), (-np.inf, np.inf)),
    "small": (RNG.normal(0.5, 0.05, N), (-np.inf, np.inf)),  # in [0, 1], and no share
    "loss": (-RNG.gamma(2.0, 1.0, N), (-np.inf, np.inf)),
}


@pytest.mark.fast
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_says_itself_what_is_possible(name):
    x, (low, high) = COLUMNS[name]
    found = possible.natural_bounds(possible.seen_in(x[:, None]))
    assert (found[0][0], found[1][0]) == (low, high)


@pytest.mark.fast
def test_one_pass_over_blocks_finds_the_same_bounds():
    x = np.column_stack([column for column, _ in COLUMNS.values()])
    x[RNG.random(x.shape) < 0.1] = np.nan
    columns = read(x).columns
    total = moments.of_block(x[:70])
    for start in range(70, N, 70):
        total = moments.merged(total, moments.of_block(x[start : start + 70]))
    codec = moments.codec_of(total, moments.count_levels(x, columns), columns, x)
    low, high = possible.natural_bounds(possible.seen_in(x))
    np.testing.assert_array_equal(codec.low, low)
    np.testing.assert_array_equal(codec.high, high)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("bounds", "circular", "message"),
    [
        ({"Ozon": (0, None)}, None, "no column is called 'Ozon'; did you mean 'Ozone'"),
        ({"Ozone": (2, 1)}, None, "expected the lower one first"),
        ({"Ozone": 0}, None, "expected a pair"),
        ({"Ozone": (0, np.nan)}, None, "expected numbers"),
        ({"Ozone": ("0", None)}, None, "expected numbers"),
        ({"site": (0, None)}, None, "column 'site' holds texts"),
        ([("Ozone", 0)], None, "expected pairs by column"),
        (None, ["Ozon"], "circular: no column is called 'Ozon'"),
        (None, {"Ozone": 0}, "expected a positive number"),
        (None, "Ozone", "expected names of columns"),
        (None, ["site"], "column 'site' holds texts"),
        ({"Ozone": (0, None)}, ["Ozone"], "both as circular and with bounds"),
    ],
)
def test_what_cannot_be_meant_is_refused(bounds, circular, message):
    columns = (Column("Ozone", "number"), Column("site", "text", ("a", "b")))
    with pytest.raises(OptionError, match=message):
        possible.tell(columns, bounds, circular)


@pytest.mark.fast
@pytest.mark.parametrize("name", ["wind_dir", "WDIR", "Wind Direction (deg)", "heading", "wd_10m"])
def test_columns_that_look_like_directions_are_pointed_out(name):
    x = np.array([[350.0], [np.nan], [10.0], [200.0]])
    assert "circular=" in possible.notes([Column(name, "number")], x)[0]
    assert not possible.notes([Column(name, "number")], x, hint=False)
    assert not possible.notes([Column(name, "number", period=360.0)], x)
    assert not possible.notes([Column(name, "number")], x / 10)
    assert not possible.notes([Column("temperature", "number")], x)
    assert not possible.notes([Column("director", "number")], x)


@pytest.mark.fast
def test_observed_cells_outside_the_bounds_are_counted_and_placed():
    told = possible.tell([Column("a", "number")], {"a": (0, 5)})
    (text,) = possible.notes(told, np.array([[1.0], [np.nan], [-2.0], [7.0]]))
    assert "2 observed cells" in text
    assert "row 2 (-2)" in text

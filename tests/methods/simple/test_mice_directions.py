"""Chained equations on directions: sine and cosine are one target, drawn together."""

import jax
import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.data import codec, frames, possible
from jaximpute.maths.averages import middle
from jaximpute.methods.simple._categories import targets


def _points(degrees: np.ndarray) -> np.ndarray:
    return np.column_stack([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])


def _narrow(n: int = 400, middle: float = 45.0, spread: float = 10.0) -> np.ndarray:
    """A number, and directions about one, which the number says nothing of; every fourth gone."""
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.normal(size=n), _points(middle + spread * rng.normal(size=n))])
    matrix[::4, 1:] = np.nan
    return matrix


@pytest.mark.fast
def test_a_codec_says_which_columns_are_one_direction():
    table = pd.DataFrame({"a": [1.0, 2, 4], "x": [9.0, 350, 5], "y": [1.0, 100, 300]})
    frame = frames.read(table)
    frame = frame._replace(columns=possible.tell(frame.columns, None, ["x", "y"]))
    assert codec.learn(frame).categories == (-1, -2, -2, -3, -3)
    of = targets((-1, -2, -2, -3, -3), 5)
    assert not of.levelled.any()
    hidden = of.hidden(drawn=False)
    assert hidden.astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1],
    ]
    # the second of two is drawn given the first
    assert (hidden != of.hidden(drawn=True)).nonzero()[0].tolist() == [2, 4]
    assert (hidden != of.hidden(drawn=True)).nonzero()[1].tolist() == [1, 3]


def test_the_parts_of_a_direction_do_not_predict_one_another():
    data = ji.observe(_narrow())
    found = {}
    for categories in (None, (-1, -2, -2)):
        method = ji.methods.ice(categories=categories)
        state = ji.fit(method, jax.random.key(0), data, 5)
        found[categories] = np.asarray(state.rules.coef[-1])
    apart = found[(-1, -2, -2)]
    assert apart[1, 2] == apart[2, 1] == 0
    assert apart[1, 0] != 0  # what else there is does
    assert abs(found[None][1, 2]) > 0.5


def test_draws_spread_as_directions_do():
    """Of parts that are drawn without one another the spread would be 7 degrees."""
    data = ji.observe(_narrow())
    method = ji.methods.mice(categories=(-1, -2, -2))
    state = ji.fit(method, jax.random.key(0), data, 5)
    filled = np.asarray(method.sample(jax.random.key(1), state, data))[::4, 1:]
    angle = np.degrees(np.arctan2(*filled.T))
    assert abs(angle.mean() - 45) < 3
    assert 8.3 < angle.std() < 11.7


@pytest.mark.parametrize("method", ["ice", "mice"])
def test_directions_beside_categories_go_round(method):
    rng = np.random.default_rng(1)
    slope, side = rng.normal(size=300), rng.choice(["sea", "land"], 300)
    truth = np.mod(np.where(side == "sea", 350.0, 20.0) + 12 * slope, 360)
    table = pd.DataFrame({"slope": slope, "side": side, "wind": truth})
    table.loc[::3, "wind"] = np.nan
    filled = ji.impute(table, method, circular=["wind"])["wind"]
    off = np.abs(np.mod(filled - truth + 180, 360) - 180)[::3]
    assert off.mean() < 5
    assert off.max() < 40


def test_medians_of_draws_take_directions_for_numbers():
    draws = np.random.default_rng(0).normal(size=(5, 3, 4))
    found = middle(draws, (-1, -2, -2, 0))
    np.testing.assert_allclose(found[:, :3], np.median(draws[..., :3], axis=0), rtol=1e-6)

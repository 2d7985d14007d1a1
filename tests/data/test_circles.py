"""Directions: encoding, the range of answers, distances."""

import numpy as np
import pytest

from jaximpute.data import circles
from jaximpute.data.frames import read
from jaximpute.tasks.score import score


def _turned(x: np.ndarray, period: float, whole: bool = False) -> np.ndarray:
    circle = circles.circle_of(0, period, whole, x)
    return circles.decoded(circle, circles.encoded(circle, x), np.zeros(0))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("x", "period"),
    [
        (np.array([0.0, 90.0, 359.5, 123.456]), 360.0),
        (np.array([-179.0, -10.0, 0.0, 90.0, 179.5]), 360.0),
        (np.array([1.0, 90.0, 360.0]), 360.0),  # north is 360 here, and 0 is no wind
        (np.array([0.0, 6.5, 23.75]), 24.0),
        (np.array([0.0, 3.0, 6.2]), 2 * np.pi),
    ],
)
def test_directions_come_back_in_the_range_of_the_data(x, period):
    np.testing.assert_allclose(_turned(x, period), x, atol=1e-12 * period)


@pytest.mark.fast
def test_answers_that_are_observed_directions_are_exactly_these():
    x = np.random.default_rng(0).uniform(0, 360, 500)
    circle = circles.circle_of(0, 360.0, False, x)
    np.testing.assert_array_equal(circles.decoded(circle, circles.encoded(circle, x), x), x)


@pytest.mark.fast
def test_rounded_north_is_zero_and_not_the_period():
    circle = circles.circle_of(0, 360.0, True, np.array([0.0, 90.0, 180.0]))
    coded = circles.encoded(circle, np.array([359.7, -0.2, -1e-18]))
    assert circles.decoded(circle, coded, np.zeros(0)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.fast
def test_the_distance_around_is_the_least_over_all_rotations():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 360, 7), rng.uniform(0, 360, 7)
    ranked = np.sort(b)
    slow = min(
        np.abs(circles.between(np.sort(a), np.roll(ranked, shift), 360.0)).mean()
        for shift in range(7)
    )
    assert abs(circles.around(a, b, 360.0) - slow) < 1e-9


@pytest.mark.fast
def test_errors_of_directions_are_taken_the_shorter_way_round():
    truth = np.array([[350.0], [10.0], [180.0], [90.0]])
    frame = read(truth)
    frame = frame._replace(columns=(frame.columns[0]._replace(period=360.0),))
    hidden = np.array([[True], [False], [False], [False]])
    found = score(frame, hidden, np.where(hidden, 5.0, truth))
    assert found["0", "mae"] == pytest.approx(15.0)


@pytest.mark.fast
def test_quantiles_across_north_are_those_of_the_turned_directions():
    x = np.random.default_rng(0).normal(0, 10, (500, 2))
    x[:, 0] = x[:, 0] - x[:, 0].mean()
    circle = circles.circle_of(0, 360.0, False, np.array([0.0, 359.0]))
    found = circles.quantiles(circle, np.mod(x, 360), [0.1, 0.5, 0.9])
    expected = np.quantile(x, [0.1, 0.5, 0.9], axis=0)
    assert np.abs(circles.between(found, expected, 360.0)).max() < 1e-9

"""Numbers kept within bounds: where they end up, and how densely."""

import numpy as np
import pytest
from scipy.stats import foldnorm, kstest

from jaximpute.data.bounds import beyond, clipped, reflected

NONE = np.array([np.inf])
REAL, WHOLE = np.zeros(1, bool), np.ones(1, bool)


@pytest.mark.fast
def test_draws_reflected_at_zero_follow_the_folded_normal():
    draws = np.random.default_rng(0).normal(0.5, 1.0, (4000, 1))
    found = reflected(draws, np.zeros(1), NONE, REAL)
    # |Z| of a normal with mean c and unit variance has the folded normal's distribution
    assert kstest(found[:, 0], foldnorm(0.5).cdf).pvalue > 0.01
    assert (found > 0).all()  # clipping puts three in ten of them onto 0
    assert (clipped(draws, np.zeros(1), NONE, REAL) == 0).mean() > 0.25


@pytest.mark.fast
def test_reflection_is_its_own_mirror_and_leaves_what_is_inside():
    x = np.linspace(-3.0, 4.0, 141)[:, None]
    found = reflected(x, np.zeros(1), np.ones(1), REAL)[:, 0]
    inside = (x[:, 0] >= 0) & (x[:, 0] <= 1)
    np.testing.assert_array_equal(found[inside], x[inside, 0])
    # a slow plain twin: mirror until it is inside
    for start, end in zip(x[:, 0], found, strict=True):
        while not 0 <= start <= 1:
            start = -start if start < 0 else 2 - start
        assert abs(start - end) < 1e-12


@pytest.mark.fast
def test_whole_draws_give_zero_the_weight_of_its_neighbours():
    draws = np.random.default_rng(1).normal(0.0, 50.0, (40000, 1))
    found = reflected(draws, np.zeros(1), NONE, WHOLE)[:, 0]
    counts = np.bincount(found.astype(int))[:4]
    assert (found == np.rint(found)).all()
    assert counts[0] < 1.15 * counts[1:].mean()  # clipped, half of all draws are 0
    assert counts[0] > 0.85 * counts[1:].mean()


@pytest.mark.fast
def test_no_negative_zero_is_left():
    for keep in (clipped, reflected):
        found = keep(np.array([[-0.2], [-0.0]]), np.zeros(1), NONE, WHOLE)
        assert not np.signbit(found).any()
    assert not np.signbit(clipped(np.array([[-0.2]]), -NONE, NONE, WHOLE)).any()


@pytest.mark.fast
def test_what_rounding_alone_takes_beyond_a_bound_is_not_counted():
    x = np.array([[-1e-13], [-0.3], [0.2]])
    assert beyond(x, np.zeros(1), NONE, REAL)[:, 0].tolist() == [False, True, False]
    assert not beyond(x, np.zeros(1), NONE, WHOLE).any()  # written as 0, all of them
    assert beyond(np.array([[-0.7]]), np.zeros(1), NONE, WHOLE).all()


@pytest.mark.fast
def test_whole_numbers_stay_within_bounds_that_are_not():
    found = clipped(np.array([[-5.0], [5.0]]), np.array([0.5]), np.array([2.5]), WHOLE)
    assert found[:, 0].tolist() == [1.0, 2.0]

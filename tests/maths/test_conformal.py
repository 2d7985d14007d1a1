"""Split conformal bounds against order statistics, and what they promise of new scores."""

import numpy as np
import pytest

from jaximpute.maths import conformal

RNG = np.random.default_rng(0)

pytestmark = pytest.mark.fast


def test_the_bound_is_an_order_statistic():
    for n in (9, 20, 99):
        found = RNG.permutation(np.arange(1.0, n + 1))
        for level in (0.5, 0.8, 0.9):
            k = int(np.ceil(round((n + 1) * level, 9)))
            assert conformal.bound(found, level) == k
    assert conformal.bound(np.arange(8.0), 0.9) == np.inf
    assert conformal.least_scores(0.95) == 19
    assert np.isfinite(conformal.bound(np.arange(19.0), 0.95))


def test_new_scores_lie_below_it_as_often_as_the_formula_says():
    n, level = 19, 0.8
    found = RNG.exponential(size=(4000, n + 1))
    held = [row[-1] <= conformal.bound(row[:-1], level) for row in found]
    exact = np.ceil((n + 1) * level) / (n + 1)
    assert abs(np.mean(held) - exact) < 3 * np.sqrt(exact * (1 - exact) / 4000)


def test_a_score_is_what_the_interval_lacks():
    truth, low, high = np.array([-1.0, 0.2, 3.0]), np.zeros(3), np.ones(3)
    found = conformal.scores(truth, low, high, np.full(3, 2.0))
    np.testing.assert_allclose(found, [0.5, -0.1, 1.0])
    widened = (low - 2 * found <= truth) & (truth <= high + 2 * found)
    assert widened.all()


def test_hard_cells_get_wide_intervals_and_small_groups_those_of_all():
    hard = RNG.integers(0, 3, 900).astype(float)
    errors = np.abs(RNG.normal(size=900)) * (1 + 3 * hard)
    group = np.repeat([0, 1], [890, 10])
    widths = conformal.calibrate(errors, group, hard, 2, 0.9)
    wide = conformal.looked_up(widths, np.zeros(3, int), np.arange(3.0))
    for step in range(3):
        own = errors[(group == 0) & (hard == step)]
        assert wide[step] == conformal.bound(own, 0.9)
    together = conformal.looked_up(widths, np.ones(3, int), np.arange(3.0))
    assert together[2] == conformal.bound(errors[hard == 2], 0.9)
    far = conformal.looked_up(widths, np.zeros(1, int), np.array([50.0]))
    assert far[0] == wide[2]


def test_equal_difficulties_are_not_cut_apart():
    widths = conformal.calibrate(np.arange(200.0), np.zeros(200, int), np.ones(200), 1, 0.8)
    assert len(widths.edges[0]) == 0
    few = conformal.calibrate(np.arange(5.0), np.zeros(5, int), np.ones(5), 1, 0.9)
    assert few.width[0].tolist() == [np.inf]


def test_weights_make_easy_known_cells_as_hard_as_new_ones():
    def cells(n, share):
        hard = (RNG.random(n) < share).astype(float)
        return hard, np.abs(RNG.normal(size=n)) * (1 + 4 * hard)

    (hard, known), (new_hard, new) = cells(4000, 0.8), cells(4000, 0.2)
    weight = conformal.as_likely(np.zeros(4000, int), hard, np.zeros(4000, int), new_hard)
    # one bin for both, as if difficulty were not looked at
    assert (new <= conformal.bound(known, 0.8)).mean() > 0.9
    assert abs((new <= conformal.bound(known, 0.8, weight)).mean() - 0.8) < 0.02
    assert conformal.bound(known, 0.8, np.full(4000, 3.0)) == conformal.bound(known, 0.8)
    assert conformal.bound(known[:4], 0.5, np.zeros(4)) == np.inf

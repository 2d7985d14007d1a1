"""Weights against plain least squares, and what is chosen where it is known which is right."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

import jaximpute as ji
from jaximpute import registry
from jaximpute.methods.simple import _weights
from jaximpute.methods.simple._trials import together
from jaximpute.methods.simple.stack import stack
from jaximpute.missing import hidden_again
from jaximpute.registry import Plan


def problem(m=4000, d=3, seed=0):
    """Three answers: two with noise of their own, one that knows nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=m)
    answers = truth[:, None] + rng.normal(size=(m, 3)) * [0.5, 0.7, 0.0]
    answers[:, 2] = rng.normal(size=m)
    return answers, truth, rng.integers(d, size=m), rng.integers(_weights.GROUPS, size=m), d


def test_common_weights_are_those_of_scipy():
    answers, truth, column, group, d = problem()
    grams = _weights._grams(answers, truth, column, group, d)
    whole = _weights._Grams(*(part.sum(axis=0) for part in grams))
    plain = nnls(answers, truth)[0]
    np.testing.assert_allclose(_weights._fit(whole, np.inf)[:, 0], plain, atol=1e-5)
    losses = _weights._losses(grams, np.full((3, d), 0.3))
    plain = np.bincount(group, (truth - 0.3 * answers.sum(axis=1)) ** 2)
    np.testing.assert_allclose(losses, plain, rtol=1e-9)


def test_a_mixture_beats_the_best_and_leaves_out_what_knows_nothing():
    found = _weights.weigh(*problem())
    assert found.chosen < 0.9 * found.singles.min()
    np.testing.assert_allclose(found.weights[2], 0, atol=0.05)
    answers, truth, column, *_ = problem(seed=1)
    errors = (answers * found.weights.T[column]).sum(axis=1) - truth
    np.testing.assert_allclose(np.sqrt((errors**2).mean()), found.chosen, rtol=0.05)


def test_the_single_best_is_taken_where_a_mixture_gains_nothing():
    answers, *rest = problem()
    answers[:, 1] = rest[0]
    found = _weights.weigh(answers, *rest)
    np.testing.assert_array_equal(found.weights, [[0] * 3, [1] * 3, [0] * 3])
    assert found.chosen == found.singles[1] == 0
    few = _weights.weigh(*(part[:10] for part in (answers, *rest[:3])), rest[3])
    np.testing.assert_array_equal(few.weights, [[1] * 3, [0] * 3, [0] * 3])


def test_columns_depart_where_their_cells_ask_for_it():
    answers, truth, column, group, d = problem(20000)
    own = column == 2
    answers[own, 0], answers[own, 1] = answers[own, 1], truth[own]
    weights = _weights.weigh(answers, truth, column, group, d).weights
    assert weights[1, 2] > 0.9
    assert weights[0, 0] > weights[1, 0]


def curved(rows=500):
    """A column that is the size of another one, which no line can tell; and one that a line can."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (rows, 3))
    x[:, 1] = np.abs(x[:, 0]) + 0.05 * rng.normal(size=rows)
    x[:, 2] = x[:, 0] + 0.05 * rng.normal(size=rows)
    mask = rng.random(x.shape) > 0.2
    return x, np.where(mask, x, np.nan)


def test_the_stack_is_about_as_good_as_the_best_member():
    truth, holed = curved()
    errors = {}
    for name in ("gaussian", "knn", "trees", "stack"):
        filled = ji.impute(holed, name)
        errors[name] = np.sqrt(((filled - truth)[np.isnan(holed)] ** 2).mean())
    assert errors["stack"] <= 1.03 * min(errors.values())


def test_auto_tells_what_it_chose_in_the_units_of_the_columns():
    truth, holed = curved()
    scale = np.array([1.0, 100.0, 1.0])
    result = ji.impute_with_report(holed * scale)
    chosen = json.loads(json.dumps(result.report["chosen"], allow_nan=False))
    assert set(chosen["weights"]) == {"gaussian", "ice", "knn", "trees"}
    missing = np.isnan(holed)
    for i, name in enumerate("012"):
        off = np.abs(result.data - truth * scale)[missing[:, i], i].mean()
        assert 0.4 < chosen["column_errors"][name] / off < 2.5
    many = ji.impute_many(holed, draws=2, members=["gaussian", "mice"])
    assert many.report["chosen"]["draws"] in ("gaussian", "mice")
    assert (many.draws[0] != many.draws[1])[missing].mean() > 0.9


def test_a_member_that_fails_has_no_weight():
    _, holed = curved(200)
    broken = ji.methods.mean()._replace(estimate=lambda key, state, data: data.values / 0.0)
    data = ji.observe(holed)
    method = stack([Plan(broken), Plan(ji.methods.gaussian())])
    state = ji.fit(method, jax.random.key(0), data, 0)
    np.testing.assert_array_equal(state.weights[0], 0.0)
    assert np.isfinite(ji.complete(method, jax.random.key(1), state, data)).all()
    both = stack([Plan(broken), Plan(broken)])
    with pytest.raises(ji.OptionError, match="no member could complete"):
        ji.fit(both, jax.random.key(0), data, 0)


@pytest.mark.fast
def test_wrong_members_are_named():
    data = ji.observe(np.ones((4, 2)))
    for members, words in ((["mean"], "two or more"), (["mean", "mean"], "each of them once")):
        with pytest.raises(ji.OptionError, match=words):
            registry.build("stack", data, kind="table", options={"members": members})
    with pytest.raises(ji.OptionError, match="completes only rows"):
        registry.build("stack", data, kind="table", options={"members": "mean,sinkhorn"})
    with pytest.raises(ji.OptionError, match=r"holdout is 1\.5"):
        stack([Plan(ji.methods.mean())] * 2, holdout=1.5)


@pytest.mark.fast
def test_the_columns_of_a_category_are_hiddentogether():
    hidden = together(np.random.default_rng(0).random((50, 5)) < 0.5, (-1, 0, 0, -2, -2))
    np.testing.assert_array_equal(hidden[:, 1], hidden[:, 2])
    np.testing.assert_array_equal(hidden[:, 3], hidden[:, 4])
    assert (hidden[:, 0] != hidden[:, 1]).any()


def test_what_is_hidden_again_looks_like_the_holes():
    mask = jnp.full((1, 600, 2), True)
    for start in range(20, 580, 60):
        mask = mask.at[0, start : start + 20].set(False)
    hidden = np.asarray(hidden_again(jax.random.key(0), mask, 0.1))
    assert not (hidden & ~np.asarray(mask)).any()
    begins = hidden & ~np.roll(hidden, 1, axis=1)
    assert hidden.sum() / begins.sum() > 8  # long gaps, and not single steps
    whole = np.asarray(hidden_again(jax.random.key(0), jnp.full((400, 3), True), 0.2))
    assert 0.15 < whole.mean() < 0.25


def test_fields_of_few_frames_look_for_no_modes():
    def members(frames):
        shape = (1, frames, 4, 4, 1)
        data = ji.Observed(jnp.zeros(shape), jnp.ones(shape, bool), jnp.ones(1))
        state = jax.eval_shape(
            registry.build("stack", data, kind="field").method.init, jax.random.key(0), data
        )
        return len(state.members)

    assert members(8) == 3
    assert members(24) == 4

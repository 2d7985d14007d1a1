"""SPIRIT on a base: what it learns of conditional means, and what it must not make worse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import registry
from jaximpute.engine.onhost import OnHost, learns_on_host
from jaximpute.maths import random
from jaximpute.maths.gaussians import conditional_mean
from jaximpute.methods.papers.spirit import surroundings as around
from jaximpute.methods.papers.spirit.conditional import noise_loss

MEAN = np.array([1.0, -1.0, 0.5])
COV = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]])


def holed(x, rate, seed=1):
    hidden = np.random.default_rng(seed).random(x.shape) < rate
    return ji.observe(np.where(hidden, np.nan, x)), hidden


def fitted(data, start, kind="table", **options):
    plan = registry.build("spirit", data, kind=kind, options={"start": start, **options})
    infos = []
    state = ji.fit(
        plan.method, jax.random.key(5), data, plan.steps, chunk=1,
        hooks=[lambda t, state, info: infos.append(info) or False, *plan.hooks],
    )  # fmt: skip
    return plan, state, infos


def test_from_column_means_it_learns_the_conditional_mean_of_gaussian_rows():
    """Its error is within a hundredth of the exact one."""
    x = np.random.default_rng(0).multivariate_normal(MEAN, COV, 10000)
    data, hidden = holed(x, 0.3)
    plan, state, _ = fitted(data, "mean", width=64)
    exact = conditional_mean(data.values, data.mask, jnp.asarray(MEAN), jnp.asarray(COV))

    def error(filled):
        return np.abs(np.asarray(filled) - x)[hidden].mean()

    assert error(ji.complete(plan.method, jax.random.key(1), state, data)) < 1.01 * error(exact)


def bent(n, seed):
    """Columns in pairs, of which one is a bent image of the other."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    noise = 0.1 * rng.normal(size=(n, 2))
    return np.stack(
        [z[:, 0], 1.5 * np.abs(z[:, 0]) + noise[:, 0], z[:, 1], np.sin(2 * z[:, 1]) + noise[:, 1]],
        axis=1,
    )


@pytest.fixture(scope="module")
def on_bent():
    x = bent(1500, 0)
    data, hidden = holed(x, 0.3)
    return x, data, hidden, fitted(data, "gaussian", width=64)


def test_where_conditional_means_are_bent_it_is_a_tenth_better_than_the_gaussian(on_bent):
    x, data, hidden, (plan, state, infos) = on_bent
    base = registry.build("gaussian", data, kind="table").method
    start = np.asarray(base.estimate(jax.random.key(0), state.start, data))
    filled = np.asarray(ji.complete(plan.method, jax.random.key(1), state, data))
    for power in (1, 2):
        off = [(np.abs(answer - x)[hidden] ** power).mean() for answer in (filled, start)]
        assert off[0] < 0.9 * off[1]
    assert infos[-1].metrics["best_error"][-1] < 0.9 * infos[0].metrics["start_error"][0]
    assert plan.tells(state)["weights"]["spirit"] > 0


def test_it_completes_rows_it_has_not_seen_and_each_by_itself(on_bent):
    _, _, _, (plan, state, _) = on_bent
    x = bent(400, 7)
    data, hidden = holed(x, 0.3, seed=8)
    base = registry.build("gaussian", data, kind="table").method
    start = np.asarray(base.estimate(jax.random.key(0), state.start, data))
    filled = np.asarray(plan.method.estimate(jax.random.key(1), state, data))
    assert np.abs(filled - x)[hidden].mean() < 0.9 * np.abs(start - x)[hidden].mean()
    one = jax.tree.map(lambda leaf: leaf[7:8], data)
    alone = plan.method.estimate(jax.random.key(9), state, one)
    np.testing.assert_allclose(alone, filled[7:8], atol=1e-4)


def test_where_nothing_is_to_be_foreseen_the_start_is_returned_bit_for_bit():
    x = np.random.default_rng(3).normal(size=(300, 3))
    data, _ = holed(x, 0.3)
    plan, state, infos = fitted(data, "mean", width=32, score_steps=50, steps=2)
    filled = ji.complete(plan.method, jax.random.key(1), state, data)
    start = ji.methods.mean().estimate(jax.random.key(1), state.start, data)
    np.testing.assert_array_equal(filled, start)
    told = plan.tells(state)
    assert told["weights"] == {"mean": 1.0, "spirit": 0.0}
    assert told["errors"]["spirit"] == told["errors"]["mean"]
    assert infos[-1].metrics["best_error"][-1] == infos[0].metrics["start_error"][0]


def test_before_anything_is_learned_the_answer_is_that_of_the_start():
    x = bent(200, 1)
    data, _ = holed(x, 0.3)
    plan, state, _ = fitted(data, "gaussian", steps=0)
    base = registry.build("gaussian", data, kind="table").method
    start = base.estimate(jax.random.key(0), state.start, data)
    np.testing.assert_array_equal(plan.method.estimate(jax.random.key(1), state, data), start)


def test_the_surroundings_of_a_step_are_what_they_are_said_to_be():
    key_x, key_mask = jax.random.split(jax.random.key(0))
    x = jax.random.normal(key_x, (2, 40, 3))
    mask = jax.random.uniform(key_mask, x.shape) > 0.3
    units = around.Units(jnp.array([1.0, 2.0, 4.0]), jnp.zeros(3), jnp.asarray(8))
    seen = around.surroundings(x, mask, units, 5)
    rows = seen.view.take(seen.given[0], jnp.array([11, 40 + 11, 0]))
    found = seen.about(rows)
    assert found.shape == (3, around.width(x.shape, 5))
    assert not found[2, 15 : 15 + 6].any()  # before the first step nothing is observed
    near, known, level, _, apart, both, clock = np.split(
        np.asarray(found[1]), np.cumsum([15, 15, 3, 3, 6, 6])
    )
    change, x, mask = np.array([1.0, 2.0, 4.0]), np.asarray(x), np.asarray(mask)
    np.testing.assert_allclose(near.reshape(5, 3), (x[1, 9:14] - x[1, 11]) / change, atol=1e-5)
    np.testing.assert_array_equal(known.reshape(5, 3), mask[1, 9:14])
    np.testing.assert_array_equal(level, x[1, 11])
    np.testing.assert_allclose(apart.reshape(2, 3)[0], (x[1, 3] - x[1, 11]) / change, atol=1e-5)
    np.testing.assert_array_equal(both.reshape(2, 3)[1], mask[1, 19])
    np.testing.assert_allclose(clock[:2], [np.sin(0.75 * np.pi), np.cos(0.75 * np.pi)], atol=1e-5)


def test_a_start_that_learns_on_the_host_may_be_stood_on():
    data, _ = holed(np.random.default_rng(3).normal(size=(60, 3)), 0.3)
    mean = ji.methods.mean()
    start = mean._replace(init=OnHost(mean.init, lambda data: jnp.zeros(3)))
    net = ji.nets.adaln_mlp((3,), width=16, cond=6)
    options = {"score_steps": 2, "batch": 8, "hidings": 1}
    states, methods = [], [ji.methods.spirit(net, each, **options) for each in (mean, start)]
    for method in methods:
        states.append(ji.fit(method, jax.random.key(0), data, 1))
        shapes = jax.eval_shape(method.init, jax.random.key(0), data)
        assert jax.tree.structure(shapes) == jax.tree.structure(states[-1])
    assert learns_on_host(methods[1].init)
    for one, other in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.fast
def test_a_start_that_takes_steps_is_refused():
    data, _ = holed(np.random.default_rng(0).normal(size=(20, 3)), 0.2)
    with pytest.raises(ji.OptionError, match="takes steps"):
        registry.build("spirit", data, kind="table", options={"start": "ice"})


@pytest.mark.fast
def test_the_loss_of_a_linear_score_is_the_printed_one():
    """Noise on what is not shown; what was asked counts."""
    k_u, k_mask, key = jax.random.split(jax.random.key(0), 3)
    u, level, a = jax.random.normal(k_u, (40, 3)), 1.5, -0.4
    shown = jax.random.uniform(k_mask, u.shape) < 0.5
    asked = ~shown & (jnp.arange(3) > 0)[None]
    found = noise_loss(lambda y: a * y, jax.random.clone(key), level, u, asked, shown)
    noise = np.where(shown, 0, random.normal(key, u.shape, u.dtype))
    off = np.sqrt(1 + level**2) * np.abs(level * a * (u + level * noise) + noise)
    np.testing.assert_allclose(found, off[np.asarray(asked)].mean(), rtol=1e-5)

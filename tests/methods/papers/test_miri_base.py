"""MIRI on a base: what it keeps of the base, what it learns, and what it must not believe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import OptionError, masking, metrics, registry
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.maths.gaussians import conditional_deviation, conditional_mean
from jaximpute.methods import miri
from jaximpute.methods.papers.miri.recipe import steps_for
from jaximpute.nets import velocity_mlp
from jaximpute.types import Observed

SMALL = {"sgd_steps": 300, "batch": 64, "ode_steps": 4, "draws": 8, "lr": 2e-3}


def holed(x, seed=1, share=0.7):
    mask = jax.random.uniform(jax.random.key(seed), x.shape) < share
    return Observed(jnp.where(mask, x, 0), mask, jnp.ones(len(x)))


def on_gaussian(columns, **options):
    net = velocity_mlp((columns,), width=32, layers=2, zero=True)
    return miri(net, base=ji.methods.gaussian(), **(SMALL | options))


def run(method, data, rounds=3):
    return loop.fit(method, jax.random.key(2), data, rounds, chunk=1)


def test_a_gaussian_stays_a_gaussian():
    """The base is right already: means and spreads stay those of the closed form."""
    cov = 0.8 + 0.2 * jnp.eye(3)
    x = jax.random.normal(jax.random.key(0), (1000, 3)) @ jnp.linalg.cholesky(cov).T
    data, method = holed(x), on_gaussian(3)
    state = run(method, data)
    exact = conditional_mean(data.values, data.mask, jnp.zeros(3), cov)
    spread = conditional_deviation(data.mask, cov)
    hidden = np.asarray(~data.mask)
    found = np.asarray(loop.complete(method, jax.random.key(3), state, data))
    assert np.sqrt(((found - exact)[hidden] ** 2).mean()) < 0.12
    base = ji.methods.gaussian()
    plain = np.asarray(base.estimate(jax.random.key(3), state.base, data))
    errors = [np.sqrt(((a - x)[hidden] ** 2).mean()) for a in (found, plain)]
    assert errors[0] < 1.02 * errors[1]
    draws = draw_many(method, jax.random.key(4), state, data, 40)
    within = draws.std(axis=0)[hidden] / np.asarray(spread)[hidden]
    np.testing.assert_allclose(np.median(within), 1.0, atol=0.1)


@pytest.fixture(scope="module")
def bent():
    """A square, of which a covariance knows nothing."""
    k_x, k_e = jax.random.split(jax.random.key(0))
    x = jax.random.normal(k_x, (800,))
    x = jnp.stack([x, x**2 - 1 + 0.1 * jax.random.normal(k_e, (800,))], axis=1)
    data, method = holed(x), on_gaussian(2, sgd_steps=600)
    return x, data, method, run(method, data, 4)


def test_what_is_not_gaussian_is_learned(bent):
    x, data, method, state = bent
    base, hidden = ji.methods.gaussian(), np.asarray(~data.mask)
    found = np.asarray(loop.complete(method, jax.random.key(3), state, data))
    plain = np.asarray(base.estimate(jax.random.key(3), state.base, data))
    errors = [((a - x)[hidden] ** 2).mean() for a in (found, plain)]
    assert errors[0] < 0.8 * errors[1]

    def distance(draws):
        return np.mean([float(metrics.energy_distance(d, x)) for d in draws])

    drawn = draw_many(method, jax.random.key(4), state, data, 4)
    by_base = draw_many(base, jax.random.key(4), state.base, data, 4)
    assert distance(drawn) < 0.5 * distance(by_base)


def test_what_it_reports_is_what_was_chosen(bent):
    _, data, method, state = bent
    _, info = jax.jit(method.step)(jax.random.key(5), state, data)
    told = {name: float(value) for name, value in info.metrics.items()}
    assert told["error"] < 0.9 * told["start_error"]
    assert told["energy"] < 0.9 * told["start_energy"]
    assert min(told["share"], told["draw_share"]) >= 0.5
    hidden_again = np.asarray(data.mask & ~state.parts[0])
    assert 0.05 < hidden_again.sum() / data.mask.sum() < 0.15
    # what is held out was drawn anew, and no copy of it lies in the rows that are learned from
    assert (np.asarray(state.x != data.values)[hidden_again]).all()


def test_where_there_is_nothing_to_learn_the_base_answers():
    x = jax.random.normal(jax.random.key(0), (200, 3))
    data, method, base = holed(x), on_gaussian(3, sgd_steps=50), ji.methods.gaussian()
    state = run(method, data, 2)
    assert float(state.draws.share) == float(state.mean.share) == 0
    assert state.mean.after == state.mean.before
    found = loop.complete(method, jax.random.key(3), state, data)
    plain = jax.jit(base.estimate)(jax.random.key(3), state.base, data)
    np.testing.assert_allclose(found, plain, rtol=1e-6, atol=1e-6)


def test_a_base_that_learns_on_the_host():
    x = jax.random.normal(jax.random.key(0), (80, 2))
    data = holed(x)
    options = {"base": "trees", "width": 8, "sgd_steps": 3, "batch": 8, "ode_steps": 1, "draws": 2}
    plan = registry.build("miri", data, kind="table", options=options)
    state = run(plan.method, data, 1)
    drawn = draw_many(plan.method, jax.random.key(4), state, data, 2)
    np.testing.assert_array_equal(drawn[0][data.mask], data.values[data.mask])
    assert np.isfinite(drawn).all()


@pytest.mark.fast
def test_the_budget_follows_the_rows():
    assert steps_for(178, 128) == 100
    assert steps_for(768, 128) == 420
    assert steps_for(1_000_000, 128) == 1000
    data = masking.observe(np.zeros((768, 2)))
    plan = registry.build("miri", data, kind="table")
    state = jax.eval_shape(plan.method.init, jax.random.key(0), data)
    assert hasattr(state, "base")
    paper = registry.build("miri", data, kind="table", preset="paper")
    assert not hasattr(jax.eval_shape(paper.method.init, jax.random.key(0), data), "base")


@pytest.mark.fast
def test_a_base_must_draw_and_learn_at_once():
    data = masking.observe(np.zeros((20, 2)))
    for base, message in (("mean", "does not draw"), ("mice", "takes steps")):
        with pytest.raises(OptionError, match=message):
            registry.build("miri", data, kind="table", options={"base": base})
    with pytest.raises(OptionError, match="share is 2"):
        on_gaussian(2, holdout=2.0)

"""MIRI on a base: what it keeps of the base, what it learns, and what it must not believe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import OptionError, masking, metrics, registry
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.engine.onhost import OnHost
from jaximpute.maths.choice import Choice
from jaximpute.maths.gaussians import conditional_deviation, conditional_mean
from jaximpute.methods import miri
from jaximpute.methods.papers.miri.recipe import steps_for
from jaximpute.nets import velocity_mlp
from jaximpute.types import Method, Observed

ROWS = 600
BASE = ji.methods.gaussian()
# one method and one shape for all tests: it compiles once
METHOD = miri(
    velocity_mlp((2,), width=32, layers=2, zero=True),
    base=BASE,
    sgd_steps=400,
    batch=64,
    ode_steps=4,
    draws=8,
    lr=3e-3,
)


def holed(x, seed=1, share=0.7):
    mask = jax.random.uniform(jax.random.key(seed), x.shape) < share
    return Observed(jnp.where(mask, x, 0), mask, jnp.ones(len(x)))


def run(data, rounds=3):
    return loop.fit(METHOD, jax.random.key(2), data, rounds, chunk=1)


def answers(state, data):
    """Of the method and of its base."""
    found = loop.complete(METHOD, jax.random.key(3), state, data)
    plain = loop.complete(BASE, jax.random.key(3), state.base, data)
    return np.asarray(found), np.asarray(plain)


def test_a_gaussian_stays_a_gaussian():
    """The base is right already: means and spreads stay those of the closed form."""
    cov = jnp.array([[1.0, 0.8], [0.8, 1.0]])
    x = jax.random.normal(jax.random.key(0), (ROWS, 2)) @ jnp.linalg.cholesky(cov).T
    data = holed(x)
    state = run(data)
    exact = conditional_mean(data.values, data.mask, jnp.zeros(2), cov)
    spread = conditional_deviation(data.mask, cov)
    hidden = np.asarray(~data.mask)
    found, plain = answers(state, data)
    assert np.sqrt(((found - exact)[hidden] ** 2).mean()) < 0.15
    errors = [np.sqrt(((a - x)[hidden] ** 2).mean()) for a in (found, plain)]
    assert errors[0] < 1.02 * errors[1]
    draws = draw_many(METHOD, jax.random.key(4), state, data, 40)
    within = draws.std(axis=0)[hidden] / np.asarray(spread)[hidden]
    np.testing.assert_allclose(np.median(within), 1.0, atol=0.12)


@pytest.fixture(scope="module")
def bent():
    """A square, of which a covariance knows nothing."""
    k_x, k_e = jax.random.split(jax.random.key(0))
    x = jax.random.normal(k_x, (ROWS,))
    x = jnp.stack([x, x**2 - 1 + 0.1 * jax.random.normal(k_e, (ROWS,))], axis=1)
    data = holed(x)
    return x, data, run(data)


def test_what_is_not_gaussian_is_learned(bent):
    x, data, state = bent
    hidden = np.asarray(~data.mask)
    found, plain = answers(state, data)
    errors = [((a - x)[hidden] ** 2).mean() for a in (found, plain)]
    assert errors[0] < 0.8 * errors[1]

    def distance(method, state):
        drawn = draw_many(method, jax.random.key(4), state, data, 3)
        return np.mean([float(metrics.energy_distance(d, x)) for d in drawn])

    assert distance(METHOD, state) < 0.5 * distance(BASE, state.base)


def test_what_it_reports_is_what_was_chosen(bent):
    _, data, state = bent
    _, info = loop.run(METHOD, jax.random.key(5), jax.tree.map(jnp.copy, state), data, 3, 1)
    told = {name: float(value[0]) for name, value in info.metrics.items()}
    assert told["error"] < 0.9 * told["start_error"]
    assert told["energy"] < 0.9 * told["start_energy"]
    assert min(told["share"], told["draw_share"]) >= 0.5


def test_what_is_held_out_is_not_learned_from(bent):
    _, data, state = bent
    held_out = np.asarray(data.mask & ~state.parts[0])
    assert 0.05 < held_out.sum() / data.mask.sum() < 0.15
    assert np.asarray(state.judged.asked).sum() == held_out.sum()
    # it was drawn anew, and no copy of it lies in the rows that are learned from
    assert (np.asarray(state.x != data.values)[held_out]).all()


def test_where_there_is_nothing_to_learn_the_base_answers():
    data = holed(jax.random.normal(jax.random.key(0), (ROWS, 2)))
    state = run(data)
    assert float(state.draws.share) == float(state.mean.share) == 0
    assert state.mean.after == state.mean.before
    found, plain = answers(state, data)
    np.testing.assert_allclose(found, plain, rtol=1e-6, atol=1e-6)


def test_a_base_that_learns_on_the_host_teaches_on_cells_it_has_not_seen():
    seen = []

    def learn(key, data):
        seen.append(np.asarray(data.mask))
        return jnp.zeros(())

    def draw(key, state, data):
        return masking.clamp(jax.random.normal(key, data.values.shape), data)

    base = Method(
        OnHost(learn, lambda data: jnp.zeros(())),
        lambda key, state, data: (state, None),
        estimate=lambda key, state, data: data.values,
        sample=draw,
    )
    net = velocity_mlp((2,), width=8, layers=1, zero=True)
    method = miri(net, base=base, sgd_steps=2, batch=8, ode_steps=1, draws=2)
    data = holed(jax.random.normal(jax.random.key(0), (40, 2)))
    state = loop.fit(method, jax.random.key(1), data, 1, chunk=1)
    whole, shown, *folds = seen
    np.testing.assert_array_equal(whole, data.mask)
    np.testing.assert_array_equal(shown, state.parts[0])
    assert len(folds) == 3
    np.testing.assert_array_equal(np.sum([shown & ~fold for fold in folds], axis=0), shown)
    drawn = draw_many(method, jax.random.key(4), state, data, 2)
    np.testing.assert_array_equal(drawn[0][data.mask], data.values[data.mask])


def test_the_budget_follows_the_rows():
    assert [steps_for(n, 128, 70, 1000) for n in (178, 768, 10**6)] == [100, 420, 1000]
    assert steps_for(178, 128, 70, 5) == 5  # so many were asked for
    data = masking.observe(np.zeros((768, 2)))
    plan = registry.build("miri", data, kind="table")
    state = jax.eval_shape(plan.method.init, jax.random.key(0), data)
    assert hasattr(state, "base")
    mean, draws = Choice(0.25, 0.81, 0.64, 0.01), Choice(0.0, 1.0, 1.0, 0.1)
    told = plan.tells(state._replace(mean=mean, draws=draws))
    assert told["weights"] == {"gaussian": 0.75, "flow": 0.25}
    assert told["errors"] == {"gaussian": 0.9, "miri": 0.8}
    assert told["draws"] == "gaussian"
    paper = registry.build("miri", data, kind="table", preset="paper")
    assert not hasattr(jax.eval_shape(paper.method.init, jax.random.key(0), data), "base")


@pytest.mark.fast
def test_a_base_must_draw_and_learn_at_once():
    data = masking.observe(np.zeros((20, 2)))
    for base, message in (("mean", "does not draw"), ("mice", "takes steps")):
        with pytest.raises(OptionError, match=message):
            registry.build("miri", data, kind="table", options={"base": base})
    with pytest.raises(OptionError, match="share is 2"):
        miri(velocity_mlp((2,)), base=BASE, holdout=2.0)

"""SPIRIT against closed forms: a Gaussian score leads to conditional means and known energies."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaximpute as ji
from jaximpute.methods import _particles as particles
from jaximpute.views import identity, windows

MEAN = jnp.array([1.0, -1.0, 0.5])
COV = jnp.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]])
PLAIN = particles.Recursion(0.05, optax.sgd(0.05), False, "mean", 1.0, 0.0, "none")


def gaussian_score(rows):
    return -(rows - MEAN[None]) @ jnp.linalg.inv(COV)


def gaussian_rows(n=64, rate=0.4):
    k_rows, k_mask = jax.random.split(jax.random.key(3))
    x = MEAN[None] + jax.random.normal(k_rows, (n, 3)) @ jnp.linalg.cholesky(COV).T
    mask = jax.random.uniform(k_mask, x.shape) > rate
    return x, ji.Observed(jnp.where(mask, x, 0), mask, jnp.ones(n))


def climb(rule, data, moves, score=gaussian_score):
    n = data.values.shape[0]
    log_w = particles.normalise(jnp.log(data.weight))
    start = particles.Particles(data.values, log_w, rule.optimiser.init((data.values, log_w)))
    return particles.climb(
        rule, jax.random.key(0), start, score, data, identity((n, 3)),
        particles.Coordinates(None), moves,
    )  # fmt: skip


def test_particles_reach_the_conditional_mean():
    _, data = gaussian_rows()
    moved, _ = climb(PLAIN, data, 1000)
    for row, values, mask in zip(moved.x, data.values, np.asarray(data.mask), strict=True):
        o, m = np.flatnonzero(mask), np.flatnonzero(~mask)
        gain = COV[np.ix_(m, o)] @ np.linalg.inv(COV[np.ix_(o, o)]) if o.size else jnp.zeros((3, 0))
        expected = MEAN[m] + gain @ (values[o] - MEAN[o])
        np.testing.assert_allclose(row[m], expected, atol=1e-3)
        np.testing.assert_array_equal(row[o], values[o])


def test_energy_change_equals_the_closed_form():
    _, data = gaussian_rows()

    def energy(x):
        score = jnp.where(data.mask, 0, gaussian_score(x))
        away = x - MEAN[None]
        minus_log_p = jnp.einsum("ni,ij,nj->n", away, jnp.linalg.inv(COV), away) / 2
        return (minus_log_p + particles.squared_norm(score, ~data.mask, "mean") / 2).mean()

    before_last, _ = climb(PLAIN, data, 39)
    _, change = climb(PLAIN, data, 40)  # from the first evaluation to the last, before move 40
    np.testing.assert_allclose(change, energy(before_last.x) - energy(data.values), rtol=1e-4)
    assert change < -0.1


@pytest.mark.fast
def test_weights_follow_equations_12_and_13():
    _, data = gaussian_rows()
    rule = PLAIN._replace(weights=True, temperature=2.0, eta=0.05)
    moved, _ = climb(rule, data, 1)
    score = jnp.where(data.mask, 0, gaussian_score(data.values))
    squared = (score**2).sum(1) / jnp.maximum((~data.mask).sum(1), 1)
    expected = jnp.exp(0.05 * (-2 * squared + 2 * squared.mean()) / 2.0) / 64
    np.testing.assert_allclose(jnp.exp(moved.log_w), expected / expected.sum(), rtol=1e-5)
    assert jnp.ptp(moved.log_w) > 0.01


@pytest.mark.fast
def test_effective_sample_size_has_a_floor_and_padding_keeps_no_weight():
    log_w = jnp.array([0.0, -30.0, -30.0, -30.0, -jnp.inf])
    collapsed, kept = particles.normalise(log_w), particles.normalise(log_w, 0.6)
    np.testing.assert_allclose(particles.effective_size(collapsed), 0.25, rtol=1e-4)
    np.testing.assert_allclose(particles.effective_size(kept), 0.6, atol=1e-3)
    assert kept[-1] == -jnp.inf
    np.testing.assert_allclose(jnp.exp(kept).sum(), 1.0, rtol=1e-5)


@pytest.mark.fast
def test_the_norm_over_missing_entries_is_their_mean_or_their_sum():
    score = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    missing = jnp.array([[True, True], [False, True], [False, False]])
    np.testing.assert_allclose(particles.squared_norm(score, missing, "sum"), [5.0, 16.0, 0.0])
    np.testing.assert_allclose(particles.squared_norm(score, missing, "mean"), [2.5, 16.0, 0.0])


@pytest.mark.parametrize("dissipative", ["ve", "vp"])
def test_the_dissipative_term_spreads_the_particles(dissipative):
    """Langevin noise keeps a spread: VE at half the conditional variance, VP wider by its drift."""
    n = 2000
    data = ji.Observed(jnp.zeros((n, 3)), jnp.full((n, 3), False), jnp.ones(n))
    variance = jnp.array([1.0, 0.5, 0.25])
    rule = PLAIN._replace(dissipative=dissipative)
    moved, _ = climb(rule, data, 600, lambda rows: -rows / variance[None])
    pull = 1 / variance - (0.5 if dissipative == "vp" else 0.0)
    # dx = -pull x dt + dW with step eta: the chain's own stationary variance
    expected = 0.05 / (1 - (1 - 0.05 * pull) ** 2)
    np.testing.assert_allclose(moved.x.var(0), expected, rtol=0.12)


@pytest.mark.fast
def test_scores_in_chunks_equal_scores_in_one_piece():
    x = jax.random.normal(jax.random.key(1), (1, 40, 2))
    view = windows(x.shape, length=6)
    whole = particles.score_rows(jnp.sin, x, view)
    np.testing.assert_array_equal(whole, particles.score_rows(jnp.sin, x, view, chunk=8))


def test_centred_coordinates_ignore_levels_and_scales():
    key_x, key_level = jax.random.split(jax.random.key(2))
    x = jax.random.normal(key_x, (1, 50, 2))
    level = 10 * jax.random.normal(key_level, (1, 1, 2))
    view = windows(x.shape, length=5)
    rows = view.take(x, jnp.arange(view.size))
    weight = jnp.ones(view.size)
    plain = particles.coordinates(x, view, weight, True)
    moved = particles.coordinates(3 * x + level, view, weight, True)
    np.testing.assert_allclose(plain.into(rows), moved.into(3 * rows + level), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(plain.stretch(plain.shrink(rows)), rows, rtol=1e-5)


def learned(data, steps=4, **options):
    net = ji.nets.adaln_mlp((3,), width=32)
    options = {"sigma": 0.3, "eta": 0.03, "score_steps": 300, "batch": 64} | options
    method = ji.methods.spirit(net, ji.baselines.mean(), **options)
    infos = []
    state = ji.fit(
        method, jax.random.key(5), data, steps, chunk=1,
        hooks=[lambda t, state, info: infos.append(info)],
    )  # fmt: skip
    return method, state, infos


def test_it_improves_on_its_start_and_serves_new_rows():
    x, data = gaussian_rows(512, 0.3)
    method, state, infos = learned(data)
    start = ji.complete(ji.baselines.mean(), jax.random.key(0), data.values.mean(0), data)
    hidden = np.asarray(~data.mask)

    def error(filled):
        return float(jnp.abs(filled - x)[hidden].mean())

    assert error(ji.complete(method, jax.random.key(1), state, data)) < 0.9 * error(start)
    assert error(method.sample(jax.random.key(2), state, data)) < 0.95 * error(start)
    one = jax.tree.map(lambda leaf: leaf[7:8], data)
    whole = method.sample(jax.random.key(2), state, data)
    np.testing.assert_allclose(method.sample(jax.random.key(9), state, one), whole[7:8], atol=1e-4)
    assert infos[-1].metrics["best_error"][-1] < infos[0].metrics["start_error"][0]
    assert all(info.metrics["energy_change"][0] < 0 for info in infos)
    assert infos[-1].loss[0] < infos[0].loss[0] < 1.0


def test_a_run_that_finds_nothing_returns_its_start():
    """A step that is far too long makes every iterate worse: what comes back is the start."""
    _, data = gaussian_rows(64, 0.3)
    method, state, _ = learned(data, steps=2, score_steps=20, eta=50.0)
    filled = ji.complete(method, jax.random.key(1), state, data)
    start = ji.baselines.mean()
    first = start.sample(jax.random.key(1), state.start, data)
    np.testing.assert_allclose(filled, first, atol=1e-5)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("option", "value"),
    [("sigma", 0.0), ("eta", -1.0), ("moves", 0), ("holdout", 1.0), ("ess_floor", -0.1),
     ("apply_grad", "sgd"), ("dissipative", "vf"), ("weight_norm", "max"), ("score_on", "none")],
)  # fmt: skip
def test_options_out_of_range_are_named(option, value):
    net = ji.nets.adaln_mlp((3,), width=16)
    with pytest.raises(ji.OptionError, match=option):
        ji.methods.spirit(net, ji.baselines.mean(), **{option: value})


def test_options_may_be_traced():
    """A sweep over the step size is a vmap over the factory."""
    _, data = gaussian_rows(16)
    net = ji.nets.adaln_mlp((3,), width=8, layers=1)

    def moved(eta):
        make = partial(ji.methods.spirit, net, ji.baselines.mean(), score_steps=2, moves=1, batch=4)
        method = make(eta=eta)
        state = method.init(jax.random.key(0), data)
        state, _ = method.step(jax.random.key(1), state, data)
        return state.particles.x

    swept = jax.vmap(moved)(jnp.array([0.001, 0.01]))
    assert not np.allclose(swept[0], swept[1])

"""SPIRIT as printed, against closed forms: a Gaussian score leads to conditional means."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaximpute as ji
from jaximpute.methods.papers.spirit import particles
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


def gaussian_log_p(rows):
    away = rows - MEAN[None]
    return -jnp.einsum("ni,ij,nj->n", away, jnp.linalg.inv(COV), away) / 2


def wavy_log_p(rows):
    """Not a Gaussian's: its score is not linear, so quadrature has something to do."""
    return gaussian_log_p(rows) + 0.3 * jnp.sin(rows + 0.5).sum(axis=1)


@pytest.mark.parametrize("norm", ["mean", "sum"])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("log_p", [gaussian_log_p, wavy_log_p])
def test_energy_change_equals_the_functional_at_both_ends(log_p, weights, norm):
    _, data = gaussian_rows()
    data = data._replace(weight=data.weight.at[:5].set(0.0))  # padding
    rule = PLAIN._replace(weights=weights, weight_norm=norm)

    def score(rows):
        return jax.grad(lambda x: log_p(x).sum())(rows)

    def energy(x, log_w):
        missing = jnp.where(data.mask, 0, score(x))
        squared = particles.squared_norm(missing, ~data.mask, norm)
        return (jnp.exp(log_w) * (squared / 2 - log_p(x))).sum()

    before_last, _ = climb(rule, data, 39, score)
    _, change = climb(rule, data, 40, score)  # up to the last evaluation, before move 40
    began = energy(data.values, particles.normalise(jnp.log(data.weight)))
    exact = energy(before_last.x, before_last.log_w) - began
    tight = log_p is gaussian_log_p
    np.testing.assert_allclose(change, exact, rtol=1e-4 if tight else 1e-2)
    assert change < -0.1
    if weights:
        uniform = energy(before_last.x, particles.normalise(jnp.log(data.weight))) - began
        assert abs(uniform - exact) > 0.05  # what weights do to it is there to be missed


def test_energy_change_of_centred_rows_is_that_of_their_density():
    """The density is one of centred rows, whose observed entries move with the missing ones."""
    key_x, key_mask = jax.random.split(jax.random.key(4))
    x = jax.random.normal(key_x, (1, 30, 2)) * jnp.array([[[1.0, 3.0]]])
    mask = jax.random.uniform(key_mask, x.shape) > 0.3
    data = ji.Observed(jnp.where(mask, x, 0), mask, jnp.ones(1))
    view = windows(x.shape, length=6)
    log_w = particles.normalise(jnp.zeros(view.size))
    level = particles.coordinates(x, view, jnp.ones(view.size), True)
    rows = view.take(jnp.ones_like(x), jnp.arange(view.size))
    missing = ~view.take(mask, jnp.arange(view.size))

    def log_p(rows):  # of centred rows, each step drawn to the one before
        return -((rows[:, 1:] - 0.5 * rows[:, :-1]) ** 2).sum(axis=(1, 2))

    def energy(x, log_w):
        rows = level.into(view.take(x, jnp.arange(view.size)))
        score = jnp.where(missing, jax.grad(lambda r: log_p(r).sum())(rows), 0)
        squared = particles.squared_norm(score, missing, "sum")
        return (jnp.exp(log_w) * (squared / 2 - log_p(rows))).sum()

    rule = PLAIN._replace(weights=True, weight_norm="sum", eta=0.02, optimiser=optax.sgd(0.02))
    start = particles.Particles(data.values, log_w, rule.optimiser.init((data.values, log_w)))

    def moved(moves):
        return particles.climb(
            rule, jax.random.key(0), start, lambda rows: jax.grad(lambda r: log_p(r).sum())(rows),
            data, view, level, moves,
        )  # fmt: skip

    before_last, (_, change) = moved(9)[0], moved(10)
    exact = energy(before_last.x, before_last.log_w) - energy(data.values, log_w)
    assert rows.shape == missing.shape
    np.testing.assert_allclose(change, exact, rtol=1e-4)


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
    scale = moved.stretch(jnp.ones_like(rows)) / plain.stretch(jnp.ones_like(rows))
    np.testing.assert_allclose(scale, 3.0, rtol=1e-3)


def learned(data, steps=4, **options):
    net = ji.nets.adaln_mlp((3,), width=32)
    options = {"sigma": 0.3, "eta": 0.03, "score_steps": 300, "batch": 64, "moves": 12} | options
    options = {"noise_on": "all", "holdout": 0.05} | options
    method = ji.methods.spirit(net, ji.methods.mean(), **options)
    infos = []
    state = ji.fit(
        method, jax.random.key(5), data, steps, chunk=1,
        hooks=[lambda t, state, info: infos.append(info)],
    )  # fmt: skip
    return method, state, infos


def test_it_improves_on_its_start_and_serves_new_rows():
    x, data = gaussian_rows(512, 0.3)
    method, state, infos = learned(data)
    start = ji.complete(ji.methods.mean(), jax.random.key(0), data.values.mean(0), data)
    hidden = np.asarray(~data.mask)

    def error(filled):
        return float(jnp.abs(filled - x)[hidden].mean())

    assert error(ji.complete(method, jax.random.key(1), state, data)) < 0.9 * error(start)
    assert error(method.estimate(jax.random.key(2), state, data)) < 0.95 * error(start)
    one = jax.tree.map(lambda leaf: leaf[7:8], data)
    whole = method.estimate(jax.random.key(2), state, data)
    np.testing.assert_allclose(
        method.estimate(jax.random.key(9), state, one), whole[7:8], atol=1e-4
    )
    assert infos[-1].metrics["best_error"][-1] < infos[0].metrics["start_error"][0]
    assert all(info.metrics["energy_change"][0] < 0 for info in infos)
    assert infos[-1].loss[0] < infos[0].loss[0] < 1.0


def test_a_run_that_finds_nothing_returns_its_start():
    """A step that is far too long makes every iterate worse: what comes back is the start."""
    _, data = gaussian_rows(64, 0.3)
    method, state, _ = learned(data, steps=2, score_steps=20, eta=50.0)
    filled = ji.complete(method, jax.random.key(1), state, data)
    start = ji.methods.mean()
    first = start.estimate(jax.random.key(1), state.start, data)
    np.testing.assert_allclose(filled, first, atol=1e-5)


@pytest.mark.parametrize("dissipative", ["none", "ve"])
def test_with_nothing_held_out_the_last_iterate_is_the_answer(dissipative):
    """Bit for bit: no further move, no return to the start, whatever the passes made of it."""
    _, data = gaussian_rows(64, 0.3)
    method, state, infos = learned(
        data, steps=2, score_steps=20, holdout=0.0, dissipative=dissipative, weights=True, eta=0.5
    )
    assert len(infos) == 2
    np.testing.assert_array_equal(method.fill(state, data), state.particles.x)
    np.testing.assert_array_equal(
        ji.complete(method, jax.random.key(1), state, data), state.particles.x
    )
    assert np.abs(state.particles.x - state.fallback).max() > 0.01
    assert not state.held.any()


def test_the_preset_paper_is_as_printed():
    """Appendix C.2, equation (12) and Algorithm 1, which has no early end."""
    printed = {
        "width": 256, "eta": 0.002, "stride": 24, "score_on": "all", "apply_grad": "adam",
        "weights": True, "weight_norm": "sum", "holdout": 0.0, "centre": False,
        "noise_on": "all", "layers": 3, "window": 24,
    }  # fmt: skip
    defaults = {
        "lr": 1e-3, "temperature": 1.0, "ess_floor": 0.0, "dissipative": "none",
    }  # fmt: skip
    preset = ji.registry.presets("spirit")["paper"]
    assert {name: preset[name] for name in printed} == printed
    options = ji.registry.options("spirit")
    assert {name: options[name].default for name in defaults} == defaults
    assert not set(defaults) & set(preset)
    series = ji.Observed(jnp.zeros((1, 96, 2)), jnp.ones((1, 96, 2), bool), jnp.ones(1))
    assert not ji.registry.build("spirit", series, kind="series", preset="paper").hooks
    assert ji.registry.build("spirit", series, kind="series").hooks


@pytest.mark.fast
@pytest.mark.parametrize(
    ("option", "value"),
    [("sigma", 0.0), ("eta", -1.0), ("moves", 0), ("holdout", 1.0), ("ess_floor", -0.1),
     ("apply_grad", "sgd"), ("dissipative", "vf"), ("weight_norm", "max"), ("score_on", "none"),
     ("noise_on", "some"), ("share", 0.0), ("hidings", 0), ("window", 0)],
)  # fmt: skip
def test_options_out_of_range_are_named(option, value):
    net = ji.nets.adaln_mlp((3,), width=16)
    with pytest.raises(ji.OptionError, match=option):
        ji.methods.spirit(net, ji.methods.mean(), **{option: value})


def test_options_may_be_traced():
    """A sweep over the step size is a vmap over the factory."""
    _, data = gaussian_rows(16)
    net = ji.nets.adaln_mlp((3,), width=8, layers=1)

    def moved(eta):
        make = partial(
            ji.methods.spirit, net, ji.methods.mean(), noise_on="all", sigma=0.1, score_steps=2,
            moves=1, batch=4,
        )  # fmt: skip
        method = make(eta=eta)
        state = method.init(jax.random.key(0), data)
        state, _ = method.step(jax.random.key(1), state, data)
        return state.particles.x

    swept = jax.vmap(moved)(jnp.array([0.001, 0.01]))
    assert not np.allclose(swept[0], swept[1])

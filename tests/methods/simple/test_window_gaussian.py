"""The Gaussian of windows against known ones, its marginals, and its draws of long series."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine.draws import draw_many
from jaximpute.methods.simple import _marginals


def _stack(n, seed=0, time=8):
    """Windows of two channels that start alike: nothing in them is stationary."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, time)
    shapes = np.stack([t, t**2, np.sin(6 * t), np.ones(time)])
    x = np.einsum("nkd,kt->ntd", rng.normal(size=(n, 4, 2)), shapes)
    x[..., 1] += x[..., 0]
    return x + 0.1 * rng.normal(size=x.shape) + [3, -2]


def _gaps(x, seed=1):
    """Three steps of one channel of each window."""
    rng = np.random.default_rng(seed)
    step, start = np.arange(x.shape[1]), rng.integers(0, x.shape[1] - 3, (len(x), 1, 1))
    step = step[None, :, None]
    channel = np.arange(x.shape[2]) == rng.integers(0, x.shape[2], (len(x), 1, 1))
    return np.where((step >= start) & (step < start + 3) & channel, np.nan, x)


def _fitted(x, **options):
    data = ji.observe(x)
    method = ji.methods.window_gaussian(**options)
    return method, ji.fit(method, jax.random.key(0), data, 0), data


def _moments(x, holed):
    """Conditional means and variances under the moments of many complete windows."""
    many = _stack(20000, seed=9).reshape(20000, -1)
    mean, cov = many.mean(0), np.cov(many.T)
    means, variances = holed.copy().reshape(len(x), -1), np.zeros((len(x), len(mean)))
    for i, row in enumerate(means):
        o = ~np.isnan(row)
        weights = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, ~o)]).T
        row[~o] = mean[~o] + weights @ (row[o] - mean[o])
        variances[i, ~o] = np.diagonal(cov[np.ix_(~o, ~o)] - weights @ cov[np.ix_(o, ~o)])
    return means.reshape(x.shape), variances.reshape(x.shape)


def test_draws_have_the_moments_of_the_gaussian_behind_the_gaps():
    full = _stack(1500)
    holed = _gaps(full)
    method, state, data = _fitted(holed, passes=12, marginals="none")
    draws = np.asarray(draw_many(method, jax.random.key(1), state, data, 60), float)
    estimate = np.asarray(jax.jit(method.estimate)(jax.random.key(2), state, data), float)
    means, variances = _moments(full, holed)
    missing = np.isnan(holed)
    spread = np.sqrt(variances[missing])
    assert np.sqrt(np.mean(((estimate - means)[missing] / spread) ** 2)) < 0.3
    # the mean of 60 draws strays by 0.13 by itself
    assert np.sqrt(np.mean(((draws.mean(0) - estimate)[missing] / spread) ** 2)) < 0.16
    ratio = draws.var(0)[missing].sum() / variances[missing].sum()
    assert 0.85 < ratio < 1.2


def test_draws_of_a_long_series_hold_together_across_blocks():
    """A gap over several blocks: what is drawn is one path, and not pieces beside one another."""
    rng = np.random.default_rng(0)
    walk = np.zeros((1, 3000, 1))
    for t in range(1, 3000):
        walk[:, t] = 0.95 * walk[:, t - 1] + rng.normal(size=(1, 1))
    walk[0, 1000:1012] = np.nan
    method, state, data = _fitted(walk, window=12, marginals="none")
    draws = np.asarray(draw_many(method, jax.random.key(1), state, data, 300))[:, 0, :, 0]
    steps = np.diff(draws[:, 999:1013], axis=1)
    # side by side, steps from block to block would be several times as wide
    assert steps.std(0).max() < 1.6 * steps.std(0).min()
    assert 0.8 < steps.std() < 1.2


@pytest.mark.parametrize("kind", _marginals.KINDS)
def test_maps_rise_and_come_back(kind):
    rng = np.random.default_rng(0)
    x = jnp.asarray(np.exp(rng.normal(size=(500, 2))), jnp.float32)
    (maps,) = _marginals.candidates(x, jnp.ones_like(x, bool), kind)
    z = _marginals.forward(maps, x)
    order = np.argsort(x[:, 0])
    assert (np.diff(np.asarray(z)[order, 0]) >= 0).all()
    np.testing.assert_allclose(_marginals.backward(maps, z), x, rtol=1e-3, atol=1e-3)
    far = jnp.array([[30.0, 30.0], [-1.0, -1.0]])
    np.testing.assert_allclose(
        _marginals.backward(maps, _marginals.forward(maps, far)), far, rtol=1e-3, atol=1e-2
    )


def test_normal_scores_are_normal_and_ties_lie_in_their_middle():
    x = jnp.asarray(np.random.default_rng(0).exponential(size=(2000, 1)), jnp.float32)
    x = x.at[:400].set(0.0)
    (maps,) = _marginals.candidates(x, jnp.ones_like(x, bool), "normal")
    z = np.asarray(_marginals.forward(maps, x))
    # a fifth of all: its middle is at the tenth part
    np.testing.assert_allclose(z[:400], -1.2816, atol=0.1)
    assert abs(np.mean(z > 1.2816) - 0.1) < 0.01


def test_hold_out_finds_the_marginals_that_skewed_series_want():
    full = np.exp(_stack(600))
    holed = _gaps(full)
    missing = np.isnan(holed)
    errors = {}
    for kind in ("none", "auto"):
        method, state, data = _fitted(holed, marginals=kind)
        filled = np.asarray(jax.jit(method.estimate)(jax.random.key(1), state, data))
        errors[kind] = np.abs(filled - full)[missing].mean()
    assert errors["auto"] < 0.8 * errors["none"]


def test_wide_windows_fall_into_groups(monkeypatch):
    import importlib

    module = importlib.import_module("jaximpute.methods.simple.window_gaussian")
    monkeypatch.setattr(module, "WIDEST", 16)
    holed = np.concatenate([_gaps(_stack(200)), _gaps(_stack(200, 2), 3)[..., :1]], axis=-1)
    method, state, data = _fitted(holed, window=8)
    assert state.groups.precision.shape == (2, 16, 16)
    filled = np.asarray(draw_many(method, jax.random.key(1), state, data, 1))[0]
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~np.isnan(holed)], np.asarray(data.values)[data.mask])


@pytest.mark.fast
def test_wrong_options_are_named():
    with pytest.raises(ji.OptionError, match="window is 1"):
        ji.methods.window_gaussian(window=1)
    with pytest.raises(ji.OptionError, match="marginals is 'cube'"):
        ji.methods.window_gaussian(marginals="cube")

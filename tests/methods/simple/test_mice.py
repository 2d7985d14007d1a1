"""Chained equations against scikit-learn, and against Gaussians whose conditionals are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge

import jaximpute as ji
from jaximpute.methods.simple import _ridge
from tests.helpers.running import punch

COV = np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.6], [0.5, 0.6, 1.0]])


def _rows(n, seed=0, d=5):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d))
    return factors + 0.5 * rng.normal(size=(n, d))


def _learn(method, x, sweeps):
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    return data, ji.fit(method, jax.random.key(0), data, sweeps, chunk=sweeps)


@pytest.mark.parametrize("unused", [0, 10])
def test_the_ridge_equals_scikit_learns(unused):
    x = _rows(80)
    y = x @ np.array([1.0, -0.5, 0.0, 0.2, 0.0]) + np.random.default_rng(1).normal(size=80)
    weight = np.ones(80)
    weight[:unused] = 0
    single = [jnp.asarray(a, jnp.float32) for a in (x, y, weight)]
    got = _ridge.fit(*single, updates=10)
    wanted = BayesianRidge(tol=1e-8).fit(x[unused:], y[unused:])
    np.testing.assert_allclose(got.coef, wanted.coef_, atol=1e-4)
    np.testing.assert_allclose(got.noise, wanted.alpha_**-0.5, rtol=1e-3)
    covariance = (got.vectors * got.spread(got.noise)[None] ** 2) @ got.vectors.T
    np.testing.assert_allclose(covariance, wanted.sigma_, atol=1e-4)


def test_the_ridge_tells_columns_apart_that_are_nearly_one():
    """Their difference carries the target; in single precision their Gram matrix has lost it."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(400, 1)), 4, axis=1)
    x[:, 1:3] += 1e-2 * rng.normal(size=(400, 2))
    y = x[:, 3] + 50 * (x[:, 1] - x[:, 0]) + 1e-3 * rng.normal(size=400)
    x, y = (np.asarray(a, np.float32) for a in (x, y))
    got = _ridge.fit(jnp.asarray(x), jnp.asarray(y), jnp.ones(400), updates=30)
    wanted = BayesianRidge(tol=1e-10, max_iter=1000).fit(x.astype(float), y.astype(float))

    def determined(coef):  # the first and the last column are the same one: their slopes have a sum
        return np.array([coef[0] + coef[3], coef[1], coef[2]])

    np.testing.assert_allclose(determined(got.coef), determined(wanted.coef_), atol=1e-2)
    np.testing.assert_allclose(got.noise, wanted.alpha_**-0.5, rtol=0.02)


def test_ice_equals_scikit_learn_on_old_rows_and_new():
    x, new = punch(_rows(120), 0.3), punch(_rows(40, seed=3), 0.4, seed=2)
    mean, scale = np.nanmean(x, 0), np.nanstd(x, 0)
    x, new = (x - mean) / scale, (new - mean) / scale
    wanted = IterativeImputer(
        BayesianRidge(tol=1e-8), max_iter=25, tol=0, imputation_order="ascending"
    )
    # they start from different completions, and end at the same one
    method = ji.methods.ice(keep=25, clip=False)
    data, state = _learn(method, x, 25)
    with pytest.warns(match="Early stopping"):
        expected = wanted.fit_transform(x)
    np.testing.assert_allclose(method.fill(state, data), expected, atol=1e-2)
    rows = ji.from_nan(jnp.asarray(new, jnp.float32))
    got = method.estimate(jax.random.key(0), state, rows)
    np.testing.assert_allclose(got, wanted.transform(new), atol=1e-2)


def test_ice_is_the_conditional_mean_of_a_gaussian_when_one_column_has_holes():
    full = np.random.default_rng(0).multivariate_normal(np.zeros(3), COV, 4000)
    x = full.copy()
    x[:2000, 1] = np.nan
    method = ji.methods.ice(clip=False)
    data, state = _learn(method, x, 2)
    gain = COV[1, [0, 2]] @ np.linalg.inv(COV[np.ix_([0, 2], [0, 2])])
    away = np.asarray(method.fill(state, data))[:2000, 1] - full[:2000][:, [0, 2]] @ gain
    assert np.sqrt((away**2).mean()) < 0.04


def test_draws_have_the_conditional_spread():
    full = np.random.default_rng(0).multivariate_normal(np.zeros(3), COV, 3000)
    x = full.copy()
    x[:1500, 0] = np.nan
    method = ji.methods.mice(clip=False)
    data, state = _learn(method, x, 12)
    draws = np.asarray(ji.draw_many(method, jax.random.key(5), state, data, 40))[:, :1500, 0]
    gain = COV[0, 1:] @ np.linalg.inv(COV[1:, 1:])
    np.testing.assert_allclose(draws.mean(0), full[:1500, 1:] @ gain, atol=0.65)
    assert np.abs(draws.mean(0) - full[:1500, 1:] @ gain).mean() < 0.13
    np.testing.assert_allclose(draws.var(0).mean(), COV[0, 0] - gain @ COV[1:, 0], rtol=0.06)
    # the state of the chain is one such draw
    left = (
        np.asarray(state.x * state.scale[None] + state.mean[None])[:1500, 0]
        - full[:1500, 1:] @ gain
    )
    np.testing.assert_allclose(left.var(), COV[0, 0] - gain @ COV[1:, 0], rtol=0.12)


def test_draws_differ_in_their_regressions_too():
    x = _rows(12, d=2)  # few rows: the slopes are uncertain
    x[0, 1] = np.nan
    _, state = _learn(ji.methods.mice(keep=60), x, 60)
    slopes = np.asarray(state.rules.coef[:, 1, 0])
    mean, deviation = np.nanmean(x, 0), np.nanstd(x, 0)
    known = ((x - mean) / deviation)[1:]
    wanted = BayesianRidge(tol=1e-8).fit(known[:, :1], known[:, 1]).sigma_[0, 0] ** 0.5
    assert 0.6 < slopes.std() / wanted < 1.5
    assert (np.asarray(state.rules.coef)[:, [0, 1], [0, 1]] == 0).all()


@pytest.mark.parametrize("name", ["ice", "mice"])
def test_collinear_and_constant_columns_stay_in_range(name):
    x = _rows(60, d=2)
    x = np.column_stack([x, x[:, 0], x[:, 0] + x[:, 1], np.ones(60)])
    x = punch(x, 0.4)
    method = getattr(ji.methods, name)()
    data, state = _learn(method, x, 20)
    answer = method.sample or method.estimate
    for got in (
        ji.complete(method, jax.random.key(2), state, data),
        answer(jax.random.key(1), state, data),
    ):
        assert np.isfinite(got).all()
        low, high = np.nanmin(x, 0), np.nanmax(x, 0)
        # what others determine may be an extreme that was not observed
        assert (np.asarray(got) >= low - 0.5 * (high - low) - 1e-5).all()
        assert (np.asarray(got) <= high + 0.5 * (high - low) + 1e-5).all()
        assert np.abs(np.asarray(got)[:, 2] - np.asarray(got)[:, 0]).max() < 1e-2


def test_the_recipe_of_ice_stops_when_nothing_moves():
    data = ji.from_nan(jnp.asarray(punch(_rows(200), 0.2), jnp.float32))
    plan = ji.registry.build("ice", data, kind="table")
    key, passes = jax.random.key(0), []

    def count(t, state, info):
        passes.append(t)
        return False

    ji.fit(plan.method, key, data, plan.steps, chunk=plan.chunk, hooks=(*plan.hooks, count))
    assert 5 < passes[-1] < plan.steps


@pytest.mark.fast
def test_wrong_options_and_data_are_named():
    with pytest.raises(ji.OptionError, match="keep 0"):
        ji.methods.ice(keep=0)
    series = ji.Observed(jnp.zeros((2, 3, 1)), jnp.full((2, 3, 1), True), jnp.ones(2))
    with pytest.raises(ji.DataError, match="table"):
        ji.methods.mice().init(jax.random.key(0), series)

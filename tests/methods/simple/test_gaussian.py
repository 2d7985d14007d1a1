"""The fitted Gaussian against plain numpy EM, dense smoothing and known processes."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.methods.simple import _gaps, _joint, _stationary
from jaximpute.methods.simple.gaussian import _channels_together
from tests.helpers.running import complete, punch

MODULE = importlib.import_module("jaximpute.methods.simple.gaussian")


def _rows(n=150):
    rng = np.random.default_rng(4)
    factors = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 4))
    return factors + 0.3 * rng.normal(size=(n, 4)) + np.array([0, 5, -2, 1])


def _numpy_em(x, ridge, passes):
    """EM for a Gaussian, one row at a time."""
    n, d = x.shape
    mean, cov = np.zeros(d), np.eye(d)
    for _ in range(passes):
        filled, left = x.copy(), np.zeros((d, d))
        for i in range(n):
            o, m = ~np.isnan(x[i]), np.isnan(x[i])
            weights = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, m)]).T
            filled[i, m] = mean[m] + weights @ (x[i, o] - mean[o])
            left[np.ix_(m, m)] += cov[np.ix_(m, m)] - weights @ cov[np.ix_(o, m)]
        mean = filled.mean(0)
        cov = (filled - mean).T @ (filled - mean) / n + left / n
        cov = (1 - ridge) * cov + ridge * np.diag(np.diag(cov)) + 1e-5 * np.eye(d)
    return mean, cov


def test_a_pass_of_em_equals_numpy():
    x = punch(_rows(40), 0.3)
    x = (x - np.nanmean(x, 0)) / np.nanstd(x, 0)
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    model = jnp.zeros(4), jnp.eye(4)
    for _ in range(3):
        model = _joint.one_pass(model, data.values, data.mask, data.weight, 0.01)
    for got, expected in zip(model, _numpy_em(x, 0.01, 3), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_rows_come_near_the_true_conditional_mean():
    full = _rows(600)
    x = punch(full, 0.3)
    got = complete(ji.methods.gaussian(), x)
    missing = np.isnan(x)
    mean, cov = full.mean(0), np.cov(full.T)  # the best any linear rule could know
    for i in range(len(x)):
        o = ~missing[i]
        weights = np.linalg.solve(cov[np.ix_(o, o)], cov[o]).T
        full[i] = np.where(o, full[i], mean + weights @ (full[i] - mean)[o])
    assert np.sqrt(np.mean((got - full)[missing] ** 2)) < 0.15


def test_one_row_at_a_time_is_the_same(key):
    x = punch(_rows(), 0.3)
    method = ji.methods.gaussian(passes=4)
    state = jax.jit(method.init)(key, ji.from_nan(jnp.asarray(x)))
    together = ji.complete(method, jax.random.key(9), state, ji.from_nan(jnp.asarray(x[:5])))
    for i in range(5):
        alone = ji.complete(
            method, jax.random.key(i), state, ji.from_nan(jnp.asarray(x[i : i + 1]))
        )
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-5, atol=1e-6)


def test_wide_tables_are_completed_in_groups(monkeypatch):
    monkeypatch.setattr(MODULE, "COLUMNS", 4)
    x = np.hstack([_rows(), _rows(), _rows()[:, :3]])
    x = punch(x, 0.3)
    got = complete(ji.methods.gaussian(passes=4), x)
    assert got.shape == x.shape
    assert np.isfinite(got).all()
    # 11 columns fall into groups of 4, 4 and 3: the last sees nothing of the others
    changed = x.copy()
    changed[:, :8] *= 2
    again = complete(ji.methods.gaussian(passes=4), changed)
    np.testing.assert_allclose(again[:, 8:], got[:, 8:], rtol=1e-4, atol=1e-4)


def test_many_rows_are_learned_from_a_sample(monkeypatch):
    monkeypatch.setattr(MODULE, "ROWS", 100)
    x = punch(_rows(300), 0.3)
    got = complete(ji.methods.gaussian(passes=6), x)
    missing = np.isnan(x)
    centred = _rows(300) - np.nanmean(x, 0)
    assert np.mean((got - _rows(300))[missing] ** 2) < 0.3 * np.mean(centred[missing] ** 2)


def _autoregression(time=400, n=1, seed=0):
    """Two channels that drive one another, around a level."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n, time, 2))
    a = np.array([[0.8, 0.15], [-0.2, 0.7]])
    for t in range(1, time):
        y[:, t] = y[:, t - 1] @ a.T + rng.normal(size=(n, 2)) * [0.5, 0.2]
    return y + np.array([3.0, -1.0])


def _dense(model, x, block, context):
    """Each block's conditional mean by one plain solve."""
    level, r, ridge = (np.asarray(leaf, float) for leaf in model[:3])
    d = x.shape[1]
    out = x.copy()
    for start in range(0, len(x), block):
        steps = np.arange(max(start - context, 0), min(start + block + context, len(x)))
        at = [(t, j) for t in steps for j in range(d)]
        cov = np.array(
            [[r[v - t][j, k] if v >= t else r[t - v][k, j] for v, k in at] for t, j in at]
        )
        cov += np.diag([ridge[j] for _, j in at])
        value = np.array([x[t, j] for t, j in at])
        mean = np.array([level[j] for _, j in at])
        o = ~np.isnan(value)
        fitted = mean + cov[:, o] @ np.linalg.solve(cov[np.ix_(o, o)], (value - mean)[o])
        for (t, j), answer in zip(at, fitted, strict=True):
            if start <= t < start + block and np.isnan(x[t, j]):
                out[t, j] = answer
    return out


@pytest.mark.fast
def test_the_smoother_equals_a_dense_solve():
    x = punch(_autoregression(37), 0.3)
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    lag = np.arange(14)[:, None, None]
    autocov = np.array([[1.0, 0.3], [0.3, 0.5]]) * 0.8**lag
    model = _stationary.Stationary(
        jnp.array([3.0, -1.0]),
        jnp.asarray(autocov, jnp.float32),
        jnp.array([0.01, 0.02]),
        _gaps.none(2, jnp.float32),
    )
    smooth = jax.jit(_stationary.smooth, static_argnames=("block", "context"))
    got = smooth(model, *data[:2], block=6, context=4, otherwise=data.values)
    np.testing.assert_allclose(got[0], _dense(model, x[0], 6, 4), atol=1e-4)


def test_em_finds_the_autocovariance_behind_the_gaps():
    full = _autoregression(4000) - [3.0, -1.0]
    data = ji.from_nan(jnp.asarray(punch(full, 0.5), jnp.float32))
    fit = jax.jit(_stationary.fit, static_argnames=("block", "context", "passes"))
    model = fit(*data, block=6, context=3, passes=10)
    y = full[0]
    expected = np.stack([y[: len(y) - h].T @ y[h:] / len(y) for h in range(5)])
    scale = np.sqrt(np.diagonal(expected[0]))
    units = np.outer(scale, scale)
    # without the covariance that gaps keep, the variances would come out 0.13 too small
    np.testing.assert_allclose(np.asarray(model.autocov)[:5] / units, expected / units, atol=0.08)


def test_many_channels_of_a_short_record_do_not_fit_their_own_noise(monkeypatch):
    rng = np.random.default_rng(0)
    slow = np.zeros((600, 2))
    for t in range(1, 600):
        slow[t] = 0.95 * slow[t - 1] + 0.3 * rng.normal(size=2)
    full = slow @ rng.normal(size=(2, 8)) + rng.normal(size=(600, 8))
    x = punch(full, 0.3)

    def error():
        got = complete(ji.methods.gaussian(context=12, passes=2), x[None])[0]
        return np.abs(got - full)[np.isnan(x)].mean()

    chosen = error()
    monkeypatch.setattr(_stationary, "RIDGES", (0.9e-4, 1e-4, 1.1e-4))
    assert chosen < 0.93 * error()  # which the moments' own record is foretold best by


def test_series_beat_lines_and_new_series_of_another_length_are_completed(key):
    full, other = _autoregression(900, seed=1), _autoregression(101, seed=2)
    x, new = punch(full, 0.4), punch(other, 0.4, seed=1)
    method = ji.methods.gaussian(block=6, context=6)
    data, new_data = (ji.from_nan(jnp.asarray(a, jnp.float32)) for a in (x, new))
    state = jax.jit(method.init)(key, data)
    for rows, truth, gaps in ((data, full, x), (new_data, other, new)):
        gauss = ji.complete(method, jax.random.key(rows.mask.shape[1]), state, rows)
        lines, hole = complete(ji.methods.linear(), gaps), np.isnan(gaps)
        assert np.mean((gauss - truth)[hole] ** 2) < 0.9 * np.mean((lines - truth)[hole] ** 2)


def test_series_do_not_depend_on_the_key():
    x = punch(_autoregression(120), 0.3)
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    method = ji.methods.gaussian(block=6, context=3, passes=2)
    states = [jax.jit(method.init)(jax.random.key(i), data) for i in range(2)]
    got = [ji.complete(method, jax.random.key(2), state, data) for state in states]
    np.testing.assert_array_equal(*got)


@pytest.mark.fast
def test_the_ridge_lies_at_the_bottom_of_a_parabola():
    ridges = jnp.array(_stationary.RIDGES)
    errors = (jnp.log10(ridges) + 2.3) ** 2
    assert float(jnp.log10(_stationary._least(ridges, errors))) == pytest.approx(-2.3, abs=1e-3)
    for errors, end in ((ridges, 0), (-ridges, -1), (ridges.at[0].set(jnp.nan), 1)):
        assert float(_stationary._least(ridges, errors)) == pytest.approx(float(ridges[end]))


def test_many_channels_are_treated_apart():
    assert _channels_together(7, 12, 24) == (7, 24)
    assert _channels_together(20, 12, 24) == (20, 6)
    assert _channels_together(26, 12, 24) == (1, 24)
    assert _channels_together(50, 6, 3) == (1, 3)
    assert _channels_together(36, 8, 4) == (1, 4)
    x = punch(np.repeat(_autoregression(30), 18, axis=2), 0.3)
    got = complete(ji.methods.gaussian(block=8, context=4, passes=2), x)
    assert got.shape == x.shape
    assert np.isfinite(got).all()


@pytest.mark.parametrize("shape", [(40, 4), (6, 30, 2)], ids=["table", "series"])
def test_padding_rows_count_nothing(shape):
    x = _rows(40) if len(shape) == 2 else _autoregression(30, 6)
    x = punch(x, 0.3)
    weight = np.r_[np.ones(len(x) - 2), 0, 0].astype(np.float32)
    loud = x.copy()
    loud[-2:] *= 100
    method = ji.methods.gaussian(block=6, context=3, passes=2)
    got, expected = complete(method, loud, weight), complete(method, x, weight)
    np.testing.assert_allclose(got[:-2], expected[:-2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3), (1, 3, 2)], ids=["table", "series"])
def test_little_data_is_enough(shape):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    x[0, 0] = np.nan
    assert np.isfinite(complete(ji.methods.gaussian(), x)).all()


@pytest.mark.fast
def test_options_out_of_range_are_refused():
    with pytest.raises(ji.OptionError, match="passes 1"):
        ji.methods.gaussian(passes=1)


def test_draws_of_rows_have_the_conditional_moments():
    cov = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.5], [0.3, 0.5, 1.0]])
    x = np.random.default_rng(0).multivariate_normal(np.zeros(3), cov, 4000)
    x[:1000, 1:] = np.nan
    x[0, 0] = 1.5
    data = ji.observe(x)
    method = ji.methods.gaussian()
    state = ji.fit(method, jax.random.key(0), data, 0)
    draws = np.asarray(ji.draw_many(method, jax.random.key(1), state, data, 400))
    kept = np.asarray(data.values)[data.mask]
    np.testing.assert_array_equal(draws[:, data.mask], np.broadcast_to(kept, (400, 10000)))
    np.testing.assert_allclose(draws[:, 0, 1:].mean(0), [1.2, 0.45], atol=0.15)
    left = cov[1:, 1:] - np.outer(cov[0, 1:], cov[0, 1:])
    apart = draws[:, :1000, 1:] - draws[:, :1000, 1:].mean(axis=0)
    found = np.einsum("kni,knj->ij", apart, apart) / apart[..., 0].size
    np.testing.assert_allclose(found, left, atol=0.04)


def test_draws_of_series_are_as_far_off_as_the_mean_and_cover():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1500, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    x = np.zeros((1500, 2))
    for t in range(1, 1500):
        x[t] = 0.9 * x[t - 1] + 0.19**0.5 * noise[t]
    mask = rng.random(x.shape) > 0.3
    for start in range(100, 1400, 150):
        mask[start : start + 15] = False
    data = ji.observe(np.where(mask, x, np.nan)[None])
    method = ji.methods.gaussian()
    state = ji.fit(method, jax.random.key(0), data, 0)
    draws = np.asarray(ji.draw_many(method, jax.random.key(1), state, data, 40))[:, 0]
    mean = np.asarray(ji.complete(method, jax.random.key(2), state, data))[0]
    error = np.sqrt(((mean - x)[~mask] ** 2).mean())
    spread = np.sqrt(draws.var(axis=0)[~mask].mean())
    assert 0.9 < spread / error < 1.1
    assert np.abs(draws.mean(axis=0) - mean)[~mask].mean() < 0.25 * spread
    low, high = np.quantile(draws, [0.1, 0.9], axis=0)
    assert 0.7 < ((low <= x) & (x <= high))[~mask].mean() < 0.85
    # steps of a draw follow one another as those of the process do, also where blocks meet
    inside = ~mask[1:] & ~mask[:-1]
    steps = np.diff(draws, axis=1)[:, inside].var()
    assert 0.8 < steps / np.diff(x, axis=0)[inside].var() < 1.25
    by_place = [np.diff(draws, axis=1)[:, i::12][:, inside[i::12]].var() for i in range(12)]
    assert by_place[11] < 1.5 * np.median(by_place)

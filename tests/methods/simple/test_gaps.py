"""Long gaps: kriging against plain solves, and against what simple rules make of such gaps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.methods.simple import _gaps, _kriging
from tests.helpers.running import complete


def _rmse(got, truth, where):
    return np.sqrt(np.mean((got - truth)[where] ** 2))


def _holed(x, *gaps):
    """The series with gaps `(first, last, channel)`, and where they are."""
    hole = np.zeros(x.shape, bool)
    for first, last, channel in gaps:
        hole[0, first:last, channel] = True
    return np.where(hole, np.nan, x), hole


def _column(x):
    return np.asarray(x, np.float32).reshape(1, -1, 1)


def _entries(mask, start, period):
    return _kriging.entries(
        _kriging.known(jnp.asarray(mask)), *map(jnp.asarray, (0, start, period))
    )


def _daily(time=600, seed=0, trend=0.0):
    t = np.arange(time)
    noise = np.random.default_rng(seed).normal(size=time)
    return _column(10 + trend * t + 3 * np.sin(2 * np.pi * t / 24) + 0.5 * noise)


def _plain(x, where, autocov, ridge, trend, block):
    """Universal kriging of the first entries by the block system of Lagrange multipliers."""
    step, channel, valid = (np.asarray(leaf) for leaf in where)
    d = autocov.shape[1]

    def cov(i, j):
        lag = step[j] - step[i]
        if abs(lag) >= len(autocov):
            return 0.0
        pair = (channel[i], channel[j]) if lag >= 0 else (channel[j], channel[i])
        return autocov[(abs(lag), *pair)]

    used = np.flatnonzero(valid)
    sigma = np.array([[cov(i, j) for j in used] for i in used]) + np.diag(ridge[channel[used]])
    columns = {0: [], 1: [np.eye(d)[channel]], 2: [np.eye(d)[channel]]}[trend]
    if trend == 2:
        columns.append(np.eye(d)[channel] * (step / 100.0)[:, None])
    drift = np.concatenate([*columns, np.zeros((len(step), 0))], axis=1)
    k = drift.shape[1]
    system = np.block([[sigma, drift[used]], [drift[used].T, np.zeros((k, k))]])
    out = []
    for i in range(block * d):
        right = np.concatenate([[cov(i, j) for j in used], drift[i]])
        out.append(np.linalg.solve(system, right)[: len(used)] @ x[used])
    return np.array(out).reshape(block, d)


# stretches of a long series, and a short one that is one stretch
@pytest.mark.parametrize("time", [90, 40])
@pytest.mark.parametrize("trend", [0, 1, 2])
def test_kriging_equals_a_plain_solve(trend, time, monkeypatch):
    monkeypatch.setattr(_kriging, "COORDINATES", 80)
    rng = np.random.default_rng(1)
    mask = rng.random((1, time, 2)) < 0.7
    mask[0, 30:60, 0] = False
    x = np.where(mask, 1 + rng.normal(size=mask.shape).cumsum(1), 0)
    autocov = np.array([[1.0, 0.4], [0.3, 0.8]]) * 0.95 ** np.arange(float(time))[:, None, None]
    autocov[0] = [[1.0, 0.35], [0.35, 0.8]]
    ridge = np.array([0.05, 0.1])
    where = _entries(mask, 40 if time > 40 else 0, 20)
    values = x[0, np.minimum(where.step, time - 1), where.channel]
    values, autocov, ridge = (jnp.asarray(a, jnp.float32) for a in (values, autocov, ridge))
    block, _ = _kriging.sizes(2, time)
    got = _kriging.krige(values, where, autocov, ridge, block)
    plain = (np.asarray(a) for a in (values, autocov, ridge))
    values, autocov, ridge = plain
    expected = _plain(values, where, autocov, ridge, trend, block)
    np.testing.assert_allclose(got[trend], expected, atol=5e-3)


def test_entries_are_the_nearest_and_those_of_other_seasons(monkeypatch):
    monkeypatch.setattr(_kriging, "COORDINATES", 60)
    block, near = _kriging.sizes(1, 300)
    assert (block, near) == (12, 12)
    mask = np.ones((1, 300, 1), bool)
    mask[0, 100:200] = False
    where = _entries(mask, 144, 24)
    step, valid = np.asarray(where.step), np.asarray(where.valid)
    assert not valid[:12].any()
    assert sorted(step[12:24]) == list(range(88, 100))
    assert sorted(step[24:36]) == list(range(200, 212))
    # 72 steps back is the first season that lies before the nearest ones, and 72 on after them
    assert step[36:48].tolist() == list(range(72, 84))
    assert step[48:60].tolist() == list(range(216, 228))
    assert valid[12:].all()
    none = _entries(mask, 144, 0)
    assert not np.asarray(none.valid)[36:].any()


def test_the_autocovariance_equals_sums():
    y = np.random.default_rng(0).normal(size=(3, 50, 2)).astype(np.float32)
    weight = jnp.array([1.0, 2.0, 0.0])
    left = jnp.zeros((4, 2, 2))
    got = _gaps.autocovariance(jnp.asarray(y), weight, left)
    for lag in (0, 3, 49):
        sums = [y[i, : 50 - lag].T @ y[i, lag:] for i in range(2)]
        np.testing.assert_allclose(got[lag], (sums[0] + 2 * sums[1]) / 150, atol=1e-5)


@pytest.mark.parametrize("trend", [0.0, 0.05])
def test_the_season_is_found_under_a_trend(trend):
    y = _daily(trend=trend)
    autocov = _gaps.autocovariance(jnp.asarray(y - y.mean()), jnp.ones(1), jnp.zeros((2, 1, 1)))
    assert int(_gaps.period(autocov)) == 24


@pytest.mark.parametrize(
    ("first", "last"), [(300, 372), (528, 600), (0, 72)], ids=["inside", "end", "start"]
)
@pytest.mark.parametrize("trend", [0.0, 0.02])
def test_days_are_filled_by_the_days_before_and_after(first, last, trend):
    x = _daily(trend=trend)
    holed, hole = _holed(x, (first, last, 0))
    got = complete(ji.methods.gaussian(passes=2), holed)
    lines = complete(ji.methods.linear(), holed)
    assert _rmse(got, x, hole) < 0.8  # the noise alone is 0.5, a day before 0.7
    assert _rmse(lines, x, hole) > 1.8


@pytest.mark.parametrize(("first", "last"), [(170, 200), (0, 30), (80, 110)])
def test_a_line_goes_on(first, last):
    x = _column(0.5 * np.arange(200))
    holed, hole = _holed(x, (first, last, 0))
    assert _rmse(complete(ji.methods.gaussian(passes=2), holed), x, hole) < 0.5


def test_a_walk_stays_where_it_was():
    errors = []
    for seed in range(4):
        x = _column(np.random.default_rng(seed).normal(size=400).cumsum())
        holed, hole = _holed(x, (360, 400, 0), (150, 200, 0))
        filled = [
            complete(method, holed)
            for method in (ji.methods.gaussian(passes=2), ji.methods.linear())
        ]
        errors.append([_rmse(one, x, hole) for one in filled])
    gauss, lines = np.sqrt(np.mean(np.square(errors), axis=0))
    assert gauss < 1.5 * lines  # the level that it falls to otherwise is four times as far


def test_one_channel_leans_on_the_others():
    rng = np.random.default_rng(2)
    shared = rng.normal(size=500).cumsum()
    x = np.stack([shared + 0.2 * rng.normal(size=500) + i for i in range(3)], axis=1)[None]
    holed, hole = _holed(x, (200, 300, 0), (420, 500, 1))
    got = complete(ji.methods.gaussian(passes=2), holed)
    assert _rmse(got, x, hole) < 0.5
    assert _rmse(complete(ji.methods.linear(), holed), x, hole) > 1.5


def test_all_channels_missing_at_once_and_none_observed():
    x = np.concatenate([_daily(seed=0), 2 * _daily(seed=1), _daily(seed=2)], axis=2)
    x = np.concatenate([x, x + 1])
    hole = np.zeros(x.shape, bool)
    hole[0, 200:300], hole[1, :, 1] = True, True
    got = complete(ji.methods.gaussian(passes=2), np.where(hole, np.nan, x))
    assert np.isfinite(got).all()
    assert _rmse(got[0], x[0], hole[0]) < 1.5


def test_a_wander_is_no_season():
    steps = np.random.default_rng(3).normal(size=(1, 2000, 3))
    y = steps.cumsum(1)  # like itself at some long lag, as every walk is
    autocov = _gaps.autocovariance(
        jnp.asarray(y - y.mean(1, keepdims=True)), jnp.ones(1), jnp.zeros((2, 3, 3))
    )
    lags = len(autocov)
    assert int(_gaps.period(autocov)) <= lags // 4
    t = jnp.arange(lags)[:, None, None]
    often = jnp.cos(2 * jnp.pi * t / (lags // 5)) * (1 - t / lags)
    assert abs(int(_gaps.period(often)) - lags // 5) <= 3


def test_a_gap_moved_to_the_end_counts_over_its_own_length():
    gaps = np.zeros((1, 100, 2), bool)
    gaps[0, 80:, 0], gaps[0, 40:60, 1] = True, True
    hidden, judged = _gaps._moved(jnp.asarray(gaps), jnp.asarray(30))
    assert np.flatnonzero(hidden[0, :, 0]).tolist() == list(range(50, 100))
    assert np.flatnonzero(judged[0, :, 0]).tolist() == list(range(50, 70))
    for found in (hidden, judged):
        assert np.flatnonzero(found[0, :, 1]).tolist() == list(range(10, 30))
    hidden, judged = _gaps._moved(jnp.asarray(gaps[:, ::-1]), jnp.asarray(-30))
    assert np.flatnonzero(hidden[0, :, 0]).tolist() == list(range(50))
    assert np.flatnonzero(judged[0, :, 0]).tolist() == list(range(30, 50))


def test_ties_go_to_the_simplest_rule():
    scores = jnp.zeros((8, _gaps.RULES, 2, 1))
    seen = jnp.ones((8, 2, 1), bool)
    rules = jax.jit(_gaps._simplest)
    assert rules(scores, seen).ravel().tolist() == [_gaps.SIMPLEST[0]] * 2
    surely = scores.at[:, 4].set(-1.0)
    assert rules(surely, seen).ravel().tolist() == [4, 4]
    by_chance = scores.at[0, 4].set(-1.0)
    assert rules(by_chance, seen).ravel().tolist() == [_gaps.SIMPLEST[0]] * 2
    assert rules(surely, seen.at[2:].set(False)).ravel().tolist() == [_gaps.SIMPLEST[0]] * 2

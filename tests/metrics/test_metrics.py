"""Metrics against closed forms, scipy and slow twins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from jaximpute import metrics
from jaximpute._errors import OptionError


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(6, 4)).astype(np.float32)
    estimate = truth + rng.normal(size=(6, 4)).astype(np.float32)
    return truth, estimate, rng.random((6, 4)) < 0.5


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(23, 3)) + 10
    y = rng.normal(size=(31, 3)) * 2 + 10.5
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.fast
def test_errors_are_those_of_the_chosen_entries(scored):
    truth, estimate, where = scored
    gap = (estimate - truth)[where].astype(np.float64)
    wanted = {
        metrics.mae: np.abs(gap).mean(),
        metrics.mse: (gap**2).mean(),
        metrics.rmse: np.sqrt((gap**2).mean()),
        metrics.mre: np.abs(gap).sum() / np.abs(truth[where]).sum(),
    }
    spoiled = jnp.where(where, estimate, jnp.nan)  # what is not chosen must not leak
    for metric, value in wanted.items():
        got = metric(jnp.asarray(truth), spoiled, jnp.asarray(where))
        np.testing.assert_allclose(got, value, rtol=1e-5)


def crps_twin(truth, draws, fair):
    m = len(draws)
    pairs = np.abs(draws[:, None] - draws[None]).sum() / (m * (m - 1) if fair else m * m)
    return np.abs(draws - truth).mean() - pairs / 2


@pytest.mark.parametrize("fair", [True, False])
def test_crps_is_the_double_sum(scored, fair):
    truth, _, where = scored
    draws = np.random.default_rng(2).normal(size=(7, 6, 4)).astype(np.float32)
    wanted = np.mean(
        [
            crps_twin(truth[i], draws[:, i[0], i[1]], fair)
            for i in zip(*np.nonzero(where), strict=True)
        ]
    )
    got = metrics.crps_from_draws(*map(jnp.asarray, (truth, draws, where)), fair=fair)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def gaussian_crps(y, mean, sd):
    z = (y - mean) / sd
    return sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def test_crps_of_gaussians_is_the_closed_form(key):
    y = jnp.array([-2.0, 0.0, 0.7, 3.0])
    mean, sd = 0.5, 1.7
    draws = mean + sd * jax.random.normal(key, (20_000, 4))
    for i in range(4):
        got = metrics.crps_from_draws(y, draws, jnp.arange(4) == i)
        assert abs(float(got) - gaussian_crps(float(y[i]), mean, sd)) < 0.04


def test_only_the_fair_crps_is_unbiased_for_few_draws(key):
    k_truth, k_draws = jax.random.split(key)
    truth = jax.random.normal(k_truth, (40_000,))
    draws = jax.random.normal(k_draws, (3, 40_000))
    everywhere = jnp.full(truth.shape, True)
    exact = 1 / np.sqrt(np.pi)
    assert abs(metrics.crps_from_draws(truth, draws, everywhere) - exact) < 0.015
    plain = metrics.crps_from_draws(truth, draws, everywhere, fair=False)
    assert abs(plain - exact * (1 + 1 / 3)) < 0.015  # the spread is short by a factor 1 - 1/m


def test_crps_survives_a_large_level():
    rng = np.random.default_rng(3)
    draws = (1000 + rng.normal(size=(500, 1))).astype(np.float32)
    got = metrics.crps_from_draws(jnp.array([1000.0]), jnp.asarray(draws), jnp.array([True]))
    exact = crps_twin(1000.0, draws[:, 0].astype(np.float64), True)
    np.testing.assert_allclose(got, exact, rtol=1e-4)


@pytest.mark.fast
def test_crps_of_one_draw_is_the_absolute_error(scored):
    truth, estimate, where = map(jnp.asarray, scored)
    one = metrics.crps_from_draws(truth, estimate[None], where, fair=False)
    np.testing.assert_allclose(one, metrics.mae(truth, estimate, where), rtol=1e-6)
    with pytest.raises(OptionError, match="expected at least 2"):
        metrics.crps_from_draws(truth, estimate[None], where)


@pytest.mark.fast
def test_csdi_crps_is_its_loop_over_quantiles(scored):
    truth, _, where = scored
    draws = np.random.default_rng(4).normal(size=(20, 6, 4)).astype(np.float32)
    total = 0.0
    for q in np.arange(0.05, 1.0, 0.05):
        at = np.quantile(draws, q, axis=0)
        loss = 2 * np.abs((at - truth) * ((truth <= at) - q))[where].sum()
        total += loss / np.abs(truth[where]).sum() / 19
    got = metrics.crps_csdi(*map(jnp.asarray, (truth, draws, where)))
    np.testing.assert_allclose(got, total, rtol=1e-5)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_coverage_of_calibrated_draws_is_the_level(key, level):
    z = jax.random.normal(key, (201, 5000))
    got = metrics.coverage(z[0], z[1:], jnp.full(5000, True), level=level)
    assert abs(float(got) - level) < 0.03


@pytest.mark.fast
def test_coverage_counts_chosen_entries_only():
    draws = jnp.broadcast_to(jnp.linspace(0.0, 1.0, 11)[:, None], (11, 3))
    truth = jnp.array([0.04, 0.06, 5.0])
    inside = metrics.coverage(truth, draws, jnp.array([True, True, False]), level=0.9)
    assert float(inside) == 0.5  # the interval is 0.05..0.95
    with pytest.raises(OptionError, match="level is 1"):
        metrics.coverage(truth, draws, truth > 0, level=1.0)


@pytest.mark.fast
def test_squared_distances_are_exact_far_from_the_origin(samples):
    x, y = (s + np.float32(100) for s in samples)
    got = metrics.squared_distances(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(got, cdist(x, y, "sqeuclidean"), rtol=1e-4, atol=1e-4)


def test_squared_distances_have_the_right_gradient(samples):
    x, y = map(jnp.asarray, samples)
    got = jax.grad(lambda y: metrics.squared_distances(x, y).sum())(y)
    wanted = 2 * (len(x) * y - x.sum(0)[None])
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-2)


def test_energy_distance_is_scipys_squared_in_one_dimension(samples):
    x, y = (s[:, :1] for s in samples)
    got = metrics.energy_distance(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(got, stats.energy_distance(x[:, 0], y[:, 0]) ** 2, rtol=1e-3)


@pytest.mark.parametrize("unbiased", [True, False])
def test_energy_distance_and_mmd_are_their_double_sums(samples, unbiased):
    x, y = samples
    n, m = len(x), len(y)

    def within(pairs):
        off = pairs[~np.eye(len(pairs), dtype=bool)]
        return off.mean() if unbiased else pairs.mean()

    energy = 2 * cdist(x, y).mean() - within(cdist(x, x)) - within(cdist(y, y))
    got = metrics.energy_distance(jnp.asarray(x), jnp.asarray(y), unbiased=unbiased)
    np.testing.assert_allclose(got, energy, rtol=1e-4)

    pooled = np.concatenate([x, y])
    h = np.median(cdist(pooled, pooled)[np.triu_indices(n + m, 1)])
    for bandwidth in (None, 0.7):
        scale = 2 * (bandwidth or h) ** 2
        k = [np.exp(-cdist(u, v, "sqeuclidean") / scale) for u, v in ((x, x), (y, y), (x, y))]
        wanted = within(k[0]) + within(k[1]) - 2 * k[2].mean()
        got = metrics.mmd(jnp.asarray(x), jnp.asarray(y), bandwidth=bandwidth, unbiased=unbiased)
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)


def test_mmd_of_gaussians_is_the_closed_form(key):
    # E k(X, Y) = h / sqrt(h^2 + 2) exp(-mean^2 / (2 (h^2 + 2))) for unit variances
    k_x, k_y = jax.random.split(key)
    x = jax.random.normal(k_x, (1500, 1))
    y = 1.5 + jax.random.normal(k_y, (1500, 1))
    h = 0.8
    wanted = 2 * h / np.sqrt(h**2 + 2) * (1 - np.exp(-(1.5**2) / (2 * (h**2 + 2))))
    got = metrics.mmd(x, y, bandwidth=h, unbiased=True)
    assert abs(float(got) - wanted) < 0.04


def test_distances_of_equal_samples_vanish(samples):
    x = jnp.asarray(samples[0])
    assert abs(metrics.energy_distance(x, x)) < 1e-2  # roots of rounding errors
    assert abs(metrics.mmd(x, x)) < 1e-5
    assert metrics.sliced_wasserstein(jax.random.key(1), x, x) == 0
    same = jnp.ones((4, 2))
    assert metrics.mmd(same, same) == 0  # no median distance to divide by


@pytest.mark.parametrize("sizes", [(12, 12), (12, 7), (5, 30)])
def test_sliced_wasserstein_is_scipys_in_one_dimension(key, sizes):
    rng = np.random.default_rng(5)
    x, y = (rng.normal(size=(n, 1)).astype(np.float32) for n in sizes)
    got = metrics.sliced_wasserstein(key, jnp.asarray(x), jnp.asarray(y), projections=2, p=1.0)
    np.testing.assert_allclose(got, stats.wasserstein_distance(x[:, 0], y[:, 0]), rtol=1e-4)


def test_sliced_wasserstein_of_a_shift_is_the_closed_form(key, samples):
    x = jnp.asarray(samples[0])
    shift = jnp.array([3.0, 0.0, 4.0])
    got = metrics.sliced_wasserstein(key, x, x + shift[None], projections=20_000)
    np.testing.assert_allclose(got, 5 / np.sqrt(3), rtol=0.02)  # E (theta . shift)^2 = |shift|^2/d


@pytest.mark.fast
def test_samples_too_small_and_bad_options_are_named(key):
    one, two = jnp.ones((1, 2)), jnp.ones((2, 2))
    with pytest.raises(OptionError, match="smaller sample has 1 rows"):
        metrics.energy_distance(one, two, unbiased=True)
    with pytest.raises(OptionError, match="bandwidth is 0"):
        metrics.mmd(two, two, bandwidth=0.0)
    with pytest.raises(OptionError, match="projections is 0"):
        metrics.sliced_wasserstein(key, two, two, projections=0)

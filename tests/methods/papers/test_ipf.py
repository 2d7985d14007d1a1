"""Iterative proportional fitting on a toy: its couplings, the rate of Theorem 1, what errors do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.maths import processes
from jaximpute.methods.papers.csbi.ipf import ipf, transition_cost

N = 30
X = jnp.linspace(-2.0, 2.0, N)


def toy(scale=8.0):
    mu = jax.nn.softmax(-(X**2))
    nu = jax.nn.softmax(-2 * (jnp.abs(X) - 1) ** 2)
    return scale * (X[:, None] - X[None]) ** 2, mu, nu


def noisy(size):
    """Densities whose logarithms are off by a smooth function with slope at most `size`."""

    def approximate(key, mu, nu):
        k_mu, k_nu = jax.random.split(key)
        shift = [size * jnp.sin(X + 6 * jax.random.uniform(k)) for k in (k_mu, k_nu)]
        return jax.nn.softmax(jnp.log(mu) + shift[0]), jax.nn.softmax(jnp.log(nu) + shift[1])

    return approximate


def test_the_marginals_become_exact():
    cost, mu, nu = toy(1.0)
    fit = ipf(jax.random.key(0), cost, mu, nu, iterations=300)
    np.testing.assert_allclose(fit.plan.sum(axis=0), nu, atol=1e-5)
    np.testing.assert_allclose(fit.plan.sum(axis=1), mu, atol=1e-5)


@pytest.mark.fast
def test_it_equals_a_plain_loop():
    cost, mu, nu = (np.asarray(part, np.float64) for part in toy(1.0))
    a = np.ones(N)
    kernel = np.exp(-cost)
    b = 1 / (kernel.T @ (a * mu))
    for _ in range(7):
        a = 1 / (kernel @ (b * nu))
        b = 1 / (kernel.T @ (a * mu))
    fit = ipf(jax.random.key(0), *toy(1.0), iterations=7)
    plan = a[:, None] * kernel * b[None] * mu[:, None] * nu[None]
    np.testing.assert_allclose(fit.plan, plan, rtol=1e-3, atol=1e-7)


def test_divergences_are_those_of_the_couplings_of_algorithm_3():
    """Whole couplings by eq. (34), their marginals summed up, with projections drawn each time."""
    cost, mu, nu = toy(1.0)
    key, approximate = jax.random.key(2), noisy(0.3)
    fit = ipf(key, cost, mu, nu, iterations=4, approximate=approximate)
    drawn = [approximate(jax.random.fold_in(key, k), mu, nu) for k in range(5)]
    mus, nus = ([np.asarray(pair[i], np.float64) for pair in drawn] for i in (0, 1))
    kernel = np.exp(-np.asarray(cost, np.float64))

    def coupling(a, b, m, n):
        return a[:, None] * kernel * b[None] * m[:, None] * n[None]

    def divergence(p, q):
        return (p * np.log(p / q) - p + q).sum()

    a, first, second = np.ones(N), [], []
    for k in range(4):
        b = 1 / (kernel.T @ (a * mus[k]))
        first.append(divergence(coupling(a, b, mus[k], nus[k]).sum(axis=1), np.asarray(mu)))
        a = 1 / (kernel @ (b * nus[k]))
        odd = coupling(a, b, mus[k + 1], nus[k])
        second.append(divergence(np.asarray(nu), odd.sum(axis=0)))
    np.testing.assert_allclose(fit.first, first, rtol=1e-3)
    np.testing.assert_allclose(fit.second, second, rtol=1e-3)
    b = 1 / (kernel.T @ (a * mus[4]))
    np.testing.assert_allclose(fit.plan, coupling(a, b, mus[4], nus[4]), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(fit.plan.sum(axis=0), nus[4], rtol=1e-4)


@pytest.mark.parametrize("process", [processes.ve(0.1, 0.8), processes.vp(0.1, 3.0)])
def test_the_bridge_of_a_process_between_its_own_ends_is_the_process(process):
    """Nothing has to be steered: the potentials are flat, and a row is where the process goes."""
    alpha, sigma = (float(part) for part in process.marginal(jnp.ones(())))
    x = jnp.linspace(-3.0, 3.0, 101)[:, None]
    y = jnp.linspace(-6.0, 6.0, 201)[:, None]
    mu = jax.nn.softmax(-(x[:, 0] ** 2) / (2 * 0.49))
    nu = jax.nn.softmax(-(y[:, 0] ** 2) / (2 * (alpha**2 * 0.49 + sigma**2)))
    plan = ipf(jax.random.key(0), transition_cost(process, x, y), mu, nu, iterations=200).plan
    row = plan[65] / plan[65].sum()
    mean = (row * y[:, 0]).sum()
    np.testing.assert_allclose(mean, alpha * x[65, 0], atol=0.01)
    np.testing.assert_allclose((row * (y[:, 0] - mean) ** 2).sum(), sigma**2, rtol=0.03)


@pytest.mark.fast
def test_a_move_has_the_density_of_its_process():
    process = processes.vp(0.1, 3.0)
    alpha, sigma = process.marginal(jnp.ones(()))
    x, y = jnp.array([[0.3, -1.0]]), jnp.array([[0.5, 0.2], [1.0, -1.0]])
    expected = -jax.scipy.stats.norm.logpdf(y, alpha * x, sigma).sum(axis=1)
    np.testing.assert_allclose(transition_cost(process, x, y)[0], expected, rtol=1e-5)


@pytest.mark.fast
def test_divergences_fall_like_one_over_k():
    """They fall in every iteration and sum to at most KL(pi | G), hence are below it over k."""
    cost, mu, nu = toy()
    fit = ipf(jax.random.key(0), cost, mu, nu, iterations=400)
    mass = (jnp.exp(-cost) * mu[:, None] * nu[None]).sum()
    # KL(pi | G), by the form that pi has; its cells may underflow
    bound = (fit.plan * (fit.phi[:, None] + fit.psi[None])).sum() + jnp.log(mass)
    for found in (fit.first, fit.second):
        # from the second on: the first comes before any projection
        found = np.asarray(found)[1:]
        assert (np.diff(found) <= 1e-6).all()
        k = np.arange(1, len(found) + 1)
        assert (found * k <= float(bound) * 1.01).all()
    assert float(fit.first[-1]) < 0.05 * float(fit.first[1])


def test_errors_set_a_floor_on_this_toy():
    """Errors drawn anew each time, on a bounded cost: a floor, below what Theorem 1 allows."""
    cost, mu, nu = toy(1.0)
    floors = []
    for size in (0.02, 0.1, 0.5):
        fit = ipf(jax.random.key(1), cost, mu, nu, iterations=800, approximate=noisy(size))
        early, late = fit.first[100:400].mean(), fit.first[500:].mean()
        assert 0.8 < float(late / early) < 1.25
        floors.append(float(late))
    exact = float(ipf(jax.random.key(1), cost, mu, nu, iterations=800).first[-1])
    assert exact < floors[0] < floors[1] < floors[2]
    # off by `size` in the logarithm: of its square in KL
    np.testing.assert_allclose(np.log(floors[2] / floors[0]) / np.log(25), 2, atol=0.4)

"""Iterative proportional fitting on a toy: exact marginals, the rate of Theorem 1, its floor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.ipf import ipf

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


@pytest.mark.fast
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
    for _ in range(7):
        b = 1 / (kernel.T @ (a * mu))
        a = 1 / (kernel @ (b * nu))
    fit = ipf(jax.random.key(0), *toy(1.0), iterations=7)
    plan = a[:, None] * kernel * b[None] * mu[:, None] * nu[None]
    np.testing.assert_allclose(fit.plan, plan, rtol=1e-3, atol=1e-7)


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


def test_the_error_sets_a_floor_that_does_not_grow():
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

"""Reverse diffusion against Gaussians, whose scores are known, and against a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.processes import ve, vp
from jaximpute.solvers import reverse_sde

PROCESSES = {"vp": vp(), "ve": ve(0.01, 5.0)}


@pytest.fixture(params=PROCESSES)
def process(request):
    return PROCESSES[request.param]


def gaussian_score(process, mean, sd):
    def score(x, t):
        alpha, sigma = process.marginal(t)
        return -(x - alpha * mean) / (alpha**2 * sd**2 + sigma**2)

    return score


@pytest.mark.fast
def test_the_marginal_solves_the_process(process):
    """d alpha / dt = f alpha and d sigma^2 / dt = 2 f sigma^2 + g^2, for the drift f x."""
    for t in (0.2, 0.7):
        (alpha, sigma), (d_alpha, d_sigma) = jax.jvp(process.marginal, (t,), (1.0,))
        f = process.drift(jnp.ones(()), t)
        np.testing.assert_allclose(d_alpha, f * alpha, rtol=1e-4, atol=1e-6)
        growth = 2 * f * sigma**2 + process.diffusion(t) ** 2
        np.testing.assert_allclose(2 * sigma * d_sigma, growth, rtol=1e-3)


def test_reversal_recovers_the_data(process):
    k_prior, k_run = jax.random.split(jax.random.key(0))
    x = process.prior(k_prior, (3000, 1))
    x = reverse_sde(process, gaussian_score(process, 2.0, 0.5), k_run, x, steps=200)
    np.testing.assert_allclose(x.mean(), 2.0, atol=0.06)
    np.testing.assert_allclose(x.std(), 0.5, atol=0.06)


def test_replacement_conditions_on_what_is_observed(process):
    """Two correlated coordinates, the first put back after every step: the second follows it."""
    rho = 0.9
    cov = jnp.array([[1.0, rho], [rho, 1.0]])

    def score(x, t):
        alpha, sigma = process.marginal(t)
        return -x @ jnp.linalg.inv(alpha**2 * cov + sigma**2 * jnp.eye(2))

    def put_back(key, t, x):
        alpha, sigma = process.marginal(t)
        return x.at[:, 0].set(alpha * 1.5 + sigma * jax.random.normal(key, x.shape[:1]))

    k_prior, k_run = jax.random.split(jax.random.key(1))
    x = process.prior(k_prior, (2000, 2))
    x = reverse_sde(process, score, k_run, x, steps=300, project=put_back)
    # replacement is known to pull less than exact conditioning does
    assert 0.6 * rho * 1.5 < float(x[:, 1].mean()) < 1.1 * rho * 1.5


@pytest.mark.fast
def test_projections_see_falling_times_and_fresh_keys():
    process, steps = vp(), 4

    def keep(key, t, x):
        return jnp.concatenate([x[1:], (t + 0 * jax.random.normal(key, (1,)))[None]])

    zero = lambda x, t: jnp.zeros_like(x)  # noqa: E731
    x = reverse_sde(
        process,
        zero,
        jax.random.key(0),
        jnp.zeros((steps, 1)),
        steps=steps,
        t_end=0.2,
        project=keep,
    )
    np.testing.assert_allclose(x[:, 0][-1], 0.2, atol=1e-5)

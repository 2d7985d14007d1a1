"""Reverse diffusion against Gaussians, whose scores are known, and against a plain loop."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.maths.processes import sub_vp, ve, vp
from jaximpute.maths.solvers import euler_maruyama, langevin, reverse_sde

PROCESSES = {"vp": vp(), "ve": ve(0.01, 5.0), "sub-vp": sub_vp()}


@pytest.fixture(params=PROCESSES)
def process(request):
    return PROCESSES[request.param]


def gaussian_score(process, mean, sd):
    def score(x, t):
        alpha, sigma = process.marginal(t)
        return -(x - alpha * mean) / (alpha**2 * sd**2 + sigma**2)

    return score


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


def test_steps_equal_a_plain_scan():
    """Both directions: the increments of the noise from a run without drift, the rest by hand."""
    x = jnp.array([[1.0, -2.0]])
    for t0, t1 in ((0.1, 0.9), (0.9, 0.1)):

        def run(drift, t0=t0, t1=t1, **options):
            key = jax.random.key(3)  # the same noise each time
            return euler_maruyama(drift, lambda t: 1 + t, key, x, t0=t0, t1=t1, **options)

        noise = run(lambda x, t: jnp.zeros_like(x), steps=8, save=True)
        noise = jnp.diff(jnp.concatenate([x[None], noise]), axis=0)
        found = run(lambda x, t: t * x**2, steps=8, save=True)
        state, h = x, (t1 - t0) / 8
        for i in range(8):
            state = state + h * (t0 + i * h) * state**2 + noise[i]
            np.testing.assert_allclose(found[i], state, rtol=1e-4)
        np.testing.assert_allclose(run(lambda x, t: t * x**2, steps=8), state, rtol=1e-4)


def test_an_ornstein_uhlenbeck_path_has_its_variance():
    """dx = -x dt + dW from x = 2: mean 2 exp(-t), variance (1 - exp(-2 t)) / 2."""
    x = jnp.full((20_000, 1), 2.0)
    run = partial(euler_maruyama, lambda x, t: -x, lambda t: jnp.ones(()), jax.random.key(0), x)
    path = run(t0=0.0, t1=1.0, steps=100, save=True)
    for i in (24, 99):
        t = (i + 1) / 100
        np.testing.assert_allclose(path[i].mean(), 2 * np.exp(-t), atol=0.02)
        np.testing.assert_allclose(path[i].var(), (1 - np.exp(-2 * t)) / 2, atol=0.02)


def test_the_corrector_leaves_its_density_alone_and_repairs_another():
    """Steps at the end of a run: draws of N(0, 1) stay, and of N(2, 0.1^2) come nearer."""
    correct = langevin(lambda x, t: -x, snr=0.3, steps=60)
    for start, tol in ((lambda z: z, 0.05), (lambda z: 2 + 0.1 * z, 0.15)):
        z = start(jax.random.normal(jax.random.key(0), (4000, 2)))
        x = correct(jax.random.key(1), jnp.ones(()), z)
        np.testing.assert_allclose(x.mean(), 0.0, atol=tol)
        np.testing.assert_allclose(x.std(), 1.0, atol=2 * tol)


def test_the_corrector_steps_by_what_it_corrects():
    """Two columns, one of them corrected: as if the other were not there, whatever its score."""
    where = jnp.broadcast_to(jnp.array([[True, False]]), (50, 2))
    x = jax.random.normal(jax.random.key(0), (50, 2))

    def run(size):
        def score(x, t):
            return -x * jnp.array([[1.0, size]])

        correct = langevin(score, snr=0.3, steps=3, where=where)
        return correct(jax.random.key(1), jnp.ones(()), x)

    for size in (0.0, 10.0):
        found = run(size)
        np.testing.assert_array_equal(found[:, 1], x[:, 1])
        np.testing.assert_allclose(found[:, 0], run(1.0)[:, 0], rtol=1e-5)
    # the first step by hand: epsilon from the norms of one column
    noise = jax.random.normal(jax.random.fold_in(jax.random.key(1), 0), x.shape)[:, 0]
    size = 2 * (0.3 * jnp.abs(noise).mean() / jnp.abs(x[:, 0]).mean()) ** 2
    once = langevin(lambda x, t: -x, snr=0.3, where=where)(jax.random.key(1), jnp.ones(()), x)
    expected = x[:, 0] - size * x[:, 0] + jnp.sqrt(2 * size) * noise
    np.testing.assert_allclose(once[:, 0], expected, rtol=1e-5)


def test_corrections_come_before_projections():
    x = euler_maruyama(
        lambda x, t: jnp.zeros_like(x),
        lambda t: jnp.zeros(()),
        jax.random.key(0),
        jnp.zeros((1, 1)),
        t0=1.0,
        t1=0.0,
        steps=3,
        correct=lambda key, t, x: x + 1,
        project=lambda key, t, x: 10 * x,
    )
    assert float(x[0, 0]) == 1110

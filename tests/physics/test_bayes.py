"""The best possible answer against brute-force conditioning in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.physics import advection, bayes, initial, shallow_water

SHAPE, FRAMES = (8, 8), 3
VELOCITIES = jnp.array([[0.3, 1.6], [-1.0, 0.5], [0.3, 1.2]])


def _waves(velocity):
    modes = jnp.asarray(initial.modes(initial.band(SHAPE, high=2)), jnp.float32)
    return jax.vmap(lambda m: advection.advect(m, velocity, FRAMES))(modes)


@pytest.fixture(scope="module")
def waves():
    return jax.vmap(_waves)(VELOCITIES)


def _draw(waves, seed, n=4, share=0.08):
    rng = np.random.default_rng(seed)
    flat = np.asarray(waves, np.float64).reshape(len(waves), -1)
    x = rng.normal(size=(n, len(flat))) @ flat
    mask = rng.random(x.shape) < share
    mask[0] = False  # nothing observed: the prior
    return x.reshape(n, *waves.shape[1:]), mask.reshape(n, *waves.shape[1:])


def _brute_force(waves, x, mask, noise):
    """Mean, variance and log density by the covariance of the entries themselves."""
    flat = np.asarray(waves, np.float64).reshape(len(waves), -1)
    cov, o = flat.T @ flat, mask.ravel()
    inner = cov[np.ix_(o, o)] + noise**2 * np.eye(o.sum())
    gain = np.linalg.solve(inner, cov[o]).T
    y = x.ravel()[o]
    log_density = -(y @ np.linalg.solve(inner, y) + np.linalg.slogdet(inner)[1]) / 2
    return gain @ y, np.diag(cov - gain @ cov[o]), log_density


@pytest.mark.parametrize("noise", [0.3, 0.02])
def test_known_parameters_equal_brute_force(waves, noise):
    x, mask = _draw(waves[0], seed=0)
    found = bayes.posterior(waves[:1], jnp.asarray(x, jnp.float32), jnp.asarray(mask), noise=noise)
    error = bayes.least_error(waves[0], jnp.asarray(mask), noise=noise)
    for i in range(len(x)):
        mean, variance, _ = _brute_force(waves[0], x[i], mask[i], noise)
        np.testing.assert_allclose(found.mean[i].ravel(), mean, atol=3e-3)
        np.testing.assert_allclose(found.variance[i].ravel(), variance, atol=2e-3)
        np.testing.assert_allclose(error[i].ravel(), variance, atol=2e-3)
    np.testing.assert_allclose(error[0], 1, atol=1e-4)


def test_a_mixture_equals_brute_force(waves):
    x, mask = _draw(waves[1], seed=1)
    prior = np.array([0.5, 0.2, 0.3])
    found = bayes.posterior(
        waves, jnp.asarray(x, jnp.float32), jnp.asarray(mask), noise=0.4, prior=jnp.asarray(prior)
    )
    for i in range(len(x)):
        each = [_brute_force(w, x[i], mask[i], 0.4) for w in waves]
        logs = np.array([e[2] for e in each]) + np.log(prior)
        weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
        means = np.stack([e[0] for e in each])
        mean = weights @ means
        variance = weights @ (np.stack([e[1] for e in each]) + (means - mean) ** 2)
        np.testing.assert_allclose(found.weights[i], weights, atol=2e-3)
        np.testing.assert_allclose(found.mean[i].ravel(), mean, atol=3e-3)
        np.testing.assert_allclose(found.variance[i].ravel(), variance, atol=3e-3)
    np.testing.assert_allclose(found.weights[0], prior, atol=1e-4)  # nothing observed


def test_the_error_it_promises_is_the_error_it_makes():
    """Shallow water, three variables, through the simulator itself rather than its waves."""
    water = shallow_water.Water()

    def simulate(h):
        return shallow_water.spectral(shallow_water.at_rest(h), water, FRAMES)

    amplitude = initial.band(SHAPE, high=2)
    waves = jax.vmap(simulate)(jnp.asarray(initial.modes(amplitude), jnp.float32))
    x = initial.many(
        lambda k: simulate(initial.field(k, amplitude)), jax.random.key(4), 200, batch=50
    )
    mask = jnp.zeros(SHAPE, bool).at[::4, ::4].set(True)
    mask = jnp.broadcast_to(mask[None, None, :, :, None], x.shape)
    found = bayes.posterior(waves[None], x, mask)
    promised = float(bayes.least_error(waves, mask[:1]).mean())
    made = float(((found.mean - x) ** 2).mean())
    assert 0.01 < promised < 0.5  # neither trivial nor hopeless
    assert abs(made / promised - 1) < 0.15


def test_bad_input_is_refused(waves):
    x, mask = jnp.zeros((1, 2, 8, 8)), jnp.ones((1, 2, 8, 8), bool)
    with pytest.raises(ji.DataError, match="same last axes"):
        bayes.posterior(waves, x, mask)
    with pytest.raises(ji.OptionError, match="noise is 0"):
        bayes.least_error(waves[0], jnp.ones((1, 3, 8, 8), bool), noise=0)

"""DiffPuter's denoiser and sampler, with the denoiser of a Gaussian, which is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.maths.processes import edm
from jaximpute.methods.relatives import _edm
from tests.helpers.running import punch

COV = 0.25 * np.array([[1.0, 0.7, 0.3], [0.7, 1.0, 0.5], [0.3, 0.5, 1.0]])


def _exact(cov):
    """The raw network whose denoiser is that of N(0, cov)."""
    values, vectors = (jnp.asarray(a, jnp.float32) for a in np.linalg.eigh(cov))

    def apply(params, x, t, cond, key=None):
        sigma = t[:, None]
        total = jnp.sqrt(_edm.SPREAD**2 + sigma**2)
        noisy = x * total
        clean = (noisy @ vectors * values[None] / (values[None] + sigma**2)) @ vectors.T
        return (clean - (_edm.SPREAD / total) ** 2 * noisy) * total / (sigma * _edm.SPREAD)

    return ji.Net(lambda key, x, t, cond: {}, apply)


def _normal(n, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.multivariate_normal(np.zeros(3), COV, n), jnp.float32)


@pytest.mark.fast
def test_a_network_of_zeros_shrinks_and_the_exact_one_denoises():
    x, sigma = _normal(5), jnp.full(5, 0.5)
    zeros = ji.Net(lambda *a: {}, lambda params, x, t, cond, key=None: jnp.zeros_like(x))
    np.testing.assert_allclose(_edm.denoise(zeros, {}, x, sigma), x / 2, rtol=1e-6)
    gain = COV @ np.linalg.inv(COV + 0.25 * np.eye(3))
    got = _edm.denoise(_exact(COV), {}, x, sigma)
    np.testing.assert_allclose(got, np.asarray(x) @ gain.T, atol=1e-5)


def test_the_loss_of_the_exact_denoiser_is_what_noise_hides():
    got = _edm.loss(_exact(COV), {}, jax.random.key(0), _normal(20000))
    sigma = np.exp(-1.2 + 1.2 * np.random.default_rng(0).normal(size=20000))
    eigen = np.linalg.eigvalsh(COV)[None]
    hidden = (eigen * sigma[:, None] ** 2 / (eigen + sigma[:, None] ** 2)).mean(1)
    wanted = (hidden * (0.25 + sigma**2) / (0.25 * sigma**2)).mean()
    np.testing.assert_allclose(got, wanted, rtol=0.03)


def test_draws_have_the_conditional_moments_of_a_gaussian():
    x = _normal(3000)
    mask = jnp.full(x.shape, True).at[:, 0].set(False)
    got = jax.jit(
        lambda key: _edm.draw(
            _exact(COV), {}, key, x, mask, process=edm(), levels=30, resamplings=15
        )
    )(jax.random.key(1))
    got, x = np.asarray(got), np.asarray(x)
    gain = COV[0, 1:] @ np.linalg.inv(COV[1:, 1:])
    slopes = np.linalg.lstsq(x[:, 1:], got[:, 0], rcond=None)[0]
    np.testing.assert_allclose(slopes, gain, atol=0.07)
    left = (got[:, 0] - x[:, 1:] @ gain).std()
    np.testing.assert_allclose(left, np.sqrt(COV[0, 0] - gain @ COV[1:, 0]), rtol=0.08)


def test_a_free_row_has_the_moments_of_the_model():
    x = jnp.zeros((4000, 3))
    mask = jnp.full(x.shape, False)
    got = _edm.draw(
        _exact(COV), {}, jax.random.key(2), x, mask, process=edm(), levels=25, resamplings=1
    )
    np.testing.assert_allclose(np.cov(np.asarray(got).T), COV, atol=0.025)


def test_a_round_is_an_expectation_and_new_rows_follow():
    full = 4 * np.asarray(_normal(400)) + 3.0
    x = punch(full, 0.3)
    data = ji.from_nan(jnp.asarray(x, jnp.float32))
    mean, scale = (np.asarray(a) for a in ji.masking.channel_moments(data))
    cov = 16 * COV / np.outer(scale, scale) / 4
    method = ji.methods.diffputer(
        _exact(cov), edm(), updates=1, batch=8, levels=15, resamplings=8, trials=12
    )
    state = ji.fit(method, jax.random.key(0), data, 1)
    missing = np.isnan(x)
    for got in (method.fill(state, data), method.estimate(jax.random.key(1), state, data)):
        expected = full.copy()
        for i in range(len(x)):
            o, m = ~missing[i], missing[i]
            gain = COV[np.ix_(m, o)] @ np.linalg.pinv(COV[np.ix_(o, o)])
            expected[i, m] = mean[m] + gain @ (full[i, o] - mean[o])
        away = (np.asarray(got) - expected)[missing]
        # the mean of 12 draws keeps a twelfth of their variance, which is at most 4
        assert np.sqrt((away**2).mean()) < 0.6
        assert np.abs(away.mean()) < 0.1


@pytest.mark.fast
def test_wrong_options_are_named():
    with pytest.raises(ji.OptionError, match="at least 2 levels"):
        ji.methods.diffputer(_exact(COV), edm(), levels=1)

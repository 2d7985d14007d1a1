"""MissDiff: what its loss looks at, and its draws under a noise that is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.maths.processes import vp
from jaximpute.methods.relatives.missdiff import noise_loss

MEAN, SPREAD = jnp.array([1.0, -2.0]), jnp.array([0.5, 1.5])


def _known(mean, spread):
    """The noise that the best network predicts for independent normal columns."""

    def apply(params, x, t, cond, key=None):
        alpha, sigma = (v[:, None] for v in vp().marginal(t))
        away = x - alpha * mean[None]
        return sigma * away / (alpha**2 * spread[None] ** 2 + sigma**2)

    return ji.Net(lambda key, x, t, cond: {}, apply)


def _rows(n=4000):
    x = MEAN[None] + SPREAD[None] * jax.random.normal(jax.random.key(1), (n, 2))
    mask = jax.random.uniform(jax.random.key(2), x.shape) < 0.6
    return x, mask


@pytest.mark.parametrize("on_mask", [False, True])
def test_the_loss_does_not_see_what_is_not_observed(on_mask):
    net = ji.nets.mlp((2,), conds=int(on_mask), widths=(8, 8))
    x, mask = _rows(16)
    cond = (mask,) if on_mask else ()
    params = net.init(jax.random.key(0), x, jnp.ones(16), cond)

    def loss(x):
        return noise_loss(net, params, jax.random.key(3), x, mask, vp(), on_mask=on_mask)

    slope = jax.grad(loss)(x)
    np.testing.assert_array_equal(slope[~mask], 0)
    assert (np.asarray(slope)[mask] != 0).all()
    spoilt = jnp.where(mask, x, jnp.nan)
    assert loss(spoilt) == loss(x)


def test_the_loss_of_the_known_noise_is_its_variance():
    x, mask = _rows(20000)
    # zero-filled gaps are not scored, and the columns are independent: they do no harm
    got = noise_loss(_known(MEAN, SPREAD), {}, jax.random.key(3), x, mask, vp())
    t = jnp.linspace(1e-3, 1, 2001)
    alpha, sigma = (v[:, None] for v in vp().marginal(t))
    left = alpha**2 * SPREAD[None] ** 2 / (alpha**2 * SPREAD[None] ** 2 + sigma**2)
    np.testing.assert_allclose(got, left.mean(), rtol=0.05)


def test_draws_under_the_known_noise_have_its_moments():
    x, mask = _rows(2500)
    mask = jnp.full(mask.shape, True).at[:, 1].set(False).at[:500].set(False)
    data = ji.Observed(jnp.where(mask, x, 0), mask, jnp.ones(2500))
    method = ji.methods.missdiff(_known(MEAN, SPREAD), vp(), sde_steps=200)
    state = method.init(jax.random.key(0), data)
    got = np.asarray(method.sample(jax.random.key(4), state, data))
    np.testing.assert_array_equal(got[np.asarray(mask)], np.asarray(x)[np.asarray(mask)])
    np.testing.assert_allclose(got[:, 1].mean(), -2.0, atol=0.15)
    np.testing.assert_allclose(got[:, 1].std(), 1.5, rtol=0.07)
    np.testing.assert_allclose(got[:500, 0].mean(), 1.0, atol=0.1)
    np.testing.assert_allclose(got[:500, 0].std(), 0.5, rtol=0.12)


def test_images_are_rows_like_any_other():
    mask = jax.random.uniform(jax.random.key(0), (6, 4, 4, 1)) < 0.7
    data = ji.Observed(jnp.where(mask, 0.5, 0.0), mask, jnp.ones(6))
    net = ji.nets.mlp((4, 4, 1), widths=(8,))
    method = ji.methods.missdiff(net, vp(), updates=2, batch=4, sde_steps=3)
    state = ji.fit(method, jax.random.key(1), data, 1)
    assert np.isfinite(ji.complete(method, jax.random.key(2), state, data)).all()


@pytest.mark.fast
def test_wrong_options_are_named():
    with pytest.raises(ji.OptionError, match="updates is 0"):
        ji.methods.missdiff(_known(MEAN, SPREAD), vp(), updates=0)

"""GAIN's losses against plain numpy, its two players' directions, and a table it can learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaximpute as ji
from jaximpute.methods.relatives.gain import discriminator_loss, generator_loss
from tests.helpers.running import punch

RNG = np.random.default_rng(0)


def _slow(guess, made, x, mask, alpha):
    """Both losses, entry by entry, as the paper's equations have them."""
    d_total = g_total = error = known = 0.0
    for logit, m, a, b in zip(guess.flat, mask.flat, x.flat, made.flat, strict=True):
        p = 1 / (1 + np.exp(-logit))
        d_total -= np.log(p) if m else np.log(1 - p)
        g_total -= 0.0 if m else np.log(p)
        error += (a - b) ** 2 if m else 0.0
        known += m
    return d_total / mask.size, g_total / mask.size + alpha * error / known


@pytest.mark.fast
def test_both_losses_equal_numpy():
    guess, x, made = RNG.normal(size=(3, 7, 4))
    mask = RNG.random((7, 4)) < 0.6
    wanted = _slow(guess, made, x, mask, 10.0)
    guess, x, made = (jnp.asarray(a, jnp.float32) for a in (guess, x, made))
    mask = jnp.asarray(mask)
    np.testing.assert_allclose(discriminator_loss(guess, mask), wanted[0], rtol=1e-5)
    np.testing.assert_allclose(generator_loss(guess, made, x, mask, 10.0), wanted[1], rtol=1e-5)


def test_losses_are_safe_at_the_ends():
    guess, mask = jnp.array([[200.0, -200.0]]), jnp.array([[False, False]])
    for loss in (
        lambda g: discriminator_loss(g, mask),
        lambda g: generator_loss(g, g, g, mask, 1.0),
    ):
        assert np.isfinite(loss(guess))
        assert np.isfinite(jax.grad(loss)(guess)).all()


class _Constant:
    """A network of one number per column, so that its first Adam step shows the gradient's sign."""

    def __init__(self, first):
        self.net = ji.Net(
            lambda key, x, t, cond: {"logit": jnp.full(x.shape[1:], first)},
            lambda params, x, t, cond, key=None: jnp.broadcast_to(params["logit"][None], x.shape),
        )


def test_each_player_moves_its_own_way():
    x = jnp.asarray(RNG.random((50, 2)), jnp.float32)
    mask = jnp.stack([jnp.arange(50) > 9, jnp.arange(50) > 39], axis=1)
    mask, x = mask.at[:2].set(True), x.at[:2].set(jnp.array([[0.0, 0.0], [1.0, 1.0]]))
    data = ji.Observed(jnp.where(mask, x, 0), mask, jnp.ones(50))
    # guesses of 1/2: column 0 is mostly observed, column 1 mostly not
    method = ji.methods.gain(_Constant(3.0).net, _Constant(0.0).net, updates=1, batch=50)
    first = method.init(jax.random.key(0), data)
    after, info = method.step(jax.random.key(1), first, data)
    assert after.discriminator["logit"][0] > 0 > after.discriminator["logit"][1]
    # the generator makes 0.95 of everything, and is drawn to the columns' means
    assert (after.generator["logit"] < 3).all()
    np.testing.assert_allclose(info.metrics["discriminator"], np.log(2), rtol=1e-5)
    assert isinstance(after.generator_opt, type(optax.adam(1e-3).init(first.generator)))


def test_a_linear_table_is_learned_and_new_rows_follow():
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 6))
    full = factors + 0.1 * rng.normal(size=(600, 6))
    x = punch(full, 0.2)
    data = ji.from_nan(jnp.asarray(x[:500], jnp.float32))
    plan = ji.registry.build("gain", data, kind="table")
    state = ji.fit(plan.method, jax.random.key(0), data, 20, chunk=10)
    for rows in (slice(0, 500), slice(500, 600)):
        part = ji.from_nan(jnp.asarray(x[rows], jnp.float32))
        got = np.asarray(plan.method.estimate(jax.random.key(1), state, part))
        missing = np.isnan(x[rows])
        error = np.sqrt(((got - full[rows])[missing] ** 2).mean())
        assert error < 0.5 * full.std()


@pytest.mark.fast
def test_wrong_options_are_named():
    net = _Constant(0.0).net
    with pytest.raises(ji.OptionError, match="expected a hint in"):
        ji.methods.gain(net, net, hint=1.5)

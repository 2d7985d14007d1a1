"""KnewImp: its direction against a loop, padding, and an answer that its energy knows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.methods.relatives.knewimp import velocity
from jaximpute.types import Net


def rows(seed, n, d=3):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, d)), jnp.float32)


def test_the_direction_is_that_of_the_papers_sum():
    given, h, entropy = (rows(0, 5), rows(1, 5)), 0.9, 3.0
    x, score = (np.asarray(a) for a in given)
    weight = np.array([1.0, 1.0, 0.0, 1.0, 1.0])  # the third is padding
    expected = np.zeros((5, 3))
    for i in range(5):
        for j in np.flatnonzero(weight):
            k = np.exp(-np.sum((x[i] - x[j]) ** 2) / (2 * h**2))
            gradient = k * (x[j] - x[i]) / h**2
            expected[i] += (k * score[j] + entropy * gradient) / 4
    got = velocity(given[0], *given, jnp.asarray(weight, jnp.float32), h, entropy)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    blocked = velocity(given[0], *given, jnp.asarray(weight, jnp.float32), h, entropy, block=2)
    np.testing.assert_allclose(blocked, got, atol=1e-5)


def test_entropy_gathers_rows():
    x = rows(2, 30)
    pull = velocity(x, x, jnp.zeros_like(x), jnp.ones(30), 1.0, 1.0)
    assert jnp.sum(pull * (x - x.mean(0)[None])) < -1


def correlated(n=128, holes=32):
    level = np.random.default_rng(3).normal(size=(n, 1))
    truth = level + 0.1 * np.random.default_rng(4).normal(size=(n, 3))
    x = truth.copy()
    x[:holes, 2] = np.nan
    return ji.from_nan(jnp.asarray(x, jnp.float32)), truth[:holes, 2]


def fit(method, data, steps):
    state = ji.fit(method, jax.random.key(0), data, steps, chunk=1)
    return np.asarray(ji.complete(method, jax.random.key(1), state, data))


def known_energy():
    """That of a Gaussian whose columns agree."""
    precision = jnp.linalg.inv(jnp.ones((3, 3)) + 0.05 * jnp.eye(3))

    def energy(params, x, t, cond, key=None):
        return jnp.einsum("ni,ij,nj->n", x, precision, x) / 2 + 0 * params["unused"]

    return Net(lambda key, x, t, cond: {"unused": jnp.zeros(())}, energy)


@pytest.mark.parametrize("kernel_rows", [2048, 64])
def test_under_a_known_energy_columns_that_agree_are_found(kernel_rows):
    data, truth = correlated()
    method = ji.methods.knewimp(
        known_energy(), score_steps=1, moves=150, bandwidth=0.3, entropy=0.0, lr=0.05,
        kernel_rows=kernel_rows,
    )  # fmt: skip
    filled = fit(method, data, 1)[:32, 2]
    assert np.sqrt(np.mean((filled - truth) ** 2)) < 0.35  # the mean has 1


def test_a_learned_energy_does_better_than_the_mean():
    data, truth = correlated()
    net = ji.nets.energy_mlp((3,), width=32)
    method = ji.methods.knewimp(net, score_steps=200, moves=60, sigma=0.3, net_lr=3e-3)
    filled = fit(method, data, 2)[:32, 2]
    assert np.sqrt(np.mean((filled - truth) ** 2)) < 0.6


@pytest.mark.fast
def test_options_out_of_range_are_refused():
    with pytest.raises(ji.OptionError, match="bandwidth is 0"):
        ji.methods.knewimp(known_energy(), bandwidth=0.0)
    with pytest.raises(ji.OptionError, match="width is 0"):
        ji.nets.energy_mlp((2,), width=0)

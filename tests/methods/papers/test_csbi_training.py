"""The two trainings of CSBI's Algorithm 2, each by itself."""

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.maths import optimise, processes
from jaximpute.maths.splits import RANDOM
from jaximpute.methods._conditional import Batch, per_row
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi.bridge import Bridge
from jaximpute.methods.papers.csbi.training import (
    Policies,
    Rounds,
    backward_loss,
    forward_loss,
    pairs,
    train_backward,
    train_forward,
)

PROCESS = processes.ve(0.05, 4.0)
ROWS = 16


def scaled_by(params, x, t, cond=(), key=None):
    """A policy of one number; zero where it has none."""
    return jnp.zeros_like(x) if params is None else params["a"] * x


POLICIES = Policies(Bridge(PROCESS, 6), scaled_by, scaled_by, 32, 1, "rademacher")


def rows():
    values = jax.random.normal(jax.random.key(0), (ROWS, 5, 2))
    context = jax.random.uniform(jax.random.key(1), values.shape) < 0.5
    return Batch(values, context, ~context, jnp.zeros((ROWS, 5)) + jnp.arange(5.0)[None])


def weights(a):
    return {"a": jnp.float32(a)}


def test_pairs_are_states_of_the_cache_at_their_times():
    times = (jnp.arange(6.0) + 1) / 6
    paths = times[:, None, None] + 10 * jnp.arange(ROWS, dtype=jnp.float32)[None, :, None]
    i, t, x = map(np.asarray, pairs(jax.random.key(2), paths, 40))
    np.testing.assert_allclose(x[:, 0], t + 10 * i, rtol=1e-5)
    assert len(set(i)) > 8


def test_the_losses_of_linear_policies_are_those_of_the_closed_form():
    """With z = a x and the other b x: the weighted sum of a^2 x^2 / 2 + a b x^2 + g a."""
    batch, a, b = rows(), 0.3, -0.7
    paths = jax.random.normal(jax.random.key(3), (6, *batch.values.shape))
    for loss, held in ((backward_loss, True), (forward_loss, False)):
        i, t, x = pairs(jax.random.split(jax.random.key(4), 3)[0], paths, POLICIES.batch)
        now = Batch(*(part[i] for part in batch))
        x = bridges.hold(PROCESS, now, x, t) if held else x
        weight = bridges.entry_weights(POLICIES.bridge, t, now.query)
        g = per_row(PROCESS.diffusion(t), x)
        expected = (weight * (a**2 * x**2 / 2 + a * b * x**2 + g * a)).sum()
        found = loss(POLICIES, weights(b), batch, paths)(weights(a), jax.random.key(4))
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_training_moves_each_policy_and_leaves_the_other():
    optimiser = optimise.adamw(1e-2)
    one, other = (optimise.learner(weights(a), optimiser, 0.9) for a in (0.3, -0.2))
    rounds = Rounds(optimiser, optimiser, 0.9, RANDOM, None, 1, 4, 32, ROWS, 6, 6)
    given = POLICIES, rounds
    back, loss = train_backward(*given, jax.random.key(5), one, other, lambda key: rows())
    fore, other_loss = train_forward(*given, jax.random.key(6), other, back, lambda key: rows())
    assert np.isfinite(np.stack([loss, other_loss])).all()
    assert back.params["a"] < one.params["a"]  # towards the score, which points inward
    assert fore.params["a"] != other.params["a"]

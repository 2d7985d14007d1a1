"""Algorithm 4, draws in many steps: weights, a known distribution, guidance."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import jaximpute as ji
from jaximpute.maths import processes
from jaximpute.maths.optimise import Learner
from jaximpute.methods.papers.context_query import contexts, partitions, sampling
from jaximpute.methods.papers.context_query.algorithm import ContextQueryState
from jaximpute.methods.papers.context_query.guidance import Guidance, nearer, pulled
from jaximpute.types import Net, Observed

VP = processes.vp()
SHAPE = (1, 6, 6, 1)


def test_the_imputation_term_has_weight_one_at_pure_noise(key):
    assert float(sampling.imputation_weight(1.0)) == 1.0
    assert float(sampling.imputation_weight(0.0)) == 0.0
    # answers at t = 1 would be absurd; those near 0 repeat what is shown
    net = Net(
        lambda key, x, t, cond: {},
        lambda params, x, t, cond, key=None: jnp.where(t.reshape(-1, 1, 1, 1, 1) > 0.5, 1e6, x),
    )
    mask = jnp.zeros((2, *SHAPE), bool).at[:, :, :3].set(True)
    data = Observed(jnp.where(mask, 5.0, 0.0), mask, jnp.ones(2))
    start = VP.prior(jax.random.key(1), mask.shape)
    run = partial(sampling.multi_step, sampling.Model(net, {}, VP), key, start, data)

    def everywhere(key):
        return jnp.full(mask.shape, True)

    out = run(jnp.full(mask.shape, 2.0), everywhere, steps=1, delta=1e-3, members=1)
    np.testing.assert_allclose(np.asarray(out)[~np.asarray(mask)], 2.0, atol=0.1)
    np.testing.assert_allclose(np.asarray(out)[np.asarray(mask)], 5.0, atol=0.1)


def test_many_steps_draw_from_a_known_distribution(key):
    # independent entries N(0, 0.5^2), for which the answer at every time is known
    def apply(params, x, t, cond, key=None):
        alpha, sigma = (v.reshape(-1, 1, 1, 1, 1) for v in VP.marginal(t))
        return jnp.where(cond[0] > 0, alpha * 0.25 / (alpha**2 * 0.25 + sigma**2) * x, 0.0)

    model = sampling.Model(Net(lambda *given: {}, apply), {}, VP)
    data = Observed(jnp.zeros((40, *SHAPE)), jnp.zeros((40, *SHAPE), bool), jnp.ones(40))

    def everywhere(key):
        return jnp.full((40, *SHAPE), True)

    start = VP.prior(jax.random.key(1), data.values.shape)

    def run(**options):
        again = jax.random.clone(key)
        return sampling.multi_step(model, again, start, data, data.values, everywhere, **options)

    out = np.asarray(run(steps=100, delta=1e-3, power=200.0, members=1))
    assert abs(out.mean()) < 0.05
    assert abs(out.std() - 0.5) < 0.04
    # with the linear weight draws shrink towards the single-step estimate
    assert np.asarray(run(steps=100, delta=1e-3, members=1)).std() < 0.45


def test_guidance_follows_the_gradients_of_residual_and_observations(key):
    x = jax.random.normal(key, (3, *SHAPE))
    mask = (jax.random.uniform(jax.random.key(1), x.shape) < 0.5).at[0].set(False)
    data = Observed(jnp.where(mask, 1.0, 0.0), mask, jnp.ones(3))
    missing, seen = ~np.asarray(mask), np.asarray(mask)
    # down |x - 2|^2, whose gradient is 2 (x - 2)
    both = Guidance(lambda row: ((row - 2) ** 2).sum(), 0.25, 0.5)
    out = np.asarray(nearer(both, x, data))
    np.testing.assert_array_equal(out[seen], np.asarray(x)[seen])
    np.testing.assert_allclose(out[missing], (np.asarray(x) / 2 + 1)[missing], rtol=1e-5)
    # an answer by which every entry speaks for its mirror image
    estimate, pull = pulled(both, lambda x: 3 * x[:, :, ::-1], x, data)
    np.testing.assert_array_equal(estimate, 3 * x[:, :, ::-1])
    share = np.maximum(seen.sum(axis=(1, 2, 3, 4), keepdims=True), 1)
    flipped = seen[:, :, ::-1] & missing
    expected = np.where(flipped, -0.5 * 2 * 3 * (3 * np.asarray(x) - 1) / share, 0)
    np.testing.assert_allclose(pull, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(pulled(Guidance(), lambda x: x, x, data)[1], 0)


def test_guided_draws_obey_and_keep_what_is_observed(key):
    mask = jnp.zeros((2, *SHAPE), bool).at[:, :, :3].set(True)
    data = Observed(jnp.where(mask, 5.0, 0.0), mask, jnp.ones(2))
    net = Net(lambda *given: {}, lambda params, x, t, cond, key=None: x + 0 * params["a"])
    options = {"steps": 1, "members": 1, "guidance_strength": 0.5, "feeds": (contexts.observed,)}

    def squares(row):  # one step of length 1/2 solves it
        return ((row[:, 3:] - 7) ** 2).sum()

    method = ji.methods.context_query(net, partitions.pixel(), guidance=squares, **options)
    state = ContextQueryState(
        Learner({"a": jnp.zeros(())}, {"a": jnp.zeros(())}, jnp.ones(()), ()), jnp.ones(()), mask
    )
    out = np.asarray(jax.jit(method.sample)(key, state, data))
    np.testing.assert_allclose(out[:, :, 3:], 7.0, rtol=1e-6)
    np.testing.assert_array_equal(out[:, :, :3], 5.0)

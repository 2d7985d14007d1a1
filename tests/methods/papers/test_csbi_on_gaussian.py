"""The bridge in a Gaussian's units: an exact start, and losses and paths with closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import registry
from jaximpute.engine.loop import fit
from jaximpute.maths import processes
from jaximpute.methods._base import Frame
from jaximpute.methods._residual import Lesson
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi import on_gaussian
from jaximpute.types import Observed

TINY = {"width": 8, "layers": 1, "warmup": 4, "warmup_batch": 4, "sgd_steps": 2, "refreshes": 1}
TINY |= {"forward_width": 4, "forward_levels": 1, "batch": 4, "cache": 4, "sde_steps": 3}
LAW = np.array([[1.0, 0.8], [0.8, 1.0]])
ROOT = jnp.array([[1.0, 0.0], [0.8, 0.6]])


def test_a_given_probe_measures_the_divergence_in_its_covariance():
    """Of z = A r with probes of covariance C: the trace of C A, over the entries scored."""
    root = jax.random.normal(jax.random.key(0), (3, 3))
    a, n = jax.random.normal(jax.random.key(1), (3, 3)), 40_000
    e = jax.random.normal(jax.random.key(2), (n, 3)) @ root.T
    weight = jnp.broadcast_to(jnp.array([1.0, 0.0, 1.0])[None] / n, (n, 3))
    x = jnp.zeros((n, 3))
    found = bridges.likelihood(lambda a, x: x @ a.T, a, x, jnp.ones(n), None, x, weight, noise=e)
    expected = jnp.diag(a @ (root @ root.T))
    np.testing.assert_allclose(found, expected[0] + expected[2], rtol=0.05)


def lesson(key, n=4000, steps=100):
    """Rows whose truth has the covariance of the base's noise."""
    k_truth, k_noise = jax.random.split(key)
    truth = jax.random.normal(k_truth, (n, 2)) @ ROOT.T
    noise = jax.random.normal(k_noise, (n, steps, 2)) @ ROOT.T
    none = jnp.zeros((n, 2, 1))
    frame = Frame(none, none + 1, none > 0, none[..., 0])
    return Lesson(frame, truth[..., None], noise[..., None], none == 0)


def test_paths_of_the_gaussian_are_known_both_ways():
    """Forward without a policy, and backward by the Gaussian's own score."""
    process, rows, steps = processes.ve(0.05, 4.0), lesson(jax.random.key(0)), 100
    there = on_gaussian.forward_paths(process, lambda r, t, frame: 0 * r, rows, steps)
    np.testing.assert_allclose(np.cov(there[-1, ..., 0].T), 17 * LAW, rtol=0.1)

    def own(r, t, frame):
        size = 1 + process.marginal(t)[1] ** 2
        return -(process.diffusion(t) / size)[:, None, None] * r

    back = on_gaussian.backward_paths(process, own, rows, steps)
    assert back.shape == there.shape
    end = process.marginal(jnp.asarray(1 / steps))[1]
    np.testing.assert_allclose(np.cov(back[-1, ..., 0].T), 16 * LAW, rtol=0.1)
    np.testing.assert_allclose(np.cov(back[0, ..., 0].T), (1 + end**2) * LAW, rtol=0.15)
    cost = on_gaussian.transport_cost(lambda r, t, frame: 0 * r + 2, there, rows)
    np.testing.assert_allclose(cost, 2.0, rtol=1e-5)


def test_the_loss_of_linear_policies_is_that_of_the_closed_form():
    """With z = a r and the other b r: the mean of a^2 r^2 / 2 + a b r^2 + g a e^2, in its units."""
    process, rows, a, b, n = (
        processes.ve(0.05, 4.0),
        lesson(jax.random.key(0), 50, 8),
        0.3,
        -0.7,
        30,
    )
    paths = jax.random.normal(jax.random.key(3), (4, *rows.truth.shape))

    def own(params, r, t, frame, key=None):
        return params * r

    loss = on_gaussian.path_loss(process, own, lambda r, t, frame: b * r, paths, rows, n)
    found = loss(jnp.float32(a), jax.random.key(4))
    k_time, k_row, k_probe, _ = jax.random.split(jax.random.key(4), 4)
    s = np.asarray(jax.random.randint(k_time, (n,), 0, 4))
    i = np.asarray(jax.random.randint(k_row, (n,), 0, 50))
    j = 4 + np.asarray(jax.random.randint(k_probe, (n,), 0, 4))  # not of the path's own noises
    t = (jnp.asarray(s) + 1) / 4
    g, r, e = process.diffusion(t)[:, None, None], paths[s, i], rows.noise[i, j]
    weight = process.marginal(t)[1][:, None, None] ** 2 / g**2 / r.size
    expected = (weight * (a**2 * r**2 / 2 + a * b * r**2 + g * a * e**2)).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_bridge_that_is_worse_than_its_warm_up_is_not_used():
    x = jnp.cumsum(jax.random.normal(jax.random.key(0), (40, 8, 1)), axis=1)
    mask = jax.random.bernoulli(jax.random.key(1), 0.7, x.shape)
    data, told = Observed(jnp.where(mask, x, 0), mask, jnp.ones(40)), []
    plan = registry.build("csbi", data, kind="series", options=TINY | {"lr": 3.0})

    def look(t, state, info):
        told.append(info.metrics)
        return False

    state = fit(plan.method, jax.random.key(1), data, 1, hooks=[look])
    assert float(state.choice.share) == 0.0  # a rate that breaks it
    assert float(state.choice.after) == float(state.choice.before)
    assert float(state.bridge_error) > 0
    assert set(told[-1]) > {"forward_loss", "cost", "share", "start_error", "error"}
    drawn = plan.method.sample(jax.random.key(2), state, data)
    assert jnp.isfinite(drawn).all()
    np.testing.assert_array_equal(drawn[data.mask], data.values[data.mask])


@pytest.mark.fast
def test_a_split_that_shows_nothing_now_and_then():
    split = on_gaussian.split_and_nothing(lambda key, mask: (mask, ~mask))
    context, query = split(jax.random.key(0), jnp.full((4000, 3, 1), True))
    empty = ~context.any((1, 2))
    assert abs(float(empty.mean()) - 1 / 8) < 0.02
    assert query[empty].all()

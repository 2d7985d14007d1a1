"""Flows without divergence: what is kept, what is removed, and Pythagoras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import DataError, OptionError
from jaximpute.physics import initial
from jaximpute.physics.divergence import divergence, divergence_free
from jaximpute.physics.navier_stokes import velocity

SIDE = (2 * np.pi, 2 * np.pi)
project = jax.jit(lambda u, seen: divergence_free(u, seen, lengths=SIDE))


@pytest.fixture(scope="module")
def flows():
    """Random flows of given vorticity, on a grid that is not square."""
    waves = initial.band((16, 12), high=4)
    return jnp.stack([velocity(initial.field(jax.random.key(i), waves)) for i in range(3)])


def test_a_flow_without_divergence_is_left_alone(flows):
    assert np.abs(divergence(flows, SIDE)).max() < 1e-4
    for seen in (jnp.zeros(flows.shape, bool), jnp.ones(flows.shape, bool)):
        np.testing.assert_allclose(project(flows, seen), flows, atol=2e-6)


def test_where_nothing_is_observed_the_gradient_part_goes(flows):
    y, x = np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in (16, 12)), indexing="ij")
    # the gradient of sin(x + 2 y), whose divergence is -5 sin(x + 2 y)
    push = np.cos(x + 2 * y)[..., None] * np.array([1.0, 2.0])
    u = flows + jnp.asarray(push, jnp.float32)[None]
    expected = np.broadcast_to(-5 * np.sin(x + 2 * y), (3, 16, 12))
    np.testing.assert_allclose(divergence(u, SIDE), expected, atol=1e-4)
    out = project(u, jnp.zeros(u.shape, bool))
    np.testing.assert_allclose(out, flows, atol=1e-5)
    assert np.abs(divergence(out, SIDE)).max() < 1e-4
    np.testing.assert_array_equal(out, divergence_free(u, lengths=SIDE))


def test_observed_entries_stay_and_pythagoras_holds(flows):
    k_mask, k_noise = jax.random.split(jax.random.key(9))
    seen = jax.random.uniform(k_mask, flows.shape) < 0.3
    noise = jax.random.normal(k_noise, flows.shape)
    wrong = jnp.where(seen, flows, flows + noise)
    out = project(wrong, seen)
    np.testing.assert_array_equal(np.asarray(out)[seen], np.asarray(wrong)[seen])
    left = np.abs(divergence(out, SIDE)).max() / np.abs(divergence(wrong, SIDE)).max()
    assert left < 1e-3, left
    # the true flow is one of those that it was projected on
    before, after, moved = (
        float((np.asarray(a, np.float64) ** 2).sum())
        for a in (wrong - flows, out - flows, out - wrong)
    )
    np.testing.assert_allclose(before, after + moved, rtol=1e-3)
    assert after < 0.7 * before


@pytest.mark.fast
def test_observations_that_allow_no_such_flow_are_kept_all_the_same(flows):
    u = jax.random.normal(jax.random.key(3), flows.shape)
    seen = jnp.ones(u.shape, bool).at[:, :4, :4].set(False)
    out = project(u, seen)
    np.testing.assert_array_equal(np.asarray(out)[seen], np.asarray(u)[seen])
    nothing = jnp.zeros(u.shape, bool)
    gradient, before = (np.square(w - project(w, nothing)).sum() for w in (out, u))
    assert gradient < before
    np.testing.assert_array_equal(project(u, jnp.ones(u.shape, bool)), u)


@pytest.mark.fast
def test_wrong_shapes_and_options_are_refused():
    with pytest.raises(DataError, match="expected"):
        divergence(jnp.zeros((4, 4, 3)))
    with pytest.raises(OptionError, match="expected"):
        divergence_free(jnp.zeros((4, 4, 2)), iterations=0)

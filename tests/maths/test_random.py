"""Random arrays drawn flat are JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.maths import random


@pytest.mark.parametrize("shape", [(), (7,), (5, 3), (2, 4, 3, 1)])
def test_bits_are_those_of_jax(shape):
    def same(ours, theirs, *given, **more):
        drawn = (draw(jax.random.key(3), *given, **more) for draw in (ours, theirs))
        np.testing.assert_array_equal(*drawn)

    same(random.normal, jax.random.normal, shape)
    between = {"minval": -2.0, "maxval": 0.5}
    same(random.uniform, jax.random.uniform, shape, **between)
    same(random.bernoulli, jax.random.bernoulli, 0.3, shape)
    same(random.normal, jax.random.normal, shape, jnp.bfloat16)


@pytest.mark.fast
def test_probabilities_may_differ_by_entry():
    p = jnp.linspace(0, 1, 6).reshape(2, 3)
    ours, theirs = jax.random.key(3), jax.random.key(3)
    drawn = random.bernoulli(ours, p, p.shape)
    np.testing.assert_array_equal(drawn, jax.random.bernoulli(theirs, p))

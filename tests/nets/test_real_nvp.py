"""RealNVP: it can be undone, and no coupling stretches beyond its clamp."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaximpute.nets import real_nvp
from jaximpute.nets.real_nvp import RealNVP


@pytest.mark.parametrize("d", [2, 5])
def test_the_transformation_can_be_undone(d):
    flow = RealNVP(d, 3, 2 * d, 2.0, nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (20, d))
    y = flow(x, jnp.zeros(20))
    assert jnp.abs(y - x).min(axis=0).max() > 1e-3  # every column moved
    np.testing.assert_allclose(flow.inverse(y), x, atol=2e-4)


def test_log_stretches_stay_within_the_clamp():
    flow = RealNVP(4, 2, 8, 1.5, nnx.Rngs(0))
    x = 1000 * jax.random.normal(jax.random.key(1), (50, 2))
    for coupling in [*flow.down, *flow.up]:
        stretch, _ = coupling(x)
        assert jnp.abs(stretch).max() <= 1.5
        assert jnp.abs(stretch).max() > 1.2  # and come near it


def test_the_log_determinant_is_the_sum_of_the_stretches():
    flow = RealNVP(3, 1, 6, 2.0, nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(2), (3,))
    jacobian = jax.jacobian(lambda row: flow(row[None], jnp.zeros(1))[0])(x)
    a, b = x[None, :1], x[None, 1:]
    down, shift = flow.down[0](a)
    up, _ = flow.up[0](b * jnp.exp(down) + shift)
    np.testing.assert_allclose(jnp.linalg.slogdet(jacobian)[1], down.sum() + up.sum(), rtol=1e-4)


@pytest.mark.fast
def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="d is 1"):
        real_nvp(1)

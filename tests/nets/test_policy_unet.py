"""The forward policy: its published size, its convolutions against XLA's, odd windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaximpute.nets import policy_unet
from jaximpute.nets.policy_unet import Conv


def test_the_parameter_count_is_the_published_one():
    net = policy_unet()
    x = jnp.ones((1, 36, 36))
    params = jax.eval_shape(net.init, jax.random.key(0), x, jnp.ones(1), ())
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 664_769


@pytest.mark.parametrize("stride", [1, 2])
def test_shifted_products_are_a_convolution(stride):
    conv = Conv(3, 4, nnx.Rngs(0), stride=stride)
    h = jax.random.normal(jax.random.key(1), (2, 7, 5, 3))
    kernel = conv.linear.kernel[...].reshape(3, 3, 3, 4)
    expected = jax.lax.conv_general_dilated(
        h, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(conv(h), expected, rtol=1e-4, atol=1e-5)


def test_any_window_and_a_zero_start():
    net = policy_unet(width=4, levels=3, blocks=1)
    x, t = jax.random.normal(jax.random.key(0), (2, 7, 3)), jnp.array([0.1, 0.9])
    params = net.init(jax.random.key(1), x, t, ())
    apply = jax.jit(net.apply)
    assert not apply(params, x, t, ()).any()
    moved = jax.tree.map(lambda p: p + 0.1, params)
    out = apply(moved, x, t, ())
    assert out.shape == x.shape
    # both inputs are looked at
    assert not np.allclose(out, apply(moved, x + jnp.arange(7.0)[None, :, None], t, ()))
    assert not np.allclose(out, apply(moved, x, t[::-1], ()))

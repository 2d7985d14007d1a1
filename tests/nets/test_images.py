"""Image networks: the two forms of a convolution agree, and odd sizes survive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.nets import residual_cnn, unet
from jaximpute.nets.field_unet import convolve


def test_shifted_products_are_a_convolution():
    k_x, k_w = jax.random.split(jax.random.key(0))
    x, w = jax.random.normal(k_x, (2, 5, 4, 3)), jax.random.normal(k_w, (3, 3, 3, 2))

    def both(f):
        return f(x, w), jax.grad(lambda x, w: (f(x, w) ** 2).sum(), (0, 1))(x, w)

    shifted, library = (
        both(lambda x, w, loops=loops: convolve(x, w, "zero", loops)) for loops in (True, False)
    )
    for a, b in zip(jax.tree.leaves(shifted), jax.tree.leaves(library), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [residual_cnn, unet])
def test_a_network_of_images_begins_at_zero_and_sees_its_neighbours(make):
    small = {"width": 8, "blocks": 1} if make is residual_cnn else {"widths": (8, 16)}
    net = make((7, 5, 2), **small)
    x, t = jax.random.normal(jax.random.key(0), (2, 7, 5, 2)), jnp.array([0.1, 0.9])
    params = net.init(jax.random.key(1), x, t, (x, x))
    np.testing.assert_array_equal(net.apply(params, x, t, (x, x)), jnp.zeros_like(x))
    stirred = jax.tree.map(lambda leaf: leaf + 0.1, params)
    run = jax.jit(lambda x, t: net.apply(stirred, x, t, (x, x)))
    out = run(x, t)
    assert out.shape == x.shape
    moved = run(x.at[0, 3, 3, 0].add(1.0), t)
    assert np.abs(moved - out)[0, 2:5, 2:5].min() > 0
    np.testing.assert_allclose(moved[1], out[1], atol=1e-6)
    assert np.abs(run(x, t[::-1]) - out).max() > 1e-3


def test_averages_are_of_what_is_given():
    net = residual_cnn((5, 4, 1), width=8, blocks=1, averages=True)
    x, t = jax.random.normal(jax.random.key(0), (1, 5, 4, 1)), jnp.array([0.5])
    mask = jnp.ones_like(x).at[0, 2, 2].set(0)
    params = jax.tree.map(lambda leaf: leaf + 0.1, net.init(jax.random.key(1), x, t, (x, mask)))
    out = net.apply(params, x, t, (x, mask))
    # the network sees 5 x 5 pixels around each, and the averages all that is given
    far = net.apply(params, x.at[0, 0, 0].add(1.0), t, (x, mask))
    assert np.abs(far - out)[0, 4, 3] > 1e-5

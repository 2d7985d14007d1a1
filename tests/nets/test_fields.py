"""Networks for fields: shapes, what they hear, equal twins, and the sizes promised."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import OptionError
from jaximpute.nets import field_eof, field_mlp, field_unet, fno, spacetime_unet
from jaximpute.nets.field_unet import convolve

EVENT = (3, 9, 7, 2)
NETS = {
    "mlp": lambda event: field_mlp(event, width=16, layers=1),
    "eof": lambda event: field_eof(event, modes=8),
    "unet": lambda event: field_unet(event, width=8, levels=2),
    "fno": lambda event: fno(event, width=8, layers=2, modes=(2, 3, 3)),
    "spacetime": lambda event: spacetime_unet(event, width=8, multipliers=(1, 2), heads=(1, 4)),
}


def moved(params):
    """Parameters away from their zeros."""
    return jax.tree.map(lambda p: p + 0.2 * jnp.sin(jnp.arange(p.size)).reshape(p.shape), params)


@pytest.mark.parametrize("name", list(NETS))
def test_networks_hear_values_context_and_time(name, key):
    net = NETS[name](EVENT)
    x = jax.random.normal(key, (2, *EVENT))
    t, context = jnp.array([1e-3, 0.5]), jnp.ones_like(x)
    params = jax.jit(net.init)(jax.random.key(1), x, t, (context,))
    apply = jax.jit(net.apply)
    if name != "eof":  # which has no answer without modes
        np.testing.assert_array_equal(apply(params, x, t, (context,)), 0)
    params = moved(params)
    out = apply(params, x, t, (context,))
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    assert np.isfinite(out).all()
    for other in (
        apply(params, x, t, (context.at[:, 0, 0, 0].set(0),)),
        apply(params, x.at[:, 1, 4, 4].add(1.0), t, (context,)),
        apply(params, x, jnp.array([0.2, 0.5]), (context,)),
    ):
        assert np.abs(other - out)[0].max() > 1e-5
    # rows do not mix
    alone = apply(params, x.at[0].set(0), t, (context,))
    np.testing.assert_allclose(alone[1], out[1], rtol=1e-4, atol=1e-4)


def test_a_network_is_the_same_in_loops(key):
    x = jax.random.normal(key, (2, *EVENT))
    t, cond = jnp.full(2, 0.1), (jnp.ones_like(x),)
    for padding in ("zero", "periodic"):
        net, twin = (
            field_unet(EVENT, width=8, levels=2, padding=padding, loops=b) for b in (False, True)
        )
        params = moved(jax.jit(net.init)(jax.random.key(1), x, t, cond))
        one, other = (jax.jit(n.apply)(params, x, t, cond) for n in (net, twin))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_periodic_padding_moves_with_the_field(key):
    x, kernel = jax.random.normal(key, (1, 8, 8, 2)), jnp.arange(36.0).reshape(3, 3, 2, 2)
    out = convolve(jnp.roll(x, 3, axis=1), kernel, "periodic", False)
    expected = jnp.roll(convolve(x, kernel, "periodic", False), 3, axis=1)
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_the_released_size_and_half_precision(key):
    event = (2, 4, 4, 1)
    x, t = jax.random.normal(key, (1, *event)), jnp.full(1, 0.1)
    params = jax.eval_shape(spacetime_unet(event).init, jax.random.key(0), x, t, (x,))
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert 1.0e6 < size < 1.6e6, size
    small = {"width": 8, "multipliers": (1, 2)}
    whole, half = (spacetime_unet(event, **small, half=b) for b in (False, True))
    weights = moved(jax.jit(whole.init)(jax.random.key(0), x, t, (x,)))
    exact, rough = (jax.jit(n.apply)(weights, x, t, (x,)) for n in (whole, half))
    assert rough.dtype == x.dtype
    error = float(jnp.linalg.norm(rough - exact) / jnp.linalg.norm(exact))
    assert 0 < error < 0.05


def test_checkpoints_do_not_change_gradients(key):
    event = (2, 4, 4, 1)
    x, t = jax.random.normal(key, (1, *event)), jnp.full(1, 0.1)
    small = {"width": 8, "multipliers": (1, 2)}
    plain, saved = (spacetime_unet(event, **small, checkpoint=b) for b in (False, True))
    params = moved(jax.jit(plain.init)(jax.random.key(0), x, t, (x,)))
    one, other = (
        jax.jit(jax.grad(lambda p, net=net: (net.apply(p, x, t, (x,)) ** 2).mean()))(params)
        for net in (plain, saved)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), one, other)


def test_images_are_fields_of_one_frame(key):
    x, t = jax.random.normal(key, (1, 6, 6, 3)), jnp.full(1, 0.1)
    for name, make in NETS.items():
        net = make((6, 6, 3))
        params = jax.eval_shape(net.init, jax.random.key(0), x, t, (x,))
        out = jax.eval_shape(net.apply, params, x, t, (x,))
        assert out.shape == x.shape, name
    with pytest.raises(OptionError, match="expected"):
        field_unet((6, 6))

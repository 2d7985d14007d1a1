"""Networks as pure pairs: dropout follows the key, parameters are plain arrays."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaximpute.nets import adaln_mlp, from_linen, from_nnx

X, T = jnp.arange(12.0).reshape(4, 3), jnp.full(4, 0.1)


class NNXNet(nnx.Module):
    def __init__(self, rngs):
        self.out = nnx.Linear(3, 3, rngs=rngs)
        self.dropout = nnx.Dropout(0.5)

    def __call__(self, x, t, rngs=None):
        return self.dropout(self.out(x), rngs=rngs)


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, x, t, train=False):
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x))


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x, t):
        return nn.BatchNorm(use_running_average=False)(x)


@pytest.fixture(params=["nnx", "linen"])
def net(request):
    return from_nnx(NNXNet) if request.param == "nnx" else from_linen(LinenNet())


def test_apply_is_pure_and_dropout_follows_the_key(net):
    params = net.init(jax.random.key(0), X, T, ())
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(params))
    apply = jax.jit(net.apply)
    np.testing.assert_array_equal(apply(params, X, T, ()), apply(params, X, T, ()))
    one, same, other = (apply(params, X, T, (), jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    assert (one == 0).any()
    assert not (apply(params, X, T, ()) == 0).all()


def test_an_ensemble_is_a_vmap(net):
    params = jax.vmap(net.init, (0, None, None, None))(
        jax.random.split(jax.random.key(0), 3), X, T, ()
    )
    out = jax.vmap(net.apply, (0, None, None, None))(params, X, T, ())
    assert out.shape == (3, 4, 3)
    assert not np.allclose(out[0], out[1])


def test_collections_that_change_are_refused():
    with pytest.raises(ValueError, match="batch_stats"):
        from_linen(Normed()).init(jax.random.key(0), X, T, ())


def test_the_score_network_starts_at_zero_and_hears_the_noise_level():
    net = adaln_mlp((3,), width=16)
    params = net.init(jax.random.key(0), X, T, ())
    np.testing.assert_array_equal(net.apply(params, X, T, ()), 0)
    moved = jax.tree.map(lambda p: p + 0.3 * jnp.sin(jnp.arange(p.size)).reshape(p.shape), params)
    low, high = (net.apply(moved, X, jnp.full(1, level), ()) for level in (0.1, 1.0))
    assert not np.allclose(low, high)
    np.testing.assert_allclose(low, net.apply(moved, X, jnp.full(4, 0.1), ()), rtol=1e-5)

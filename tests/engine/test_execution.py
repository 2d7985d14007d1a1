"""Options of a run: the same gradients, whatever they cost."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaximpute as ji
from jaximpute import nets, registry
from jaximpute.engine import accumulate
from jaximpute.maths import optimise
from jaximpute.maths.losses import denoising_score_matching as score_matching
from tests.contract.cases import SMALL, awkward

X = jax.random.normal(jax.random.key(0), (6, 3))
NET = nets.mlp((3,), widths=(16,))
EVERY = jnp.full(X.shape, True)
DATA = ji.from_nan(X)


def slope(net: ji.Net, params):
    def loss(params):
        return score_matching(net, params, jax.random.key(1), X, EVERY, jnp.float32(0.3))

    return jax.value_and_grad(loss)(params)


@pytest.fixture(scope="module")
def plain():
    params = NET.init(jax.random.key(2), X, jnp.ones(6), ())
    return params, jax.jit(partial(slope, NET))(params)


def test_remat_changes_no_gradient(plain):
    params, (value, wanted) = plain
    program = partial(slope, nets.remat(NET))
    assert "remat" in str(jax.make_jaxpr(program)(params))
    again, found = jax.jit(program)(params)
    np.testing.assert_allclose(again, value, rtol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, wanted)


def test_bfloat16_is_for_activations_alone(plain):
    params, (_, wanted) = plain
    program = partial(slope, nets.in_bfloat16(NET))
    text = str(jax.make_jaxpr(program)(params))
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert len(products) >= 4
    assert all(":bf16" in line for line in products)
    _, found = jax.jit(program)(params)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == jnp.float32
        assert np.linalg.norm(a - b) < 0.03 * np.linalg.norm(b) + 1e-3
    assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (found, wanted)), strict=True))


def test_a_gradient_over_batches_is_their_mean():
    rows = jnp.arange(12.0).reshape(4, 3)

    def loss(w, key):
        i = jax.random.randint(key, (), 0, 4)
        return ((w - rows[i]) ** 2).sum()

    def step(key, w, data):
        w, _, losses = optimise.descend(loss, optax.sgd(0.1), key, w, optax.sgd(0.1).init(w), 1)
        return w, ji.Info(losses[0], {})

    method = ji.Method(lambda key, data: jnp.zeros(3), step)
    three = accumulate.accumulated(method, 3)
    w, info = three.step(jax.random.key(4), jnp.zeros(3), DATA)
    keys = [jax.random.fold_in(jax.random.fold_in(jax.random.key(4), 0), i) for i in range(3)]
    picked = np.array([rows[jax.random.randint(key, (), 0, 4)] for key in keys])
    assert len(np.unique(picked)) > 3  # batches differ
    np.testing.assert_allclose(w, 0.2 * picked.mean(0), rtol=1e-5)
    np.testing.assert_allclose(info.loss, (picked**2).sum(1).mean(), rtol=1e-5)
    assert accumulate.accumulated(method, 1) is method


# whose networks are made by a recipe that knows nothing of it
@pytest.mark.parametrize("name", ["csdi"])
def test_methods_by_name_take_them(name):
    kind = registry.entry(name).kinds[0]
    data = awkward(kind)
    build = partial(registry.build, name, data, kind=kind, options=SMALL[name])
    wrap = (nets.in_bfloat16, nets.remat)
    plain, other = build().method, build(wrap=wrap).method
    assert build(wrap=wrap).method is other
    state = jax.eval_shape(plain.init, jax.random.key(0), data)
    method = accumulate.accumulated(other, 2)
    program = jax.make_jaxpr(method.step, return_shape=True)
    text, (after, _) = program(jax.random.key(0), state, data)
    assert "bf16" in str(text)
    # nothing of it is in the state
    described = [jax.tree.map(lambda x: (x.shape, x.dtype), tree) for tree in (state, after)]
    assert described[0] == described[1]

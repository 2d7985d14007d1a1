"""CSDI's network: its published size, and every block against a loop written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.nets import csdi_transformer

B, L, K = 2, 5, 3


def inputs(shape=(B, L, K), length=L):
    k_x, k_mask = jax.random.split(jax.random.key(0))
    x = jax.random.normal(k_x, shape)
    mask = jax.random.uniform(k_mask, shape) < 0.5
    times = jnp.broadcast_to(jnp.arange(float(length)), (shape[0], length))
    return x, jnp.linspace(0.1, 0.9, shape[0]), (2 * x, mask, times)


def some_params(net, *given):
    """Not the initial ones, for those answer 0."""
    params = net.init(jax.random.key(1), *given)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [p + 0.2 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


@pytest.mark.parametrize(("event", "size"), [((50, 8), 413_633), ((36, 36), 414_081)])
def test_parameter_counts_are_the_published_ones(event, size):
    net = csdi_transformer(event)
    x, t, cond = inputs((1, *event), event[0])
    params = jax.eval_shape(net.init, jax.random.key(0), x, t, cond)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == size


def silu(h):
    return h / (1 + np.exp(-h))


def waves(position, width):
    rate = 1e4 ** (-np.arange(0, width, 2) / width)
    return np.concatenate([np.sin(position * rate), np.cos(position * rate)])


def norm(h, p):
    scaled = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
    return scaled * p["scale"] + p["bias"]


def dense(h, p):
    return h @ p["kernel"] + p["bias"]


def encode(h, p, heads):
    """One sequence of tokens, one head and one query at a time."""
    tokens, width = h.shape
    q, k, v = np.split(dense(h, p["qkv"]), 3, axis=-1)
    mixed, size = np.zeros_like(h), width // heads
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(tokens):
            weight = np.exp(q[i, part] @ k[:, part].T / np.sqrt(size))
            mixed[i, part] = weight @ v[:, part] / weight.sum()
    h = norm(h + dense(mixed, p["out"]), p["first"])
    return norm(h + dense(silu(dense(h, p["up"])), p["down"]), p["second"])


def slow(params, x, t, values, mask, times, layers, heads):
    """One row, as the paper's diagram has it, with the side information concatenated."""
    h = silu(
        dense(np.stack([np.where(mask, values, 0), np.where(mask, 0, x)], -1), params["inside"])
    )
    step = silu(dense(waves(100 * t, 128), params["embed"]))
    step = silu(dense(step, params["embed_again"]))
    side = np.zeros((L, K, 145))
    for i in range(L):
        for j in range(K):
            embedded = params["feature"]["embedding"][j]
            side[i, j] = np.concatenate([waves(times[i], 128), embedded, [mask[i, j]]])
    total = 0
    for layer in range(layers):
        p = jax.tree.map(lambda leaf, layer=layer: leaf[layer], params["blocks"])
        y = h + dense(step, p["step"])
        y = np.stack([encode(y[:, j], p["time"], heads) for j in range(K)], 1)
        y = np.stack([encode(y[i], p["feature"], heads) for i in range(L)])
        gate, signal = np.split(dense(y, p["middle"]) + dense(side, p["side"]), 2, -1)
        onward, skip = np.split(dense(np.tanh(signal) / (1 + np.exp(-gate)), p["out"]), 2, -1)
        h, total = (h + onward) / np.sqrt(2), total + skip
    return dense(silu(dense(total / np.sqrt(layers), params["head"])), params["out"])[..., 0]


def test_it_equals_a_loop_over_entries():
    net = csdi_transformer((L, K), width=8, layers=2, heads=2)
    x, t, cond = inputs()
    params = some_params(net, x, t, cond)
    found = net.apply(params, x, t, cond)
    plain = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for row in range(B):
        values, mask, times = (np.asarray(part[row]) for part in cond)
        expected = slow(plain, np.asarray(x[row]), float(t[row]), values, mask, times, 2, 2)
        np.testing.assert_allclose(found[row], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("event", [(L, K), (K,), (L, 1)])
def test_it_looks_at_context_values_and_noisy_targets_only(event):
    net = csdi_transformer(event, width=8, layers=1, heads=2)
    length = L if len(event) == 2 else 1
    x, t, (values, mask, times) = inputs((B, *event), length)
    params = some_params(net, x, t, (values, mask, times))
    out = net.apply(params, x, t, (values, mask, times))
    assert out.shape == x.shape
    hidden = (jnp.where(mask, values, 7.0), mask, times)
    same = net.apply(params, jnp.where(mask, 9.0, x), t, hidden)
    np.testing.assert_array_equal(out, same)
    moved = net.apply(params, x, t, (values + 1, mask, times))
    assert not np.allclose(out, moved)


def test_dropout_follows_the_key():
    net = csdi_transformer((L, K), width=8, layers=2, heads=2, dropout=0.5)
    given = inputs()
    params = some_params(net, *given)
    one, same, other = (net.apply(params, *given, jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(net.apply(params, *given), net.apply(params, *given))

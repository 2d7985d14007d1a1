"""Kernel sums against loops, and in blocks against the whole matrix."""

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.maths.kernels import rbf, rbf_sums


def rows(seed, n, d=3):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, d)) + 5, jnp.float32)


def test_sums_and_gradients_are_those_of_a_loop():
    given = rows(0, 4), rows(1, 6), rows(2, 6, 2)
    x, y, values = (np.asarray(a) for a in given)
    weight, h = np.array([0.3, 0.0, 0.1, 0.2, 0.2, 0.2]), 0.8
    total, pull = np.zeros((4, 2)), np.zeros((4, 3))
    for i in range(4):
        for j in range(6):
            k = np.exp(-np.sum((x[i] - y[j]) ** 2) / (2 * h**2))
            total[i] += weight[j] * k * values[j]
            pull[i] += weight[j] * k * (y[j] - x[i]) / h**2
    got = rbf_sums(*given, jnp.asarray(weight, jnp.float32), h)
    np.testing.assert_allclose(got[0], total, rtol=1e-4)
    np.testing.assert_allclose(got[1], pull, rtol=1e-4, atol=1e-5)

    def mass(x):
        return jnp.sum(rbf(x, given[1], h) @ jnp.asarray(weight, jnp.float32))

    np.testing.assert_allclose(got[1], jax.grad(mass)(given[0]), rtol=1e-3, atol=1e-5)


def test_blocks_do_not_matter():
    x, values = rows(3, 37), rows(4, 37, 2)
    weight = jnp.full(37, 1 / 37)
    whole = rbf_sums(x, x, values, weight, 1.0)
    for got, expected in zip(rbf_sums(x, x, values, weight, 1.0, block=8), whole, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_kernel_of_many_rows_is_never_whole():
    n, block = 20_000, 512
    wide = jax.ShapeDtypeStruct((n, 4), jnp.float32)
    weight = jax.ShapeDtypeStruct((n,), jnp.float32)
    compiled = jax.jit(lambda x, w: rbf_sums(x, x, x, w, 1.0, block)).lower(wide, weight).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 4 * 4 * n * block  # whole: 4 n n

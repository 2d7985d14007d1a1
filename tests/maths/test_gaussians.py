"""Conditional Gaussians against the textbook formula, row by row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.maths.gaussians import (
    conditional_deviation,
    conditional_mean,
    conditional_moments,
    draw_conditional,
)


def _problem(n=23, d=5):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(d, d))
    mean, cov = rng.normal(size=d), root @ root.T + 0.1 * np.eye(d)
    x, mask = rng.normal(size=(n, d)), rng.random((n, d)) < 0.6
    mask[0], mask[1] = True, False
    return np.where(mask, x, 0), mask, mean, cov


def _textbook(x, o, mean, cov):
    weights = np.linalg.solve(cov[np.ix_(o, o)], cov[o]).T
    return mean + weights @ (x - mean)[o], cov - weights @ cov[o]


def _float32(*arrays):
    return [jnp.asarray(a, jnp.float32 if a.dtype == float else None) for a in arrays]


@pytest.mark.fast
def test_means_equal_the_textbook():
    x, mask, mean, cov = _problem()
    got = jax.jit(conditional_mean)(*_float32(x, mask, mean, cov))
    expected = [_textbook(*row, mean, cov)[0] for row in zip(x, mask, strict=True)]
    np.testing.assert_allclose(got, expected, atol=2e-4)


@pytest.mark.fast
def test_deviations_equal_the_textbook():
    x, mask, mean, cov = _problem()
    got = jax.jit(conditional_deviation)(*_float32(mask, cov))
    left = [np.diagonal(_textbook(*row, mean, cov)[1]) for row in zip(x, mask, strict=True)]
    expected = np.where(mask, 0, np.sqrt(np.maximum(left, 0)))
    np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.fast
def test_moments_equal_the_textbook():
    x, mask, mean, cov = _problem()
    weight = np.random.default_rng(1).uniform(size=len(x))
    weight[2] = 0
    means, left = conditional_moments(*_float32(x, mask, weight, mean, cov))
    rows = [_textbook(*row, mean, cov) for row in zip(x, mask, strict=True)]
    np.testing.assert_allclose(means, [row[0] for row in rows], atol=2e-4)
    expected = np.average([row[1] for row in rows], axis=0, weights=weight)
    np.testing.assert_allclose(left, expected, atol=1e-4)


def test_draws_have_the_moments_of_the_textbook():
    x, mask, mean, cov = _problem(n=4)
    rows = [_textbook(*row, mean, cov) for row in zip(x, mask, strict=True)]
    keys = jax.random.split(jax.random.key(3), 20000)
    draw = jax.jit(jax.vmap(draw_conditional, (0, None, None, None, None)))
    draws = np.asarray(draw(keys, *_float32(x, mask, mean, cov)), float)
    for i, (expected, left) in enumerate(rows):
        np.testing.assert_allclose(draws[:, i].mean(0), expected, atol=0.06)
        np.testing.assert_allclose(np.cov(draws[:, i].T), left, atol=0.15)
        kept = np.broadcast_to(x[i, mask[i]], draws[:, i, mask[i]].shape)
        np.testing.assert_allclose(draws[:, i, mask[i]], kept, atol=1e-3)


def test_values_behind_the_mask_do_not_matter():
    x, mask, mean, cov = _float32(*_problem())
    np.testing.assert_array_equal(
        conditional_mean(jnp.where(mask, x, 1e6), mask, mean, cov),
        conditional_mean(x, mask, mean, cov),
    )


@pytest.mark.fast
def test_no_factorisation_is_batched_not_even_under_vmap():
    """Two batched ones side by side can hang on CPU; see the module."""
    x, mask, mean, cov = _float32(*_problem())
    many = jax.vmap(conditional_mean, in_axes=(0, 0, None, None))
    stacked = jnp.stack([x, x + 1]), jnp.stack([mask, ~mask])
    text = str(jax.make_jaxpr(many)(*stacked, mean, cov))
    d = x.shape[1]
    assert f"f32[{d},{d}] = cholesky" in text
    assert f",{d},{d}] = cholesky" not in text
    alone = conditional_mean(x + 1, ~mask, mean, cov)
    np.testing.assert_allclose(many(*stacked, mean, cov)[1], alone, rtol=1e-6)

"""Gaussians by their precision against those by their covariance."""

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.maths import precisions
from jaximpute.maths.gaussians import conditional_mean, conditional_moments


def _problem(n=30, d=9):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(d, d))
    mean, cov = rng.normal(size=d), root @ root.T + 0.3 * np.eye(d)
    # rows with holes of every size: the paddings differ
    mask = rng.random((n, d)) < np.linspace(0, 1, n)[:, None]
    x = np.where(mask, rng.normal(size=(n, d)), 0)
    given = [jnp.asarray(a, jnp.float32) for a in (x, mean, cov)]
    return given[0], jnp.asarray(mask), *given[1:]


def test_means_and_what_is_left_equal_those_by_the_covariance():
    x, mask, mean, cov = _problem()
    weight = jnp.linspace(0, 1, len(x))
    precision = precisions.precision_of(cov)
    expected, left = conditional_moments(x, mask, weight, mean, cov)
    expected = jnp.where(mask, x, expected)
    means, total = jax.jit(precisions.moments_from_precision)(x, mask, weight, mean, precision)
    np.testing.assert_allclose(means, expected, atol=1e-3)
    np.testing.assert_allclose(total, left, atol=1e-3)
    alone = precisions.mean_from_precision(x, mask, mean, precision)
    np.testing.assert_allclose(alone, expected, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(alone)[mask], np.asarray(x)[mask])


def test_variances_are_the_diagonal_of_what_is_left():
    x, mask, mean, cov = _problem(8)
    precision = precisions.precision_of(cov)
    means, variances = precisions.marginals_from_precision(x, mask, mean, precision)
    np.testing.assert_allclose(
        means, jnp.where(mask, x, conditional_mean(x, mask, mean, cov)), atol=1e-3
    )
    for i in range(len(x)):
        row = slice(i, i + 1)
        _, left = conditional_moments(x[row], mask[row], jnp.ones(1), mean, cov)
        np.testing.assert_allclose(variances[i], jnp.diagonal(left), atol=1e-3)


def test_draws_have_these_moments():
    x, mask, mean, cov = _problem(3)
    precision = precisions.precision_of(cov)
    draw = jax.jit(jax.vmap(precisions.draw_from_precision, (0, None, None, None, None)))
    draws = draw(jax.random.split(jax.random.key(0), 20000), x, mask, mean, precision)
    draws = np.asarray(draws, float)
    for i in range(len(x)):
        row = slice(i, i + 1)
        means, left = conditional_moments(x[row], mask[row], jnp.ones(1), mean, cov)
        expected = np.where(mask[i], x[i], means[0])
        spread = np.sqrt(np.diagonal(left))
        np.testing.assert_allclose(draws[:, i].mean(0), expected, atol=0.04 * spread.max())
        scale = np.maximum(np.outer(spread, spread), 1e-6)
        np.testing.assert_allclose(np.cov(draws[:, i].T) / scale, left / scale, atol=0.06)

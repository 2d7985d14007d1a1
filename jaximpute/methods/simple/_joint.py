"""The joint Gaussian of a table's columns: mean and covariance by EM."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.masking import masked_mean
from jaximpute.maths import random
from jaximpute.maths.gaussians import conditional_mean, conditional_moments
from jaximpute.types import PRNGKey

# shares of the covariance that are taken from its diagonal
RIDGES = (1e-3, 1e-2, 1e-1, 0.5)
_LEAST = 1e-5  # variance of a column without spread, in units of a usual column's


def fit(
    key: PRNGKey,
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    weight: Float[Array, "n"],
    *,
    passes: int,
) -> tuple[Float[Array, "d"], Float[Array, "d d"]]:
    """Mean and covariance of scaled rows; the ridge by hold-out, in half the passes."""
    hidden = mask & random.bernoulli(key, 0.05, mask.shape) & (weight > 0)[:, None]
    known, ridges = mask & ~hidden, jnp.asarray(RIDGES, x.dtype)
    start = jnp.zeros_like(x[0]), jnp.eye(x.shape[1], dtype=x.dtype)

    def expectation_maximisation(model, mask, ridge, passes):
        def one(_, model):
            return one_pass(model, x, mask, weight, ridge)

        return jax.lax.fori_loop(0, passes, one, model)

    def score(ridge):
        model = expectation_maximisation(start, known, ridge, (passes + 1) // 2)
        return masked_mean((conditional_mean(x, known, *model) - x) ** 2, hidden), model

    errors, models = jax.lax.map(score, ridges)
    best = jnp.argmin(jnp.where(jnp.isnan(errors), jnp.inf, errors))
    model = jax.tree.map(lambda leaf: leaf[best], models)
    return expectation_maximisation(model, mask, ridges[best], passes)


def one_pass(model, x, mask, weight, ridge):
    """One pass of EM, its covariance shrunk towards its diagonal."""
    means, left = conditional_moments(x, mask, weight, *model)
    filled = jnp.where(mask, x, means)
    total = jnp.maximum(weight.sum(), jnp.finfo(x.dtype).tiny)
    real = weight[:, None] > 0
    mean = jnp.where(real, weight[:, None] * filled, 0).sum(0) / total
    y = jnp.where(real, filled - mean[None], 0)
    cov = jnp.matmul((weight[:, None] * y).T, y, precision="highest") / total + left
    diagonal = jnp.diag(jnp.diagonal(cov))
    least = _LEAST * jnp.eye(x.shape[1], dtype=x.dtype)
    return mean, (1 - ridge) * cov + ridge * diagonal + least

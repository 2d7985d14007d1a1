"""Draws of a stationary field on a grid, and how far completions of it go astray."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaximpute.maths import random
from jaximpute.methods.simple import _chunks
from jaximpute.methods.simple._field_kriging import Kriging
from jaximpute.types import PRNGKey


def field(key: PRNGKey, kriging: Kriging, shape: tuple[int, ...]) -> Float[Array, "n t y x"]:
    """Films of a covariance with its noise, `(n, t, y, x)`.

    By Fourier transforms of a periodic grid twice as large (circulant embedding); what little power
    would be negative there is left out.

    Source: Dietrich and Newsam, "Fast and exact simulation of stationary Gaussian processes through
    circulant embedding of the covariance matrix" (1997).
    """
    n, *grid = shape
    wide = [2 * size for size in grid]
    sides = [np.fft.fftfreq(size, 1 / size) for size in wide]
    lag = jnp.asarray(np.stack(np.meshgrid(*sides, indexing="ij"), -1), jnp.float32)
    cov = _chunks.covariance(kriging.model, kriging.rough, lag)
    root = jnp.sqrt(jnp.maximum(jnp.fft.fftn(cov).real, 0))
    nugget = jnp.sqrt(_chunks.noise(kriging.model))

    def one(i):
        k_field, k_noise = jax.random.split(jax.random.fold_in(key, i))
        white = random.normal(k_field, tuple(wide))
        drawn = jnp.fft.ifftn(root * jnp.fft.fftn(white)).real
        drawn = drawn[tuple(slice(size) for size in grid)].astype(cov.dtype)
        return drawn + nugget * random.normal(k_noise, tuple(grid))

    return jax.lax.map(one, jnp.arange(n))


def inflation(
    error: Float[Array, ""],
    complete: Callable,
    drawn: Float[Array, "n *event"],
    shown: Bool[Array, "n *event"],
    hidden: Bool[Array, "n *event"],
) -> Float[Array, ""]:
    r"""By what factor the errors at held-out entries are larger than those of draws.

    .. math:: \sqrt{E (x - A x_o)^2 \, / \, E (\epsilon - A \epsilon_o)^2}

    Parameters are taken for known and modes fit what they were learned from, so draws of the fitted
    model come out too narrow.

    Args:
        error: mean squared error at held-out entries.
        complete: what completes what is shown, of mean 0.
        drawn: draws of the model.
        shown: what is completed from.
        hidden: where errors are compared.
    """
    away = jnp.where(hidden, complete(jnp.where(shown, drawn, 0)) - drawn, 0)
    found = (away**2).sum() / jnp.maximum(hidden.sum(), 1)
    good = jnp.isfinite(error) & (error > 0) & (found > 0)
    return jnp.where(good, jnp.sqrt(error / jnp.where(good, found, 1)), 1)

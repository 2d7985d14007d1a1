"""Missing entries as parameters: what the methods that align batches of rows share."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaximpute.masking import channel_moments, clamp, restore, standardise
from jaximpute.maths import random
from jaximpute.maths.distances import squared_distances
from jaximpute.types import Observed, PRNGKey, Scalar

_MOST = 512  # rows whose distances tell the scale


def standardised(data: Observed) -> Observed:
    """The data by the moments of the observed entries."""
    return standardise(data, *channel_moments(data))


def fill(state: Any, data: Observed) -> Float[Array, "n *event"]:
    """The `fill` of a method whose state holds completed rows, standardised so."""
    return restore(state.x, *channel_moments(data), data)


def scatter(key: PRNGKey, unit: Observed, noise: Scalar) -> Float[Array, "n *event"]:
    """A first completion of standardised data: column means, which are 0, and a little noise."""
    return clamp(noise * random.normal(key, unit.values.shape, unit.values.dtype), unit)


def batch_size(wanted: int, n: int) -> int:
    """As many rows as wanted, or the largest power of two that is at most half of all rows."""
    return wanted if 2 * wanted <= n else 2 ** max(0, (n // 2).bit_length() - 1)


def draw(key: PRNGKey, weight: Float[Array, "n"], size: int) -> Int[Array, "{size}"]:
    """`size` row numbers without replacement; rows of weight 0 only when there are no others."""
    gumbel = jax.random.gumbel(key, weight.shape, weight.dtype)
    return jax.lax.top_k(jnp.where(weight > 0, jnp.log(weight) + gumbel, -jnp.inf), size)[1]


def masses(weight: Float[Array, "m"]) -> Float[Array, "m"]:
    """Equal masses of the real rows of a batch."""
    real = (weight > 0).astype(weight.dtype)
    return real / jnp.maximum(real.sum(), 1)


def spread(
    key: PRNGKey, x: Float[Array, "n d"], weight: Float[Array, "n"], share: Scalar = 0.5
) -> Float[Array, ""]:
    """A quantile, the median by default, of the squared distances between (a sample of) rows."""
    i = draw(key, weight, min(_MOST, x.shape[0]))
    real = weight[i] > 0
    pairs = real[:, None] & real[None] & ~jnp.eye(len(i), dtype=bool)
    squared = jnp.where(pairs, squared_distances(x[i], x[i]), jnp.nan)
    median = jnp.nanquantile(jnp.where(pairs.any(), squared, 0), share)
    return jnp.where(median > 1e-6, median, 1).astype(x.dtype)

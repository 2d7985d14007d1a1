"""Missing entries as parameters: what the methods that align batches of rows share."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaximpute.masking import channel_moments, clamp
from jaximpute.maths import random
from jaximpute.maths.distances import squared_distances
from jaximpute.types import Observed, PRNGKey, Scalar

_MOST = 512  # rows whose distances tell the scale


class Columns(NamedTuple):
    """Where the columns lie; methods work on standardised ones."""

    mean: Float[Array, "d"]
    scale: Float[Array, "d"]

    def into(self, data: Observed) -> Observed:
        """The data, standardised."""
        return data._replace(values=jnp.where(data.mask, self._shift(data.values), 0))

    def back(self, z: Float[Array, "n *event"], data: Observed) -> Float[Array, "n *event"]:
        """Completed rows in the units of the data, whose observed entries return as they were."""
        along = (1,) * (z.ndim - 1) + (-1,)
        return clamp(z * self.scale.reshape(along) + self.mean.reshape(along), data)

    def _shift(self, x: jax.Array) -> jax.Array:
        along = (1,) * (x.ndim - 1) + (-1,)
        return (x - self.mean.reshape(along)) / self.scale.reshape(along)


def columns(data: Observed) -> Columns:
    """The moments of the observed entries."""
    return Columns(*channel_moments(data))


def scatter(key: PRNGKey, unit: Observed, noise: Scalar) -> Float[Array, "n *event"]:
    """A first completion of standardised data: column means, which are 0, and a little noise."""
    return clamp(noise * random.normal(key, unit.values.shape, unit.values.dtype), unit)


def limits(unit: Observed) -> tuple[Float[Array, "d"], Float[Array, "d"]]:
    """The smallest and the largest observed value of each column, in real rows."""
    d = unit.values.shape[-1]
    real = (unit.weight > 0).reshape(-1, *(1,) * (unit.mask.ndim - 1))
    used, x = (unit.mask & real).reshape(-1, d), unit.values.reshape(-1, d)
    low = jnp.where(used, x, jnp.inf).min(axis=0)
    high = jnp.where(used, x, -jnp.inf).max(axis=0)
    return jnp.where(low <= high, low, 0), jnp.where(low <= high, high, 0)


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

"""Kriging of films by a covariance of maximum likelihood, and its error at held-out cells."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute.masking import pick
from jaximpute.methods.simple import _chunks
from jaximpute.methods.simple._blocks import ORDERS, Blocks
from jaximpute.methods.simple._chunks import Matern
from jaximpute.types import PRNGKey

_JUDGED = 3072  # blocks on which a choice is made at most; of most of them nothing is held out
_COMPARED = 384  # blocks of which all that is missing is completed


class Kriging(NamedTuple):
    """How a channel is kriged.

    Attributes:
        model: its covariance.
        rough: which degree of smoothness.
        order: in which neighbours are looked for, see `Blocks.ordered`.
    """

    model: Matern
    rough: Int[Array, ""]
    order: Int[Array, ""]


def lags_of(blocks: Blocks) -> Float[Array, "lags 3"]:
    """The lag at each place of the table."""
    sides = [np.arange(-half, half + 1) for half in blocks.table.half]
    return jnp.asarray(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3), jnp.float32)


def moments(kriging: Kriging, blocks: Blocks, x, mask, wanted) -> Float[Array, "n 2 t y x"]:
    """Means and variances of the wanted cells of films, 0 elsewhere."""
    cov = _chunks.covariance(kriging.model, kriging.rough, lags_of(blocks))
    offsets = blocks.ordered(cov, kriging.order)
    nugget = _chunks.noise(kriging.model)

    def row(inputs):
        return blocks.complete(cov, nugget, offsets, *inputs)

    return jax.lax.map(row, (x, mask, wanted))


def complete(kriging: Kriging, blocks: Blocks, x, mask, wanted) -> Float[Array, "n t y x"]:
    """Means of the wanted cells of films, 0 elsewhere."""
    return moments(kriging, blocks, x, mask, wanted)[:, 0]


def some_rows(key: PRNGKey, weight: Float[Array, "n"], blocks: Blocks) -> Int[Array, "rows"]:
    """Films to judge by: as few as have enough blocks."""
    rows = max(1, min(len(weight), _JUDGED // len(blocks.corners)))
    return pick(key, weight, rows)


def error(kriging: Kriging, blocks: Blocks, x, shown, hidden) -> Float[Array, ""]:
    """Mean squared error at the hidden cells; infinite where the arithmetic fails."""
    found = complete(kriging, blocks, x, shown, hidden)
    total = jnp.where(hidden, (found - x) ** 2, 0).sum() / jnp.maximum(hidden.sum(), 1)
    return jnp.where(jnp.isfinite(total), total, jnp.inf)


def choose_order(model, rough, blocks: Blocks, x, mask) -> Kriging:
    """The order of neighbours with the least variance at the cells that are missing.

    Held-out cells would not do: they lie in smaller holes, for which the own frame may be enough.
    """
    few = max(1, _COMPARED // len(blocks.corners))
    x, mask = x[:few], mask[:few]

    def variance(order):
        found = moments(Kriging(model, rough, order), blocks, x, mask, ~mask)[:, 1]
        total = jnp.where(mask, 0, found).sum()
        return jnp.where(jnp.isfinite(total), total, jnp.inf)

    orders = jnp.arange(ORDERS)[: 1 if x.shape[1] == 1 else ORDERS]
    return Kriging(model, rough, orders[jnp.argmin(jax.lax.map(variance, orders))])


def first_kriging(x: Float[Array, "n c t y x"], mask: Bool[Array, "n c t y x"]) -> Kriging:
    """Where the search for the likeliest covariance of each channel begins."""
    axes = (0, 2, 3, 4)
    variance = jnp.where(mask, x**2, 0).sum(axes) / jnp.maximum(mask.sum(axes), 1)
    none = jnp.zeros(len(variance), int)
    return Kriging(jax.vmap(_chunks.start)(variance), none, none)

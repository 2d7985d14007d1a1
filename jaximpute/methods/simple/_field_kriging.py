"""Kriging of films by a covariance of maximum likelihood, and its error at held-out cells."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute.masking import pick
from jaximpute.methods.simple import _chunks
from jaximpute.methods.simple._blocks import Blocks
from jaximpute.methods.simple._chunks import Matern
from jaximpute.types import PRNGKey

_JUDGED = 768  # blocks on which a choice is made, about


class Kriging(NamedTuple):
    """How a channel is kriged.

    Attributes:
        model: its covariance.
        rough: which degree of smoothness.
        frame: whether neighbours in the own frame come before those in others.
    """

    model: Matern
    rough: Int[Array, ""]
    frame: Bool[Array, ""]


def lags_of(blocks: Blocks) -> Float[Array, "lags 3"]:
    """The lag at each place of the table."""
    sides = [np.arange(-half, half + 1) for half in blocks.table.half]
    return jnp.asarray(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3), jnp.float32)


def complete(kriging: Kriging, blocks: Blocks, x, mask, wanted) -> Float[Array, "n t y x"]:
    """Means of the wanted cells of films, 0 elsewhere."""
    cov = _chunks.covariance(kriging.model, kriging.rough, lags_of(blocks))
    offsets = blocks.ordered(cov, kriging.frame)
    nugget = _chunks.noise(kriging.model)

    def row(inputs):
        return blocks.complete(cov, nugget, offsets, *inputs)

    return jax.lax.map(row, (x, mask, wanted))


def some_rows(key: PRNGKey, weight: Float[Array, "n"], blocks: Blocks) -> Int[Array, "rows"]:
    """Films to judge by: as few as have enough blocks."""
    rows = max(1, min(len(weight), _JUDGED // len(blocks.corners)))
    return pick(key, weight, rows)


def error(kriging: Kriging, blocks: Blocks, x, shown, hidden) -> Float[Array, ""]:
    """Mean squared error at the hidden cells; infinite where the arithmetic fails."""
    found = complete(kriging, blocks, x, shown, hidden)
    total = jnp.where(hidden, (found - x) ** 2, 0).sum() / jnp.maximum(hidden.sum(), 1)
    return jnp.where(jnp.isfinite(total), total, jnp.inf)


def choose_frame(model, rough, blocks: Blocks, x, shown, hidden) -> tuple[Kriging, jax.Array]:
    """Whether the own frame comes first, by the error at hidden cells."""
    frames = jnp.array([False, True])[: min(x.shape[1], 2)]
    errors = jax.lax.map(
        lambda frame: error(Kriging(model, rough, frame), blocks, x, shown, hidden), frames
    )
    best = jnp.argmin(errors)
    return Kriging(model, rough, frames[best]), errors[best]


def first_kriging(x: Float[Array, "n c t y x"], mask: Bool[Array, "n c t y x"]) -> Kriging:
    """Where the search for the likeliest covariance of each channel begins."""
    axes = (0, 2, 3, 4)
    variance = jnp.where(mask, x**2, 0).sum(axes) / jnp.maximum(mask.sum(axes), 1)
    none = jnp.zeros(len(variance), int)
    return Kriging(jax.vmap(_chunks.start)(variance), none, none > 0)

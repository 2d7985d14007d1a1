"""A cell of a completed series as a row of numbers: what trees look at."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_REACH = 3  # steps to either side that are shown
_AROUND = 12  # steps to either side over which changes are averaged
_FAR = 1000.0  # distances are no longer
_NEAR = 8  # channels that are shown, the most correlated ones


class Cells(NamedTuple):
    """Completed series, looked up once.

    Attributes:
        filled: scaled and complete.
        mask: True = observed.
        changes: usual size of a channel's changes around each step.
        before: steps since the last observation of the channel.
        after: steps until the next one.
    """

    filled: Float[Array, "n time d"]
    mask: Bool[Array, "n time d"]
    changes: Float[Array, "n time d"]
    before: Float[Array, "n time d"]
    after: Float[Array, "n time d"]


def look(filled: Float[Array, "n time d"], mask: Bool[Array, "n time d"]) -> Cells:
    """What the features of all cells are made of."""
    time = filled.shape[1]
    step = jnp.arange(time)[None, :, None]
    last = jax.lax.cummax(jnp.where(mask, step, -time), axis=1)
    following = jax.lax.cummin(jnp.where(mask, step, 2 * time), axis=1, reverse=True)
    squares = jnp.pad(jnp.diff(filled, axis=1) ** 2, ((0, 0), (1, 0), (0, 0)))
    window = (1, 2 * _AROUND + 1, 1)
    total = jax.lax.reduce_window(squares, 0.0, jax.lax.add, window, (1, 1, 1), "SAME")
    changes = jnp.sqrt(total / (2 * _AROUND + 1))
    before, after = (
        jnp.minimum(gap.astype(filled.dtype), _FAR) for gap in (step - last, following - step)
    )
    return Cells(filled, mask, changes, before, after)


def nearest(filled: Float[Array, "n time d"], weight: Float[Array, "n"]) -> Int[Array, "d near"]:
    """For each channel those most correlated with it, itself first."""
    d = filled.shape[-1]
    y = jnp.where(weight[:, None, None] > 0, filled, 0).reshape(-1, d)
    y = y - y.mean(0)[None]
    cross = jnp.matmul(y.T, y, precision="highest")
    size = jnp.sqrt(jnp.maximum(jnp.diagonal(cross), jnp.finfo(y.dtype).tiny))
    strength = jnp.abs(cross) / (size[:, None] * size[None])
    strength = jnp.where(jnp.eye(d, dtype=bool), jnp.inf, strength)
    return jax.lax.top_k(strength, min(d, _NEAR))[1].astype(jnp.int32)


def width(d: int) -> int:
    """How many features a cell has."""
    return 2 * (2 * _REACH + 1) * min(d, _NEAR) + 9


def features(
    cells: Cells,
    near: Int[Array, "near"],
    period: Int[Array, ""],
    row: Int[Array, "k"],
    step: Int[Array, "k"],
) -> Float[Array, "k width"]:
    """Some cells of the channel `near[0]`.

    In order: the channels around the cell relative to its estimate, and whether they are observed;
    the estimate, the usual change, the distances to observations; and by the season, if there is
    one: the phase, the season before and after relative to the estimate, and whether observed.

    Args:
        cells: see `look`.
        near: channels to show.
        period: steps of a season; 0 = none.
        row: series of each cell.
        step: of each cell.
    """
    time, channel = cells.filled.shape[1], near[0]
    here = cells.filled[row, step, channel]
    around = step[:, None] + jnp.arange(-_REACH, _REACH + 1)[None]
    inside = (around >= 0) & (around < time)
    place = row[:, None, None], jnp.clip(around, 0, time - 1)[:, :, None], near[None, None]
    relative = jnp.where(inside[..., None], cells.filled[place] - here[:, None, None], 0)
    seen = cells.mask[place] & inside[..., None]

    def season(shift):
        there = step + shift
        real = (there >= 0) & (there < time) & (period > 0)
        at = row, jnp.clip(there, 0, time - 1), channel
        return [
            jnp.where(real, cells.filled[at] - here, 0),
            (real & cells.mask[at]).astype(here.dtype),
        ]

    phase = jnp.where(period > 0, step % jnp.maximum(period, 1), 0).astype(here.dtype)
    own = [a[row, step, channel] for a in (cells.changes, cells.before, cells.after)]
    return jnp.concatenate(
        [
            relative.reshape(len(row), -1),
            seen.reshape(len(row), -1).astype(here.dtype),
            jnp.stack([here, *own, phase, *season(-period), *season(period)], axis=1),
        ],
        axis=1,
    )

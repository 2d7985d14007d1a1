"""Units of fields: blocks, rows, frames or places that a partition keeps or drops whole."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from jaximpute.maths import random
from jaximpute.types import PRNGKey

Share = float | tuple[float, float]
Labels = tuple[np.ndarray | None, ...]


class Units(NamedTuple):
    """Cells that are kept or dropped whole, by the number of cells along each axis.

    Attributes:
        time: cells along time; None = each frame is its own, 1 = shared by all frames.
        y: cells along y; None = each row of pixels is its own.
        x: cells along x; None = each column of pixels is its own.
    """

    time: int | None = 1
    y: int | None = 1
    x: int | None = 1


def choose_units(
    key: PRNGKey, mask: Bool[Array, "n *event"], units: Units, much: Share | int | str | None
) -> Bool[Array, "n ..."]:
    """Some of the units in which anything is observed, as a pattern that broadcasts to the mask.

    Args:
        key: of the choice.
        mask: what is observed.
        units: the cells.
        much: a share (each unit apart), a number of observed units, or None for all but one.
    """
    labels = axis_labels(mask.shape, units)
    shape = (mask.shape[0], *(1 if one is None else int(one[-1]) + 1 for one in labels))
    k_share, k_unit = jax.random.split(key)
    score = random.uniform(k_unit, shape)
    if isinstance(much, float | tuple):
        share = drawn_share(k_share, much, (shape[0], *(1,) * len(labels)))
        return spread(score < share, labels)
    # unobserved units come last in the order
    score = jnp.where(observed_units(mask, labels), score, 2.0).reshape(shape[0], -1)
    rank = jnp.argsort(jnp.argsort(score, axis=1), axis=1).reshape(shape)
    return spread(rank > 0 if much is None else rank < int(much), labels)


def axis_labels(shape: tuple[int, ...], units: Units) -> Labels:
    """The cell of each index, along every axis but the first; None where one cell is all."""
    labels: list[np.ndarray | None] = []
    for size, cells in zip(shape[1:-1], units[-len(shape[1:-1]) :], strict=True):
        cells = size if cells is None else min(cells, size)
        along = np.minimum(np.arange(size) // (size // cells), cells - 1)
        labels.append(None if cells == 1 else along)
    return (*labels, None)


def observed_units(mask: Bool[Array, "n *event"], labels: Labels) -> Bool[Array, "n ..."]:
    """Whether anything is observed in each unit."""
    for axis, along in enumerate(labels, start=1):
        if along is None:
            mask = mask.any(axis=axis, keepdims=True)
        elif along[-1] + 1 < len(along):
            starts = np.searchsorted(along, np.arange(1, along[-1] + 1))
            cells = jnp.split(mask, starts, axis=axis)
            mask = jnp.concatenate([cell.any(axis=axis, keepdims=True) for cell in cells], axis)
    return mask


def spread(pattern: Bool[Array, "n ..."], labels: Labels) -> Bool[Array, "n ..."]:
    """A pattern over units, as one over places that broadcasts to the mask."""
    for axis, along in enumerate(labels, start=1):
        if along is not None:
            pattern = jnp.take(pattern, along, axis=axis)
    return pattern


def drawn_share(key: PRNGKey, share: Share, shape: tuple[int, ...]) -> jax.Array:
    """A share, or one from a range for each sample."""
    low, high = share if isinstance(share, tuple) else (share, share)
    return random.uniform(key, shape, minval=low, maxval=high)

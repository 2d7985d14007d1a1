"""Which columns of a matrix are one category, and what levels they can hold."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.masking import channel_range, used
from jaximpute.types import Observed


class Targets(NamedTuple):
    """What is predicted together: all indicators of a category; numbers by themselves.

    The sine and cosine of a direction are two numbers that take turns without one another.

    Attributes:
        members: `(targets, most)` the columns of each; the number of columns, which is none, where
            there are fewer than most. A column with two values has a slot more, for the other one.
        levelled: `(targets,)` whether it holds levels.
        target: `(d,)` the target of each column.
        slot: `(d,)` its place among the members.
        turns: `(d,)` the number of the direction that a column belongs to, -1 for none.
    """

    members: np.ndarray
    levelled: np.ndarray
    target: np.ndarray
    slot: np.ndarray
    turns: np.ndarray

    def hidden(self, *, drawn: bool) -> np.ndarray:
        """`(targets, d)` the columns that do not help to predict a target.

        Args:
            drawn: whether the second column of a direction is drawn given the first.
        """
        own = np.arange(len(self.members))[:, None] == self.target[None]
        first = self.members[:, :1]
        turn = self.turns[first]
        partner = (turn == self.turns[None]) & (turn >= 0)
        return own | (partner & ~(drawn & (np.arange(len(self.target)) < first)))

    @property
    def lone(self) -> np.ndarray:
        """`(targets,)` whether it is one column that holds one of two values."""
        return self.levelled & ((self.members < len(self.target)).sum(1) == 1)

    @property
    def several(self) -> np.ndarray:
        """`(d,)` whether the column is one of several indicators of a category."""
        return (self.levelled & ~self.lone)[self.target]


def targets(categories: Sequence[int] | None, d: int) -> Targets:
    """The targets of a matrix.

    Args:
        categories: `(d,)` the number of the category that each column is of, -1 for plain numbers;
            the sine and cosine of a direction share a number below that. None if all are plain.
        d: columns.

    Raises:
        OptionError: another number of columns.

    Example:
        >>> targets((-1, 0, 0), 3).members.tolist()
        [[0, 3], [1, 2]]
    """
    numbers = [-1] * d if categories is None else list(categories)
    if len(numbers) != d:
        raise OptionError(
            f"categories has {len(numbers)} entries; expected one for each of {d} columns"
        )
    groups: dict[tuple[int, int], list[int]] = {}
    for j, number in enumerate(numbers):
        groups.setdefault((number, j if number < 0 else -1), []).append(j)
    levelled = np.array([number >= 0 for number, _ in groups])
    sizes = [len(own) for own in groups.values()]
    # a column with two values has a slot for each of them
    most = max(max(sizes), 2 if levelled[np.array(sizes) == 1].any() else 1)
    members = np.full((len(groups), most), d)
    target, slot = np.zeros((2, d), int)
    for t, own in enumerate(groups.values()):
        members[t, : len(own)] = own
        target[own], slot[own] = t, np.arange(len(own))
    turns = np.maximum(-2 - np.array(numbers, int), -1)
    return Targets(members, levelled, target, slot, turns)


def likeliest(
    x: Float[Array, "n d"],
    low: Float[Array, "d"],
    high: Float[Array, "d"],
    mask: Bool[Array, "n d"],
    of: Targets,
) -> Float[Array, "n d"]:
    """`x`, in which missing levels are the likeliest one and no longer shares.

    Args:
        x: completed; an indicator between its least and greatest value stands for a probability.
        low: the least value observed in each column.
        high: the greatest.
        mask: True = observed.
        of: the targets.
    """
    if not of.levelled.any():
        return x
    share = jnp.where(high > low, (x - low[None]) / jnp.where(high > low, high - low, 1)[None], 0)
    by_target = share.at[:, of.members].get(mode="fill", fill_value=-1)
    first, second = by_target[..., 0], by_target[..., 1]
    second = jnp.where(of.lone[None], 1 - first, second)
    by_target = by_target.at[..., 1].set(second)
    chosen = jnp.argmax(by_target, axis=2)[:, of.target] == of.slot[None]
    settled = jnp.where(chosen, high[None], low[None])
    return jnp.where(~mask & of.levelled[of.target][None], settled, x)


def most_frequent(data: Observed, of: Targets) -> Float[Array, "d"]:
    """The indicators of the level that most observed rows hold, the first of several.

    Args:
        data: rows of any event; the last axis is the columns.
        of: the targets.
    """
    d = data.values.shape[-1]
    (low, high), x = channel_range(data), data.values.reshape(-1, d)
    present = used(data).reshape(-1, d) & (x > 0.5 * (low + high)[None])
    count = present.sum(0)
    by_target = count.at[of.members].get(mode="fill", fill_value=-1)
    chosen = jnp.argmax(by_target, axis=1)[of.target] == of.slot
    return jnp.where(chosen, high, low)

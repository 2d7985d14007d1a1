"""Lessons: what a fitted method says of observed entries that are hidden from it again.

There both the truth and the answer are known, in rows that look like those with real holes. What
learns on top of a method learns from these, and what chooses between answers chooses by them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import OptionError
from jaximpute.types import Answer, Method, Observed, PRNGKey, Split, State

_MANY = 32  # rows, each of which errs by itself
_PIECES = 64  # of one row among few


class Lessons(NamedTuple):
    """Completions of the same rows with entries hidden again.

    Attributes:
        filled: by the method, `(k, n, *event)`.
        shown: what it saw, True = observed.
        asked: what was hidden again; the data hold the truth.
    """

    filled: Float[Array, "k n *event"]
    shown: Bool[Array, "k n *event"]
    asked: Bool[Array, "k n *event"]


def lessons(
    key: PRNGKey,
    method: Method,
    state: State,
    data: Observed,
    split: Split,
    k: int,
    answer: Answer = "estimate",
) -> Lessons:
    """Hide again and complete, `k` times; pure.

    Args:
        key: of what is hidden and of the completions.
        method: an inductive one.
        state: what `fit` returned. It has learned from these entries: a method that remembers rows
            would look better than it is.
        data: the rows.
        split: what is shown and what is asked.
        k: number of times.
        answer: the method's best single one, or a random draw.

    Returns:
        The lessons, stacked.

    Raises:
        OptionError: a method that has no such answer.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> from jaximpute.maths import splits
        >>> data = ji.observe(np.array([[1.0, np.nan], [2.0, 3.0], [3.0, 5.0]]))
        >>> method = ji.methods.mean()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> got = lessons(jax.random.key(1), method, state, data, splits.random(), 2)
        >>> got.filled.shape, bool(((got.shown | got.asked)[1] == data.mask).all())
        ((2, 3, 2), True)
    """
    complete = method.estimate if answer == "estimate" else method.sample
    if complete is None:
        raise OptionError(f"the base has no `{answer}`; expected an inductive method with one")

    def one(number):
        k_split, k_fill = jax.random.split(jax.random.fold_in(key, number))
        shown, asked = split(k_split, data.mask)
        rows = Observed(jnp.where(shown, data.values, 0), shown, data.weight)
        return Lessons(complete(k_fill, state, rows), shown, asked)

    return jax.lax.map(one, jnp.arange(k))


def spread(n: int, number: int) -> Int[np.ndarray, "{number}"]:
    """So many of `n` rows, evenly spread."""
    return ((np.arange(number) + 0.5) * n / number).astype(int)


def parts(shape: tuple[int, ...]) -> tuple[Int[np.ndarray, "*shape"], int]:
    """Parts of rows whose errors are nearly independent: what `maths.choice.believe` counts by.

    Many rows are parts themselves. Few series are cut along time, and few images and fields along
    y and x, each into 64 pieces where it is long enough.

    Args:
        shape: of the rows, `(n, *event)`.

    Returns:
        The number of each entry's part, and how many parts there are.

    Example:
        >>> number, count = parts((1, 640, 2))
        >>> count, number[0, :11, 0].tolist()
        (64, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        >>> parts((100, 3))[1]
        100
    """
    n, event = shape[0], shape[1:]
    axes = {1: (), 2: (0,), 3: (0, 1), 4: (1, 2)}[len(event)] if n < _MANY else ()
    each = round(_PIECES ** (1 / max(len(axes), 1)))
    number = np.arange(n).reshape(-1, *(1,) * len(event))
    for axis in axes:
        size = event[axis]
        pieces = min(each, size)
        piece = np.arange(size) * pieces // size
        number = number * pieces + piece.reshape(-1, *(1,) * (len(event) - axis - 1))
    return np.broadcast_to(number, shape), int(number.max()) + 1

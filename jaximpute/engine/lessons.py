"""Lessons: what a fitted method says of observed entries that are hidden from it again.

There both the truth and the answer are known, in rows that look like those with real holes. What
learns on top of a method learns from these, and what chooses between answers chooses by them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.types import Method, Observed, PRNGKey, Split, State


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

    Returns:
        The lessons, stacked.

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
    complete = method.estimate
    assert complete is not None  # of an inductive method

    def one(number):
        k_split, k_fill = jax.random.split(jax.random.fold_in(key, number))
        shown, asked = split(k_split, data.mask)
        rows = Observed(jnp.where(shown, data.values, 0), shown, data.weight)
        return Lessons(complete(k_fill, state, rows), shown, asked)

    return jax.lax.map(one, jnp.arange(k))

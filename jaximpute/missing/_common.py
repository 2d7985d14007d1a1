"""What every simulator needs: its type, the check of its rate, and the guard of empty columns."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute._errors import OptionError
from jaximpute.types import PRNGKey

Missing: TypeAlias = Callable[[PRNGKey, jax.Array], jax.Array]


def spare(
    key: PRNGKey,
    mask: Bool[Array, "n *event"],
    among: Bool[Array, "n *event"] | None = None,
) -> Bool[Array, "n *event"]:
    """One entry, drawn at random, is given back to each column that a mask leaves empty.

    A column with nothing observed cannot be learned. Such columns arise when a simulator meets few
    rows or a high rate; all others pass unchanged.

    Args:
        key: for the choice.
        mask: True = observed; the last axis is the columns.
        among: the entries that may be given back, all by default. A column without any stays empty.

    Returns:
        The mask with at least one True in each column.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> spare(jax.random.key(0), jnp.array([[True, False], [False, False]])).sum(0).tolist()
        [1, 1]
    """
    flat = rows(mask)
    draw = jax.random.uniform(key, flat.shape)
    if among is not None:
        draw = jnp.where(rows(among), draw, -1.0)
    first = jnp.arange(flat.shape[0])[:, None] == jnp.argmax(draw, axis=0)[None]
    empty = ~flat.any(axis=0)
    return (flat | (first & (draw >= 0) & empty[None])).reshape(mask.shape)


def check_rate(p: float, name: str = "p") -> None:
    if not 0 < p < 1:
        raise OptionError(f"{name} is {p}; expected a share strictly between 0 and 1")


def rows(x: jax.Array) -> jax.Array:
    return x.reshape(-1, x.shape[-1])

"""What a network on a base learns from, and what it is judged by."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute.engine.lessons import Lessons, parts, spread
from jaximpute.missing.again import hidden_again
from jaximpute.types import Method, Observed, PRNGKey, State

JUDGED, LEARNED = 128, 256  # rows to judge by, and for a base to learn from, at most
_GROUPS = 32  # of neighbouring rows, which may be of the same days


class Judged(NamedTuple):
    """Rows with places hidden once more, from which nothing is learned.

    Attributes:
        data: what is shown of them.
        truth: with the hidden places.
        asked: True = hidden once more.
    """

    data: Observed
    truth: Float[Array, "r *event"]
    asked: Bool[Array, "r *event"]


def apart(n: int) -> bool:
    """Whether there are so many rows that some can be left out of all learning."""
    return n >= JUDGED + LEARNED


def judged_rows(n: int) -> np.ndarray:
    """Numbers of the rows to judge by, evenly spread."""
    return spread(n, min(n, JUDGED))


def learned_rows(n: int) -> np.ndarray:
    """Numbers of the rows that a base learns from, and that it completes with holes."""
    rows = np.setdiff1d(np.arange(n), judged_rows(n)) if apart(n) else np.arange(n)
    return rows[spread(len(rows), min(len(rows), LEARNED))]


def judge(key: PRNGKey, data: Observed, share: float) -> Judged:
    """Hide a share of the observed places of the judged rows, in the shapes of their holes."""
    i = jnp.asarray(judged_rows(len(data.weight)))
    truth, mask, weight = (leaf[i] for leaf in data)
    asked = hidden_again(key, mask, share) & (weight > 0).reshape(-1, *(1,) * (mask.ndim - 1))
    shown = mask & ~asked
    return Judged(Observed(jnp.where(shown, truth, 0), shown, weight), truth, asked)


def left(data: Observed, shown: Bool[Array, "r *event"]) -> Observed:
    """What is learned from: all but the judged rows, or what is shown of them."""
    i = jnp.asarray(judged_rows(len(data.weight)))
    if apart(len(data.weight)):
        return data._replace(weight=data.weight.at[i].set(0))
    mask = data.mask.at[i].set(shown)
    return Observed(jnp.where(mask, data.values, 0), mask, data.weight)


def some(data: Observed) -> Observed:
    """The rows that a base learns from."""
    i = jnp.asarray(learned_rows(len(data.weight)))
    return Observed(*(leaf[i] for leaf in data))


def nothing(data: Observed, hidings: int) -> Lessons:
    """Lessons that ask for nothing, of the shape of others."""
    none = jnp.zeros((hidings, *some(data).mask.shape), data.values.dtype)
    return Lessons(none, none > 0, none > 0)


def squared(
    filled: Float[Array, "*shape"], truth: Float[Array, "*shape"], asked: Bool[Array, "*shape"]
) -> Float[Array, ""]:
    """Mean squared error at what is asked; infinite where the arithmetic fails."""
    found = masking.masked_mean((filled - truth) ** 2, asked)
    return jnp.where(jnp.isfinite(found), found, jnp.inf)


def departure(
    method: Method, key: PRNGKey, state: State, judged: Judged, scale: Float[Array, "c"]
) -> Float[Array, ""]:
    """Mean square of how far a method's draws depart from its mean, in deviations."""
    k_mean, k_draw = jax.random.split(key)
    assert method.estimate is not None
    assert method.sample is not None
    mean = method.estimate(k_mean, state, judged.data)
    drawn = method.sample(k_draw, state, judged.data)
    scale = along(scale, mean)
    return squared(drawn / scale, mean / scale, judged.asked)


def along(of_channels: Float[Array, "c"], like: Float[Array, "n *event"]) -> jax.Array:
    """Numbers of channels, to be combined with rows."""
    return of_channels.reshape(*(1,) * (like.ndim - 1), -1)


def groups(shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Parts of the judged rows whose errors are nearly independent, and how many there are."""
    if shape[0] < 2 * _GROUPS:
        return parts(shape)
    number = np.arange(shape[0]) * _GROUPS // shape[0]
    return np.broadcast_to(number.reshape(-1, *(1,) * (len(shape) - 1)), shape), _GROUPS

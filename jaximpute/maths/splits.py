r"""Splits: which observed entries a conditional model is shown, and which it must answer for.

A `Split` is `(key, mask) -> (context, query)` with disjoint parts of `mask`. Whoever trains on the
query learns :math:`p(x_{\mathrm{query}} \mid x_{\mathrm{context}})`. A row with at least one
observed entry keeps one in its context, whatever the split.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute._errors import OptionError, check_chosen
from jaximpute.maths import random as flat_random
from jaximpute.types import PRNGKey, Split

Pair = tuple[Bool[Array, "n *event"], Bool[Array, "n *event"]]


def random(low: float = 0.0, high: float = 1.0) -> Split:
    r"""Single entries at random, in a share drawn anew for each row.

    Of :math:`k` observed entries, :math:`\mathrm{round}(rk)` with :math:`r \sim U(low, high)` are
    asked for, at least one and at most :math:`k - 1`.

    Args:
        low: least share asked for, in [0, 1].
        high: greatest share asked for, in [low, 1].

    Returns:
        The split.

    Raises:
        OptionError: shares out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.array([[True, True, True, False]])
        >>> context, query = random(0.6, 0.7)(jax.random.key(0), mask)
        >>> int(context.sum()), int(query.sum()), bool((context & query).any())
        (1, 2, False)

    Source: CSDI (Tashiro et al., 2021), "random" targets.
    """
    if not 0 <= low <= high <= 1:
        raise OptionError(f"low is {low} and high {high}; expected 0 <= low <= high <= 1")

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        k_share, k_score = jax.random.split(key)
        seen = mask.reshape(mask.shape[0], -1)
        observed = seen.sum(axis=1)
        share = flat_random.uniform(k_share, observed.shape, minval=low, maxval=high)
        asked = jnp.clip(jnp.round(share * observed).astype(int), 1, jnp.maximum(observed - 1, 0))
        # scores beyond 1 sort what is not observed to the end
        score = jnp.where(seen, flat_random.uniform(k_score, seen.shape), 2.0)
        edge = jnp.take_along_axis(jnp.sort(score, axis=1), asked[:, None], axis=1)
        query = seen & (score < edge)
        return (seen & ~query).reshape(mask.shape), query.reshape(mask.shape)

    return split


RANDOM = random()  # any share of the entries, what conditional methods are trained on by default


def historical(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
    """What another row of the batch lacks is asked for: holes as the data have them.

    Rows that would be left without context or without query are split at random.

    Args:
        key: which row lends its pattern to which, and the random splits.
        mask: what is observed.

    Returns:
        Context and query.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.array([[True, True, True], [True, False, True]])
        >>> context, query = historical(jax.random.key(0), mask)
        >>> bool(((context | query) == mask).all())
        True

    Source: CSDI (Tashiro et al., 2021), "historical" targets.
    """
    k_row, k_random = jax.random.split(key)
    other = mask[jax.random.permutation(k_row, mask.shape[0])]
    return _or_random(k_random, mask, mask & ~other)


def block(shortest: int = 1, longest: int = 20) -> Split:
    """One stretch of consecutive steps in each channel of series `(n, time, channels)`.

    Args:
        shortest: least length of a stretch, at least 1.
        longest: greatest length, cut to the length of the series.

    Returns:
        The split; rows left without context or without query are split at random.

    Raises:
        OptionError: lengths out of order.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> context, query = block(2, 2)(jax.random.key(0), jnp.full((1, 6, 1), True))
        >>> int(query.sum())
        2
    """
    if not 1 <= shortest <= longest:
        raise OptionError(f"block is {shortest}..{longest}; expected 1 <= shortest <= longest")

    def split(key: PRNGKey, mask: Bool[Array, "n time d"]) -> Pair:
        n, time, d = mask.shape
        k_length, k_start, k_random = jax.random.split(key, 3)
        length = jax.random.randint(k_length, (n, 1, d), min(shortest, time), longest + 1)
        length = jnp.minimum(length, time)
        start = jnp.floor(flat_random.uniform(k_start, (n, 1, d)) * (time - length + 1))
        steps = jnp.arange(time)[None, :, None]
        return _or_random(k_random, mask, mask & (steps >= start) & (steps < start + length))

    return split


def forecast(horizon: int) -> Split:
    """The last steps of series `(n, time, channels)` are asked for, from all that precede them.

    Args:
        horizon: number of steps, at least 1.

    Returns:
        The split; rows in which one side is empty are split at random.

    Raises:
        OptionError: the horizon is not positive.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> context, query = forecast(2)(jax.random.key(0), jnp.full((1, 5, 1), True))
        >>> query[0, :, 0].tolist()
        [False, False, False, True, True]
    """
    if horizon < 1:
        raise OptionError(f"horizon is {horizon}; expected at least 1 step")

    def split(key: PRNGKey, mask: Bool[Array, "n time d"]) -> Pair:
        late = jnp.arange(mask.shape[1]) >= mask.shape[1] - horizon
        return _or_random(key, mask, mask & late[None, :, None])

    return split


def either(first: Split, second: Split) -> Split:
    """One of two splits for each row, by the toss of a coin (CSDI's "mix" of its two).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> split = either(random(), historical)
        >>> context, query = split(jax.random.key(0), jnp.full((2, 3), True))
        >>> int((context | query).sum())
        6
    """

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        k_coin, k_first, k_second = jax.random.split(key, 3)
        coin = jax.random.bernoulli(k_coin, 0.5, (mask.shape[0],))
        heads = coin.reshape(-1, *(1,) * (mask.ndim - 1))
        query = jnp.where(heads, first(k_first, mask)[1], second(k_second, mask)[1])
        return mask & ~query, query

    return split


def named(name: str, horizon: int = 1) -> Split:
    """A split by name: `random`, `historical`, `mix`, `block` or `forecast`.

    Raises:
        OptionError: no split has that name.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> _, query = named("forecast", 1)(jax.random.key(0), jnp.full((1, 3, 1), True))
        >>> int(query.sum())
        1
    """
    makers: dict[str, Callable[[], Split]] = {
        "random": random,
        "historical": lambda: historical,
        "mix": lambda: either(random(), historical),
        "block": block,
        "forecast": lambda: forecast(horizon),
    }
    check_chosen(split=(name, makers))
    return makers[name]()


def _or_random(key: PRNGKey, mask: Bool[Array, "n *event"], query: Bool[Array, "n *event"]) -> Pair:
    axes = tuple(range(1, mask.ndim))
    usable = query.any(axis=axes, keepdims=True) & (mask & ~query).any(axis=axes, keepdims=True)
    query = jnp.where(usable, query, random()(key, mask)[1])
    return mask & ~query, query

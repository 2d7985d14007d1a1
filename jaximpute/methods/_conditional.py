"""What conditional generative methods share: batches of context and query, and completions by rows.

The network sees rows of a view. It learns from rows at any start and completes rows side by side,
so that a draw is not averaged with its neighbours.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute._errors import OptionError
from jaximpute.types import Observed, PRNGKey, Split, View
from jaximpute.views import row_weight

Views = Callable[[tuple[int, ...]], View]
CHUNK = 256
FLOOR = 0.05  # of a column's standard deviation: the least unit of a centred row


class Batch(NamedTuple):
    """Rows to learn from.

    Attributes:
        values: 0 where unknown.
        context: what the network is shown.
        query: what it is asked for.
        times: `(n, time)` positions of the steps of each row, from its first.
    """

    values: Float[Array, "n *event"]
    context: Bool[Array, "n *event"]
    query: Bool[Array, "n *event"]
    times: Float[Array, "n time"]

    @property
    def cond(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """What a conditional network takes: context values, context mask, times."""
        return jnp.where(self.context, self.values, 0), self.context, self.times


def per_row(v: Float[Array, "n"], x: Float[Array, "n *event"]) -> jax.Array:
    """A number for each row, shaped to multiply rows.

    Example:
        >>> per_row(jnp.ones(3), jnp.ones((3, 5, 2))).shape
        (3, 1, 1)
    """
    return v.reshape(-1, *(1,) * (x.ndim - 1))


def positions(rows: View, shape: tuple[int, ...], times: Any, i: jax.Array) -> jax.Array:
    """`(rows, time)` positions of the steps in the rows numbered `i`; zeros for a table."""
    if len(shape) == 2:
        return jnp.zeros((i.shape[0], 1))
    steps = jnp.arange(shape[1]) if times is None else jnp.asarray(times)
    spread = jnp.broadcast_to(steps.astype(jnp.float32)[None, :, None], shape)
    at = rows.take(spread, i)[..., 0]
    return at - at[:, :1]


def reference(
    values: Float[Array, "n time d"], context: Bool[Array, "n time d"]
) -> tuple[Float[Array, "n 1 d"], Float[Array, "n 1 d"]]:
    r"""What a row is centred by: the last value of its context, and the spread of its context.

    .. math:: z = \frac{x - x_{\mathrm{last}}}{\sqrt{\mathrm{var} + c^2}}

    channel by channel, with c a twentieth: a series that never comes back to a level looks the same
    wherever it is. A channel without context is left as it is.

    Args:
        values: rows.
        context: what may be looked at.

    Returns:
        Levels and units, the latter positive.

    Source: the idea is that of Kim et al., "Reversible instance normalization for accurate
    time-series forecasting against distribution shift" (2022), which takes the mean.
    """
    last = context.shape[1] - 1 - jnp.argmax(context[:, ::-1], axis=1, keepdims=True)
    seen = context.any(axis=1, keepdims=True)
    level = jnp.where(seen, jnp.take_along_axis(values, last, axis=1), 0)
    total = jnp.maximum(context.sum(axis=1, keepdims=True), 1)
    mean = jnp.where(context, values, 0).sum(axis=1, keepdims=True) / total
    variance = jnp.where(context, (values - mean) ** 2, 0).sum(axis=1, keepdims=True) / total
    return level, jnp.where(seen, jnp.sqrt(variance + FLOOR**2), 1)


def batches(
    data: Observed,
    view: Views,
    split: Split,
    size: int,
    times: Any = None,
    *,
    centred: bool = False,
) -> Callable[[PRNGKey], Batch]:
    """Random batches of the rows in which something is observed.

    Args:
        data: the rows.
        view: `shape -> View`, rows as the network sees them.
        split: parts the observed entries of each row.
        size: rows in a batch.
        times: `(time,)` positions of the steps of a series; None if regular.
        centred: each row by its own context, see `reference`.

    Returns:
        `key -> Batch`.

    Raises:
        OptionError: rows to be centred that are no series.
    """
    if centred and data.values.ndim != 3:
        raise OptionError("centred is for series, whose rows have a last step; this is a table")
    rows = view(data.values.shape)
    weight = row_weight(rows, data.weight, data.mask)

    def draw(key: PRNGKey) -> Batch:
        k_rows, k_split = jax.random.split(key)
        i = masking.pick(k_rows, weight, size)
        values, mask = masking.share((rows.take(data.values, i), rows.take(data.mask, i)))
        context, query = split(k_split, mask)
        if centred:
            level, unit = reference(values, context)
            values = jnp.where(mask, (values - level) / unit, 0)
        return Batch(values, context, query, positions(rows, data.values.shape, times, i))

    return draw


def complete(
    draw: Callable[[PRNGKey, Batch], jax.Array],
    key: PRNGKey,
    data: Observed,
    view: Views,
    times: Any = None,
    *,
    centred: bool = False,
) -> Float[Array, "n *event"]:
    """Complete all rows of a view, some at a time, and put them back together.

    Args:
        draw: `(key, batch) -> rows`, completions of rows whose whole mask is context.
        key: block `j` of rows uses `fold_in(key, j)`.
        data: the rows.
        view: `shape -> View`; an entry in several rows is taken from the first of two.
        times: see `batches`.
        centred: see `batches`.

    Returns:
        The completed data, observed entries bit-identical.
    """
    rows = view(data.values.shape)

    def block(j, i):
        values, mask = masking.share((rows.take(data.values, i), rows.take(data.mask, i)))
        at, k = positions(rows, data.values.shape, times, i), jax.random.fold_in(key, j)
        if not centred:
            return draw(k, Batch(values, mask, ~mask, at))
        level, unit = reference(values, mask)
        own = jnp.where(mask, (values - level) / unit, 0)
        return draw(k, Batch(own, mask, ~mask, at)) * unit + level

    blocks = -(-rows.size // CHUNK)
    if blocks == 1:
        found = block(jnp.zeros((), int), jnp.arange(rows.size))
    else:
        each = -(-rows.size // blocks)
        numbers = jnp.minimum(jnp.arange(blocks * each), rows.size - 1).reshape(blocks, each)
        found = jax.lax.map(lambda job: block(*job), (jnp.arange(blocks), numbers))
        found = found.reshape(-1, *found.shape[2:])[: rows.size]
    return masking.clamp(_join(rows, found).astype(data.values.dtype), data)


def _join(rows: View, found: jax.Array) -> jax.Array:
    """Fold without averaging: where two rows cover an entry, the earlier one has it."""
    number = jnp.arange(rows.size, dtype=found.dtype)
    number = jnp.broadcast_to(per_row(number, found), found.shape)
    # the mean number of the rows that cover an entry is at least that of the first
    first = number <= rows.take(rows.fold(number), jnp.arange(rows.size))
    share = rows.fold(first.astype(found.dtype))
    return rows.fold(jnp.where(first, found, 0)) / share

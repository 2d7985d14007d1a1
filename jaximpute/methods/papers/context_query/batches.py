"""Batches for a network on a base: from completions that are kept, or from contexts drawn anew."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute import masking
from jaximpute.engine.lessons import Lessons
from jaximpute.methods.papers.context_query import held
from jaximpute.types import Observed, PRNGKey, Split, View
from jaximpute.views import row_weight


def batches(
    taught: Lessons,
    alone: Bool[Array, ""],
    data: Observed,
    split: Split,
    view: Callable[..., View],
    batch: int,
) -> Callable[[PRNGKey], tuple[jax.Array, ...]]:
    """What makes batches: truth, base's answer, what is shown and asked, and which tile it is.

    Args:
        taught: completions by the base of the rows to learn from, with places hidden again.
        alone: whether contexts are drawn anew in place of these, and the answer is the truth's.
        data: all rows.
        split: what is shown and asked of a row.
        view: the rows that the network sees.
        batch: how many of them.
    """
    n, event = len(data.weight), data.values.shape[1:]
    rows, learned = view(data.values.shape), jnp.asarray(held.learned_rows(n))
    count = taught.shown.shape[0] * len(learned)
    flat = jax.tree.map(lambda a: a.reshape(count, *event), taught)
    given, each = view((count, *event)), rows.size // n
    weight = row_weight(rows, data.weight, data.mask)
    own = jnp.tile(data.weight[learned], count // len(learned))
    asked_of = row_weight(given, own, flat.asked)

    def fresh(key: PRNGKey):
        k_rows, k_split = jax.random.split(key)
        i = masking.pick(k_rows, weight, batch)
        truth, mask = rows.take(data.values, i), rows.take(data.mask, i)
        return truth, truth, *split(k_split, mask), i % each

    def stored(key: PRNGKey):
        i = masking.pick(key, asked_of, batch)
        row = learned[i // each % len(learned)] * each + i % each
        return rows.take(data.values, row), *(given.take(a, i) for a in flat), i % each

    def either(key: PRNGKey):
        k_fresh, k_stored = jax.random.split(key)
        # as numbers: under vmap both are made, and a key may be an operand once
        words = jax.random.key_data(k_fresh), jax.random.key_data(k_stored)
        wrap = partial(jax.random.wrap_key_data, impl=jax.random.key_impl(key))
        return jax.lax.cond(
            alone, lambda a, _: fresh(wrap(a)), lambda _, b: stored(wrap(b)), *words
        )

    return either

"""Rows with the same holes share a matrix: distinct masks, and products over these alone.

How many masks are distinct is known only once the data is there. So tables have room for as many as
there are rows, and loops end where the distinct ones do.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_CHUNK = 64  # masks at a time


class Patterns(NamedTuple):
    """The distinct rows of a mask.

    Attributes:
        label: which pattern each row has, `(n,)`.
        first: a row that has each pattern, `(n,)`; any row beyond `number`.
        number: how many there are.
    """

    label: Int[Array, "n"]
    first: Int[Array, "n"]
    number: Int[Array, ""]


def distinct(mask: Bool[Array, "n d"]) -> Patterns:
    """The distinct rows of a mask.

    Rows are sorted by a hash of theirs, and neighbours that are equal in all places are one
    pattern. If two hashes should be equal, a pattern may have several numbers, which costs time.

    Example:
        >>> import jax.numpy as jnp
        >>> found = distinct(jnp.array([[True, False], [False, False], [True, False]]))
        >>> int(found.number), bool(found.label[0] == found.label[2])
        (2, True)
    """
    n, d = mask.shape
    bits = jax.random.bits(jax.random.key(0), (2, d), jnp.uint32)
    first, second = (jnp.where(mask, code[None], 0).sum(1, dtype=jnp.uint32) for code in bits)
    order = jnp.lexsort((first, second))
    ordered = mask[order]
    new = jnp.append(True, (ordered[1:] != ordered[:-1]).any(1))
    rank = jnp.cumsum(new) - 1
    label = jnp.zeros(n, rank.dtype).at[order].set(rank, unique_indices=True)
    where = jnp.nonzero(new, size=n, fill_value=0)[0]
    return Patterns(label, order[where], new.sum())


def between(mask: Bool[Array, "n d"], rows: Patterns, columns: Patterns) -> Bool[Array, "n d"]:
    """The mask of each pattern of rows at each pattern of columns; False beyond those there are."""
    n, d = mask.shape
    there = (jnp.arange(n) < rows.number)[:, None] & (jnp.arange(d) < columns.number)[None]
    return mask[rows.first][:, columns.first] & there


def sums(
    mask: Bool[Array, "n d"],
    values: Float[Array, "d q"],
    rows: Int[Array, ""],
    columns: Int[Array, ""],
) -> Float[Array, "n q"]:
    """`mask @ values`, of the first `rows` and `columns` alone; 0 in other rows."""
    n, d = mask.shape
    high, wide = min(_CHUNK, n), min(_CHUNK, d)
    mask = jnp.pad(mask, ((0, -n % high), (0, -d % wide)))
    values = jnp.pad(values, ((0, -d % wide), (0, 0)))

    def band(i, out):
        def part(j, total):
            here = jax.lax.dynamic_slice(mask, (i * high, j * wide), (high, wide))
            there = jax.lax.dynamic_slice_in_dim(values, j * wide, wide)
            return total + jnp.matmul(here.astype(values.dtype), there, precision="highest")

        start = jnp.zeros((high, values.shape[1]), values.dtype)
        total = jax.lax.fori_loop(0, -(-columns // wide), part, start)
        return jax.lax.dynamic_update_slice_in_dim(out, total, i * high, 0)

    start = jnp.zeros((mask.shape[0], values.shape[1]), values.dtype)
    return jax.lax.fori_loop(0, -(-rows // high), band, start)[:n]

"""Boxes shaped like the holes of a mask, by which some of what is observed is hidden."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.types import PRNGKey, Split


def hole_sides(mask: Bool[Array, "n *event"]) -> Float[Array, "axes"]:
    r"""How long holes are along each axis of the event, in cells; see `partitions.hole_shaped`.

    Example:
        >>> import jax.numpy as jnp
        >>> mask = jnp.full((1, 3, 12, 12, 1), True).at[0, :, 4:8, 4:8].set(False)
        >>> [round(side, 1) for side in hole_sides(mask).tolist()]  # static, 4 x 4, one channel
        [3.0, 3.6, 3.6, 1.0]
    """
    time = (1,) if mask.ndim == 5 else ()
    at_times = mask.any(axis=time, keepdims=True)
    moving = (at_times & ~mask).any()
    # land is no hole, unless there are no others
    hole = ~mask & jnp.where(moving, at_times, mask.any(axis=(0, *time), keepdims=True))
    hole = jnp.where(hole.any(), hole, ~mask)
    counts = mask | hole
    seen = mask.sum() / jnp.maximum(counts.sum(), 1)
    sides = []
    for axis in range(1, mask.ndim):
        size = mask.shape[axis]
        here, there = ((0, size - 1), (1, size))
        pairs = near = jnp.zeros((), jnp.int32)
        for a, b in ((here, there), (there, here)):
            first, second, known = (
                jax.lax.slice_in_dim(x, *ends, axis=axis)
                for x, ends in ((hole, a), (mask, b), (counts, b))
            )
            pairs, near = pairs + (first & known).sum(), near + (first & second).sum()
        side = seen * pairs / jnp.maximum(near, 1)
        sides.append(jnp.where((near == 0) & (pairs > 0), size, jnp.clip(side, 1, size)))
    return jnp.stack(sides).astype(jnp.float32)


def boxes(
    key: PRNGKey, shape: tuple[int, ...], sides: Float[Array, "axes"]
) -> Float[Array, "n *event"]:
    """A number in [0, 1) for each box of a grid of boxes with these sides, laid at random.

    An axis is not divided where a side is as long as that.
    """
    k_place, k_score = jax.random.split(key)
    n, *event = shape
    score = random.uniform(k_score, shape)
    begin = random.uniform(k_place, (n, len(event)))

    def one(score, begin):
        labels = [
            jnp.where(side < size, jnp.floor(jnp.arange(size) / side + start), 0).astype(int)
            for size, side, start in zip(event, sides, begin, strict=True)
        ]
        return score[jnp.ix_(*labels)]

    return jax.vmap(one)(score, begin)


Pair = tuple[Bool[Array, "n *event"], Bool[Array, "n *event"]]


def hole_shaped(share: float = 0.1, query: str = "rest") -> Split:
    r"""About a tenth of what is observed is hidden, in boxes as large as the holes of the data.

    Contexts are nearly as dense as the masks, so that what is learned or chosen on them holds for
    the masks. With :math:`o_i` for "entry i is observed", the side of a box along an axis is

    .. math:: s = \frac{P(o_i)}{P(o_{i \pm 1} \mid \neg o_i)}

    which is 1 where entries are missing apart from each other, however few are observed; the side
    of holes that are blocks; and the whole axis where no missing entry has an observed neighbour
    along it, as along time where masks are static. Places that are observed at no time do not count
    if others come and go: land has no shape of a hole.

    Args:
        share: of the observed entries, about, in (0, 1); at least one box is hidden.
        query: the `rest` of what is observed, or `all` of it.

    Returns:
        The split. A sample of which less than half would be left is asked nothing.

    Raises:
        OptionError: no such query, or a share out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jax.random.bernoulli(jax.random.key(0), 0.1, (4, 1, 32, 32, 1))
        >>> context, query = hole_shaped()(jax.random.key(1), mask)
        >>> bool(0.05 < query.sum() / mask.sum() < 0.15)
        True

    Source: ours.
    """
    if query not in ("rest", "all"):
        raise OptionError(f"query is {query!r}; expected rest or all")
    if not 0 < share < 1:
        raise OptionError(f"share is {share}; expected a share in (0, 1)")

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        score = boxes(key, mask.shape, hole_sides(mask))
        first = jnp.where(mask, score, 2.0).min(axis=tuple(range(1, mask.ndim)), keepdims=True)
        context = mask & (score >= share) & (score > first)
        return enough_left(context, mask, query, 0.5)

    return split


def enough_left(context: jax.Array, mask: jax.Array, query: str, least: float) -> Pair:
    """The split by a context, for samples of which it leaves enough; others are asked nothing."""
    axes = tuple(range(1, mask.ndim))
    left, whole = (part.sum(axis=axes, keepdims=True) for part in (context, mask))
    enough = left >= least * whole
    asked = mask if query == "all" else mask & ~context
    return jnp.where(enough, context, mask), enough & asked

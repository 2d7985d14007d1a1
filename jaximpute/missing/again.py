"""Observed entries hidden once more, in holes like those that the data have."""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute._errors import OptionError
from jaximpute.maths import hole_boxes
from jaximpute.missing.patterns import resample_own
from jaximpute.types import PRNGKey, Split


def hidden_again(
    key: PRNGKey, mask: Bool[Array, "n *event"], share: float
) -> Bool[Array, "n *event"]:
    """Of the holes that the data lend themselves, so many that a share is hidden, each whole.

    Rows of a table borrow the holes of other rows, where these leave half of what is observed;
    channels of a series their own gaps, moved along time; images and fields boxes as large as their
    holes. With all the holes that can be borrowed, the square of the share observed would be left,
    on which methods may rank otherwise than on the data. Where there are no holes, single entries
    are hidden.

    Args:
        key: of the choice.
        mask: True = observed: `(n, columns)`, `(n, time, channels)`, or of images and fields.
        share: of the observed entries to hide, in (0, 1); at most, where there are fewer holes.

    Returns:
        True = to be hidden; all of it was observed.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jax.random.bernoulli(jax.random.key(0), 0.7, (500, 4))
        >>> hidden = hidden_again(jax.random.key(1), mask, 0.1)
        >>> bool(0.05 < hidden.sum() / mask.sum() < 0.15), bool((hidden & ~mask).any())
        (True, False)
    """
    chex.assert_type(mask, bool)
    chex.assert_rank(mask, {2, 3, 4, 5})
    if mask.ndim > 3:
        return hole_boxes.hole_shaped(share)(key, mask)[1]
    k_lend, k_keep, k_single = jax.random.split(key, 3)
    lent = ~resample_own(mask)(k_lend, mask.astype(jnp.float32))
    single = mask & (jax.random.uniform(k_single, mask.shape) < share)
    if mask.ndim == 2:  # whole rows
        enough = 2 * (mask & ~lent).sum(1, keepdims=True) >= mask.sum(1, keepdims=True)
        unit = jax.random.uniform(k_keep, (len(mask), 1))
    else:  # whole gaps, known by where they begin
        enough = jnp.ones((len(mask), 1, mask.shape[2]), bool)
        steps = jnp.arange(mask.shape[1])[None, :, None]
        begin = jax.lax.cummax(jnp.where(lent & ~jnp.roll(lent, 1, axis=1), steps, 0), axis=1)
        unit = jnp.take_along_axis(jax.random.uniform(k_keep, mask.shape), begin, axis=1)
    hidden = mask & lent & enough
    odds = share * (mask & enough).sum() / jnp.maximum(hidden.sum(), 1)
    borrowed = jnp.where(enough, hidden & (unit < odds), single)
    return jnp.where(mask.all(), single, borrowed)


def again(share: float = 0.1) -> Split:
    """`hidden_again` as a split: what stays is shown, what is hidden is asked for.

    Args:
        share: see `hidden_again`.

    Returns:
        The split.

    Raises:
        OptionError: a share out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jax.random.bernoulli(jax.random.key(0), 0.7, (500, 4))
        >>> shown, asked = again()(jax.random.key(1), mask)
        >>> bool(((shown | asked) == mask).all()), bool((shown & asked).any())
        (True, False)
    """
    if not 0 < share < 1:
        raise OptionError(f"share is {share}; expected 0 < share < 1")

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]):
        hidden = hidden_again(key, mask, share)
        return mask & ~hidden, hidden

    return split

"""A split that asks for what is missing elsewhere: the data's own gaps, whole, at other times."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.types import PRNGKey, Split

_MOVES = 8  # that the gaps of one split are taken from


def moved_gaps(share: float = 0.1) -> Split:
    r"""The gaps of series `(n, time, d)`, moved in time and to other series.

    The whole mask is moved several times, and of each move some gaps are taken, so what is asked
    for has the lengths that gaps have. Gaps that begin together in several channels are taken
    together as often as channels lack the same steps beyond chance, which is the intraclass
    correlation of what is missing. A gap that comes to lie on others asks for the rest.

    Args:
        share: of the observed entries asked for, in (0, 1); fewer where there are few gaps.

    Returns:
        The split. Where nothing is missing, single entries are asked for.

    Raises:
        OptionError: a share out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> step = jnp.arange(1000)[None, :, None]
        >>> mask = (step % 100) > 4  # gaps of five steps
        >>> context, query = moved_gaps(0.1)(jax.random.key(0), mask)
        >>> bool(((context | query) == mask).all()), 0.05 < float(query.mean()) < 0.15
        (True, True)
    """
    if not 0 < share < 1:
        raise OptionError(f"share is {share}; expected 0 < share < 1")

    def split(key: PRNGKey, mask: Bool[Array, "n time d"]):
        k_moves, k_single = jax.random.split(key)
        n, time, d = mask.shape
        step = jnp.arange(time)[None, :, None]
        observed, together = jnp.maximum(mask.sum(), 1), _together(mask)

        def one(number):
            own_keys = jax.random.split(jax.random.fold_in(k_moves, number), 5)
            k_row, k_move, k_gap, k_own, k_coin = own_keys
            apart = time // 8 if n == 1 else 0  # a series is not to meet its own gaps
            move = jax.random.randint(k_move, (), apart, max(time - apart, apart + 1))
            other = jnp.roll(mask[jax.random.permutation(k_row, n)], move, axis=1)
            begin = jax.lax.cummax(jnp.where(other, step + 1, 0), axis=1)
            shared = random.bernoulli(k_coin, together, (n, time + 1, 1))
            luck = random.uniform(k_own, (n, time + 1, d))
            luck = jnp.where(shared, random.uniform(k_gap, shared.shape), luck)
            luck = jnp.take_along_axis(luck, begin, axis=1)
            offered = mask & ~other
            likely = share * observed / (_MOVES * jnp.maximum(offered.sum(), 1))
            return offered & (luck < likely)

        moved = jax.lax.map(one, jnp.arange(_MOVES)).any(axis=0)
        single = mask & random.bernoulli(k_single, share, mask.shape)
        query = jnp.where(moved.any(), moved, single)
        return mask & ~query, query

    return split


def _together(mask: Bool[Array, "n time d"]) -> Float[Array, ""]:
    """The intraclass correlation of what channels lack at a step; 1 for one channel."""
    d = mask.shape[-1]
    if d == 1:
        return jnp.ones(())
    missing = 1 - mask.mean(axis=(0, 1))
    spread = jnp.maximum((missing * (1 - missing)).mean(), 1e-6)
    deviation = (~mask - missing[None, None]).mean(-1)
    return jnp.clip((d * (deviation**2).mean() / spread - 1) / (d - 1), 0, 1)

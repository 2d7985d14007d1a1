"""How much of a learned correction to believe, by entries that neither chose nor taught it."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_SURE = 2.0  # standard errors


class Choice(NamedTuple):
    """What was chosen, and by what.

    Attributes:
        share: of the correction to add.
        before: mean error without it.
        after: with it; where it is chosen on one half of the parts, the error is of the other.
        doubt: standard error of their difference.
    """

    share: Float[Array, ""]
    before: Float[Array, ""]
    after: Float[Array, ""]
    doubt: Float[Array, ""]


def believe(
    missed: Float[Array, "*shape"],
    said: Float[Array, "*shape"],
    where: Bool[Array, "*shape"],
    part: Int[Array, "*shape"],
    parts: int,
    *,
    power: int = 1,
    sure: float = _SURE,
) -> Choice:
    r"""The share `s` of a correction that makes the mean of :math:`|m - s\,c|^p` least; pure.

    With the errors summed over each part, `s` is chosen on the even parts and measured on the odd
    ones, and the other way round. If what is gained so is more than `sure` standard errors of the
    parts, the share is that of all parts together; otherwise it is 0. Entries near to each other
    err alike, so a part should be wider than the reach of an error.

    Args:
        missed: truth less the base's answer, :math:`m`.
        said: the correction, :math:`c`.
        where: the entries that count. The correction has not learned from them.
        part: of each entry, a number below `parts`.
        parts: number of them, at least 2.
        power: 1 or 2.
        sure: standard errors.

    Returns:
        The choice; a share of 0 where nothing counts.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> missed = jax.random.normal(jax.random.key(0), (400,))
        >>> part, all_of_it = jnp.arange(400) // 10, jnp.ones(400, bool)
        >>> float(believe(missed, missed, all_of_it, part, 40).share)
        1.0
        >>> float(believe(missed, missed[::-1], all_of_it, part, 40).share)
        0.0

    Source: Stone, "Cross-validatory choice and assessment of statistical predictions" (1974).
    """
    chex.assert_equal_shape([missed, said, where, part])
    shares = jnp.asarray(SHARES, missed.dtype)
    off = jax.lax.map(lambda share: jnp.abs(missed - share * said) ** power, shares)
    return prefer(off, SHARES, where, part, parts, sure=sure)


def prefer(
    errors: Float[Array, "k *shape"],
    shares: tuple[float, ...],
    where: Bool[Array, "*shape"],
    part: Int[Array, "*shape"],
    parts: int,
    *,
    sure: float = _SURE,
) -> Choice:
    r"""`believe`, of answers whose errors are given; pure.

    Args:
        errors: of the answer with each of the shares, such as scores of draws.
        shares: rising, the first is 0.
        where: the entries that count.
        part: of each entry.
        parts: number of them.
        sure: standard errors.

    Returns:
        The choice.

    Example:
        >>> import jax.numpy as jnp
        >>> errors = jnp.stack([jnp.full(40, 0.5), jnp.full(40, 0.4)])
        >>> every = jnp.ones(40, bool)
        >>> float(prefer(errors, (0.0, 1.0), every, jnp.arange(40) // 10, 4).share)
        1.0
    """
    chex.assert_shape(errors, (len(shares), *where.shape))
    chex.assert_equal_shape([where, part])

    def summed(off):
        return jax.ops.segment_sum(jnp.where(where, off, 0).ravel(), part.ravel(), parts)

    each = jnp.stack([summed(off) for off in errors])
    count = jax.ops.segment_sum(where.ravel().astype(each.dtype), part.ravel(), parts)
    return among(each, count, shares, sure=sure)


def among(
    each: Float[Array, "shares parts"],
    count: Float[Array, "parts"],
    shares: tuple[float, ...] = SHARES,
    *,
    sure: float = _SURE,
) -> Choice:
    """One of several shares by what each costs in each part, as `believe` chooses it; pure.

    Args:
        each: errors or scores of each share, summed over each part; the first is of no correction.
        count: what was counted in each part, by which sums become means.
        shares: rising, the first is 0.
        sure: standard errors.

    Returns:
        The choice; a share of 0 where nothing counts.

    Example:
        >>> import jax.numpy as jnp
        >>> each = jnp.linspace(2.0, 1.0, 5)[:, None] * jnp.ones((1, 40))
        >>> float(among(each, jnp.ones(40)).share)
        1.0
    """
    total = jnp.maximum(count.sum(), 1)
    even = jnp.arange(each.shape[1]) % 2 == 0
    # the first of several that are alike is the least share
    on_even, on_odd = (jnp.argmin((each * half[None]).sum(1)) for half in (even, ~even))
    measured = jnp.where(even, each[on_odd], each[on_even])
    gain = (each[0] - measured).sum() / total
    doubt = jnp.sqrt(((each[0] - measured - gain * count) ** 2).sum()) / total
    chosen = gain > sure * doubt
    before = each[0].sum() / total
    share = jnp.where(chosen, jnp.asarray(shares, each.dtype)[jnp.argmin(each.sum(1))], 0)
    return Choice(share, before, jnp.where(chosen, before - gain, before), doubt)


def undecided(error: Float[Array, ""]) -> Choice:
    """Nothing is believed yet, and the error is the base's."""
    # buffers of their own, which a run may give away
    return Choice(jnp.zeros_like(error), error, jnp.array(error), jnp.zeros_like(error))


def metrics(choice: Choice, power: int = 1) -> dict[str, Float[Array, ""]]:
    """What an info reports of a choice: both errors, of squared ones the root, and the share."""
    before, after = (jnp.sqrt(e) if power == 2 else e for e in (choice.before, choice.after))
    return {"start_error": before, "error": after, "share": choice.share}


def told(choice: Choice, base: str, learned: str, name: str, power: int = 1) -> dict[str, Any]:
    """What a report says of a choice: the weights of what answers, and the errors of both answers.

    Example:
        >>> told(Choice(0.25, 0.4, 0.3, 0.0), "gaussian", "flow", "miri")["weights"]
        {'gaussian': 0.75, 'flow': 0.25}
    """
    share, before, after = (float(a) for a in (choice.share, choice.before, choice.after))
    return {
        "weights": {base: round(1 - share, 3), learned: round(share, 3)},
        "errors": {base: round(before ** (1 / power), 4), name: round(after ** (1 / power), 4)},
    }


def either(first: Bool[Array, ""], new: Any, old: Any) -> Any:
    """The first of two alike trees, or the second: what is kept of two passes."""
    return jax.tree.map(lambda a, b: jnp.where(first, a, b), new, old)

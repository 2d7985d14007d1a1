r"""The exposure audit: whether a split can teach every place it will be asked to fill."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import DataError
from jaximpute.types import PRNGKey, Split

_ROWS = 64  # masks split in one call
_ENOUGH = 30  # contexts to estimate a probability from


class Exposure(NamedTuple):
    """How often a place outside the context is asked for.

    Attributes:
        probability: P(query | context) of each place; NaN where the place was always shown.
        minimum: the least of them.
        place: where that is, an index of the event.
        radius: places around a place that had to be outside the context, too, at most.
        refused: indices of the places that can never be learned; empty unless `strict` is false.
    """

    probability: Float[np.ndarray, "*event"]
    minimum: float
    place: tuple[int, ...]
    radius: int
    refused: Int[np.ndarray, "k axes"]


def exposure_audit(
    split: Split,
    masks: Bool[Array | np.ndarray, "n *event"],
    *,
    key: PRNGKey,
    draws: int = 4096,
    radius: int | None = None,
    where: Bool[Array | np.ndarray, "*event"] | None = None,
    least: float = 0.0,
    strict: bool = True,
) -> Exposure:
    r"""Estimate, by Monte Carlo, how often each place is asked for when it is not shown.

    .. math:: e_i = P\big(i \in \mathrm{query} \mid
        \text{context empty within } r \text{ pixels of } i\big)

    over the masks and the split. Theorem 1 asks for a positive probability given each whole
    context, which no sample can estimate where contexts never recur. An empty neighbourhood is what
    a hole looks like from the inside: with `radius=0` a split that drops single pixels from blocks
    passes, and with the radius of the holes it does not, since no block is ever empty to it. Where
    contexts were hardly ever as empty, :math:`r` shrinks.

    Args:
        split: `(key, mask) -> (context, query)`.
        masks: masks as they occur, True = observed.
        key: of the draws.
        draws: splits drawn, at least as many as there are masks for each to be used.
        radius: `r`, along the two axes before the last; None = the median distance from a missing
            place to the edge of its hole. 0 looks at the place alone, as it must for data that are
            no fields.
        where: places that matter; all by default. Land in a sea field is not one.
        least: the probability that is still too small.
        strict: whether places that can never be learned are an error; otherwise they are listed.

    Returns:
        The probabilities and their minimum.

    Raises:
        DataError: some place can never be learned; the message names the first of them.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaximpute.methods.papers.context_query.partitions import block
        >>> mask = jnp.full((4, 1, 6, 6, 1), True).at[:, :, :2, :2].set(False)
        >>> mask = mask.at[2:].set(mask[:2, :, ::-1])
        >>> round(exposure_audit(block(), mask, key=jax.random.key(0)).minimum, 1) > 0
        True

    Source: "Incomplete Data, Complete Dynamics" (ICLR 2026), Theorem 1 and Principle 1. The audit
    is ours.
    """
    seen = np.asarray(masks)
    if seen.ndim < 2 or len(seen) == 0:
        raise DataError(f"masks have shape {seen.shape}; expected samples along the first axis")
    fields = seen.ndim >= 4
    reach = (_depth(seen) if fields else 0) if radius is None else radius

    @jax.jit
    def tally(key, mask):
        context, query = split(key, mask)
        empty = [~_near(context, r) if r else ~context for r in range(reach + 1)]
        return (
            jnp.stack([one.sum(0) for one in empty]),
            jnp.stack([(one & query).sum(0) for one in empty]),
        )

    order = np.resize(np.arange(len(seen)), max(1, -(-draws // _ROWS)) * _ROWS)
    hidden = asked = np.zeros((reach + 1, *seen.shape[1:]))
    for i, batch in enumerate(order.reshape(-1, _ROWS)):
        counts = tally(jax.random.fold_in(key, i), jnp.asarray(seen[batch]))
        hidden, asked = hidden + np.asarray(counts[0]), asked + np.asarray(counts[1])
    # the widest neighbourhood that was empty often enough
    enough = np.maximum(np.sum(np.cumprod(hidden >= _ENOUGH, axis=0), axis=0) - 1, 0)
    hidden, asked = (np.take_along_axis(v, enough[None], axis=0)[0] for v in (hidden, asked))
    with np.errstate(invalid="ignore"):
        probability = asked / hidden
    matters = np.full(hidden.shape, True) if where is None else np.asarray(where)
    # a place that is never hidden needs no answer, unless it is never there to be shown
    matters = matters & ((hidden > 0) | ~seen.any(axis=0))
    low = np.where(np.isnan(probability), 0.0, probability)
    bad = np.argwhere(matters & (low <= least))
    if len(bad) and strict:
        raise DataError(_message(bad, seen, int(matters.sum()), reach))
    if not matters.any():
        return Exposure(probability, 1.0, (0,) * hidden.ndim, reach, bad)
    place = np.unravel_index(np.argmin(np.where(matters, low, np.inf)), low.shape)
    return Exposure(probability, float(low[place]), tuple(int(i) for i in place), reach, bad)


def _near(context: Bool[Array, "n *event"], reach: int) -> Bool[Array, "n *event"]:
    """Whether anything within `reach` of a place is shown."""
    for axis in (-3, -2):
        window = [1] * context.ndim
        window[axis] = 2 * reach + 1
        context = jax.lax.reduce_window(
            context, False, jax.lax.bitwise_or, window, (1,) * context.ndim, "SAME"
        )
    return context


def _depth(seen: np.ndarray) -> int:
    """The median distance, in pixels, from a missing place to the nearest observed one, less 1."""
    holes = np.asarray(~seen.any(axis=(*range(1, seen.ndim - 3), seen.ndim - 1)))
    holes = holes[~holes.all(axis=(1, 2))]  # nothing bounds these
    total, deep = int(holes.sum()), 0
    while total and np.sum(inner := _shrink(holes)) * 2 > total:
        holes, deep = inner, deep + 1
    return deep


def _shrink(holes: np.ndarray) -> np.ndarray:
    """Holes less their rim; the border of the field is no rim."""
    _, h, w = holes.shape
    padded = np.pad(holes, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    return np.all([padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)


def _message(bad: np.ndarray, seen: np.ndarray, total: int, reach: int) -> str:
    listed = ", ".join(str(tuple(int(i) for i in place)) for place in bad[:5])
    never = int(np.asarray(~seen.any(axis=0))[tuple(bad.T)].sum())
    why = (
        f"{never} of them are observed in no sample: leave them out with `where`"
        if never
        else "the split never asks for them when they are hidden: choose one that hides whole holes"
        f" (the context was empty within {reach} pixels)"
    )
    return (
        f"{len(bad)} of {total} places can never be learned, first {listed}; expected each to be "
        f"asked for with a positive probability under the contexts that hide it. {why}"
    )

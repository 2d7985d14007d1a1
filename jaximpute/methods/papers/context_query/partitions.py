r"""Partitions of fields: which observed places a model is shown, and which it must answer for.

Each maker returns a `Split`, `(key, mask) -> (context, query)`, for masks of fields
`(n, time, y, x, channels)` or images `(n, y, x, channels)`. Both parts lie in the mask; unlike
those of `jaximpute.maths.splits` they may overlap. A model that is asked for entry :math:`i` with
positive probability given any context it is shown, learns :math:`\mathbb{E}[x_i \mid
\mathrm{context}]` from incomplete samples alone (Theorem 1 of the paper below); `exposure_audit`
measures that probability.

Zhou, Wang, Ye, Guan and Yu, "Incomplete Data, Complete Dynamics: A Diffusion Approach" (ICLR 2026),
Algorithms 5 and 6, section H.2.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.maths.hole_boxes import Pair, enough_left
from jaximpute.maths.hole_boxes import hole_shaped as hole_shaped
from jaximpute.methods.papers.context_query.units import Share, Units, choose_units, drawn_share
from jaximpute.types import PRNGKey, Split

# what is asked for: `rest` of what is observed, `all` that is observed, or units of its own
Query = str | float


def pixel(context: Share = 0.7, query: Query = "all", *, shared: bool = True) -> Split:
    """Single places at random, each with the same probability (Algorithm 5).

    Args:
        context: share of the observed places that is shown, in (0, 1]; a pair `(low, high)` draws
            the share anew for each sample.
        query: `all` that is observed, the `rest` of it outside the context, or a share in (0, 1] of
            it that is drawn independently, as Algorithm 5 prints.
        shared: whether a place is shown in all frames and channels or in none, as static masks
            observe it. With False each frame is drawn apart, as in the authors' code: over many
            frames the context then gives the mask away, and with it which places are never asked.

    Returns:
        The split.

    Raises:
        OptionError: shares out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.full((1, 4, 8, 8, 2), True)
        >>> context, query = pixel(0.5, "rest")(jax.random.key(0), mask)
        >>> bool((context | query).all()), bool((context == context[:, :1, :, :, :1]).all())
        (True, True)
    """
    return _partition(Units(1 if shared else None, None, None), context, query)


def block(
    grid: tuple[int, int] = (3, 3), context: Share | int | None = None, query: Query | int = "rest"
) -> Split:
    """Whole blocks of a grid: by default all that are observed but one, which is asked for.

    Block `i` of `k` along an axis of length `h` starts at `i * (h // k)`; the last takes the
    remainder.

    Args:
        grid: number of blocks along y and x.
        context: how many of the observed blocks are shown: a number, a share of them, or None for
            all but one.
        query: the `rest` of the observed blocks (the rule of the authors' code), `all` of them,
            or a number of blocks drawn independently of the context, as Algorithm 6 prints; most
            of those are among the blocks shown, from which nothing is learned about holes.

    Returns:
        The split.

    Raises:
        OptionError: numbers or shares out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> context, query = block((2, 2))(jax.random.key(0), jnp.full((1, 1, 4, 4, 1), True))
        >>> int(context.sum()), int(query.sum()), bool((context & query).any())
        (12, 4, False)
    """
    return _partition(Units(1, *grid), context, query)


def rows(context: Share = 0.7, query: Query = "rest") -> Split:
    """Whole rows of pixels (one y, every x); see `pixel` for the arguments.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> context, _ = rows(0.5)(jax.random.key(0), jnp.full((1, 1, 8, 4, 1), True))
        >>> sorted({int(row.sum()) for row in context[0, 0, :, :, 0]})
        [0, 4]
    """
    return _partition(Units(1, None, 1), context, query)


def columns(context: Share = 0.7, query: Query = "rest") -> Split:
    """Whole columns of pixels (one x, every y); see `pixel` for the arguments.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> context, _ = columns(0.5)(jax.random.key(0), jnp.full((1, 1, 4, 8, 1), True))
        >>> sorted({int(column.sum()) for column in context[0, 0, :, :, 0].T})
        [0, 4]
    """
    return _partition(Units(1, 1, None), context, query)


def time_block(
    stretches: int = 4, context: Share | int | None = None, query: Query | int = "rest"
) -> Split:
    """Whole stretches of frames, for fields whose holes come and go; see `block`.

    Args:
        stretches: number of stretches of equal length into which time is cut.
        context: see `block`.
        query: see `block`.

    Returns:
        The split.

    Raises:
        OptionError: numbers or shares out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> _, query = time_block(2)(jax.random.key(0), jnp.full((1, 4, 2, 2, 1), True))
        >>> query[0].any(axis=(1, 2, 3)).sum().item()
        2
    """
    return _partition(Units(stretches, 1, 1), context, query)


def swath(width: Share = (0.1, 0.4), query: str = "rest") -> Split:
    """A straight band across the field, as between two passes of a satellite, is hidden.

    Args:
        width: of the band, as a share of the diagonal, in (0, 1]; a pair draws it for each sample.
        query: the band (`rest`), or `all` that is observed.

    Returns:
        The split; place and direction of the band are uniform.

    Raises:
        OptionError: widths out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> context, query = swath()(jax.random.key(0), jnp.full((4, 1, 16, 16, 1), True))
        >>> bool((context ^ query).all()), bool(query.any())
        (True, True)
    """
    _check(context=width, query=query, numbers=False)

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        k_width, k_angle, k_place = jax.random.split(key, 3)
        h, w = mask.shape[-3:-1]
        shape = (mask.shape[0], 1, 1)
        y = (jnp.arange(h) - (h - 1) / 2).reshape(1, h, 1)
        x = (jnp.arange(w) - (w - 1) / 2).reshape(1, 1, w)
        diagonal = (h**2 + w**2) ** 0.5
        half = drawn_share(k_width, width, shape) * diagonal / 2
        angle = random.uniform(k_angle, shape, maxval=jnp.pi)
        place = random.uniform(k_place, shape, minval=-0.5, maxval=0.5) * diagonal / 2
        away = jnp.abs(x * jnp.cos(angle) + y * jnp.sin(angle) - place)
        plane = (away >= half).reshape(-1, *(1,) * (mask.ndim - 4), h, w, 1)
        context = mask & plane
        return context, mask if query == "all" else mask & ~context

    return split


def own(
    masks: Bool[Array, "m *event"] | None = None, query: str = "rest", *, least: float = 0.0
) -> Split:
    """What another sample lacks is hidden: holes as the data have them, whatever their law.

    Of masks that observe a share `r` of the places by chance the context keeps `r ** 2`, far less
    than a model is fed in the end where `r` is small; see `hole_shaped`.

    Args:
        masks: the masks to borrow holes from; None = those of the batch itself.
        query: the `rest` of what is observed, or `all` of it.
        least: share of what a sample observes that must be left, in [0, 1]; one that would be left
            with less is shown everything and asked nothing.

    Returns:
        The split. A sample that borrows its own holes is asked nothing (with `rest`).

    Raises:
        OptionError: no such query, or a share out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> hole = jnp.full((1, 1, 2, 2, 1), True).at[0, 0, 0, 0].set(False)
        >>> _, query = own(hole)(jax.random.key(0), jnp.full((1, 1, 2, 2, 1), True))
        >>> query[0, 0, :, :, 0].tolist()
        [[True, False], [False, False]]
    """
    _check(context=None, query=query, numbers=False)
    if not 0 <= least <= 1:
        raise OptionError(f"least is {least}; expected a share in [0, 1]")

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        bank = mask if masks is None else masks
        context = mask & bank[jax.random.randint(key, mask.shape[:1], 0, bank.shape[0])]
        return enough_left(context, mask, query, least)

    return split


def mixed(*partitions: Split) -> Split:
    """One of several partitions for each sample, with equal odds.

    What any of them would learn is learned, so a mixture is the safe choice for masks of a law that
    is not known.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> split = mixed(block(), pixel(0.5, "rest"))
        >>> context, query = split(jax.random.key(0), jnp.full((2, 1, 6, 6, 1), True))
        >>> bool((context ^ query).all())
        True
    """

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        k_which, *keys = jax.random.split(key, 1 + len(partitions))
        which = jax.random.randint(k_which, (mask.shape[0],), 0, len(partitions))
        context = query = jnp.zeros_like(mask)
        for i, (k, partition) in enumerate(zip(keys, partitions, strict=True)):
            here = (which == i).reshape(-1, *(1,) * (mask.ndim - 1))
            shown, asked = partition(k, mask)
            context, query = jnp.where(here, shown, context), jnp.where(here, asked, query)
        return context, query

    return split


def first_of(*partitions: Split) -> Split:
    """For each sample the first of several partitions that asks it for anything.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> alike = jnp.full((2, 1, 6, 6, 1), True)  # no sample has holes to lend
        >>> _, query = first_of(own(), block())(jax.random.key(0), alike)
        >>> query.sum(axis=(1, 2, 3, 4)).tolist()
        [4, 4]
    """

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        keys = jax.random.split(key, len(partitions))
        context, query = mask, jnp.zeros_like(mask)
        for k, partition in zip(keys, partitions, strict=True):
            asked = query.any(axis=tuple(range(1, mask.ndim)), keepdims=True)
            pair = partition(k, mask)
            context, query = (
                jnp.where(asked, *both) for both in zip((context, query), pair, strict=True)
            )
        return context, query

    return split


def missdiff(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
    """All that is observed is shown and asked for: MissDiff (Ouyang et al., 2023).

    A place that is missing is never asked for under the context it is missing from, so what a
    network answers there is whatever it started from, or what its architecture carries over.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.array([True, False]).reshape(1, 1, 1, 2, 1)
        >>> context, query = missdiff(jax.random.key(0), mask)
        >>> bool((context == mask).all()), bool((query == mask).all())
        (True, True)
    """
    del key
    return mask, mask


def ambient(context: Share = 0.7, *, shared: bool = True) -> Split:
    """Observed places are dropped at random and all that is observed is asked for: AmbientDiff.

    Daras et al., "Ambient Diffusion" (2023). The same as `pixel(context, "all")`; the method of
    that name also feeds one context, not the average over several.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.full((1, 1, 8, 8, 1), True)
        >>> _, query = ambient(0.5)(jax.random.key(0), mask)
        >>> bool(query.all())
        True
    """
    return pixel(context, "all", shared=shared)


def complete(masks: Bool[Array, "m *event"]) -> Split:
    """For complete data, as a reference: shown under one of `masks`, asked for everything.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> masks = jnp.array([True, False]).reshape(1, 1, 1, 2, 1)
        >>> context, query = complete(masks)(jax.random.key(0), jnp.ones_like(masks))
        >>> context.ravel().tolist(), query.ravel().tolist()
        ([True, False], [True, True])
    """
    return own(masks, "all")


def _partition(units: Units, context: Share | int | None, query: Query | int) -> Split:
    _check(context=context, query=query, numbers=True)

    def split(key: PRNGKey, mask: Bool[Array, "n *event"]) -> Pair:
        k_context, k_query = jax.random.split(key)
        shown = mask & choose_units(k_context, mask, units, context)
        if query == "all":
            return shown, mask
        if query == "rest":
            return shown, mask & ~shown
        return shown, mask & choose_units(k_query, mask, units, query)

    return split


def _check(*, context: Share | int | None, query: Query | int, numbers: bool) -> None:
    for name, value in {"context": context, "query": query}.items():
        if isinstance(value, str):
            if value not in ("rest", "all"):
                wanted = "rest, all or a share" if numbers else "rest or all"
                raise OptionError(f"{name} is '{value}'; expected {wanted}")
        elif isinstance(value, int):
            if value < 1:
                raise OptionError(f"{name} is {value}; expected at least 1 block, or a share")
        elif value is not None:
            low, high = value if isinstance(value, tuple) else (value, value)
            if not 0 < high <= 1 or not 0 <= low <= high:
                raise OptionError(f"{name} is {value}; expected a share in (0, 1], or (low, high)")

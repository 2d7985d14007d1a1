"""Entries that go missing together: gaps in time, and the patterns of the data's own mask."""

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute._errors import DataError, OptionError
from jaximpute.maths import random
from jaximpute.missing._common import Missing, check_rate, spare
from jaximpute.types import PRNGKey

Law: TypeAlias = Literal["geometric", "fixed"]


def block(
    p: float, *, length: int | float = 8, law: Law = "geometric", together: bool = False
) -> Missing:
    r"""Contiguous gaps along the time axis of series `(n, time, channels)`.

    An alternating renewal process, begun in equilibrium so that every time step is hidden with
    probability `p`: an observed step is followed by a gap with probability
    :math:`p / ((1 - p) L)`, and a gap lasts :math:`L` steps on average, after which at least one
    step is observed. Gaps cut by the ends of the series appear shorter.

    Args:
        p: expected share of entries hidden, in (0, 1).
        length: :math:`L`, mean length of a gap in steps, at least 1 and at least `p / (1 - p)`; a
            whole number for the `fixed` law.
        law: of gap lengths: `geometric`, or `fixed` for all of the same length.
        together: hide all channels of a series at the same times, as a failing logger does;
            otherwise each channel on its own.

    Returns:
        `(key, x) -> mask`, True = observed; it raises `DataError` unless `x` has three axes.

    Raises:
        OptionError: an option out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = block(0.2, length=3, law="fixed")(jax.random.key(4), jnp.ones((1, 16, 1)))
        >>> "".join(".#"[m] for m in mask[0, :, 0].astype(int).tolist())
        '####...#########'
    """
    check_rate(p)
    if law not in ("geometric", "fixed"):
        raise OptionError(f"law is {law!r}; expected 'geometric' or 'fixed'")
    if length < 1 or (law == "fixed" and length != int(length)):
        raise OptionError(
            f"length is {length}; expected at least 1 step, and a whole number if law is 'fixed'"
        )
    begin = p / ((1 - p) * length)
    if begin > 1:
        raise OptionError(
            f"gaps of {length} steps, one observed step apart at least, cannot hide a share of "
            f"{p}; expected length >= {p / (1 - p):.3g}"
        )

    def lengths(key, shape):
        if law == "fixed":
            return jnp.full(shape, int(length), jnp.int32)
        return jax.random.geometric(key, 1 / length, shape, jnp.int32)

    def residual(key, shape):
        """Steps left of a gap met at a random time; a geometric law has no memory."""
        if law == "fixed":
            return jax.random.randint(key, shape, 1, int(length) + 1)
        return lengths(key, shape)

    def simulate(key, x):
        if x.ndim != 3:
            raise DataError(
                f"block needs series (n, time, channels), and x has shape {x.shape}; for one "
                "series use x[None], for a table mcar, mar or mnar_self"
            )
        n, time, channels = x.shape
        shape = (n, 1 if together else channels)
        k_in, k_left, k_walk, k_spare = jax.random.split(key, 4)
        left = jnp.where(random.bernoulli(k_in, p, shape), residual(k_left, shape), 0)

        def walk(left, k):
            k_begin, k_length = jax.random.split(k)
            new = jnp.where(random.bernoulli(k_begin, begin, shape), lengths(k_length, shape), 0)
            return jnp.where(left > 0, left - 1, new), left > 0

        _, hidden = jax.lax.scan(walk, left, jax.random.split(k_walk, time))
        mask = jnp.broadcast_to(~jnp.swapaxes(hidden, 0, 1), x.shape)
        return spare(k_spare, mask)

    return simulate


def resample_own(mask: Bool[Array, "n *event"], *, together: bool = False) -> Missing:
    """Hide as the data itself is hidden: patterns borrowed from its own mask.

    In a table each row borrows the mask of a random other row, so that columns that go missing
    together still do. In series each channel borrows its own mask moved along time by a random
    circular shift, which keeps the lengths of its gaps (except that gaps at the two ends join, and
    one that crosses the end is cut in two).

    The result is what to hide on top of `mask`: observed in the end is `mask & result`, of which
    each column keeps at least one entry if `mask` has any. A borrowed gap that falls on a gap hides
    nothing more, so the share of observed entries that is hidden is about the share missing.

    Args:
        mask: the data's own, True = observed: `(n, columns)` or `(n, time, channels)`.
        together: shift all channels of a series by the same steps, so that gaps which channels
            share stay shared. No effect on tables.

    Returns:
        `(key, x) -> mask` for `x` of the shape of `mask`; it raises `DataError` for another shape.

    Raises:
        DataError: `mask` has neither two nor three axes.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> own = jnp.array([[[True], [False], [False], [True], [True], [True]]])
        >>> result = resample_own(own)(jax.random.key(0), jnp.ones((1, 6, 1)))
        >>> int((~result).sum())
        2
    """
    if mask.ndim not in (2, 3):
        raise DataError(
            f"mask has shape {mask.shape}; expected (n, columns) or (n, time, channels)"
        )

    def simulate(key, x):
        if x.shape != mask.shape:
            raise DataError(
                f"x has shape {x.shape} and the mask to resample {mask.shape}; expected the same"
            )
        k_borrow, k_spare = jax.random.split(key)
        borrowed = (
            _other_rows(k_borrow, mask) if x.ndim == 2 else _shifted(k_borrow, mask, together)
        )
        return borrowed | spare(k_spare, mask & borrowed, mask)

    return simulate


def _other_rows(key: PRNGKey, mask: Bool[Array, "n d"]) -> Bool[Array, "n d"]:
    n = mask.shape[0]
    step = jax.random.randint(key, (n,), 1, max(n, 2))
    return mask[(jnp.arange(n) + step) % n]


def _shifted(
    key: PRNGKey, mask: Bool[Array, "n time channels"], together: bool
) -> Bool[Array, "n time channels"]:
    n, time, channels = mask.shape
    shape = (n, 1, 1 if together else channels)
    shift = jax.random.randint(key, shape, 1, max(time, 2))
    steps = (jnp.arange(time)[None, :, None] + shift) % time
    return jnp.take_along_axis(mask, jnp.broadcast_to(steps, mask.shape), axis=1)

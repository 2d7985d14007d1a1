"""What the score of missing entries is conditioned on: the base's completion around them."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute.maths.seasons import season
from jaximpute.types import View
from jaximpute.views import identity

_NEAR = 6  # steps to either side over which changes are averaged
_WIDEST = 2048  # numbers of a window, at most
_HARMONICS = (1, 2, 3)
_LEAST = 1e-3  # of a standard deviation: a unit is no smaller


class Units(NamedTuple):
    """In what the network sees a completed series.

    Attributes:
        change: usual change of each channel from step to step, `(d,)`.
        usual: mean logarithm of the changes around a step, `(d,)`.
        period: steps of a season; 0 = none.
    """

    change: Float[Array, "d"]
    usual: Float[Array, "d"]
    period: Int[Array, ""]


class Surroundings(NamedTuple):
    """The conditions of the rows of a state.

    Attributes:
        view: the rows, which are steps of series.
        given: arrays whose rows `about` takes.
        about: `(*rows of given) -> (rows, width)`.
    """

    view: View
    given: tuple[jax.Array, ...]
    about: Callable[..., jax.Array]


def steps(shape: tuple[int, ...]) -> View:
    """The rows of a table, or every step of series as a row."""
    if len(shape) == 2:
        return identity(shape)
    n, time = shape[:2]
    return View(
        n * time,
        lambda x, i: x.reshape(n * time, *x.shape[2:])[i],
        lambda rows: rows.reshape(n, time, *rows.shape[1:]),
    )


def units(filled: Float[Array, "n *event"], weight: Float[Array, "n"]) -> Units:
    """Units of completed rows; those of tables are their columns' own."""
    d = filled.shape[-1]
    if filled.ndim == 2:
        return Units(jnp.ones(d), jnp.zeros(d), jnp.zeros((), jnp.int32))
    real = jnp.where(weight[:, None, None] > 0, jnp.diff(filled, axis=1), 0)
    total = jnp.maximum(weight.sum() * real.shape[1], 1)
    change = jnp.maximum(jnp.sqrt((real**2).sum((0, 1)) / total), _LEAST)
    usual = (jnp.where(weight[:, None, None] > 0, _changes(filled, change), 0)).sum((0, 1))
    usual = usual / jnp.maximum(weight.sum() * filled.shape[1], 1)
    return Units(change, usual, season(filled, weight))


def width(shape: tuple[int, ...], window: int) -> int:
    """How many numbers describe the surroundings of a row."""
    d = shape[-1]
    if len(shape) == 2:
        return 2 * d
    return d * (2 * (2 * _reach(d, window) + 1) + 6) + 2 * len(_HARMONICS)


def surroundings(
    filled: Float[Array, "n *event"], mask: Bool[Array, "n *event"], units: Units, window: int
) -> Surroundings:
    """The conditions of all rows.

    Of a table the completed row and its mask. Of a step of series, in order: the steps around it
    relative to it, in usual changes, and whether they are observed; how much the channels change
    around it; and where there is a season its level, the season before and after, and the phase.

    Args:
        filled: by the base, in standard deviations.
        mask: what the base saw.
        units: see `Units`.
        window: steps that are looked at, the row's own in the middle.
    """
    view = steps(filled.shape)
    if filled.ndim == 2:

        def whole(filled, mask):
            return jnp.concatenate([filled, mask.astype(filled.dtype)], axis=1)

        return Surroundings(view, (filled, mask), whole)
    n, time, d = filled.shape
    reach, change = _reach(d, window), units.change[None, None]
    around = jnp.arange(-reach, reach + 1)
    changes = _changes(filled, units.change) - units.usual[None, None]
    number = jnp.arange(n * time).reshape(n, time, 1)
    period = units.period

    def about(number):
        row, step = number[:, 0] // time, number[:, 0] % time
        here = filled[row, step]

        def at(shifts):
            there = step[:, None] + shifts[None]
            inside = ((there >= 0) & (there < time))[..., None]
            place = row[:, None], jnp.clip(there, 0, time - 1)
            relative = jnp.where(inside, (filled[place] - here[:, None]) / change, 0)
            return relative, mask[place] & inside

        near, seen = at(around)
        apart, known = at(jnp.stack([-period, period]))
        phase = 2 * jnp.pi * step / jnp.maximum(period, 1)
        turns = [turn(k * phase) for k in _HARMONICS for turn in (jnp.sin, jnp.cos)]
        clock = jnp.where(period > 0, jnp.stack(turns, axis=1), 0)
        # without a season levels need not come back, and would only tell the place
        level = jnp.where(period > 0, here, 0)
        parts = near, seen, level, changes[row, step], apart, known & (period > 0), clock
        return jnp.concatenate(
            [part.astype(filled.dtype).reshape(len(row), -1) for part in parts], axis=1
        )

    return Surroundings(view, (number,), about)


def _reach(d: int, window: int) -> int:
    return min(window, max(_WIDEST // d, 1)) // 2


def _changes(filled: Float[Array, "n time d"], change: Float[Array, "d"]) -> jax.Array:
    """Logarithms of the changes around each step, in usual ones."""
    squares = (jnp.diff(filled, axis=1) / change[None, None]) ** 2
    squares = jnp.pad(squares, ((0, 0), (1, 0), (0, 0)))
    box = (1, 2 * _NEAR + 1, 1)
    total = jax.lax.reduce_window(squares, 0.0, jax.lax.add, box, (1, 1, 1), "SAME")
    return jnp.log(total / (2 * _NEAR + 1) + 1e-4) / 2

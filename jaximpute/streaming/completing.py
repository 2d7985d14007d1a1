"""Blocks of data completed, or drawn several times, by what was learned."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.data import codec as coding
from jaximpute.engine import loop
from jaximpute.engine.precision import precision
from jaximpute.engine.rows import MOST_ROWS, complete_rows, draw_rows
from jaximpute.engine.threads import one_thread
from jaximpute.masking import from_nan
from jaximpute.maths.averages import middle
from jaximpute.streaming.learning import Learned, encoded, working
from jaximpute.tasks import report

_CELLS = 2**16  # of the rows that are completed together


class Completed(NamedTuple):
    """Cells completed, and which of them had to be brought within their bounds.

    Attributes:
        values: `(*shape)` cells, in which those of columns that are not learned stay missing; or
            several completions of them.
        clipped: `(*shape)` how often, of all random completions.
    """

    values: np.ndarray
    clipped: np.ndarray


def complete(learned: Learned, values: np.ndarray, most: int = MOST_ROWS) -> Completed:
    """Complete rows, each on its own: the answer does not depend on which others are given.

    Every compiled call has one shape, so that not even the rounding depends on how many there are.

    Args:
        learned: what `learn` returned.
        values: `(n, *event)` float64 cells, NaN where missing.
        most: rows in a compiled call, if they are small; fewer are padded to as many.

    Returns:
        `(n, *event)` cells.
    """

    def once(rows: np.ndarray, places: np.ndarray, batch: int) -> np.ndarray:
        estimate: Any = learned.method.estimate  # type: ignore[union-attr]
        return complete_rows(estimate, learned.key, learned.state, rows, batch)[None]

    done = _completions(learned, values, 1, once, most, drawn=False)
    return Completed(done.values[0], done.clipped)


def complete_together(learned: Learned, values: np.ndarray, number: int) -> Completed:
    """Complete rows from one another: a run of its own, of a method that can do no more.

    Args:
        learned: what `unlearned` returned.
        values: `(n, *event)` float64 cells, NaN where missing, of the shape it is for.
        number: of the block, for what is random.

    Returns:
        `(n, *event)` cells.

    Raises:
        DivergenceError: see `engine.loop.fit`.
    """
    flat = values.reshape(-1, values.shape[-1])
    matrix = encoded(learned.codec, values)
    plan = learned.plan
    if plan is not None and np.isnan(matrix).any():
        with precision(learned.codec.exact):
            data = from_nan(jnp.asarray(matrix))  # a block may show nothing of a column
        keys = jax.random.split(jax.random.fold_in(jax.random.clone(learned.key), number))
        with working(learned.codec, data, learned.name):
            state = loop.fit(
                plan.method,
                keys[0],
                data,
                plan.steps,
                chunk=plan.chunk,
                hooks=plan.hooks,
                **learned.words,
            )
            matrix = np.array(loop.complete(plan.method, keys[1], state, data))
        report.refuse_divergence(matrix, f"'{learned.name}'", "Take another method or seed")
    coded = matrix.reshape(len(flat), -1)
    decoded = coding.decode(learned.codec, coded, flat, drawn=False)
    clipped = coding.impossible(learned.codec, coded, flat).astype(int)
    return Completed(decoded.reshape(values.shape), clipped.reshape(values.shape))


def draw(
    learned: Learned, values: np.ndarray, n: int, first: int, most: int = MOST_ROWS
) -> Completed:
    """Draw rows several times, each on its own: its draws depend on its number and its cells.

    Args:
        learned: what `learn` returned, of a method that draws.
        values: `(rows, *event)` float64 cells, NaN where missing.
        n: number of draws.
        first: the number of the first row, which the others follow.
        most: see `complete`.

    Returns:
        `(1 + n, rows, *event)` cells: the median of the draws, and they.
    """

    def several(rows: np.ndarray, places: np.ndarray, batch: int) -> np.ndarray:
        method, key, state = learned.method, learned.key, learned.state
        many = draw_rows(method, key, state, rows, first + places, n, batch)  # type: ignore[arg-type]
        return np.concatenate([np.asarray(middle(many, learned.codec.categories))[None], many])

    done = _completions(learned, values, 1 + n, several, most, drawn=True)
    central = coding.middle(learned.codec, done.values[0], done.values[1:])
    return done._replace(values=np.concatenate([central[None], done.values[1:]]))


def _completions(
    learned: Learned,
    values: np.ndarray,
    number: int,
    completed: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
    most: int,
    *,
    drawn: bool,
) -> Completed:
    """So many completions of cells, from those of coded rows with holes and their places."""
    flat = values.reshape(-1, values.shape[-1])
    matrix = encoded(learned.codec, values)
    holed = np.flatnonzero(np.isnan(matrix).any(axis=tuple(range(1, matrix.ndim))))
    done = np.empty((number, 0, *matrix.shape[1:]), matrix.dtype)
    if learned.method is None:
        holed = holed[:0]
    elif holed.size:
        batch = max(1, min(most, _CELLS // int(np.prod(matrix.shape[1:]))))
        with one_thread(), precision(learned.codec.exact):
            done = completed(matrix[holed], holed, batch)
        report.refuse_divergence(done, f"'{learned.name}'", "Take another method or seed")
    decoded, clipped = [], np.zeros(flat.shape, int)
    for i, one in enumerate(done):
        matrix[holed] = one
        coded = matrix.reshape(len(flat), -1)
        decoded.append(coding.decode(learned.codec, coded, flat, drawn=drawn))
        if i or number == 1:  # of several, the first is their median
            clipped += coding.impossible(learned.codec, coded, flat)
    cells = np.stack(decoded).reshape(number, *values.shape)
    return Completed(cells, clipped.reshape(values.shape))

"""Blocks of data completed, or drawn several times, by what was fitted."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.data import codec as coding
from jaximpute.engine import loop
from jaximpute.engine.precision import precision
from jaximpute.engine.rows import MOST_ROWS, complete_rows, draw_rows
from jaximpute.engine.runs import keys
from jaximpute.masking import from_nan
from jaximpute.maths.averages import middle
from jaximpute.streaming.learning import encoded
from jaximpute.tasks.advice import refuse_divergence
from jaximpute.tasks.fitted import Fitted, computing

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


def batch_of(event: Sequence[int], most: int = MOST_ROWS) -> int:
    """Rows in a compiled call, of so many cells each."""
    return max(1, min(most, _CELLS // int(np.prod(event))))


def complete(fitted: Fitted, values: np.ndarray, most: int = MOST_ROWS) -> Completed:
    """Complete rows, each on its own: the answer does not depend on which others are given.

    Every compiled call has one shape, so that not even the rounding depends on how many there are.

    Args:
        fitted: what `learn` returned.
        values: `(n, *event)` float64 cells, NaN where missing.
        most: rows in a compiled call, if they are small; fewer are padded to as many.

    Returns:
        `(n, *event)` cells.
    """

    def once(rows: np.ndarray, places: np.ndarray, batch: int) -> np.ndarray:
        estimate: Any = fitted.method.estimate  # type: ignore[union-attr]
        return complete_rows(estimate, keys(fitted.seed).complete, fitted.state, rows, batch)[None]

    done = _completions(fitted, values, 1, once, most, drawn=False)
    return Completed(done.values[0], done.clipped)


def complete_together(fitted: Fitted, values: np.ndarray, number: int) -> Completed:
    """Complete rows from one another: a run of its own, of a method that can do no more.

    Args:
        fitted: with its plan, and no state.
        values: `(n, *event)` float64 cells, NaN where missing, of the shape it is for.
        number: of the block, for what is random.

    Returns:
        `(n, *event)` cells.

    Raises:
        DivergenceError, OutOfMemoryError: see `tasks.advice.explained`.
    """
    flat = values.reshape(-1, values.shape[-1])
    matrix = encoded(fitted.codec, values)
    plan = fitted.plan
    if plan is not None and np.isnan(matrix).any():
        with precision(fitted.codec.exact):
            data = from_nan(jnp.asarray(matrix))  # a block may show nothing of a column
        key_fit, key_complete = jax.random.split(
            jax.random.fold_in(keys(fitted.seed).complete, number)
        )
        with computing(fitted, matrix.shape):
            state = loop.fit(
                plan.method, key_fit, data, plan.steps, chunk=plan.chunk, hooks=plan.hooks
            )
            matrix = np.array(loop.complete(plan.method, key_complete, state, data))
            refuse_divergence(matrix)
    coded = matrix.reshape(len(flat), -1)
    decoded = coding.decode(fitted.codec, coded, flat, drawn=False)
    clipped = coding.impossible(fitted.codec, coded, flat).astype(int)
    return Completed(decoded.reshape(values.shape), clipped.reshape(values.shape))


def draw(
    fitted: Fitted, values: np.ndarray, n: int, first: int, most: int = MOST_ROWS
) -> Completed:
    """Draw rows several times, each on its own: its draws depend on its number and its cells.

    Args:
        fitted: what `learn` returned, of a method that draws.
        values: `(rows, *event)` float64 cells, NaN where missing.
        n: number of draws.
        first: the number of the first row, which the others follow.
        most: see `complete`.

    Returns:
        `(1 + n, rows, *event)` cells: the median of the draws, and they.
    """

    def several(rows: np.ndarray, places: np.ndarray, batch: int) -> np.ndarray:
        method, key, state = fitted.method, keys(fitted.seed).complete, fitted.state
        many = draw_rows(method, key, state, rows, first + places, n, batch)  # type: ignore[arg-type]
        return np.concatenate([np.asarray(middle(many, fitted.codec.categories))[None], many])

    done = _completions(fitted, values, 1 + n, several, most, drawn=True)
    central = coding.middle(fitted.codec, done.values[0], done.values[1:])
    return done._replace(values=np.concatenate([central[None], done.values[1:]]))


def _completions(
    fitted: Fitted,
    values: np.ndarray,
    number: int,
    completed: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
    most: int,
    *,
    drawn: bool,
) -> Completed:
    """So many completions of cells, from those of coded rows with holes and their places."""
    flat = values.reshape(-1, values.shape[-1])
    matrix = encoded(fitted.codec, values)
    holed = np.flatnonzero(np.isnan(matrix).any(axis=tuple(range(1, matrix.ndim))))
    done = np.empty((number, 0, *matrix.shape[1:]), matrix.dtype)
    if fitted.method is None:
        holed = holed[:0]
    elif holed.size:
        batch = batch_of(matrix.shape[1:], most)
        with computing(fitted, (len(holed), *matrix.shape[1:])):
            done = completed(matrix[holed], holed, batch)
            refuse_divergence(done)
    decoded, clipped = [], np.zeros(flat.shape, int)
    for i, one in enumerate(done):
        matrix[holed] = one
        coded = matrix.reshape(len(flat), -1)
        decoded.append(coding.decode(fitted.codec, coded, flat, drawn=drawn))
        if i or number == 1:  # of several, the first is their median
            clipped += coding.impossible(fitted.codec, coded, flat)
    cells = np.stack(decoded).reshape(number, *values.shape)
    return Completed(cells, clipped.reshape(values.shape))

"""Series to come, below one another, completed by what was learned: each on its own."""

from typing import Any

import jax
import numpy as np

from jaximpute._errors import TimeError
from jaximpute.data import codec as coding
from jaximpute.data import series
from jaximpute.data.frames import Frame, settled
from jaximpute.data.layout import constant, few_sizes, spread
from jaximpute.data.series import Axis
from jaximpute.engine.compiled import keep_compiled
from jaximpute.engine.rows import MOST_ROWS, complete_rows
from jaximpute.engine.runs import keys
from jaximpute.tasks import limits
from jaximpute.tasks.fitted import Along, Completed, Fitted, computing

_CELLS = 2**20  # of the series that are completed together


def complete(
    fitted: Fitted,
    frame: Frame,
    cells: np.ndarray,
    number: int = 0,
    max_gap: Any = None,
    most: float | None = None,
) -> Completed:
    """Complete series, each by a key made of its own cells: the same answer alone and among others.

    A series lies on steps of its own, from its first row on, and is as long as those that were
    learned from, at least: absent steps are missing. What nobody has seen, as another station, is
    completed by what all that were seen have taught.

    Args:
        fitted: what has learned from series.
        frame: series to come, under the columns that were learned.
        cells: `(rows, columns)` of them for the method, NaN = missing; see `data.recode.recode`.
        number: of a random completion, each of which is another; 0 = the estimate.
        max_gap: longest gap to fill, see `data.series.long_gaps`.
        most: megabytes that it may take; None for no limit.

    Raises:
        TimeError: stamps of another kind than were learned, or that lie between the steps.
        OptionError: `max_gap` is none.
        OutOfMemoryError: it would take more.
    """
    keep_compiled()
    along = fitted.along
    assert along is not None
    axes = _axes(frame, along)
    matrix = coding.encode(fitted.codec, cells)
    if fitted.method is not None and np.isnan(matrix).any():
        key = keys(fitted.seed).complete
        key = jax.random.fold_in(key, number) if number else key
        answer: Any = fitted.method.sample if number else fitted.method.estimate
        least = fitted.shape[1]
        for size in sorted({max(least, few_sizes(axis.length)) for axis in axes}):
            own = [axis for axis in axes if max(least, few_sizes(axis.length)) == size]
            many = min(MOST_ROWS, max(1, _CELLS // (size * matrix.shape[1])))
            if most is not None:
                shape = (min(many, len(own)), size, matrix.shape[1])
                took = 2 * (cells.nbytes + matrix.nbytes) / 1e6  # coded, and back
                limits.refuse_completion(fitted, shape, matrix.dtype, most, besides=took)
            for start in range(0, len(own), many):
                _fill(fitted, matrix, own[start : start + many], size, answer, key)
    frame = frame._replace(static=along.static)
    values = coding.decode(fitted.codec, matrix, frame.values, drawn=number > 0)
    moved = coding.impossible(fitted.codec, matrix, frame.values)
    if max_gap is not None:
        for axis in axes:
            known = frame.mask[axis.order]
            kept = series.long_gaps(_straight(axis), known, max_gap) & ~known
            values[axis.order] = np.where(kept, np.nan, values[axis.order])
            moved[axis.order] &= ~kept
    return Completed(settled(frame, values), moved)


def _axes(frame: Frame, along: Along) -> list[Axis]:
    """Of each series, with its own rows in order of time."""
    stamps = frame.stamps
    assert stamps is not None
    if (stamps.seconds is not None) != along.dated:
        now, then = ("dates", "numbers")[:: 1 if stamps.seconds is not None else -1]
        raise TimeError(f"the time holds {now}, and {then} were learned from")
    group = np.zeros(len(frame.values), int) if stamps.group is None else stamps.group
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    axes = (series.axis_by(stamps, rows, along.step) for rows in parts)
    return [axis._replace(static=along.static) for axis in axes]


def _straight(axis: Axis) -> Axis:
    """The axis of rows that are in order."""
    return axis._replace(order=np.arange(len(axis.order)))


def _fill(
    fitted: Fitted, matrix: np.ndarray, axes: list[Axis], size: int, answer: Any, key: Any
) -> None:
    """Complete some series of a matrix, where it stands."""
    placed = np.full((len(axes), size, matrix.shape[1]), np.nan, matrix.dtype)
    for one, axis in zip(placed, axes, strict=True):
        one[axis.slots] = matrix[axis.order]
    along = fitted.along
    assert along is not None
    whole = np.array([not np.isnan(matrix[axis.order]).any() for axis in axes])
    columns = np.flatnonzero(np.isin(fitted.codec.sources, along.static))
    laid, static = spread(placed, columns)
    with computing(fitted, laid.shape):
        done = complete_rows(answer, jax.random.clone(key), fitted.state, laid[~whole])
    placed[~whole] = done
    for one, axis in zip(constant(placed, static), axes, strict=True):
        rows = matrix[axis.order]
        matrix[axis.order] = np.where(np.isnan(rows), one[axis.slots], rows)

"""Observed cells hidden again, the method run again without them, and what it made of them.

What a method makes of cells that it learned from is better than what it makes of others, so it
learns anew from data that lack them.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaximpute._errors import DataError, OptionError
from jaximpute._terminal import stage
from jaximpute.data import circles, difficulty, holes, series
from jaximpute.data import codec as coding
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame
from jaximpute.engine.lessons import parts
from jaximpute.maths import conformal
from jaximpute.maths.moved_gaps import moved_gaps
from jaximpute.tasks import filling
from jaximpute.tasks.levelsets import Named

_SHARE, _CELLS, _MOST_TIMES = 0.1, 2000, 4


class Trials(NamedTuple):
    """What a method made of cells that were hidden again.

    Attributes:
        column: `(m,)` the cells' columns.
        difficulty: `(m,)` how hard each was, see `data.difficulty`.
        truth: `(m,)` what was hidden, less the answer.
        draws: `(draws, m)` random answers, less the answer; `(1, m)` zeros of methods that are not
            asked to draw.
        weight: `(m,)` under which they are as hard as the missing cells of their columns.
        part: `(m,)` numbers of parts whose errors are nearly independent.
        times: how often cells were hidden.
        named: the hidden cells of booleans, categories and texts.
    """

    column: np.ndarray
    difficulty: np.ndarray
    truth: np.ndarray
    draws: np.ndarray
    weight: np.ndarray
    part: np.ndarray
    times: int
    named: Named


def trials(frame: Frame, name: str, level: float = 0.9, *, draws: int = 0, **how: Any) -> Trials:
    """Hide observed cells in the shapes of the own holes, run the method, and keep what it said.

    About a tenth of the observed cells is hidden at a time, once where that makes two thousand
    cells, and up to four times in small data.

    Args:
        frame: the data.
        name: of the method.
        level: nominal coverage, for which there have to be enough cells.
        draws: random completions of each.
        **how: see `filling.fill`.

    Returns:
        The cells that were hidden and answered.

    Raises:
        DataError: there are too few.
    """
    codec = coding.learn(frame)
    numbers = sorted([*map(int, codec.numeric), *(c.column for c in codec.circles)])
    period = np.array([np.inf if c.period is None else c.period for c in frame.columns])
    part = _parts(frame)
    key = jax.random.fold_in(jax.random.key(how.get("seed", 0)), 1)
    kept, named, times, most = [], [], 0, 1
    while times < most:
        hidden = _hide(jax.random.fold_in(key, times), frame, level)
        holed = frame._replace(values=np.where(hidden, np.nan, frame.values))
        if not times:
            if not hidden.any():
                raise DataError(_too_few(0, level))
            most = int(np.clip(np.ceil(_CELLS / max(int(hidden.sum()), 1)), 1, _MOST_TIMES))
        text = f"for the intervals: completing cells hidden again, {times + 1} of {most}"
        stage(text, show=bool(how.get("progress")))
        filled = filling.fill(holed, name, draws=draws, **how)
        asked = hidden & ~np.isnan(filled.values)
        asked &= np.isin(np.arange(len(frame.columns)), numbers)
        at = np.nonzero(asked)
        answer, turn = filled.values[at], period[at[1]]
        offs = [
            deviation(one[at], answer, turn) for one in (filled.draws if draws else [filled.values])
        ]
        truth = deviation(frame.values[at], answer, turn)
        hard = difficulty.difficulty(frame, holed.mask)[at]
        kept.append((at[1], hard, truth, np.stack(offs), part[at]))
        named.append(_named(codec, frame, filled, hidden, part))
        times += 1
    column, hard, truth, off, where = (
        np.concatenate(each, axis=-1) for each in zip(*kept, strict=True)
    )
    levels = Named(*(np.concatenate(each, axis=-1) for each in zip(*named, strict=True)))
    whole = frame.mask[:, numbers].all()
    asked = levels.truth if whole else truth
    if len(asked) < conformal.least_scores(level):
        raise DataError(_too_few(len(asked), level))
    empty = np.nonzero(~frame.mask)
    new = difficulty.difficulty(frame, frame.mask)[empty]
    weight = conformal.as_likely(column, hard, empty[1], new)
    return Trials(column, hard, truth, off, weight, where, times, levels)


def check_level(level: float) -> None:
    """Refuse a coverage that is none.

    Args:
        level: to be a share.

    Raises:
        OptionError: out of range.
    """
    if not 0 < level < 1:
        raise OptionError(f"level is {level}; expected a share strictly between 0 and 1")


def _hide(key: Any, frame: Frame, level: float) -> np.ndarray:
    """`(rows, columns)` observed cells to hide, in the shapes of the frame's own holes."""
    if frame.kind == "series":
        axis, _ = series.make_axis(frame.stamps, frame.shape[1])
        placed = series.place(axis, np.where(frame.mask, 1.0, np.nan), frame.shape[0])
        # gaps that channels share stay shared
        _, query = moved_gaps(_SHARE)(key, jax.numpy.asarray(~np.isnan(placed)))
        return _spared(frame, series.take(axis, np.asarray(query)))
    if frame.kind == "table":
        return _spared(frame, _lent(key, frame.mask))
    try:
        return holes.hide(key, frame, _SHARE, "own")
    except DataError as error:
        raise DataError(f"{_too_few(0, level)}: {error}") from error


def _lent(key: Any, mask: np.ndarray) -> np.ndarray:
    """Rows take the holes of rows that have some, whole, if these leave half of what they have.

    However few rows lack a cell, many can borrow from them; of each column a share is hidden.
    """
    k_order, k_lend = jax.random.split(key)
    order = np.asarray(jax.random.permutation(k_order, len(mask)))
    lenders = np.flatnonzero(~mask.all(axis=1))
    lender = lenders[np.asarray(jax.random.randint(k_lend, (len(mask),), 0, len(lenders)))]
    hidden = mask & ~mask[lender]
    hidden &= (2 * (mask & ~hidden).sum(axis=1) >= mask.sum(axis=1))[:, None]
    most = np.maximum(_SHARE * mask.sum(axis=0), 1)
    beyond = (np.cumsum(hidden[order], axis=0) > most) & hidden[order]
    hidden[order[beyond.any(axis=1)]] = False
    return hidden


def _spared(frame: Frame, hidden: np.ndarray) -> np.ndarray:
    """Cells of columns that keep two different values to learn from."""
    left = np.where(frame.mask & ~hidden, frame.values, np.nan)
    low, high = np.where(np.isnan(left), np.inf, left), np.where(np.isnan(left), -np.inf, left)
    return hidden & (low.min(axis=0, initial=np.inf) < high.max(axis=0, initial=-np.inf))


def _too_few(cells: int, level: float) -> str:
    return (
        f"an interval at level {level:g} is made of errors of observed cells that are hidden "
        f"again, and only {cells} can be hidden; it takes {conformal.least_scores(level)} or more. "
        "Give more data, or ask for no interval"
    )


def _named(
    codec: Codec, frame: Frame, filled: filling.Filled, hidden: np.ndarray, part: np.ndarray
) -> Named:
    levelled = np.isin(np.arange(len(frame.columns)), [block.column for block in codec.levels])
    at = np.nonzero(hidden & ~np.isnan(filled.values) & levelled)
    draws = filled.draws[:, at[0], at[1]]
    truth, answer = frame.values[at].astype(int), filled.values[at].astype(int)
    return Named(at[1], truth, answer, draws.astype(int), part[at])


def _parts(frame: Frame) -> np.ndarray:
    """`(rows, columns)` numbers of parts."""
    width = len(frame.columns)
    if frame.kind != "series":
        return parts((*frame.shape[:-1], width))[0].reshape(frame.values.shape)
    axis, _ = series.make_axis(frame.stamps, frame.shape[1])
    return series.take(axis, parts((frame.shape[0], axis.length, width))[0])


def deviation(x: np.ndarray, centre: np.ndarray, period: np.ndarray) -> np.ndarray:
    """How far `x` is from the centre; of directions, the shorter way round."""
    turning = np.isfinite(period)
    if not turning.any():
        return x - centre
    around = circles.between(x, centre, np.where(turning, period, 1.0))
    return np.where(turning, around, x - centre)

"""Intervals for any method: it completes observed cells that are hidden again, and its errors tell.

The method is run again on data in which some observed cells are hidden, as the data's own holes
lie, and its errors there say how wide an interval has to be.
"""

import time as clock
from typing import Any, NamedTuple

import numpy as np

from jaximpute import registry
from jaximpute.data import bounds, circles, difficulty
from jaximpute.data import codec as coding
from jaximpute.data.frames import Frame
from jaximpute.tasks import filling
from jaximpute.tasks.levelsets import Sets, contained, level_sets
from jaximpute.tasks.report import Report
from jaximpute.tasks.trials import Trials, deviation, trials
from jaximpute.tasks.widening import calibrated, widened
from jaximpute.types import Kind

DRAWS = 50  # of methods that draw, whose quantiles are widened or narrowed


class Bands(NamedTuple):
    """A completion with an interval for each cell.

    Attributes:
        filled: what `filling.fill` returned; its report says more, under `interval`.
        low: `(rows, columns)` lower ends, coded like `Frame.values`.
        high: upper ends.
        sets: by number of a column of levels, which of them each cell may have, `(rows, levels)`.
    """

    filled: filling.Filled
    low: np.ndarray
    high: np.ndarray
    sets: Sets


def fill_between(
    frame: Frame, name: str, level: float, *, draws: int | None = None, **how: Any
) -> Bands:
    """`filling.fill`, and intervals that hold the share `level` of cells such as those it fills.

    The completion is the one that is made without intervals.

    Args:
        frame: what `data.frames.read` returned.
        name: of the method, see `choose.resolve`.
        level: nominal coverage, in (0, 1).
        draws: random completions behind the intervals of methods that draw; 50 by default.
        **how: see `filling.fill`.

    Returns:
        The completion and the ends.

    Raises:
        DataError: too few cells can be hidden to say anything about errors.
        OptionError: see `filling.fill`.
    """
    started = clock.perf_counter()
    if draws is None:
        draws = draws_of(name, frame.kind)
    filled = filling.fill(frame, name, **how)
    if not (np.isnan(frame.values) & ~np.isnan(filled.values)).any():
        return Bands(filled, filled.values, filled.values, {})
    again = {key: value for key, value in how.items() if key not in ("checkpoints", "max_gap")}
    many = filled
    if draws:
        many = filling.fill(frame, name, draws=draws, **again)
    found = trials(frame, name, level, draws=draws, **again)
    low, high = ends(frame, filled.values, many, found, level)
    told = {
        "seconds": round(clock.perf_counter() - started, 3),
        "interval": describe(frame, found, level, draws),
    }
    sets = level_sets(frame, coding.learn(frame), filled.values, many.draws, found.named, level)
    return Bands(filled._replace(report={**filled.report, **told}), low, high, sets)


def draws_of(name: str, kind: Kind) -> int:
    """How many random completions the intervals of a method are made of; 0 if it makes none."""
    return DRAWS if registry.entry(name, kind).draws else 0


def ends(
    frame: Frame, values: np.ndarray, many: filling.Filled, found: Trials, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the intervals of a completion.

    They lie where values may lie, and hold the completion. Whole numbers have whole ends.

    Args:
        frame: the data.
        values: `(rows, columns)` the completion.
        many: the same with draws, if the trials have some.
        found: what the method made of cells hidden again.
        level: nominal coverage.

    Returns:
        `(rows, columns)` twice, coded like `frame.values`; columns without an order keep the value.
    """
    codec = coding.learn(frame)
    low, high = values.copy(), values.copy()
    learned = np.isin(np.arange(len(frame.columns)), np.unique(found.column))
    at = np.nonzero(~frame.mask & ~np.isnan(values) & learned)
    period = np.array([np.inf if c.period is None else c.period for c in frame.columns])[at[1]]
    centre = many.values[at]
    draws = many.draws if len(many.draws) else many.values[None]
    off = np.stack([deviation(one[at], centre, period) for one in draws])
    made = calibrated(codec, found, level, np.ones(len(found.truth), bool))
    hard = difficulty.difficulty(frame, frame.mask)[at]
    below, above = widened(codec, made, at[1], hard, off, level)
    # the completion is not always the median of the draws
    moved = deviation(values[at], centre, period)
    below, above = np.minimum(below, moved), np.maximum(above, moved)
    low[at], high[at] = centre + below, centre + above
    for j, i in enumerate(codec.numeric.tolist()):
        cells = at[0][at[1] == i]
        span, pair, whole = (codec.low[j], codec.high[j]), codec.pair[j], codec.whole[j]
        own = low[cells, i], values[cells, i], high[cells, i]
        low[cells, i], high[cells, i] = bounds.inwards(*own, span, pair, whole)
    for circle in codec.circles:
        own = at[1] == circle.column
        cells, half = at[0][own], circle.period / 2
        for end, off_end in ((low, below[own]), (high, above[own])):
            turned = centre[own] + np.clip(off_end, -half, np.nextafter(half, 0))
            end[cells, circle.column] = circles.wrapped(turned, circle)
    return low, high


def coverage(frame: Frame, found: Trials, level: float) -> np.ndarray:
    """Which of the hidden cells lie in intervals made without them.

    The cells are cut in two by parts that are nearly independent; each half is judged by intervals
    that the other half made.

    Args:
        frame: the data.
        found: from `trials`.
        level: nominal coverage.

    Returns:
        `(m,)`: 1 or 0, NaN where a half has too few cells to make an interval.
    """
    codec = coding.learn(frame)
    inside = np.full(len(found.truth), np.nan)
    for side in (0, 1):
        judged = found.part % 2 == side
        if not judged.any():
            continue
        made = calibrated(codec, found, level, ~judged)
        off = found.draws[:, judged]
        below, above = widened(
            codec, made, found.column[judged], found.difficulty[judged], off, level
        )
        within = (below <= found.truth[judged]) & (found.truth[judged] <= above)
        inside[judged] = np.where(np.isfinite(above - below), within, np.nan)
    return inside


def describe(frame: Frame, found: Trials, level: float, draws: int) -> Report:
    """The part of a report about intervals.

    Args:
        frame: the data.
        found: from `trials`.
        level: nominal coverage.
        draws: behind them; 0 if they are made of errors alone.

    Returns:
        `level`, what they are `from`, the `cells` hidden again and how many `times`, their
        `coverage` of cells that did not make them, over all and `by_column`; that of `sets` of
        levels and how many they have; and the columns `without` any, with reasons.
    """
    inside = coverage(frame, found, level)
    names = frame.names
    have = np.unique(found.column).tolist()
    known = {*have, *found.named.column.tolist()}
    gone = [i for i in coding.learn(frame).columns if i not in known]
    reasons = {names[i]: "none was hidden" for i in gone if not frame.mask[:, i].all()}
    right, size = contained(frame, found.named, level)
    of = {i: found.named.column == i for i in np.unique(found.named.column).tolist()}
    return {
        "level": level,
        "from": f"{draws} draws, and errors" if draws else "errors",
        "cells": len(inside),
        "times": found.times,
        "coverage": _mean(inside, found.weight),
        "by_column": {
            names[i]: _mean(inside[found.column == i], found.weight[found.column == i])
            for i in have
        },
        "sets": {
            names[i]: {
                "coverage": round(float(right[own].mean()), 4),
                "levels": round(float(size[own].mean()), 2),
            }
            for i, own in of.items()
        },
        "without": reasons,
    }


def _mean(inside: np.ndarray, weight: np.ndarray) -> float | None:
    known = ~np.isnan(inside)
    return (
        round(float(np.average(inside[known], weights=weight[known])), 4) if known.any() else None
    )

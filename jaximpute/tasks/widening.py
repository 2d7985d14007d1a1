"""Intervals around answers, as wide as the errors of hidden cells say."""

from typing import NamedTuple

import numpy as np

from jaximpute.data import codec as coding
from jaximpute.data.codec import Codec
from jaximpute.maths import conformal
from jaximpute.tasks.trials import Trials

_THIN = 0.05  # of a column's deviation: the least unit in which draws are widened


class Calibration(NamedTuple):
    """Widths in units, and with which power of the difficulty the units grow, by column."""

    widths: conformal.Widths
    power: np.ndarray


def _raw(
    codec: Codec,
    power: np.ndarray,
    column: np.ndarray,
    hard: np.ndarray,
    off: np.ndarray,
    level: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends and units before calibration: the quantiles of draws, or the answer itself."""
    deviation = np.ones(len(power))
    for i, unit in coding.units(codec).items():
        deviation[i] = unit
    unit = deviation[column]
    if len(off) == 1:
        return off[0], off[0], unit * np.maximum(hard, 1e-3) ** power[column]
    low, high = np.quantile(off, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high, np.maximum(high - low, _THIN * unit)


def calibrated(codec: Codec, found: Trials, level: float, by: np.ndarray) -> Calibration:
    """What errors of hidden cells say of widths.

    Args:
        codec: of the columns.
        found: the hidden cells.
        level: nominal coverage.
        by: `(m,)` booleans, those to calibrate by.
    """
    column, hard, truth = found.column[by], found.difficulty[by], found.truth[by]
    groups = 1 + int(max(found.column.max(initial=0), *codec.columns))
    power = np.zeros(groups)
    if len(found.draws) == 1:  # draws have widths of their own
        power = conformal.growth(np.abs(truth), column, hard, groups)
    low, high, unit = _raw(codec, power, column, hard, found.draws[:, by], level)
    scores = conformal.scores(truth, low, high, unit)
    widths = conformal.calibrate(scores, column, hard, groups, level, found.weight[by])
    return Calibration(widths, power)


def widened(
    codec: Codec,
    made: Calibration,
    column: np.ndarray,
    hard: np.ndarray,
    off: np.ndarray,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of calibrated intervals, relative to the answers.

    Args:
        codec: of the columns.
        made: of which widths.
        column: `(m,)` the cells' columns.
        hard: `(m,)` how hard they are.
        off: `(draws, m)` draws relative to the answers, or one row of zeros.
        level: nominal coverage.
    """
    low, high, unit = _raw(codec, made.power, column, hard, off, level)
    more = conformal.looked_up(made.widths, column, hard) * unit
    middle = (low + high) / 2
    return np.minimum(low - more, middle), np.maximum(high + more, middle)

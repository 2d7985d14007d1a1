"""The metrics of completions at cells that were hidden."""

import numpy as np
import pandas as pd

from jaximpute._errors import JaximputeError
from jaximpute.data import codec as coding
from jaximpute.data import scales
from jaximpute.data.circles import around, between
from jaximpute.data.frames import Frame

OVERALL = "(overall)"


def score(frame: Frame, hidden: np.ndarray, values: np.ndarray) -> pd.Series:
    """The metrics of `evaluate` for one completion.

    Args:
        frame: the truth.
        hidden: `(rows, columns)`, True where a cell was hidden, and is scored.
        values: `(rows, columns)` completed cells, coded like `frame.values`.

    Returns:
        Numbers by `(column, metric)`.

    Raises:
        JaximputeError: hidden cells were left empty.
    """
    empty = int(np.isnan(values[hidden]).sum())
    if empty:
        raise JaximputeError(f"left {empty} of {int(hidden.sum())} hidden cells empty")
    codec = coding.learn(frame)
    spread = scales.moments(frame.values[:, codec.numeric])[1] if len(codec.numeric) else ()
    scale = coding.units(codec)
    scale |= zip(codec.numeric.tolist(), map(float, spread), strict=True)
    found: dict[tuple[str, str], float] = {}
    off, off_std, wrong, distances = [], [], [], []
    for i in np.flatnonzero(hidden.any(axis=0)).tolist():
        name, cells = frame.names[i], hidden[:, i]
        truth, answer = frame.values[cells, i], values[cells, i]
        if i in scale:
            period = frame.columns[i].period
            error = answer - truth if period is None else between(answer, truth, period)
            apart = (
                np.abs(np.sort(answer) - np.sort(truth)).mean()
                if period is None
                else around(answer, truth, period)
            )
            off.append(error)
            off_std.append(error / scale[i])
            distances.append(apart / scale[i])
            found |= _errors(name, error, "") | _errors(name, error / scale[i], "_std")
        else:
            wrong.append(answer != truth)
            distances.append(_total_variation(answer, truth))
            found[name, "error"] = float(wrong[-1].mean())
        found[name, "wasserstein"] = float(distances[-1])
    if off:
        found |= _errors(OVERALL, np.concatenate(off), "")
        found |= _errors(OVERALL, np.concatenate(off_std), "_std")
    if wrong:
        found[OVERALL, "error"] = float(np.concatenate(wrong).mean())
    found[OVERALL, "wasserstein"] = float(np.mean(distances))
    found[OVERALL, "score"] = float(np.abs(np.concatenate([*off_std, *wrong])).mean())
    return pd.Series(found)


def score_draws(frame: Frame, hidden: np.ndarray, draws: np.ndarray) -> pd.Series:
    """The metrics of `evaluate` for several random completions, of columns of numbers.

    Args:
        frame: the truth.
        hidden: `(rows, columns)`, True where a cell was hidden, and is scored.
        draws: `(draws, rows, columns)` completed cells, coded like `frame.values`.

    Returns:
        Numbers by `(column, metric)`; directions have none.
    """
    codec = coding.learn(frame)
    found: dict[tuple[str, str], float] = {}
    every, covered = [], []
    spread = scales.moments(frame.values[:, codec.numeric])[1] if len(codec.numeric) else ()
    for i, scale in zip(codec.numeric.tolist(), spread, strict=True):
        cells = hidden[:, i]
        if not cells.any():
            continue
        many, truth = np.sort(draws[:, cells, i], axis=0), frame.values[cells, i]
        n = len(many)
        # the mean distance of two different draws, from their order
        order = (2 * np.arange(1, n + 1) - n - 1)[:, None]
        apart = 2 * (order * many).sum(axis=0) / (n * (n - 1))
        crps = np.abs(many - truth).mean(axis=0) - apart / 2
        low, high = np.quantile(many, [0.1, 0.9], axis=0)
        within = (low <= truth) & (truth <= high)
        name = frame.names[i]
        found |= {(name, "crps"): crps.mean(), (name, "crps_std"): crps.mean() / scale}
        found[name, "cover80"] = within.mean()
        every.append(crps / scale)
        covered.append(within)
    if every:
        found[OVERALL, "crps_std"] = np.concatenate(every).mean()
        found[OVERALL, "cover80"] = np.concatenate(covered).mean()
    return pd.Series({key: float(value) for key, value in found.items()})


def _errors(name: str, error: np.ndarray, units: str) -> dict[tuple[str, str], float]:
    return {
        (name, f"mae{units}"): float(np.abs(error).mean()),
        (name, f"rmse{units}"): float(np.sqrt((error**2).mean())),
    }


def _total_variation(a: np.ndarray, b: np.ndarray) -> float:
    levels = np.union1d(a, b)[:, None]
    return float(np.abs((a == levels).mean(axis=1) - (b == levels).mean(axis=1)).sum() / 2)

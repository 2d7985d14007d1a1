"""Numbers behind the tables: means over ratios, spreads over seeds, and comparisons by pairs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.harness import jobs

ERRORS = ("mae", "mse", "wasserstein")
SAME = 1e-3  # errors that differ by less, relatively, count as equal


def frame(rows: Sequence[jobs.Row]) -> pd.DataFrame:
    """Rows as a frame, with the name of method and preset in `label`; see `harness.jobs.latest`."""
    rows = jobs.latest(rows)
    found = pd.DataFrame(rows)
    if len(found):
        found["label"] = [jobs.called(row) for row in rows]
    return found


def overall(rows: pd.DataFrame) -> pd.DataFrame:
    """One line a method, best first: means over ratios, and their deviation over seeds.

    Args:
        rows: of one series.

    Returns:
        By label: `mae`, `mse`, `wasserstein` and each with `_std`; mean `cpu_seconds`; largest
        `peak_mb`; `ratios` measured; and whether no method has more of them (`complete`). Of a
        method's seeds, those with fewer ratios than the others are left out.
    """
    lines = {}
    most = rows.groupby("label")["ratio"].nunique().max()
    for label, own in rows.groupby("label"):
        ratios = own["ratio"].nunique()
        per_seed = own.groupby("seed")
        whole = own[own["seed"].map(per_seed["ratio"].nunique()) == ratios]
        # a mean over fewer ratios is of another problem
        whole = own if whole.empty else whole
        means = whole.groupby("seed")[list(ERRORS)].mean()
        lines[label] = {
            **means.mean(),
            **means.std().add_suffix("_std"),
            "cpu_seconds": whole["cpu_seconds"].mean(),
            "peak_mb": whole["peak_mb"].max(),
            "ratios": ratios,
            "complete": ratios == most,
        }
    return pd.DataFrame.from_dict(lines, orient="index").sort_values("mae")


def by_ratio(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean errors over seeds, by (label, ratio)."""
    return rows.groupby(["label", "ratio"])[["mae", "mse"]].mean()


class Pairs(NamedTuple):
    """Two methods on the same holes.

    Attributes:
        runs: number of pairs.
        wins: in how many of them the first has the lower MAE.
        change: of the mean MAE, from the second to the first, as a fraction.
    """

    runs: int
    wins: int
    change: float


def compare(rows: pd.DataFrame, first: str, second: str) -> Pairs | None:
    """The first method beside the second, on the holes that both were measured on."""
    table = rows.pivot_table(index=["data", "ratio", "seed"], columns="label", values="mae")
    if first not in table or second not in table:
        return None
    both = table[[first, second]].dropna()
    if both.empty:
        return None
    a, b = both[first], both[second]
    return Pairs(len(both), int((a < b).sum()), float(a.mean() / b.mean() - 1))


def starts(rows: pd.DataFrame, label: str) -> Pairs | None:
    """A learned method's last error beside its start's, on observed cells it held out itself."""
    curves = [c for c in rows.loc[rows["label"] == label, "curves"] if _has_start(c)]
    if not curves:
        return None
    start = np.array([c["start_error"][0] for c in curves])
    end = np.array([c["best_error"][-1] for c in curves])
    return Pairs(len(curves), int((end < start).sum()), float(end.mean() / start.mean() - 1))


def ahead(rows: pd.DataFrame, label: str, error: str, others: Sequence[str]) -> bool:
    """Whether a method is ahead of every other by more than two standard errors of the difference.

    Differences are taken on the same holes, over ratios and seeds. One run has no standard error,
    and nothing is ahead by it.
    """
    table = rows.pivot_table(index=["data", "ratio", "seed"], columns="label", values=error)
    for other in others:
        behind = (table[other] - table[label]).dropna()
        if len(behind) < 2 or behind.mean() <= 2 * behind.std() / len(behind) ** 0.5:
            return False
    return True


def is_its_start(rows: pd.DataFrame, label: str) -> bool:
    """Whether a learned method answers as the method it starts from does.

    Either no run ended below its start's error on the cells it held out, or both methods have the
    same error on hidden cells to a thousandth: then what differs is the key of the start.
    """
    held = starts(rows, label)
    if held is None:
        return False
    start = rows.loc[rows["label"] == label, "settings"].iloc[0]["start"]
    beside = compare(rows, label, start)
    return not held.wins or (beside is not None and abs(beside.change) < SAME)


def progress(rows: pd.DataFrame, label: str) -> pd.DataFrame:
    """Means of a learned method's curves over runs, by step; runs of the commonest length."""
    curves = [c for c in rows.loc[rows["label"] == label, "curves"] if _has_start(c)]
    if not curves:
        return pd.DataFrame()
    lengths = [len(c["loss"]) for c in curves]
    length = max(set(lengths), key=lengths.count)
    names = ("loss", "error", "best_error")
    return pd.DataFrame(
        {n: np.mean([c[n] for c in curves if len(c["loss"]) == length], axis=0) for n in names},
        index=range(1, length + 1),
    )


def _has_start(curves: object) -> bool:
    # a best error is kept by methods that go on from it; an error of 0 is one of no cells: nothing
    # was held out
    if not isinstance(curves, dict) or "best_error" not in curves:
        return False
    return bool(curves.get("start_error", [0.0])[0])

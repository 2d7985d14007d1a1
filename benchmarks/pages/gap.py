"""The section on long gaps: errors by length, and where a smoother loses to a simple rule."""

from collections.abc import Sequence

import pandas as pd

from benchmarks.harness import gap_worker, jobs
from benchmarks.pages import spirit, summary

TITLES = {"etth1": "ETTh1", "exchange": "Exchange rate", "co2": "CO2"}
PLACES = {
    "each": "each channel by itself",
    "all": "all channels at once",
    "end": "to the end, all channels",
}
JUDGED = "gaussian"

INTRODUCTION = """## Long gaps

`python -m benchmarks.gaps`: gaps of 24, 72 and 168 steps, among each other in one series, in each
channel at places of its own or in all channels at once, and one gap to the end of a series that is
cut somewhere in its second half (error over its first 24 and 72 steps, and over all 168). RMSE in
standard deviations of what is observed, mean and standard deviation over seeds, each of which
places the gaps anew. `seasonal` carries the last season on, and is told how long a season is: 24
hours, 7 days, 52 weeks. **Bold** is the least of a column, by whatever margin. CPU-seconds are
means, of a whole imputation.
"""


def section(rows: Sequence[jobs.Row]) -> str:
    """The section, from the rows of `benchmarks.gaps`."""
    found = summary.frame(rows)
    long = pd.DataFrame(
        [
            {**row, "steps": int(steps), "error": errors["rmse"]}
            for row in found.to_dict("records")
            for steps, errors in row["by_length"].items()
        ]
    )
    parts = [INTRODUCTION]
    for data in sorted(long["data"].unique(), key=_rank):
        own = long[long["data"] == data]
        parts += [f"### Long gaps in {TITLES.get(data, data)}\n"]
        parts += [text] if (text := _beside_the_best(own)) else []
        parts += [_table(own)]
    return "\n".join(parts)


def _rank(data: str) -> tuple[int, str]:
    known = list(TITLES)
    return (known.index(data) if data in known else len(known), data)


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    """By label, and by place and length."""
    return rows.pivot_table(index="label", columns=["pattern", "steps"], values="error")


def _table(rows: pd.DataFrame) -> str:
    means = _means(rows)
    spread = rows.pivot_table(
        index="label", columns=["pattern", "steps"], values="error", aggfunc="std", dropna=False
    )
    seconds, seeds = (
        rows.groupby("label")["cpu_seconds"].mean(),
        rows.groupby("label")["seed"].nunique(),
    )
    order = means.mean(axis=1).sort_values().index
    heads = [(p, n) for p in PLACES for n in gap_worker.LENGTHS if (p, n) in means]
    lines = []
    for label in order:
        cells = [
            _cell(means.loc[label, head], spread.loc[label].get(head), means[head].min())
            for head in heads
        ]
        few = "" if seeds[label] == seeds.max() else f" ({seeds[label]} of {seeds.max()} seeds)"
        lines.append([f"{label}{few}", *cells, f"{seconds[label]:.1f}"])
    return spirit.table(["method", *(f"{PLACES[p]}, {n}" for p, n in heads), "CPU-s"], lines)


def _cell(mean: float, deviation: float | None, least: float) -> str:
    if pd.isna(mean):
        return ""
    text = f"{mean:.3f}" + ("" if pd.isna(deviation) else f" ± {deviation:.3f}")
    return f"**{text}**" if mean == least else text


def _beside_the_best(rows: pd.DataFrame) -> str:
    """In words: the smoother beside the best simple rule of each column, on the same gaps."""
    means = _means(rows[rows["seed"].isin(rows.loc[rows["label"] == JUDGED, "seed"])])
    simple = [name for name in ("linear", "locf", gap_worker.SEASONAL) if name in means.index]
    if JUDGED not in means.index or not simple:
        return ""
    best = means.loc[simple]
    ratio = (means.loc[JUDGED] / best.min()).sort_values()
    worst, wins = ratio.index[-1], int((ratio < 1).sum())
    lost = (
        f"at worst its RMSE is {ratio.iloc[-1]:.2f} times that of `{best[worst].idxmin()}` "
        f"({PLACES[worst[0]]}, {worst[1]} steps)"
        if ratio.iloc[-1] > 1
        else f"at least its RMSE is {1 - ratio.iloc[-1]:.0%} lower"
    )
    return (
        f"`{JUDGED}` is ahead of the best of {', '.join(f'`{name}`' for name in simple)} in "
        f"{wins} of {len(ratio)} columns; {lost}.\n"
    )

"""The page on series, and the README's short table of it."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from benchmarks.harness import jobs
from benchmarks.pages import gap, spirit, summary
from benchmarks.peers import quoted

SHORT = (
    "linear",
    "moving_average",
    "soft_impute",
    "gaussian",
    "saits",
    "boosted_smoother",
    "spirit:paper",
    "spirit noise_on=all",
    "spirit",
    "stack",
)
TITLES = {"etth1": "ETTh1", "ettm1": "ETTm1", "exchange": "Exchange rate"}

INTRODUCTION = """# Results on series

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

Each series is taken whole. Every entry is hidden with the stated probability, independently, by a
fixed seed for each series, ratio and repeat, so that all methods fill the same holes. Columns are
standardised by their observed entries, and errors are over hidden entries in these units. *W1* is
the Wasserstein distance of order 1 between hidden values and their completions, averaged over
columns: a method that smooths too much can have a small MAE and a large W1. CPU-seconds are of one
imputation, compilation included, in a process of its own; MB is that process's peak, libraries
included. ± is the standard deviation over masks; without it there was one mask. **Bold** is the
best of a column if it is ahead of every other by more than two standard errors of the difference
on the same holes, over all ratios and masks. SPIRIT where it returned its start is that smoother
under another key, and wins nothing. A name without a preset (`spirit`) means the default settings,
the same on every series. `diffusion` is scored by the median of 20 draws.
"""


def page(rows: pd.DataFrame, results: Path) -> str:
    """The page on series: each of them, long gaps, then what was measured of SPIRIT itself."""
    parts = [INTRODUCTION, *(one_series(rows, data) for data in order(rows["data"]))]
    if gaps := jobs.read(results / "gaps.jsonl"):
        parts.append(gap.section(gaps))
    for write, file in (
        (spirit.ablation, "ablation.jsonl"),
        (spirit.sensitivity, "sensitivity.jsonl"),
        (spirit.scaling, "scaling.jsonl"),
    ):
        found = summary.frame(jobs.read(results / file))
        if not found.empty:
            parts.append(write(found))
    return "\n".join(parts)


def one_series(rows: pd.DataFrame, data: str) -> str:
    """The section of one series: what wins, the means, each ratio, and the published numbers."""
    own = rows[rows["data"] == data]
    means, ratios = summary.overall(own), sorted(own["ratio"].unique())
    span = f"{ratios[0]:g}" if len(ratios) == 1 else f"{ratios[0]:g} to {ratios[-1]:g}"
    parts = [
        f"## {title(data)}\n",
        "\n\n".join(verdict(own, means)) + "\n",
        f"Means over {len(ratios)} missing ratios ({span}).\n"
        if len(ratios) > 1
        else f"Missing ratio {span}.\n",
        means_table(own, means),
        *older_preset(own),
    ]
    if len(ratios) > 1:
        parts += ["### Each ratio\n\nMAE / MSE.\n", ratio_table(own, list(means.index))]
    curve = summary.progress(own, "spirit")
    if len(curve):
        parts += [
            "### SPIRIT, pass by pass\n\nMeans over the runs above: score-matching loss, error on "
            "the entries it holds out; the best so far is kept.\n",
            spirit.table(
                ["pass", "loss", "error", "best error"],
                [
                    [str(step), *(f"{value:.4f}" for value in line)]
                    for step, line in curve.T.items()
                ],
            ),
        ]
    if data in quoted.TABLE_1:
        parts += [
            "### As published\n\nQuoted from Table 1 of Chen et al. (2026), not run here: means "
            "over the ratios 0.1 to 0.6, on other holes of the same kind.\n",
            spirit.table(
                ["method (quoted)", "MAE", "MSE"],
                [
                    [name, f"{mae:.3f}", f"{mse:.3f}"]
                    for name, (mae, mse) in sorted(
                        quoted.TABLE_1[data].items(), key=lambda item: item[1]
                    )
                ],
            ),
        ]
    return "\n".join(parts)


def verdict(rows: pd.DataFrame, means: pd.DataFrame) -> list[str]:
    """Which method wins, and where SPIRIT stands beside its start and the others."""
    complete = contenders(rows, means)
    least = complete["mae"].iloc[0]
    same = 1 + summary.SAME
    first = [name for name, mae in complete["mae"].items() if mae <= same * least]
    behind = [f"{name} ({mae:.4f})" for name, mae in complete["mae"].iloc[len(first) :][:1].items()]
    texts = [
        f"The lowest MAE is that of {' and '.join(f'**{name}**' for name in first)} ({least:.4f})"
        f"{', ahead of ' if behind else ''}{''.join(behind)}; "
        f"the lowest MSE is that of **{complete['mse'].idxmin()}** ({complete['mse'].min():.4f})."
    ]
    if "spirit" not in means.index:
        return texts
    start = rows.loc[rows["label"] == "spirit", "settings"].iloc[0]["start"]
    beside = summary.compare(rows, "spirit", start)
    held = summary.starts(rows, "spirit")
    if beside is not None and held is not None and not held.wins:
        texts.append(
            f"SPIRIT returned its start ({start}) in all {held.runs} runs: no pass was better on "
            "the entries it holds out. Their MAE differs all the same, for the start is fitted "
            f"under a key of its own: it is {percent(beside.change)} than {start}'s, which says "
            f"how much {start} depends on its key."
        )
    elif beside is not None and abs(beside.change) < summary.SAME:
        texts.append(
            f"SPIRIT ends where it starts ({start}): their MAE differs by less than "
            f"{summary.SAME:.1%}. It "
            "returns its start, fitted under a key of its own, unless a pass is surely better on "
            "the entries it holds out."
        )
    elif beside is not None:
        better = "beats" if beside.change < 0 else "does not beat"
        texts.append(
            f"SPIRIT {better} its own start ({start}): its MAE is {percent(beside.change)} on the "
            f"hidden entries, and lower in {beside.wins} of {beside.runs} runs."
        )
    if held is not None and held.wins:
        texts.append(
            f"On the observed entries it holds out, its error ended {percent(held.change)} than "
            f"its start's, and below it in {held.wins} of {held.runs} runs."
        )
    others = [name for name in ("gaussian", "linear", "saits") if name != start]
    compared = [(name, summary.compare(rows, "spirit", name)) for name in others]
    listed = [f"{percent(pair.change)} than {name}'s" for name, pair in compared if pair]
    if listed:
        texts.append(f"Its MAE is {', '.join(listed)}, on the same holes.")
    return texts


def older_preset(rows: pd.DataFrame) -> list[str]:
    """What the preset `paper` was when its rows were measured, if it is not as printed."""
    settings = list(rows.loc[rows["label"] == "spirit:paper", "settings"])
    if not any(found.get("holdout") for found in settings):
        return []
    return ["`spirit:paper` was measured with entries held out and a mean norm in (12).\n"]


def contenders(rows: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """Methods that can win: measured on every ratio, and not their own start under another key."""
    whole = means[means["complete"]]
    return whole.drop([label for label in whole.index if summary.is_its_start(rows, label)])


def means_table(rows: pd.DataFrame, means: pd.DataFrame) -> str:
    able = contenders(rows, means)
    first = {error: winner(rows, able, error) for error in summary.ERRORS}
    lines = []
    for label, line in means.iterrows():
        cells = [
            mark(spread(line[error], line[f"{error}_std"]), label == first[error])
            for error in summary.ERRORS
        ]
        partly = "" if line["complete"] else f" ({line['ratios']} of the ratios)"
        lines.append(
            [f"{label}{partly}", *cells, f"{line['cpu_seconds']:.1f}", f"{line['peak_mb']:.0f}"]
        )
    return spirit.table(["method", "MAE", "MSE", "W1", "CPU-s", "MB"], lines)


def winner(rows: pd.DataFrame, able: pd.DataFrame, error: str) -> str | None:
    """The method surely ahead of all others, if there is one."""
    if len(able) < 2:
        return None
    best, *others = able.sort_values(error).index
    return best if summary.ahead(rows, best, error, others) else None


def ratio_table(rows: pd.DataFrame, labels: Iterable[str]) -> str:
    errors = summary.by_ratio(rows)
    ratios = sorted(rows["ratio"].unique())
    lines = []
    for label in labels:
        line = [label]
        for ratio in ratios:
            if (label, ratio) not in errors.index:
                line.append("")
                continue
            found = errors.loc[(label, ratio)]
            line.append(" / ".join(f"{found[e]:.4f}" for e in ("mae", "mse")))
        lines.append(line)
    return spirit.table(["method", *(f"p = {ratio:g}" for ratio in ratios)], lines)


def short(rows: pd.DataFrame) -> str:
    """The README's table: a few methods, every series, and what SPIRIT's authors print."""
    names = order(rows["data"])
    own = {data: rows[rows["data"] == data] for data in names}
    means = {data: summary.overall(found) for data, found in own.items()}
    whole = {data: found[found["complete"]] for data, found in means.items()}
    picked = [label for label in SHORT if any(label in found.index for found in whole.values())]
    picked = picked or list(whole[names[0]].index)
    able = {data: contenders(own[data], means[data]) for data in names}
    first = {(d, e): winner(own[d], able[d], e) for d in names for e in ("mae", "mse")}
    lines, returned = [], False
    for label in picked:
        line = [label]
        for data, found in whole.items():
            if label not in found.index:
                line += ["", ""]
                continue
            errors = " / ".join(
                mark(f"{found.loc[label, e]:.4f}", label == first[data, e]) for e in ("mae", "mse")
            )
            start = label not in able[data].index
            returned |= start
            line += [errors + " †" * start, f"{found.loc[label, 'cpu_seconds']:.0f}"]
        lines.append(line)
    published = [quoted.TABLE_1.get(data, {}).get("SPIRIT") for data in names]
    if any(published):
        line = ["SPIRIT as published (quoted)"]
        for pair in published:
            line += [f"{pair[0]:.3f} / {pair[1]:.3f}" if pair else "", ""]
        lines.append(line)
    heads = [head for data in names for head in (f"{title(data)} MAE / MSE", "CPU-s")]
    note = "† Its start, `gaussian`, returned under another key: no pass was surely better.\n"
    return spirit.table(["method", *heads], lines) + ("\n" + note) * returned


def order(data: Iterable[str]) -> list[str]:
    """Names of series: those of the paper first."""
    present = set(data)
    return [name for name in TITLES if name in present] + sorted(present - set(TITLES))


def title(data: str) -> str:
    return TITLES.get(data, data)


def percent(change: float) -> str:
    return f"{abs(change):.1%} {'lower' if change < 0 else 'higher'}"


def spread(mean: float, deviation: float) -> str:
    return f"{mean:.4f}" if pd.isna(deviation) else f"{mean:.4f} ± {deviation:.4f}"


def mark(cell: str, best: bool) -> str:
    return f"**{cell}**" if best else cell

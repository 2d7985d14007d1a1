"""The page on tables: every method on each set, with errors and distances side by side."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from benchmarks.harness import jobs
from benchmarks.pages import spirit, summary
from benchmarks.peers import quoted
from benchmarks.problems import mixed

INTRODUCTION = """# Results on tables

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

Entries are hidden by a fixed seed for each set, share, pattern and repeat, so that all methods fill
the same holes. Columns are standardised by their observed entries, and scores are in these units.

- *RMSE*, *MAE*: of the estimate over hidden entries. That of a method that
  draws at random is a mean or median of ten draws or more.
- *draw RMSE*: of one completion, over hidden entries. A draw from the exact conditional
  distribution has about 1.4 times the RMSE of the conditional mean: a small one is no merit of a
  method that draws.
- *MMD*: root of the biased squared maximum mean discrepancy, Gaussian kernel of bandwidth 1,
  between one completion and the truth, whole rows, the same ones of both; *energy*: their energy
  distance; *SW*: their sliced Wasserstein distance of order 2. Estimates that are conditional means
  are less spread than data, and these show it.
- *CPU-s*: of one completion, compilation included, in a process of its own; *MB*: its peak.

± is the standard deviation over masks; without it there was one mask. **Bold** is the best of a
column, of the methods measured on every mask, if it is ahead by more than its ±. `sklearn_ridge`
is scikit-learn's IterativeImputer with Bayesian ridge, `sklearn_ridge_draws` the same with
posterior draws, `sklearn_trees` with extremely randomised trees. Of the ten sets of MIRI's paper,
pumadyn32nm, solar and gas are not here.
"""
MIXED = ("rmse", "mae", "accuracy", "total_variation", "coverage")
_LARGER = ("accuracy",)  # is better; all other scores are errors, distances or costs
ERRORS = ("rmse", "mae", "draw_rmse", "mmd", "energy_distance", "sliced_wasserstein")
HEADS = ("RMSE", "MAE", "draw RMSE", "MMD", "energy", "SW")
PATTERNS = {
    "mcar": "missing completely at random",
    "mar": "missing at random (logistic, on columns always observed)",
    "mnar": "missing not at random (the larger an entry, the likelier)",
}


def read(path: Path) -> list[jobs.Row]:
    """Rows of `benchmarks.tables`, and of `benchmarks.flow_speed` beside them."""
    return [*jobs.read(path), *jobs.lines(path.with_name("flow_speed.jsonl"))]


def page(rows: Sequence[jobs.Row]) -> str:
    """The whole page."""
    found = summary.frame([row for row in rows if "what" not in row])
    parts = [INTRODUCTION]
    toys, made = (found["data"].str.startswith(name) for name in ("toy", "synthetic"))
    kinds = found["data"].map(mixed.is_mixed)
    real = found[~toys & ~made & ~kinds]
    parts += [_toy(own) for _, own in found[toys].groupby("data")]
    parts += [verdict(real)] if len(real) else []
    parts += [sizes(found[made])] if made.any() else []
    parts += speed([row for row in rows if "what" in row and not row["quick"]])
    parts += [categories(found[kinds])] if kinds.any() else []
    for (data, pattern, ratio), own in real.groupby(["data", "pattern", "ratio"]):
        parts.append(f"## {data}, {ratio:.0%} {PATTERNS[pattern]}\n")
        parts.append(_table(own, ERRORS, HEADS))
    return "\n".join(parts)


def categories(rows: pd.DataFrame) -> str:
    """Tables with categories beside numbers."""
    heads = dict(zip(MIXED, ("RMSE", "MAE", "accuracy", "TV", "coverage"), strict=True))
    parts = [
        "## Numbers and categories\n\nThrough `impute` and `impute_many`, as a user has them. "
        "*Accuracy*: share of hidden levels that are right; *TV*: total variation between the "
        "hidden levels and those of one completion, a draw where there are any, mean over columns; "
        "*coverage*: share of hidden numbers within the range of 19 draws, where 0.9 is right. The "
        "estimate of a method that draws is the median of its draws, or the most frequent level. "
        "scikit-learn's peers see plain columns of indicators. CPU-s count the draws.\n"
    ]
    for (data, pattern, ratio), own in rows.groupby(["data", "pattern", "ratio"]):
        shown = own.assign(coverage=pd.to_numeric(own["coverage"]))
        means = shown.groupby("label")[list(MIXED)].mean()
        parts += [
            f"### {data}, {ratio:.0%} {PATTERNS[pattern]}\n\n{_in_words(means)}\n",
            _table(shown, MIXED, list(heads.values())),
        ]
    return "\n".join(parts)


def _in_words(means: pd.DataFrame) -> str:
    """Who has the most levels right, and where the defaults stand."""
    best = means["accuracy"].idxmax()
    words = [f"`{best}` has the most levels right, {means['accuracy'].max():.3f}."]
    for label, what in (("stack", "`impute`"),):
        if label in means.index and label != best:
            gap = means["accuracy"].max() - means.loc[label, "accuracy"]
            words.append(f"`{label}`, the default of {what}, loses to it by {gap:.3f}.")
    return " ".join(words)


def sizes(rows: pd.DataFrame) -> str:
    """What rows and columns cost."""
    shape = rows["data"].str.extract(r":(\d+)x(\d+)").astype(int)
    rows = rows.assign(rows=shape[0], columns=shape[1]).sort_values(["rows", "columns"])
    labels = sorted(set(rows["label"]))
    lines = [
        [f"{n:,} x {d}", *(_cost(own[own["label"] == label]) for label in labels)]
        for (n, d), own in rows.groupby(["rows", "columns"])
    ]
    return (
        "## What size costs\n\nCPU-seconds / MB of one completion, compilation included, of tables "
        "made of noisy waves, 40% missing; default settings.\n\n"
        + spirit.table(["rows x columns", *labels], lines)
    )


def _cost(own: pd.DataFrame) -> str:
    if own.empty:
        return ""
    return f"{own['cpu_seconds'].mean():.1f} / {own['peak_mb'].max():.0f}"


def speed(rows: Sequence[jobs.Row]) -> list[str]:
    """MIRI's learning step beside a loop in PyTorch; nothing without rows."""
    latest = {tuple(row["sizes"].values()): row for row in rows}
    lines = []
    for (columns, width, batch), row in latest.items():
        theirs, ours = (f"{1e3 * seconds:.2f}" for seconds in row["seconds"])
        low, high = row["spread"]
        ratio = f"{row['ratio']:.2f} ({low:.2f} to {high:.2f})"
        lines.append([f"{width}, {batch}, {columns}", theirs, ours, ratio, f"{row['compile']:.1f}"])
    heads = ["width, batch, columns", "PyTorch, ms", "ours, ms", "ratio", "compilation, s"]
    return lines and [
        "## A learning step of MIRI\n\n`python -m benchmarks.flow_speed`: CPU-time of one thread, "
        "beside a loop in PyTorch that is written as the public code is (a loader of batches, "
        "boolean indexing) for as many parameters. The two take turns; a ratio is the median over "
        "turns, between its quartiles. Wanted: twice as fast, and compilation of a whole round "
        "under 5 CPU-s.\n\n" + spirit.table(heads, lines)
    ]


def verdict(rows: pd.DataFrame) -> str:
    """In how many problems MIRI beats chained equations, in distribution and in error.

    Both of its forms: that without a base is the paper's.
    """
    means = rows.groupby(["data", "pattern", "ratio", "label"])[list(ERRORS)].mean()
    lines = []
    claims = (
        ("mice", "mmd", 1.0),
        ("mice", "energy_distance", 1.0),
        ("sklearn_ridge_draws", "mmd", 1.0),
        ("sklearn_ridge_draws", "energy_distance", 1.0),
        ("sklearn_ridge", "rmse", 1.05),
        ("gaussian", "rmse", 1.0),
    )
    for ours, (theirs, score, factor) in product(("miri", "miri base=none"), claims):
        wide = means[score].unstack("label")
        if ours not in wide or theirs not in wide:
            continue
        pairs = wide[[ours, theirs]].dropna()
        wins = (pairs[ours] <= factor * pairs[theirs]).groupby(level="pattern").agg(["sum", "size"])
        counts = [
            f"{wins.loc[pattern, 'sum']} of {wins.loc[pattern, 'size']} {words.partition(' (')[0]}"
            for pattern, words in PATTERNS.items()
            if pattern in wins.index
        ]
        name = dict(zip(ERRORS, HEADS, strict=True))[score]
        bound = f"{factor:g} times that" if factor != 1 else "that"
        lines.append(
            f"- {name} of `{ours}` is at most {bound} of `{theirs}` in {', '.join(counts)}."
        )
    return "## In short\n\n" + "\n".join(lines) + "\n" if lines else ""


def _toy(rows: pd.DataFrame) -> str:
    scores = ("rmse_all", "mae_all", "mmd_apart", "rmse", "energy_distance")
    heads = ("RMSE, all", "MAE, all", "MMD, apart", "RMSE of mean", "energy")
    own, ratio = rows[rows["ratio"] == rows["ratio"].min()], rows["ratio"].min()
    return "\n".join(
        [
            f"## The mixture of two clusters ({rows['data'].iloc[0]}), {ratio:.0%} missing\n\n"
            "In the units of MIRI's Table 3: raw scale, errors of one completion over *all* "
            "entries with observed ones counted as right (the table's numbers only agree with "
            "this), and MMD between random samples of 1000 rows. `exact` draws from the true "
            "conditional distribution: a smaller error than its own is luck, or that of a "
            "conditional mean.\n",
            _table(own, scores, heads),
            "Quoted from Table 3 of Yu et al. (2025), not run here:\n",
            spirit.table(
                ["method (quoted)", "RMSE, all", "MAE, all", "MMD"],
                [[name, *cells] for name, cells in quoted.MIRI_TABLE_3.items()],
            ),
        ]
    )


def _table(rows: pd.DataFrame, scores: Sequence[str], heads: Sequence[str]) -> str:
    groups = rows.groupby("label")
    means, spread = groups[list(scores)].mean(), groups[list(scores)].std()
    cost = groups[["cpu_seconds", "peak_mb"]].agg({"cpu_seconds": "mean", "peak_mb": "max"})
    worth = means.copy()  # less is better
    for score in set(_LARGER) & set(scores):
        worth[score] *= -1
    if "coverage" in scores:  # of which neither the least nor the greatest is best
        worth["coverage"] = float("nan")
    masks = groups["seed"].nunique()
    able = worth[masks == masks.max()]
    lines = []
    for label in means.sort_values(scores[0]).index:
        cells = []
        for score in scores:
            mean, deviation = means.loc[label, score], spread.loc[label, score]
            if pd.isna(mean):
                cells.append("")
                continue
            cell = f"{mean:.3f}" if pd.isna(deviation) else f"{mean:.3f} ± {deviation:.3f}"
            lead = able[score].drop(label, errors="ignore").min() - worth.loc[label, score]
            first = label in able.index and lead > (0.0 if pd.isna(deviation) else deviation)
            cells.append(f"**{cell}**" if first else cell)
        seconds, megabytes = cost.loc[label]
        lines.append([label, *cells, f"{seconds:.1f}", f"{megabytes:.0f}"])
    return spirit.table(["method", *heads, "CPU-s", "MB"], lines)

"""The page on presets: what `fast`, `balanced` and `best` make of one problem of each kind."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.harness import jobs
from benchmarks.pages import spirit

INTRODUCTION = """# What the presets mean

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

Each method whose presets differ, on one set of holes or a few (*seeds*): MAE at hidden entries, a
distributional score (the energy distance to the truth, CRPS for fields), and CPU-seconds
of the whole, compilation included; means over the seeds that all presets were run with. The MAE of
`mice` and `miri` is of one random completion, which is what they return; of others that draw, of
the mean of draws. This says what a preset costs and which way it goes, not how methods compare: for
that see the other pages. Where `best` is not better, more work is not what the method lacks there.

    python -m benchmarks.tables --data energy --ratios 0.4 --seeds 1 \\
        --out benchmarks/results/presets.jsonl --methods gain:fast gain gain:best ...

and likewise `benchmarks.series --data etth1:1500 --ratios 0.3`, and
`benchmarks.systems --data advection:288x4x12x12 --masks blocks:5`.
"""
PRESETS = ("fast", "balanced", "best")
SCORES = ("crps", "energy_distance")  # the first that a row has


def read(path: Path) -> list[jobs.Row]:
    """The rows of a file; of two measurements of the same thing, the later one."""
    return jobs.read(path)


def page(rows: Sequence[jobs.Row]) -> str:
    """The whole page, from rows of several benchmarks."""
    rows = [{**row, "method": jobs.called({**row, "preset": "balanced"})} for row in rows]
    found = pd.DataFrame([{**row, "score": _score(row)} for row in rows])
    found = found[found["preset"].isin(PRESETS)]
    shown = [preset for preset in PRESETS if preset in set(found["preset"])]
    parts = [INTRODUCTION]
    for data, own in found.groupby("data", sort=False):
        lines = []
        for method, these in own.groupby("method", sort=False):
            these = _shared(these)
            means = these.groupby("preset")[["mae", "score", "cpu_seconds"]].mean()
            if len(means) > 1:
                seeds = these["seed"].nunique()
                lines.append([f"`{method}`", str(seeds), *(_cell(means, name) for name in shown)])
        parts += [f"## {data}\n", spirit.table(["method", "seeds", *shown], lines)]
    return "\n".join(parts)


def _shared(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the seeds that every preset was run with, if there are any."""
    often = rows.groupby("seed")["preset"].nunique()
    common = rows[rows["seed"].map(often) == rows["preset"].nunique()]
    return rows if common.empty else common


def _score(row: jobs.Row) -> float:
    return next((row[name] for name in SCORES if name in row), float("nan"))


def _cell(means: pd.DataFrame, preset: str) -> str:
    """Both errors and the cost of a preset, the least of each error in bold."""
    if preset not in means.index:
        return ""
    errors = []
    for column in ("mae", "score"):
        value = means.loc[preset, column]
        if pd.isna(value):
            continue
        least = value == means[column].min()
        errors.append(f"**{value:.4f}**" if least else f"{value:.4f}")
    return f"{' / '.join(errors)}, {means.loc[preset, 'cpu_seconds']:.0f} s"

"""The page on presets: what `fast`, `balanced` and `best` make of one problem of each kind."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import _jobs, _pages

INTRODUCTION = """# What the presets mean

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

Each method whose presets differ, on one set of holes: MAE at hidden entries and CPU-seconds of the
whole, compilation included. One seed on one set says what a preset costs and which way it goes, not
how methods compare: for that see the other pages. The number of a method that draws is of one draw.
Where `best` is not better, more work is not what the method lacks there.

    python -m benchmarks.tables --data energy --ratios 0.4 --seeds 1 \\
        --out benchmarks/results/presets.jsonl --methods gain:fast gain gain:best ...

and likewise `benchmarks.series --data ETTh1:1500 --ratios 0.3`, and
`benchmarks.systems --data advection:288x4x12x12 --masks blocks:5`.
"""
PRESETS = ("fast", "balanced", "best")


def read(path: Path) -> list[_jobs.Row]:
    """The rows of a file; of two measurements of the same thing, the later one."""
    return _jobs.read(path)


def page(rows: Sequence[_jobs.Row]) -> str:
    """The whole page, from rows of several benchmarks."""
    found, parts = pd.DataFrame(list(rows)), [INTRODUCTION]
    for data, own in found.groupby("data", sort=False):
        errors = own.pivot_table(index="method", columns="preset", values="mae", aggfunc="last")
        costs = own.pivot_table(
            index="method", columns="preset", values="cpu_seconds", aggfunc="last"
        )
        shown = [preset for preset in PRESETS if preset in errors]
        lines = []
        for method in errors.index[errors[shown].notna().sum(axis=1) > 1]:
            least = errors.loc[method, shown].min()
            cells = []
            for preset in shown:
                error, cost = errors.loc[method, preset], costs.loc[method, preset]
                cell = "" if pd.isna(error) else f"{error:.4f}, {cost:.0f} s"
                cells.append(f"**{cell}**" if error == least else cell)
            lines.append([f"`{method}`", *cells])
        parts += [f"## {data}\n", _pages.table(["method", *shown], lines)]
    return "\n".join(parts)

"""The page on MIRI itself: what each of its departures from the paper does."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import miri_ablation
from benchmarks.harness import jobs
from benchmarks.pages import spirit

INTRODUCTION = """# What the parts of MIRI do

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

The preset `paper` with a narrower network and fewer rounds, one of its settings changed at a time,
mostly to that of the default; and some of that again at the rate of the authors' code. *RMSE* is of
the one completion that `fill` returns, over hidden entries, in standard deviations; *anew* is that
of the mean of ten further draws of the same rows, from other guesses under the same fields;
*energy* is the energy distance between the completion and the truth. *Loss* is (6) in the last
round, per scored entry.
The least that a field blind to the observed entries can reach is known: between two independent
Gaussian columns of unit variance it is
$\\int_0^1 d\\tau / (\\tau^2 + (1 - \\tau)^2) = \\pi / 2 \\approx 1.57$. The first column scores
draws, and a good one has about $\\sqrt 2$ times the RMSE of a conditional mean.
"""


def read(path: Path) -> list[jobs.Row]:
    """The rows of a file; of two measurements of the same thing, the later one."""
    return jobs.read(path)


def page(rows: Sequence[jobs.Row]) -> str:
    """The whole page: a table for each problem and rate."""
    found = pd.DataFrame(jobs.latest(rows))
    found = found.assign(
        change=[_change(row) for row in found["options"]],
        rate=[row["lr"] for row in found["options"]],
        width=[row.get("width") for row in found["options"]],
        rounds=[row.get("steps") for row in found["options"]],
        loss=[curves["loss"][-1] for curves in found["curves"]],
    )
    parts = [INTRODUCTION]
    for (data, ratio, width, rounds, rate), own in found.groupby(
        ["data", "ratio", "width", "rounds", "rate"], sort=False
    ):
        means = own.groupby("change", sort=False)[
            ["draw_rmse", "rmse", "energy_distance", "loss", "cpu_seconds"]
        ].mean()
        lines = [
            [
                change,
                f"{line['draw_rmse']:.3f}",
                f"{line['rmse']:.3f}",
                f"{line['energy_distance']:.4f}",
                f"{line['loss']:.3f}",
                f"{line['cpu_seconds']:.0f}",
            ]
            for change, line in means.iterrows()
        ]
        sizes = f"width {width}, {rounds} rounds"
        parts.append(f"## {data}, {ratio:.0%} missing, rate {rate:g}, {sizes}\n")
        heads = ["changed", "RMSE", "RMSE, anew", "energy", "loss", "CPU-s"]
        parts.append(spirit.table(heads, lines))
    return "\n".join(parts)


def _change(options: dict[str, object]) -> str:
    """The name of what a row's options change, the last that fits; two settings before one."""
    fits = [
        name
        for name, change in miri_ablation.CHANGES.items()
        if all(options.get(key) == value for key, value in change.items())
    ]
    return max(fits, key=lambda name: len(miri_ablation.CHANGES[name]))

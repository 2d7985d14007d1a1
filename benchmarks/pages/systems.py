"""The page on films: shallow water, advection, flows, and real fields."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.harness import jobs
from benchmarks.harness.system_worker import RIVALS
from benchmarks.pages import spirit, summary

INTRODUCTION = """# Results on films of physical systems

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.
The [smaller page](fields.md) compares partitions; this one compares methods on equations and data.

`shallow:FILMSxFRAMESxROWSxCOLUMNS` is linear rotating shallow water by the C-grid scheme, three
variables, eight sets of parameters; `advection` is a pattern carried along, eight winds; `vortices`
is the vorticity of a decaying turbulent flow and `kolmogorov` that of a forced one; `era5` is
hourly temperature over the UK in films of three hours; `ostia` is monthly sea-surface temperature
of the tropics, land left out, completed by what was learned from the same months. Elsewhere a tenth
of the films, at most 64, is completed, and the others are learned from; all have holes, the same in
all frames. Errors are over hidden entries, in standard deviations of the variable.

`context_query` is the recipe's default: its network corrects the best of a few simple methods, as
far as held-out places say. With `base=none` it corrects a thin plate through what it is shown, and
with `surface=none`, like `missdiff` and `ambientdiff`, nothing, as in the paper.

- *MSE*: mean squared error. In brackets how many times the least possible one it is, where the
  equations are linear and so the best possible answer is known, and not nothing.
- *MAE* and *CRPS*: the CRPS of a single estimate is its MAE; of a method that draws, the mean of
  ten draws is scored, and their CRPS.
- *MSE, all*: over all entries, observed ones included, as published numbers are.
- *spectrum*: sum over wavenumbers of the difference in energy, over the energy. 0 is right, and 1
  is a constant. Of a method that draws, of one draw.
- *feasibility*: mean squared residual of the scheme times 10⁸. **0 for a field that is 0
  everywhere.** *simulation*: mean squared error of the completed first frame, carried along
  exactly, against the true film.
- *CPU-s*: learning and completing, compilation included, on a machine that others use.
"""
ERRORS = ("mse", "mae", "crps", "mse_all", "spectrum", "feasibility", "simulation")
HEADS = dict(zip(ERRORS, ("MSE", "MAE", "CRPS", "MSE, all", *ERRORS[4:]), strict=True))
HOLES = {"pixels": "{:.0%} of the places observed", "blocks": "{:.0f} of 9 blocks observed"}
BEST = "best_possible"
_NOTHING = 1e-3  # an error of the best answer below which its multiples mean nothing


def read(path: Path) -> list[jobs.Row]:
    """The rows of a file."""
    return jobs.read(path)


def page(rows: Sequence[jobs.Row]) -> str:
    """The whole page, from rows of `benchmarks.systems`."""
    found = summary.frame(rows)
    named = zip(found["label"], found["options"], found["settings"], strict=True)
    found["label"] = [_called(label, _without(*given)) for label, *given in named]
    parts = [INTRODUCTION]
    for (data, masks), own in found.groupby(["data", "pattern"], sort=False):
        kind, _, much = masks.partition(":")
        parts.append(f"## {data}, {HOLES[kind].format(float(much))}\n")
        parts.append(_table(own.dropna(axis=1, how="all")))
    return "\n".join(parts)


def _without(options: dict, settings: dict) -> dict:
    """The options of a row, and that it is of the network without a base, if it does not say so."""
    plain = {"surface", "partition", "net", "feed"} & options.keys()
    if settings.get("partition", "ambient") == "ambient" or "base" in settings or plain:
        return options
    return {"base": "none", **options}


def _called(label: str, options: dict) -> str:
    for name, (method, own) in RIVALS.items():
        if label == method and own.items() <= options.items():
            label, options = name, {k: v for k, v in options.items() if k not in own}
    words = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"`{label}`" + (f" with {words}" if words else "")


def _table(own: pd.DataFrame) -> str:
    shown = [score for score in ERRORS if score in own]
    groups = own.groupby("label")
    means, spreads = groups[shown].mean(), groups[shown].std()
    costs = groups[["cpu_seconds", "peak_mb"]].mean()
    best = own.loc[own["method"] == BEST, "mse"].mean()
    least = means.drop(index=f"`{BEST}`", errors="ignore").min()
    lines = []
    for label in means.sort_values("mse").index:
        cells = []
        for score in shown:
            mean, deviation = means.loc[label, score], spreads.loc[label, score]
            cell = "" if pd.isna(mean) else _number(mean)
            cell += "" if pd.isna(deviation) else f" ± {_number(deviation)}"
            if score == "mse" and best > _NOTHING:
                cell += f" ({mean / best:.1f})"
            bold = mean == least[score] and score not in ("feasibility",)
            cells.append(f"**{cell}**" if bold else cell)
        spent, memory = costs.loc[label]
        lines.append([label, *cells, f"{spent:.0f}", f"{memory:.0f}"])
    return spirit.table(["method", *(HEADS[score] for score in shown), "CPU-s", "MB"], lines)


def _number(x: float) -> str:
    return f"{x:.3f}" if 1e-3 <= abs(x) < 100 or x == 0 else f"{x:.1e}"

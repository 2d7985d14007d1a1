"""The page on fields: partitions and classical methods beside the least possible error."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.harness import jobs
from benchmarks.pages import field_speed, spirit

INTRODUCTION = """# Results on fields

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

A Gaussian field of variance 1 on 12 x 12 places, carried along by a wind, 4 frames. Networks learn
from 4000 incomplete fields and complete 256 others; classical methods learn a covariance from 512
at most. Numbers are mean squared errors over missing entries, and in brackets how many times the
least possible error of their masks that is, known exactly here. *K10* is the mean over ten
contexts, *every* over each that leaves one observed block out, *all* is fed all that is observed.
± is the standard deviation over seeds; without it there was one. CPU-seconds are of training
(of everything, for classical methods), on a machine that others use: upper bounds.

*Shifts* are random circular shifts in training, by multiples of the number, and an average over
3 x 3 of them in the end (`shifts`, off by default): they use that these fields are periodic and
everywhere alike, which other rows have to find out. `eof` is the network of learned modes
(`nets.field_eof`): the best answer for Gaussian fields such as these is one of its own, and others
can only come near it. `block` asks for the block left out of the context, `algorithm_6` for a block
drawn independently, as printed.
"""
SETTINGS = ["partition", "net", "shifts", "steps", "at_delta"]
BUT_STEPS = [one for one in SETTINGS if one != "steps"]
FEEDS = {"K10": "K10", "every": "every", "M": "all"}
KINDS = {"blocks": "of 9 blocks observed", "pixels": "of the places observed"}


def read(path: Path) -> list[dict]:
    """The rows of a file; of two measurements of the same thing, the later one.

    Rows of `benchmarks.guidance`, which have a strength, and of `benchmarks.field_speed`, which say
    `what` they measure, stand beside them.
    """
    rows = [{"shifts": 0} | row for row in jobs.lines(path)]
    kept = {tuple(row[key] for key in (*SETTINGS, "masks", "seed")): row for row in rows}
    beside = ("guidance.jsonl", "field_speed.jsonl")
    return [*kept.values(), *(row for name in beside for row in jobs.lines(path.with_name(name)))]


def page(rows: Sequence[dict]) -> str:
    """The whole page, from rows of `benchmarks.fields`."""
    own = [row for row in rows if "what" not in row and "strength" not in row]
    parts, found = [INTRODUCTION], pd.DataFrame(own)
    for masks, own in found.groupby("masks"):
        kind, _, much = masks.partition(":")
        once = own.drop_duplicates("seed")  # the masks, and so the least error, differ by seed
        parts.append(
            f"## {much} {KINDS[kind]}\n\nThe least possible error is {_cell(once['best'])}; "
            f"the mean of the field makes {_cell(once['field_mean'])}.\n"
        )
        lines = []
        for (name, net, shifts, steps, at_delta), same in own.groupby(SETTINGS, sort=False):
            errors = pd.DataFrame(list(same["mse"])).rename(columns={"-": "M"})
            how = [net, _shifts(shifts), str(steps), f"{at_delta:g}"]
            trained = [""] * len(how) if net == "none" else how
            best = same["best"].mean()
            cells = [_cell(errors[feed], best) if feed in errors else "" for feed in FEEDS]
            line = [f"`{name}`", *trained, *cells, f"{same['cpu_seconds'].mean():.0f}"]
            lines.append((errors.mean().min(), line))
        heads = ["method", "network", "shifts", "steps", "at delta", *FEEDS.values(), "CPU-s"]
        parts.append(spirit.table(heads, [line for _, line in sorted(lines, key=lambda a: a[0])]))
        parts.append(_budgets(own))
    parts.append(_guidance([row for row in rows if "strength" in row and not row["quick"]]))
    parts.append(field_speed.section([row for row in rows if "what" in row]))
    return "\n".join(part for part in parts if part)


def _budgets(own: pd.DataFrame) -> str:
    """How the error falls with training, for networks trained for several lengths."""
    lines = []
    for (name, net, shifts, at_delta), same in own.groupby(BUT_STEPS, sort=False):
        lengths = list(same.groupby("steps"))
        if len(lengths) < 2:
            continue
        cells = []
        for steps, rows in lengths:
            least = pd.DataFrame(list(rows["mse"])).mean().min() / rows["best"].mean()
            cells.append(f"{least:.2f} ({steps} steps, {rows['cpu_seconds'].mean():.0f} s)")
        how = [f"`{name}`", str(net), _shifts(shifts), f"{at_delta:g}"]
        lines.append([*how, ", ".join(cells)])
    if not lines:
        return ""
    heads = ["method", "network", "shifts", "at delta", "times the least error (training)"]
    return "By length of training, under the best way to feed:\n\n" + spirit.table(heads, lines)


def _guidance(rows: Sequence[dict]) -> str:
    """Draws guided by an equation at several strengths; nothing without rows."""
    if not rows:
        return ""
    found, first = pd.DataFrame(list(rows)), rows[0]
    lines = []
    for strength, own in found.groupby("strength"):
        cells = [_cell(own[name]) for name in ("mse_draw", "mse_mean", "crps", "spread")]
        lines.append([f"{strength:g}", *cells, _cell(own["residual"])])
    exact = _cell(found.drop_duplicates("seed")["residual_truth"])
    heads = ["strength", "MSE of a draw", "of their mean", "CRPS", "spread", "residual"]
    return (
        f"## Draws guided by an equation\n\n`python -m benchmarks.guidance`: learned modes after "
        f"{first['steps']} steps, {first['draws']} draws of {first['films']} fields by "
        f"{first['draw_steps']} steps of Algorithm 4, guided by the squared residual of exact "
        f"advection, which is {exact} for the truth (waves at the grid's limit are not carried "
        "exactly). *Spread* is the standard deviation of the draws.\n\n"
        + spirit.table(heads, lines)
    )


def _shifts(stride: int) -> str:
    return f"by {stride}" if stride else ""


def _cell(errors: pd.Series, best: float | None = None) -> str:
    mean, deviation = errors.mean(), errors.std()
    text = f"{mean:.3f}" if pd.isna(deviation) else f"{mean:.3f} ± {deviation:.3f}"
    return text if best is None else f"{text} ({mean / best:.1f})"

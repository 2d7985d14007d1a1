"""The sections on SPIRIT itself: ablation, sensitivity and cost."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from benchmarks.peers import quoted

PRESETS = {"paper": "the paper's settings", "balanced": "the default settings"}


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rules = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rules, *lines)) + "\n"


def ablation(rows: pd.DataFrame) -> str:
    """Weights on or off, with the term that SPIRIT removes absent, VE or VP (Table 2)."""
    parts = [
        "## What the parts of SPIRIT do\n\nThe paper's Table 2. *Weights* are those of the "
        "particles, which semi-proximal transport brings; the *term* is the dissipative one that "
        "SPIRIT removes (Proposition 3.1), put back. MAE / MSE on hidden entries; the change is of "
        "the MAE, from SPIRIT as the paper has it: weights on, no term. "
        + scored_by(rows)
        + ", so that no variant returns its start instead.\n"
    ]
    settings = pd.DataFrame(list(rows["settings"]), index=rows.index)
    rows = rows.assign(
        weights=settings["weights"], term=settings["dissipative"], norm=settings["weight_norm"]
    )
    rows = rows.assign(noise=_noise(rows))
    parts += [text] if (text := _what_weights_do(rows)) else []
    for (data, preset, noise), own in rows.groupby(["data", "preset", "noise"]):
        errors = own.groupby(["weights", "term", "ratio"])[["mae", "mse"]].mean()
        ratios = sorted(own["ratio"].unique())
        lines = []
        for weights, term in product((True, False), ("none", "ve", "vp")):
            cells = [_change(errors, (weights, term, ratio)) for ratio in ratios]
            if any(cells):
                lines.append(["on" if weights else "off", term, *cells])
        parts += [
            f"### {data}, with {PRESETS.get(preset, preset)}, noise on {noise} entries, the norm "
            f"in (12) a {' or '.join(sorted(own['norm'].unique()))}\n",
            table(["weights", "term", *(f"p = {ratio:g}" for ratio in ratios)], lines),
        ]
    for data in sorted(set(rows["data"]) & set(quoted.TABLE_2)):
        printed = quoted.TABLE_2[data]
        full = printed[True, True][0]
        parts += [
            f"### {data}, as published\n\nQuoted from Table 2, not run here: means over six "
            "ratios.\n",
            table(
                ["weights (quoted)", "term", "MAE / MSE"],
                [
                    [
                        "on" if weights else "off",
                        "removed" if removed else "kept",
                        f"{mae:.3f} / {mse:.3f} ({mae / full - 1:+.0%})",
                    ]
                    for (weights, removed), (mae, mse) in printed.items()
                ],
            ),
        ]
    return "\n".join(parts)


def sensitivity(rows: pd.DataFrame) -> str:
    """One setting at a time (Figure 3)."""
    parts = [
        "## How sensitive SPIRIT is\n\nThe paper's Figure 3: one setting is changed, the others "
        "stay at their defaults. MAE / MSE on hidden entries, and CPU-seconds. The default is "
        "marked with a star; the default width follows the size of a row, and has none. "
        f"{scored_by(rows)}.\n"
    ]
    rows = rows.assign(noise=_noise(rows))
    for (data, preset, noise, ratio), own in rows.groupby(["data", "preset", "noise", "ratio"]):
        parts.append(f"### {data}, p = {ratio:g}, preset {preset}, noise on {noise} entries\n")
        common = min(own["options"], key=len)
        changed = pd.Series([_added(options, common) for options in own["options"]], own.index)
        usual = own[changed == ""]
        for setting in changed[changed != ""].unique():
            points = pd.concat([usual, own[changed == setting]])
            points = points.assign(
                value=[found[setting] for found in points["settings"]],
                star=[" *" * (options == common) for options in points["options"]],
            )
            means = points.groupby(["value", "star"])[["mae", "mse", "cpu_seconds"]].mean()
            lines = [
                [
                    f"{value:g}{star}",
                    f"{line['mae']:.4f} / {line['mse']:.4f}",
                    f"{line.iloc[2]:.0f}",
                ]
                for (value, star), line in means.iterrows()
            ]
            parts.append(table([setting, "MAE / MSE", "CPU-s"], lines))
    return "\n".join(parts)


def _noise(rows: pd.DataFrame) -> list[str]:
    """The entries that the noise is on; rows from before there was a choice had it on all."""
    return [settings.get("noise_on", "all") for settings in rows["settings"]]


def scored_by(rows: pd.DataFrame) -> str:
    """What was scored; rows say so where it was not the last iterate itself."""
    text = "Scored by the last iterate, with nothing held out"
    if "settled" in rows and rows["settled"].fillna(False).all():
        text += (
            ", after one more round of moves without weights and term, which ended a run when this "
            "was measured and spares a variant part of its noise"
        )
    return text


def _what_weights_do(rows: pd.DataFrame) -> str:
    """In words: the change of the MAE without weights, here and as published."""
    errors = rows[rows["term"] == "none"].groupby(["data", "preset", "weights"])["mae"].mean()
    wide = errors.unstack("weights")
    if not {True, False} <= set(wide.columns):
        return ""
    most = (wide[False] / wide[True] - 1).abs().max()
    published = {
        data: quoted.TABLE_2[data][False, True][0] / quoted.TABLE_2[data][True, True][0] - 1
        for data in sorted(set(rows["data"]) & set(quoted.TABLE_2))
    }
    theirs = " and ".join(f"{change:.0%} on {data}" for data, change in published.items())
    beside = (
        f" The paper reports {theirs} from leaving them out, and 8% to 56% over its four series."
        if theirs
        else ""
    )
    return (
        "Here the weights do next to nothing: without them the MAE changes by at most "
        f"{most:.1%}.{beside} That effect is not reproduced.\n"
        if most < 0.02
        else f"Without the weights the MAE changes by up to {most:.1%}.{beside}\n"
    )


def scaling(rows: pd.DataFrame) -> str:
    """CPU time and memory as the series grows, and the two stages of SPIRIT (Figure 5)."""
    costs = rows.groupby(["data", "label"])[["cpu_seconds", "peak_mb"]].mean()
    sizes = sorted(rows["data"].unique(), key=_size)
    lines = [
        [
            label,
            *(
                f"{costs.loc[(data, label), 'cpu_seconds']:.0f} / "
                f"{costs.loc[(data, label), 'peak_mb']:.0f}"
                if (data, label) in costs.index
                else ""
                for data in sizes
            ),
        ]
        for label in sorted(rows["label"].unique())
    ]
    parts = [
        "## What it costs\n\nCPU-seconds / MB of one imputation. x4 is the series repeated four "
        "times, with a little noise.\n",
        table(["method", *(data.replace("*", " x") for data in sizes)], lines),
    ]
    timed = rows[rows["split"]]
    if len(timed):
        stages = ["score_cpu_seconds", "recursion_cpu_seconds", "pass_cpu_seconds"]
        means = timed.groupby(["data", "label"])[stages].mean()
        parts += [
            "The two stages of a pass (the paper's Figure 5), in CPU-seconds, compiled before.\n",
            table(
                ["series", "method", "score learning", "recursive imputation", "whole pass"],
                [
                    [data, label, *(f"{value:.2f}" for value in line)]
                    for (data, label), line in means.iterrows()
                ],
            ),
        ]
    return "\n".join(parts)


def _change(errors: pd.DataFrame, point: tuple[bool, str, float]) -> str:
    """A cell of the ablation, with its MAE relative to the paper's SPIRIT."""
    if point not in errors.index:
        return ""
    found = errors.loc[point]
    full = errors["mae"].get((True, "none", point[2]), np.nan)
    change = (
        ""
        if np.isnan(full) or point[:2] == (True, "none")
        else f" ({found['mae'] / full - 1:+.0%})"
    )
    return f"{found['mae']:.4f} / {found['mse']:.4f}{change}"


def _added(options: dict[str, object], common: dict[str, object]) -> str:
    """The option that a row has beyond those common to all; none for the usual row."""
    return next((option for option in options if option not in common), "")


def _size(data: str) -> tuple[str, int]:
    name, _, times = data.partition("*")
    return name, int(times or 1)

"""The section on what a step and a draw of the bridge cost."""

from collections.abc import Sequence
from typing import Any

from benchmarks.pages import spirit

Row = dict[str, Any]
WHATS = ("training", "backward", "sampling", "draws")

INTRODUCTION = """## Speed

`python -m benchmarks.bridge_speed`, CPU-seconds of one thread, compilation apart. The two of a pair
take turns, on a machine that others use; a ratio is the median over turns, and in brackets stand
its quartiles. PyTorch's twin is the same function of the same parameters ({torch}), built of
`nn.TransformerEncoderLayer` and linear maps as CSDI's code is, and trains in a loop; ours trains
in one program of {steps} steps.
"""
DRAWS = """A hundred draws take a hundred times the arithmetic of one, and on one thread they cost
nearly that once the program is compiled. Compilation included, as in a first call, they cost
{first} times a single draw (the rows above, in their order).
"""


def latest(rows: Sequence[Row]) -> list[Row]:
    """Of rows that measure the same thing, the last."""
    return list(
        {tuple(str(row.get(k)) for k in ("what", "of", "batch", "sizes")): row for row in rows}
        .values()
    )  # fmt: skip


def section(rows: Sequence[Row]) -> list[str]:
    """The section, from full rows of `benchmarks.bridge_speed`; nothing without them."""
    found = latest([row for row in rows if not row["quick"]])
    if not found:
        return []
    trained = next((row for row in found if row["what"] == "training"), None)
    about = {"torch": "not measured", "steps": "several"}
    if trained is not None:
        about["torch"] = (
            f"{trained['parameters']} of them, answers {trained['off']:.0e} apart; PyTorch "
            f"{trained['torch']}, jax {trained['versions']['jax']}"
        )
        about["steps"] = str(trained["sizes"]["steps"])
    heads = ["", "size", "seconds", "ratio", "wanted", ""]
    parts = [INTRODUCTION.format(**about), spirit.table(heads, [_line(row) for row in found])]
    if missing := [what for what in WHATS if what not in {row["what"] for row in found}]:
        parts.append(f"Not measured at full size yet: {', '.join(f'`{w}`' for w in missing)}.\n")
    drawn = [row for row in found if "first_ratio" in row]
    if drawn:
        first = ", ".join(f"{row['first_ratio']:.1f}" for row in drawn)
        parts.append(DRAWS.format(first=first))
    return parts


def _line(row: Row) -> list[str]:
    rows, *event = row["sizes"]["shape"]
    # of one window alone
    shape = " x ".join(str(n) for n in (1 if row["what"] == "draws" else rows, *event))
    low, high = row["spread"]
    # how much faster is wanted at least, all else at most
    least = row["what"] == "training"
    met = row["ratio"] >= row["target"] if least else row["ratio"] <= row["target"]
    first, second = row["seconds"]
    return [
        _words(row),
        shape,
        f"{first:.3g} / {second:.3g}",
        f"{row['ratio']:.2f} ({low:.2f} to {high:.2f})",
        f"{'≥' if least else '≤'} {row['target']:g}",
        "met" if met else "**missed**",
    ]


def _words(row: Row) -> str:
    if row["what"] == "draws":
        return f"{row['draws']} draws, {row['batch']} at a time / one draw"
    if row["what"] == "sampling":
        return f"a draw by `{row['of']}` / by hand, {row['solver_steps']} steps"
    return {
        "training": "a step of training, PyTorch / ours",
        "backward": "a step of the backward policy / of score matching",
    }[row["what"]]

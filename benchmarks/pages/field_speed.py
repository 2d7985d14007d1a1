"""The section on what a step on fields costs."""

from collections.abc import Sequence

from benchmarks.pages import spirit

INTRODUCTION = """## Cost

`python -m benchmarks.field_speed`, CPU-seconds of one thread. A *floor* is the larger of two times:
what the compiler counts of arithmetic at the rate of a matrix product, and what it counts of bytes
at the rate of a copy, both measured in turns with the step. Below 1 a step reads from caches what
the copy has to fetch. Quartiles are in brackets.
"""
KINDS = {
    "step": "",
    "loop": "A U-Net's steps in a compiled loop take {times} times those one at a time on this "
    "CPU; the recipe takes the second way there, and loops elsewhere.\n",
    "contexts": "{members} contexts one after another take {times} times one call with all of "
    "them in its batch, which is what the sampler makes.\n",
    "memory": "",
}


def section(rows: Sequence[dict]) -> str:
    """The section on cost, from full rows of `benchmarks.field_speed`; nothing without them."""
    found = {(row["what"], row["net"], str(row.get("saving"))): row for row in rows}
    full = [row for row in found.values() if not row["quick"]]
    if not full:
        return ""
    by_kind = {what: [row for row in full if row["what"] == what] for what in KINDS}
    heads = ["network", "batch", "parameters", "GFLOP", "MB moved", "seconds", "times its floor"]
    parts = [INTRODUCTION, spirit.table(heads, [_step(row) for row in by_kind["step"]])]
    for what, words in KINDS.items():
        parts += [words.format(**row, times=_times(row)) for row in by_kind[what] if words]
    heads = ["blocks computed again", "half precision", "GB", "TFLOP a step"]
    lines = [
        [
            "yes" if row["saving"].get("checkpoint") else "no",
            "yes" if row["saving"].get("half") else "no",
            f"{row['gb_kept']:.1f}",
            f"{row['tflop']:.1f}",
        ]
        for row in by_kind["memory"]
    ]
    return "\n".join(
        [
            *parts,
            "What reverse mode keeps of the `spacetime` network for its way back, of 8 films of "
            "100 frames of 64 x 64, and the arithmetic of a step; counted, not run. What a block "
            "takes while it is computed again comes on top:\n",
            spirit.table(heads, lines),
        ]
    )


def _step(row: dict) -> list[str]:
    shape = " x ".join(str(n) for n in row["shape"])
    return [
        f"`{row['net']}`, {shape}",
        str(row["batch"]),
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['gflop']:.2f}",
        f"{row['mb_moved']:.0f}",
        f"{row['seconds']:.3f}",
        f"{_times(row)}, {row['bound']}",
    ]


def _times(row: dict) -> str:
    low, high = row["spread"]
    return f"{row['ratio']:.1f} ({low:.1f}..{high:.1f})"

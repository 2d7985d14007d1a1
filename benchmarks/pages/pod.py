"""The section on the pod in docs/scale.md: times predicted from counts, and what they assume."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import jobs
from benchmarks.pages.spirit import table

Row = dict[str, Any]
SIZES = (8, 64, 512)
MARKS = ("<!-- pod -->", "<!-- /pod -->")


class Chip(NamedTuple):
    """What is assumed of an accelerator, a card of the class of an H100 in nodes of eight.

    Attributes:
        tflops: of float32 products by its fast units, at most.
        memory: GB/s of its memory.
        near: GB/s each way between the chips of a node.
        far: GB/s each way of each chip to other nodes.
        node: chips in a node.
        reached: share of these four that programs reach.
        latency: microseconds of a collective's hop, within a node and beyond.
    """

    tflops: float = 495.0
    memory: float = 3350.0
    near: float = 450.0
    far: float = 50.0
    node: int = 8
    reached: tuple[float, float, float] = (0.4, 0.7, 0.7)
    latency: tuple[float, float] = (5.0, 15.0)


CHIP = Chip()
# how often a ring sends the bytes of the result, of many chips
RING = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0}


def read(path: Path) -> list[Row]:
    """Rows of `pod.jsonl` that mean something; of equal ones the last."""
    return list({row["method"]: row for row in jobs.lines(path) if not row["quick"]}.values())


def predicted(row: Row, chips: int, chip: Chip = CHIP) -> tuple[float, float]:
    r"""Seconds of a step on so many chips, each with as many rows as on eight: work, and sending.

    .. math:: \max\Big(\frac{F}{e_1 P}, \frac{B}{e_2 M}\Big) \quad\text{and}\quad
        \sum_k c_k \frac{n - 1}{n} \frac{S_k}{e_3 L} + 2 N \log_2(n)\, \ell

    with operations :math:`F`, bytes moved :math:`B`, and :math:`N` collectives, of results
    :math:`S_k` bytes, that a ring sends :math:`c_k` times over links of bandwidth :math:`L`. The
    slowest link decides.
    """
    compute, memory, links = chip.reached
    work = max(
        row["gflop"] / (compute * chip.tflops * 1e3),
        row["mb_moved"] / (memory * chip.memory * 1e3),
    )
    beyond = chips > chip.node
    link, hop = (chip.far, chip.latency[1]) if beyond else (chip.near, chip.latency[0])
    sent = sum(RING.get(kind, 1.0) * own["mb"] for kind, own in row["collectives"].items())
    number = sum(own["number"] for own in row["collectives"].values())
    hops = 2 * number * (chips - 1).bit_length() * hop * 1e-6
    return work, (chips - 1) / chips * sent / (links * link * 1e3) + hops


def section(rows: Sequence[Row], chip: Chip = CHIP) -> str:
    """Two tables: counts and predictions, and assumptions."""
    if not rows:
        return "\nNot counted yet: `python -m benchmarks.pod`.\n\n"
    lines = []
    for row in rows:
        number = sum(own["number"] for own in row["collectives"].values())
        sent = sum(own["mb"] for own in row["collectives"].values())
        times = []
        for chips in SIZES:
            work, sending = predicted(row, chips, chip)
            times.append(f"{1e3 * (work + sending):.3g} ({work / (work + sending):.0%})")
        shape = " x ".join(map(str, row["shape"]))
        counts = [f"{row['gflop']:.3g}", f"{row['mb_moved']:,.0f}", f"{number:.0f}: {sent:.3g}"]
        lines.append([f"`{row['method']}`, {shape}", *counts, *times])
    heads = ["step", "GFLOP", "MB moved", "collectives: MB"]
    heads += [f"ms on {chips}" for chips in SIZES]
    assumed = [
        ["products", f"{chip.tflops:,.0f} TFLOP/s", f"{chip.reached[0]:.0%}"],
        ["memory", f"{chip.memory:,.0f} GB/s", f"{chip.reached[1]:.0%}"],
        [f"links, up to {chip.node} chips", f"{chip.near:,.0f} GB/s", f"{chip.reached[2]:.0%}"],
        ["links, beyond", f"{chip.far:,.0f} GB/s", f"{chip.reached[2]:.0%}"],
        ["a hop, up to that and beyond", f"{chip.latency[0]:g} and {chip.latency[1]:g} µs", "–"],
    ]
    return f"""
`python -m benchmarks.pod` compiles a step of each method for a mesh of eight chips, and counts what
one of them computes, moves and sends. Nothing is run. The rows named are those of all eight, and
each chip keeps its share of them and of a batch when there are more chips. A loop's body counts
once: one update of a network, one move of the rows.

{table(heads, lines)}
In brackets is the share of the time that is work; the rest is sending, as if none of it happened
meanwhile. What these times assume of a chip, and which share of it a program reaches:

{table(["of a chip", "at most", "reached"], assumed)}
Work takes the longer of products and memory; bytes are those that the compiler counts for a CPU,
whose programs are fused less than an accelerator's. A collective takes a ring's share of the
slowest link, and two hops for each doubling of the chips. None of this has been measured.

"""

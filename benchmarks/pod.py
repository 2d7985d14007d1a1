"""The pod on paper: what a step on eight chips computes, moves and sends, counted and not run.

    python -m benchmarks.pod                       # all, some minutes
    python -m benchmarks.pod --methods gain        # some
    python -m benchmarks.pod --quick               # one, tiny

A step of each method at a size worth sharing is compiled for a mesh of eight simulated devices.
The compiled program of one of them is read: operations and bytes by the compiler's count, and the
bytes of each kind of collective by the program's text. A loop's body counts once, and methods are
built so that it runs once: one update, one move. A row says too which times these counts predict,
and what that assumes of a chip. Lines go to results/pod.jsonl.
"""

import argparse
import json
import math
import os
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import jobs

OUT = jobs.RESULTS / "pod.jsonl"
CHIPS = 8
KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
POD = (8, 64, 512)  # chips of which times are predicted
# how often a ring sends the bytes of the result, of many chips
RING = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0}
_SIZES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "f64": 8, "s64": 8, "u64": 8}
_NETWORK = {"width": 64, "layers": 4, "heads": 8, "sgd_steps": 1, "batch": 16 * CHIPS}
# kind, shape and options: batches are of all chips together
METHODS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "spirit": (
        "table",
        (65536, 100),
        {"start": "mean", "width": 1024, "batch": 1024 * CHIPS, "score_steps": 1, "moves": 1},
    ),
    "miri": (
        "table",
        (65536, 100),
        {"base": "none", "width": 1024, "batch": 1024 * CHIPS, "sgd_steps": 1},
    ),
    "gain": ("table", (65536, 100), {"width": 1024, "batch": 1024 * CHIPS, "updates": 1}),
    "csdi": ("series", (1024, 36, 36), {**_NETWORK, "base": None, "window": 36}),
    "csbi0": (
        "series",
        (1024, 36, 36),
        {**_NETWORK, "base": None, "window": 36, "cache": 16 * CHIPS, "refreshes": 1},
    ),
    "context_query": (
        "field",
        (1024, 50, 32, 32, 1),
        {"net": "unet", "tile": None, "width": 64, "batch": 16 * CHIPS, "feed": "drawn"},
    ),
}
QUICK = ("gain", "table", (64, 4), {"width": 8, "batch": 16, "updates": 1})


def count(name: str, kind: str, shape: tuple[int, ...], options: dict[str, Any]) -> dict[str, Any]:
    """One row; in this process, which simulates the chips. Nothing is computed."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding, PartitionSpec

    from jaximpute import registry
    from jaximpute.engine import parallel
    from jaximpute.types import Observed

    on = parallel.mesh(CHIPS)
    by_row = NamedSharding(on, PartitionSpec(parallel.AXIS))

    def array(shape: tuple[int, ...], dtype: Any) -> Any:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=by_row)

    rows = Observed(array(shape, jnp.float32), array(shape, bool), array(shape[:1], jnp.float32))
    plan = registry.build(name, rows, kind=kind, options=options)
    method, key = parallel.spread(plan.method, rows, on), jax.random.key(0)
    state = parallel.outline(method, key, rows)
    step = jax.jit(method.step).lower(key, state, rows).compile()
    counted, needs = step.cost_analysis(), step.memory_analysis()
    return {
        "what": "pod",
        "method": name,
        "kind": kind,
        "shape": shape,
        "options": options,
        "chips": CHIPS,
        "gflop": counted["flops"] / 1e9,
        "mb_moved": counted["bytes accessed"] / 1e6,
        "mb_held": (needs.argument_size_in_bytes + needs.temp_size_in_bytes) / 1e6,
        "collectives": collectives(step.as_text()),
    }


def collectives(text: str) -> dict[str, dict[str, float]]:
    """Of each kind, how many a compiled program has, and the megabytes of their results."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"number": 0, "mb": 0.0})
    for result, kind in re.findall(rf"= (.*?) ({'|'.join(KINDS)})(?:-start)?\(", text):
        arrays = re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", result)
        bytes_ = sum(
            _SIZES.get(dtype, 4) * math.prod(int(n) for n in sizes.split(",") if n)
            for dtype, sizes in arrays
        )
        found[kind]["number"] += 1
        found[kind]["mb"] += bytes_ / 1e6
    return dict(found)


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


def times(row: dict[str, Any], chips: int, chip: Chip) -> tuple[float, float]:
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


def predicted(row: dict[str, Any], chip: Chip | None = None) -> dict[str, Any]:
    """What a row's counts predict: by size of the pod, milliseconds and the share that is work."""
    chip = chip or Chip()
    found: dict[str, Any] = {"chip": chip._asdict()}
    found["collectives"] = sum(own["number"] for own in row["collectives"].values())
    found["mb"] = sum(own["mb"] for own in row["collectives"].values())
    for chips in POD:
        work, sending = times(row, chips, chip)
        found[str(chips)] = {"ms": 1e3 * (work + sending), "work": work / (work + sending)}
    return found


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--quick", action="store_true", help="one method, tiny")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.one:  # in a process of its own
        name, kind, shape, own = json.loads(options.one)
        print(json.dumps(count(name, kind, tuple(shape), own)))
        return 0
    # read when the first program is compiled
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={CHIPS}"
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    for task in [QUICK] if options.quick else [(name, *METHODS[name]) for name in options.methods]:
        row = jobs.call([sys.executable, "-m", "benchmarks.pod", "--one", json.dumps(task)])
        row |= {"quick": options.quick, "predicted": predicted(row)}
        jobs.append(out, row)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

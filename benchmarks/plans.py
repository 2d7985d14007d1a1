"""Does `jaximpute.plan` tell what a run will take? Twelve configurations, predicted and measured.

    python -m benchmarks.plans            # all, some minutes
    python -m benchmarks.plans --quick    # three small ones, in seconds

Each configuration is planned in one process and run in another, neither with compiled programs of
an earlier one, both forked from one that has loaded the libraries. A row of results/scale.jsonl
says what was predicted and what came: seconds by the clock (which is the machine's load, too),
CPU-seconds of all threads, and by how many MB the process grew. The data are correlated noise:
errors mean nothing.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import jobs

OUT = jobs.RESULTS / "scale.jsonl"


class Setup(NamedTuple):
    """What is run: data of one shape, and a method."""

    method: str
    shape: tuple[int, ...]
    options: dict[str, Any] = {}  # noqa: RUF012  (never changed in place)
    preset: str = "balanced"


SMALL = {"width": 64, "batch": 256}
LOADED = (
    "tasks.plan",
    "tasks.impute",
    "methods.simple.knn",
    "nets",
)  # or the first reads them from a cold disk
# of all kinds of data, cheap and learned, one completion and the median of twenty draws
SETUPS = (
    Setup("mean", (300_000, 8)),
    Setup("knn", (4_000, 8)),
    Setup("gaussian", (10_000, 8)),
    Setup("harmonic", (8, 64, 64, 1)),
    Setup("kalman", (1, 2_000, 3)),
    Setup("gain", (5_000, 8), {"steps": 10}),
    Setup("spirit", (5_000, 8), {**SMALL, "start": "mean", "steps": 4, "score_steps": 100}),
    Setup("diffusion", (2_000, 8), {**SMALL, "start": "mean", "steps": 5}, "fast"),
    Setup("mice", (1_000, 6), {"steps": 10}),
    Setup("miri", (5_000, 8), {**SMALL, "steps": 3, "sgd_steps": 100, "draws": 10}),
    Setup("context_query", (32, 16, 16, 1), {"sgd_total": 200}, "fast"),
    Setup("csdi", (1, 500, 3), {"steps": 3, "sgd_steps": 30, "draw_steps": 5, "width": 16}),
)
QUICK = (
    Setup("mean", (1_000, 4)),
    Setup("gain", (500, 4), {"steps": 3}),
    Setup("linear", (200, 2)),
)


def data(shape: tuple[int, ...]) -> np.ndarray:
    """Correlated cells, smooth along the axes within a row; a fifth is missing."""
    random = np.random.default_rng(0)
    x = random.normal(size=(*shape[:-1], 3)) @ random.normal(size=(3, shape[-1]))
    for axis in range(1, len(shape) - 1):
        x = (x + np.roll(x, 1, axis) + np.roll(x, -1, axis)) / 3
    return np.where(random.random(shape) < 0.2, np.nan, x)


def plan(setup: Setup) -> dict[str, Any]:
    """What is predicted; in this process."""
    from jaximpute.data import frames
    from jaximpute.tasks import plan as planning

    frame = frames.read(data(setup.shape))
    begun = time.process_time()
    cost = planning.measure(frame, setup.method, preset=setup.preset, options=setup.options)
    return {
        "planned_seconds": cost.seconds,
        "planned_cpu_seconds": cost.cpu_seconds,
        "planned_mb": cost.peak_mb,
        "program_mb": cost.program_mb,
        "steps": cost.steps,
        "planning_cpu_seconds": time.process_time() - begun,
    }


def run(setup: Setup) -> dict[str, Any]:
    """What it takes; in this process."""
    from jaximpute.data import frames
    from jaximpute.engine import memory
    from jaximpute.tasks import filling

    frame = frames.read(data(setup.shape))
    grown, cpu, wall = memory.watch(), time.process_time(), time.perf_counter()
    filled = filling.fill(frame, setup.method, preset=setup.preset, options=setup.options)
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": grown(),
        "steps_done": len(filled.report["losses"]),
    }


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three small ones")
    parser.add_argument("--methods", nargs="+", help="only these")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    # programs compiled by an earlier run must not make this one look faster
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([f"jaximpute.{each}" for each in LOADED])
    for setup in QUICK if options.quick else SETUPS:
        if options.methods and setup.method not in options.methods:
            continue
        row: dict[str, Any] = {"what": "plans", **setup._asdict()}
        for work in (plan, run):
            with ProcessPoolExecutor(1, forking) as apart:
                row |= apart.submit(work, setup).result()
        jobs.append(out, row)
        print(
            f"{setup.method}: planned {row['planned_seconds']:.1f} s, "
            f"{row['planned_cpu_seconds']:.1f} CPU-s, {row['planned_mb']:.0f} MB; took "
            f"{row['seconds']:.1f} s, {row['cpu_seconds']:.1f} CPU-s, {row['peak_mb']:.0f} MB",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

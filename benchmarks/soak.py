"""Does a process grow that completes data of ever other shapes?

    python -m benchmarks.soak --calls 500 --method mean --seed 0
    python -m benchmarks.soak --quick

`impute` is called again and again in one process, each time with another number of rows or columns.
What JAX compiles for each it would keep for ever. A row of `results/soak.jsonl`: the most memory
that the process had in the first hundred calls, and after them.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import jobs

OUT = jobs.RESULTS / "soak.jsonl"
FIRST = 0.2  # of the calls
_PAGE = Path("/proc/self/statm")


def resident() -> float:
    """Megabytes of this process, on Linux."""
    import resource

    return int(_PAGE.read_text().split()[1]) * resource.getpagesize() / 1e6


def table(number: int, seed: int) -> np.ndarray:
    """A table of a shape of its own."""
    draw = np.random.default_rng([seed, number])
    x = draw.normal(size=(20 + 7 * (number % 40), 2 + number // 40))
    return np.where(draw.random(x.shape) < 0.2, np.nan, x)


def soak(calls: int, method: str, seed: int) -> dict[str, Any]:
    """Call, and look at the memory after each call; the row."""
    import jaximpute as ji

    seen, begun = [], time.process_time()
    for number in range(calls):
        x = table(number, seed)
        filled = ji.impute(x, method, seed=seed)
        if not (filled[~np.isnan(x)] == x[~np.isnan(x)]).all():
            raise RuntimeError(f"call {number} changed what was observed")
        seen.append(resident())
        if number % 50 == 49:
            print(f"{number + 1} calls: {seen[-1]:.0f} MB", flush=True)
    first = int(FIRST * calls)
    early, late = max(seen[:first]), max(seen[first:])
    return {
        "what": "soak",
        "method": method,
        "calls": calls,
        "first": first,
        "seed": seed,
        "first_mb": early,
        "later_mb": late,
        "end_mb": seen[-1],
        "growth": late / early - 1,
        "cpu_seconds": time.process_time() - begun,
    }


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--method", default="mean")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="twenty calls")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    row = soak(20 if options.quick else options.calls, options.method, options.seed)
    jobs.append(out, row)
    print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What each departure of MIRI from its paper does, from the preset `paper` on.

    python -m benchmarks.miri_ablation --quick
    python -m benchmarks.miri_ablation --data housing --ratios 0.4

Every change is made alone, and a few again at the rate of the authors' code, ten times the
preset's. Networks are narrower and rounds fewer than the preset's, for time: the preset itself is
measured by `benchmarks.tables --methods miri:paper`.
"""

import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

from benchmarks import tables
from benchmarks.harness import jobs as harness_jobs

CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "targets": {"targets": "observed"},
    "restart": {"restart": True},
    "targets and restart": {"targets": "observed", "restart": True},
    "warm": {"warm": True},
    "schedule": {"schedule": "cosine"},
    "Euler as in the code": {"solver": "euler"},
    "Heun, ten steps": {"solver": "heun", "ode_steps": 10},
    "partners fixed": {"pairing": "fixed"},
    "no range": {"clip": False},
}
RATES = {1e-3: tuple(CHANGES), 1e-2: ("nothing", "targets and restart")}
SMALLER = {"width": 256, "steps": 5}


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "miri_ablation.jsonl", data=("housing",), ratios=(0.4,))
    options = harness_jobs.arguments(parser, given)
    common: dict[str, Any] = SMALLER
    if options.quick:
        options.data = ["synthetic:60x3"]
        common = {"width": 8, "steps": 2, "epochs": 1, "ode_steps": 2}
    jobs = [
        harness_jobs.Job(
            data, ratio, seed, "miri", "paper", {**common, "lr": rate, **CHANGES[change]}
        )
        for data, seed, ratio in product(options.data, range(options.seeds), options.ratios)
        for rate, changes in RATES.items()
        for change in changes
    ]
    how = harness_jobs.worker("table_worker")
    return harness_jobs.run(jobs, options.out, again=options.again, how=how, known=tables.known)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

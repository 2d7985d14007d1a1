"""Every method on films of shallow water, advection and flows, and on real fields with holes.

    python -m benchmarks.systems --quick
    python -m benchmarks.systems --data era5 --masks pixels:0.2 pixels:0.1 pixels:0.01
    python -m benchmarks.systems --data shallow:7000x50x32x32 --masks pixels:0.8 blocks:5 \\
        --methods context_query:paper missdiff best_possible

The first is 2048 films of 8 frames at 16 x 16, five of nine blocks observed, in one process and by
short training: a quarter of an hour of one core. The last is the size of the paper and wants a GPU;
so do `advection:7000x50x32x32` and `vortices:1152x100x64x64` (with `kolmogorov`, its forced twin),
with masks pixels:0.8, pixels:0.6, pixels:0.3, pixels:0.2, blocks:8 and blocks:5. `era5` and `ostia`
are found in the folder that `JAXIMPUTE_DATA` names. A tenth of the films, at most 64, is completed
by what was learned from the others. Methods of other libraries need the extra `peers`. Rows that
are present already are skipped, so a run can be stopped and started again.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.harness import jobs as harness_jobs
from benchmarks.harness import system_worker
from benchmarks.problems import systems
from jaximpute import registry

QUICK_DATA = ["shallow:2048x8x16x16", "advection:2048x8x16x16"]
MASKS = ("pixels:0.8", "pixels:0.3", "blocks:8", "blocks:5")
SIMPLE = (
    "mean",
    "window_average",
    "harmonic",
    "biharmonic",
    "optimal_interpolation",
    "kriging",
    "eof",
)
METHODS = (*SIMPLE, *system_worker.OUTSIDE, "missdiff", "ambientdiff", "context_query")
LEARNING = ("ambientdiff", "context_query")
# what makes networks a matter of CPU minutes
SHORT: dict[str, Any] = {"sgd_total": 600}


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "systems.jsonl", data=QUICK_DATA, ratios=())
    parser.add_argument("--methods", nargs="+", default=[*METHODS, system_worker.BEST])
    parser.add_argument("--masks", nargs="+", default=None, help="pixels:0.3, blocks:5 ...")
    parser.add_argument("--options", type=json.loads, default={}, help="of networks, as JSON")
    options = parser.parse_args(given)
    if options.quick:
        options.options = SHORT | options.options
        options.masks = options.masks or ["blocks:5"]
    jobs = [
        _job(data, masks, seed, method, options.options)
        for data in options.data
        for masks in options.masks or MASKS
        for seed in range(options.seeds)
        for method in options.methods
        if possible(method, data)
    ]
    out = options.out or harness_jobs.RESULTS / options.file
    how = system_worker.measure if options.quick else harness_jobs.worker("system_worker")
    return harness_jobs.run(jobs, out, again=options.again, how=how, known=known)


def _job(data: str, masks: str, seed: int, named: str, options: dict[str, Any]) -> harness_jobs.Job:
    method, own = harness_jobs.RIVALS.get(named, (named, {}))
    method, _, preset = method.partition(":")
    own = {**own, **options} if method in LEARNING else own
    return harness_jobs.Job(data, 0.0, seed, method, preset or "balanced", own, pattern=masks)


def possible(method: str, data: str) -> bool:
    """Whether a method is one for these films: the best answer is known for linear equations.

    Raises:
        OptionError: no such method.
    """
    if method == system_worker.BEST:
        return data.partition(":")[0] in ("shallow", "advection")
    if method not in system_worker.OUTSIDE and method not in harness_jobs.RIVALS:
        registry.entry(
            method.partition(":")[0], "field"
        )  # an unknown name should not fail after an hour
    return True


def known(job: harness_jobs.Job) -> harness_jobs.Row:
    """The part of a row that is known before the measurement."""
    own = job.method in (system_worker.BEST, *system_worker.OUTSIDE)
    made = systems.films(job.data)
    settings = {} if own else harness_jobs.settings(job)
    return harness_jobs.known_of(job, job.data, made.x, settings) | {"films": len(made.x)}


if __name__ == "__main__":
    sys.exit(min(main(), 1))

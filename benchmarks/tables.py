"""Every method on the same holes in the same tables: MIRI's toy (Table 3), UCI sets, mixed ones.

    python -m benchmarks.tables --quick
    python -m benchmarks.tables --data toy --ratios 0.3
    python -m benchmarks.tables --data wine energy --ratios 0.4 0.6 --seeds 3
    python -m benchmarks.tables --data energy --patterns mar mnar
    python -m benchmarks.tables --data penguins mixed:1000 --ratios 0.3

Rows that are present already are skipped, so a run can be stopped and started again. HyperImpute
(`--methods hyperimpute`) needs scikit-learn < 1.6 and pandas < 3.
"""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.harness import jobs as harness_jobs
from benchmarks.peers import outside as outside_peers
from benchmarks.problems import mixed as mixed_problems
from benchmarks.problems import tables
from jaximpute import registry

QUICK = ("mean", "knn", "gaussian", "sklearn_ridge", "miri:fast")
OUTSIDE = ("sklearn_ridge", "sklearn_ridge_draws", "sklearn_trees")


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(
        __doc__, "tables.jsonl", data=(*tables.UCI, *mixed_problems.NAMES), ratios=(0.2, 0.4, 0.6)
    )
    parser.set_defaults(seeds=3)
    parser.add_argument("--methods", nargs="+", default=None, help="names, or name:preset")
    parser.add_argument("--patterns", nargs="+", default=["mcar"], choices=list(tables.PATTERNS))
    options = harness_jobs.arguments(parser, given)
    if options.quick:
        options.data = ["synthetic:400x6", "mixed:300"]
    named = [
        method.partition(":")
        for method in options.methods or (QUICK if options.quick else every_method())
    ]
    for method, _, _ in named:
        if method not in ("exact", *outside_peers.PEERS):
            registry.entry(method, "table")  # an unknown name should not fail after an hour
    jobs = [
        harness_jobs.Job(data, ratio, seed, method, preset or "balanced", pattern=pattern)
        for pattern in options.patterns
        for data in options.data
        for ratio in options.ratios
        for seed in range(options.seeds)
        for method, _, preset in named
        if method != "exact" or data.startswith("toy")
    ]
    how = harness_jobs.worker("table_worker")
    return harness_jobs.run(jobs, options.out, again=options.again, how=how, known=known)


def every_method() -> list[str]:
    """All that take tables, and the peers that need nothing further."""
    return [*registry.names("table"), *OUTSIDE, "exact"]


def known(job: harness_jobs.Job) -> harness_jobs.Row:
    """The part of a row that is known before the measurement."""
    outside = job.method == "exact" or job.method in outside_peers.PEERS
    settings: dict[str, Any] = {} if outside else harness_jobs.settings(job)
    mixed = mixed_problems.is_mixed(job.data)
    values = mixed_problems.table(job.data).values if mixed else tables.table(job.data)
    return harness_jobs.known_of(job, job.data, values, settings)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

"""Every method on the same holes in the same series: the paper's Table 1.

    python -m benchmarks.series --quick
    python -m benchmarks.series --data etth1 exchange --seeds 2

Rows that are present already are skipped, so a run can be stopped and started again.
"""

import sys
from collections.abc import Sequence

from benchmarks.harness import jobs as harness_jobs
from jaximpute import registry

METHODS = (
    "mean",
    "median",
    "locf",
    "nocb",
    "linear",
    "pchip",
    "akima",
    "moving_average",
    "kalman",
    "soft_impute",
    "gaussian",
    "boosted_smoother",
    "spirit",
    "spirit:paper",
    "diffusion",
)
QUICK = ("mean", "linear", "gaussian", "spirit:fast")


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(
        __doc__, "series.jsonl", data=("etth1", "exchange", "ettm1"), seeds=2
    )
    parser.add_argument("--methods", nargs="+", default=None, help="names, or name:preset")
    options = harness_jobs.arguments(parser, given)
    methods = options.methods or (QUICK if options.quick else METHODS)
    named = [method.partition(":") for method in methods]
    for method, _, _ in named:
        registry.entry(method, "series")  # an unknown name should not fail after an hour
    jobs = [
        harness_jobs.Job(data, ratio, seed, method, preset or "balanced")
        for data in options.data
        for seed in range(options.seeds)
        for ratio in options.ratios
        for method, _, preset in named
    ]
    return harness_jobs.run(jobs, options.out, again=options.again)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

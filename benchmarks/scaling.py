"""What SPIRIT costs as the series grows, and in which of its two stages (Figure 5).

    python -m benchmarks.scaling --quick
    python -m benchmarks.scaling --data etth1 exchange --copies 1 4 16

A longer series is the series repeated, with a little noise: its errors mean nothing. The stages
are timed apart on the series as it is.
"""

import sys
from collections.abc import Sequence

from benchmarks.harness import jobs as harness_jobs

METHODS = ("linear", "gaussian", "spirit")


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "scaling.jsonl", data=("etth1",), ratios=(0.3,))
    parser.add_argument("--copies", nargs="+", type=int, default=[1, 4, 16])
    options = harness_jobs.arguments(parser, given)
    copies = [1, 2] if options.quick else options.copies
    short = harness_jobs.SHORT if options.quick else {}
    jobs = [
        harness_jobs.Job(
            data if times == 1 else f"{data}*{times}",
            ratio,
            0,
            method,
            options=short if method == "spirit" else {},
            split=method == "spirit" and times == 1,
        )
        for data in options.data
        for ratio in options.ratios
        for times in copies
        for method in METHODS
    ]
    return harness_jobs.run(jobs, options.out, again=options.again)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

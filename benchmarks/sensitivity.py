"""How SPIRIT's error moves with one setting (Figure 3).

    python -m benchmarks.sensitivity --quick
    python -m benchmarks.sensitivity --data exchange --ratios 0.3

One setting is changed at a time, the others stay at the preset's values. Scored by the last
iterate, with nothing held out: where SPIRIT returned its start all settings would look the same.
Rows marked `settled` were scored after one more round of moves, without weights and noise.
"""

import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

from benchmarks.harness import jobs as harness_jobs

# what the paper varies where it is an option here, and what it does not print
VALUES: dict[str, tuple[Any, ...]] = {
    "sigma": (1.0, 2.0, 3.0, 5.0),
    "steps": (1, 2, 4, 6, 8),
    "moves": (1, 2, 4, 8),
    "width": (64, 128, 256, 512),
    "window": (1, 5, 9, 13, 25),
}
QUICK: dict[str, tuple[Any, ...]] = {"sigma": (1.0, 2.0), "window": (5,)}


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "sensitivity.jsonl", data=("exchange",), ratios=(0.3,))
    parser.add_argument("--preset", default="balanced", help="of SPIRIT")
    options = harness_jobs.arguments(parser, given)
    short: dict[str, Any] = {"holdout": 0.0, **(harness_jobs.SHORT if options.quick else {})}
    jobs = []
    for data, seed, ratio in product(options.data, range(options.seeds), options.ratios):
        plain = harness_jobs.Job(data, ratio, seed, "spirit", options.preset, short)
        usual = harness_jobs.settings(plain)
        varied = QUICK if options.quick else VALUES
        jobs.append(plain)  # the point that all curves share, measured once
        jobs += [
            plain._replace(options={**short, setting: value})
            for setting, values in varied.items()
            for value in values
            if value != usual[setting]
        ]
    return harness_jobs.run(jobs, options.out, again=options.again)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

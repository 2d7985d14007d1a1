"""SPIRIT's two claims taken apart: the weights of the particles, and the term it removes (Table 2).

    python -m benchmarks.ablation --quick
    python -m benchmarks.ablation --data etth1 --ratios 0.1 0.3 0.5

Weights are what semi-proximal transport brings; the dissipative term `E[log q]` is what SPIRIT
leaves out. Each pair is run with the paper's settings and with the default ones, and scored by its
last iterate: kept by held-out entries, a variant that spoils the start would just return it.
Rows marked `settled` were scored after one more round of moves, without weights and noise.
"""

import sys
from collections.abc import Sequence
from itertools import product

from benchmarks.harness import jobs as harness_jobs


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "ablation.jsonl", data=("etth1",), ratios=(0.3,))
    options = harness_jobs.arguments(parser, given)
    short = harness_jobs.SHORT if options.quick else {}
    presets = ("balanced",) if options.quick else ("paper", "balanced")
    jobs = [
        harness_jobs.Job(
            data,
            ratio,
            seed,
            "spirit",
            preset,
            {**short, "holdout": 0.0, "weights": weights, "dissipative": term},
        )
        for data, seed, ratio in product(options.data, range(options.seeds), options.ratios)
        for preset, weights, term in product(presets, (True, False), ("none", "ve", "vp"))
    ]
    return harness_jobs.run(jobs, options.out, again=options.again)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

"""Long gaps: methods for series beside lines, the last value and the last season.

    python -m benchmarks.gaps --quick
    python -m benchmarks.gaps --data etth1 co2 --methods linear gaussian

Gaps of 24, 72 and 168 steps in each channel at places of its own (`each`), in all channels at once
(`all`), and to the end of the series in all channels (`end`). `co2` is `examples/co2.csv`, whose
own gaps stay as they are. The season before (`seasonal`) is a peer of this benchmark: it is told
how long a season is. Rows that are present already are skipped.
"""

import sys
from collections.abc import Sequence
from itertools import product

from benchmarks.harness import gap_worker
from benchmarks.harness import jobs as harness_jobs
from benchmarks.problems import series
from jaximpute import registry

METHODS = ("linear", "locf", gap_worker.SEASONAL, "gaussian", "boosted_smoother")
CO2 = harness_jobs.ROOT / "examples" / "co2.csv"


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "gaps.jsonl", data=("etth1", "exchange", "co2"), seeds=3)
    parser.add_argument("--methods", nargs="+", default=METHODS, help="names, or name:preset")
    parser.add_argument("--places", nargs="+", default=gap_worker.PLACES)
    options = harness_jobs.arguments(parser, given)
    jobs = [
        made
        for data, seed, place in product(options.data, range(options.seeds), options.places)
        for method in options.methods
        if (made := job(data, seed, place, method))
    ]
    how = harness_jobs.worker("gap_worker")
    return harness_jobs.run(jobs, options.out, again=options.again, how=how, known=known)


def job(data: str, seed: int, place: str, method: str) -> harness_jobs.Job | None:
    """One measurement; none of what the data cannot show.

    Raises:
        OptionError: there is no such method for series.
    """
    name, _, preset = method.partition(":")
    spec = str(CO2) if data == "co2" else data
    label = series.label(data).partition(":")[0]
    if place == "each" and series.series(spec).shape[1] == 1:
        return None  # of one channel, each are all
    made = harness_jobs.Job(spec, 0.0, seed, name, preset or "balanced", pattern=place)
    if name != gap_worker.SEASONAL:
        registry.entry(name, "series")  # an unknown name should not fail after an hour
        return made
    season = gap_worker.SEASONS.get(label)
    return made._replace(options={"season": season}) if season else None


def known(made: harness_jobs.Job) -> harness_jobs.Row:
    """The part of a row that is known before the measurement; there is no ratio."""
    own = made.method == gap_worker.SEASONAL
    settings = made.options if own else harness_jobs.settings(made)
    values = series.series(made.data)
    return harness_jobs.known_of(made, series.label(made.data), values, settings)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

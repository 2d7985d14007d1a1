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

from benchmarks import _gap_worker, _jobs, _problems
from jaximpute import registry

METHODS = ("linear", "locf", _gap_worker.SEASONAL, "gaussian")
CO2 = _jobs.ROOT / "examples" / "co2.csv"


def main(given: Sequence[str] | None = None) -> int:
    parser = _jobs.parser(__doc__, "gaps.jsonl", data=("etth1", "exchange", "co2"), seeds=3)
    parser.add_argument("--methods", nargs="+", default=METHODS, help="names, or name:preset")
    parser.add_argument("--places", nargs="+", default=_gap_worker.PLACES)
    options = _jobs.arguments(parser, given)
    jobs = [
        made
        for data, seed, place in product(options.data, range(options.seeds), options.places)
        for method in options.methods
        if (made := job(data, seed, place, method))
    ]
    how = _jobs.worker("_gap_worker")
    return _jobs.run(jobs, options.out, again=options.again, how=how, known=known)


def job(data: str, seed: int, place: str, method: str) -> _jobs.Job | None:
    """One measurement; none of what the data cannot show.

    Raises:
        OptionError: there is no such method for series.
    """
    name, _, preset = method.partition(":")
    spec = str(CO2) if data == "co2" else data
    label = _problems.label(data).partition(":")[0]
    if place == "each" and _problems.series(spec).shape[1] == 1:
        return None  # of one channel, each are all
    made = _jobs.Job(spec, 0.0, seed, name, preset or "balanced", pattern=place)
    if name != _gap_worker.SEASONAL:
        registry.entry(name, "series")  # an unknown name should not fail after an hour
        return made
    season = _gap_worker.SEASONS.get(label)
    return made._replace(options={"season": season}) if season else None


def known(made: _jobs.Job) -> _jobs.Row:
    """The part of a row that is known before the measurement; there is no ratio."""
    own = made.method == _gap_worker.SEASONAL
    settings = made.options if own else _jobs.settings(made)
    values = _problems.series(made.data)
    return _jobs.about(made, _problems.label(made.data), values, settings)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

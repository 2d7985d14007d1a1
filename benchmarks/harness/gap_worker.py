"""Long gaps in a series, and one imputation of them in a process of its own.

Each seed places the gaps anew. Errors are in standard deviations of what is observed.
"""

import json
import sys
import time
import zlib
from typing import Any

import numpy as np

from benchmarks.harness import jobs, worker
from benchmarks.problems import series
from benchmarks.problems.series import Problem

LENGTHS = (24, 72, 168)  # steps
PLACES = ("each", "all", "end")
SHARE = 2500  # steps of a series for one gap of each length
# steps of a season, which the peer is told: a day of hours, a week of days, a year of weeks
SEASONS = {"etth1": 24, "exchange": 7, "co2": 52}
SEASONAL = "seasonal"


def punch(spec: str, place: str, seed: int) -> tuple[Problem, dict[int, np.ndarray]]:
    """A series with long gaps; always the same for the same arguments.

    Args:
        spec: see `problems.series.series`. What it lacks itself stays missing, and is not scored.
        place: `each` for gaps of each channel's own within the series, `all` for gaps of all
            channels at once, `end` for one gap of the longest length at the end of the series,
            which is cut somewhere in its second half.
        seed: of the places.

    Returns:
        The problem, and where it is hidden by length of gap; at the end, the first steps of it.
    """
    values = series.series(spec)
    data = zlib.crc32(series.label(spec).encode())
    rng = np.random.default_rng([data, PLACES.index(place), seed])
    if place == "end":
        values = values[: rng.integers(len(values) // 2, len(values) + 1)]
    time_, d = values.shape
    length = np.zeros(values.shape, int)
    if place == "end":
        for steps in sorted(LENGTHS, reverse=True):
            length[time_ - max(LENGTHS) :][:steps] = steps
    else:
        for channel in range(d if place == "each" else 1):
            where = slice(channel, channel + 1) if place == "each" else slice(None)
            for start, steps in _inside(time_, rng):
                length[start : start + steps, where] = steps
    hidden = length > 0
    holed = np.where(hidden, np.nan, values)
    mean, deviation = np.nanmean(holed, axis=0), np.nanstd(holed, axis=0)
    problem = Problem((values - mean) / deviation, (holed - mean) / deviation, hidden)
    known = ~np.isnan(values)
    if place == "end":
        return problem, {n: known & hidden & (length <= n) for n in LENGTHS}
    return problem, {n: known & (length == n) for n in LENGTHS}


def _inside(steps: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """First steps and lengths of gaps, in any order, with something observed around each."""
    lengths = rng.permutation(LENGTHS * max(1, steps // SHARE))
    free = steps - lengths.sum()
    between = np.sort(rng.choice(free - 1, len(lengths), replace=False)) + 1
    starts = between + np.cumsum(lengths) - lengths
    return list(zip(starts.tolist(), lengths.tolist(), strict=True))


def last_season(holed: np.ndarray, season: int) -> np.ndarray:
    """The same phase of the last season seen, else of the next one: a peer that knows the season.

    Args:
        holed: `(time, channels)`, NaN where missing.
        season: its steps.

    Returns:
        The series, filled.
    """
    steps, _ = holed.shape
    filled = holed.copy()
    for order in (range(season, steps), range(steps - season - 1, -1, -1)):
        away = season if order.step < 0 else -season
        for t in order:
            filled[t] = np.where(np.isnan(filled[t]), filled[t + away], filled[t])
    level = np.nanmean(holed, axis=0)
    return np.where(np.isnan(filled), level[None], filled)


def measure(job: jobs.Job) -> dict[str, Any]:
    """What a job's method makes of its gaps, by their length, and what that costs."""
    problem, where = punch(job.data, job.pattern, job.seed)
    if job.method == SEASONAL:
        wall, cpu = time.perf_counter(), time.process_time()
        completed = last_season(problem.holed, job.options["season"])
        cost = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": worker.peak_mb(),
        }
    else:
        completed, cost = worker.complete(job, problem.holed)
    return {
        **_errors(problem, completed, np.logical_or.reduce(list(where.values()))),
        "by_length": {str(n): _errors(problem, completed, found) for n, found in where.items()},
        **cost,
    }


def _errors(problem: Problem, completed: np.ndarray, where: np.ndarray) -> dict[str, float]:
    error = (completed - problem.truth)[where]
    mse = float((error**2).mean())
    return {"mae": float(np.abs(error).mean()), "mse": mse, "rmse": mse**0.5}


if __name__ == "__main__":
    json.dump(measure(jobs.Job(**json.load(sys.stdin))), sys.stdout)

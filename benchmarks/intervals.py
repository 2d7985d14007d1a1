"""Do the intervals of `impute_with_report` hold as many cells as they say?

    python -m benchmarks.intervals --quick
    python -m benchmarks.intervals --problems housing/mcar film/blocks --seeds 3

Tables, series and fields from which cells were hidden; of numbers and directions, at 80 and 90 %.
The first ten problems are such as the method is made for: cells are missing by chance. In `mar`
they are missing by the values of other columns, in `mnar` by their own, which nothing that is
observed can tell. Rows that are present already are skipped.
"""

import argparse
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.harness import jobs
from benchmarks.problems import fields, mixed, series, tables
from jaximpute.data import holes
from jaximpute.data.frames import Frame, read
from jaximpute.tasks import filling, intervals, trials

LEVELS = (0.8, 0.9)


class Case(NamedTuple):
    """A problem: data by name, how they were holed, and the method."""

    data: str
    pattern: str
    ratio: float
    method: str


CASES = {
    "housing/mcar": Case("housing", "mcar", 0.3, "gaussian"),
    "energy/mcar": Case("energy", "mcar", 0.3, "ice"),
    "wine/block": Case("wine:1000", "block", 0.2, "trees"),
    "mixed/mcar": Case("mixed:1000", "mcar", 0.2, "gaussian"),
    "penguins/mcar": Case("penguins", "mcar", 0.2, "mice"),
    "etth1/mcar": Case("etth1:1500", "mcar", 0.3, "linear"),
    "etth1/block": Case("etth1:1500", "block", 0.2, "linear"),
    "exchange/block": Case("exchange:1500", "block", 0.2, "linear"),
    "film/pixels": Case("film", "pixels", 0.5, "kriging"),
    "film/blocks": Case("film", "blocks", 0.33, "kriging"),
    "housing/mar": Case("housing", "mar", 0.3, "gaussian"),
    "housing/mnar": Case("housing", "mnar", 0.3, "gaussian"),
}
BY_CHANCE = tuple(CASES)[:10]
QUICK = ("energy/mcar", "exchange/block")


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two small problems")
    parser.add_argument("--problems", nargs="+", default=None, choices=list(CASES))
    parser.add_argument("--seeds", type=int, default=1, help="number of masks of a problem")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--again", action="store_true", help="measure also what has a row")
    options = parser.parse_args(given)
    folder = jobs.RESULTS / "quick" if options.quick else jobs.RESULTS
    out = options.out or folder / "intervals.jsonl"
    done = set() if options.again else {jobs.identity(row) for row in jobs.read(out)}
    for name in options.problems or (QUICK if options.quick else CASES):
        for seed in range(options.seeds):
            row = known(CASES[name], seed)
            if jobs.identity(row) in done:
                continue
            row |= measure(CASES[name], seed)
            jobs.append(out, row)
            held = ", ".join(f"{level} {found['held']:.3f}" for level, found in row["at"].items())
            print(f"{name} seed={seed}: {held} ({row['cpu_seconds']:.0f} CPU-s)", flush=True)
    return 0


def known(case: Case, seed: int) -> jobs.Row:
    """The part of a row that is known before the measurement."""
    job = jobs.Job(case.data, case.ratio, seed, case.method, pattern=case.pattern)
    return jobs.known_of(job, case.data, truth_of(case.data).values, jobs.settings(job))


def truth_of(data: str) -> Frame:
    """The complete data; penguins lack some cells of their own."""
    if data == "film":
        basis = fields.modes(20, 6, (0.5, 1.0))
        noise = 0.05 * np.random.default_rng(1).normal(size=(1, 6, 20, 20, 1))
        return read(fields.fields(0, 1, basis, (6, 20, 20, 1)) + noise)
    if mixed.is_mixed(data):
        return mixed.table(data)
    if data.partition(":")[0] in tables.UCI:
        return read(tables.table(data))
    return read(series.series(data)[None])


def punch(case: Case, seed: int) -> tuple[Frame, np.ndarray]:
    """The complete data, and which cells are hidden."""
    truth = truth_of(case.data)
    number = zlib.crc32(f"{case.data} {case.pattern} {case.ratio}".encode())
    if case.data == "film":
        made = fields.block_masks if case.pattern == "blocks" else fields.pixel_masks
        share: Any = round(9 * (1 - case.ratio)) if case.pattern == "blocks" else 1 - case.ratio
        frames = [made(number % 1000 + 10 * seed + t, 1, 20, share) for t in range(6)]
        return truth, ~np.concatenate(frames, axis=1).reshape(truth.values.shape)
    key = jax.random.fold_in(jax.random.key(seed), number)
    return truth, holes.hide(key, truth, case.ratio, case.pattern)


def measure(case: Case, seed: int) -> jobs.Row:
    """The share of hidden cells held, by level and distance, beside what the report says."""
    truth, hidden = punch(case, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    holed = truth._replace(values=np.where(hidden, np.nan, truth.values))
    how: dict[str, Any] = {"seed": seed, "never_impute": None if truth.grid is None else False}
    draws = intervals.draws_of(case.method, truth.kind)
    filled = filling.fill(holed, case.method, **how)
    many = filling.fill(holed, case.method, draws=draws, **how) if draws else filled
    found = trials.trials(holed, case.method, max(LEVELS), draws=draws, **how)
    asked = hidden & np.isin(np.arange(len(truth.columns)), np.unique(found.column))
    scale = np.nanstd(holed.values, axis=0)
    at = {}
    for level in LEVELS:
        low, high = intervals.ends(holed, filled.values, many, found, level)
        inside = ((low <= truth.values) & (truth.values <= high))[asked]
        at[str(level)] = {
            "held": float(inside.mean()),
            "told": intervals.describe(holed, found, level, draws)["coverage"],
            "width": float(((high - low) / scale)[asked].mean()),
        }
    return {
        "kind": truth.kind,
        "at": at,
        "hidden": int(asked.sum()),
        "cells": len(found.truth),
        "times": found.times,
        "draws": draws,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }


if __name__ == "__main__":
    sys.exit(main())

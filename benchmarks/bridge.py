"""Conditional diffusions on the synthetic series of CSBI's appendix C.2, and on measured ones.

    python -m benchmarks.bridge --quick
    python -m benchmarks.bridge --tables waves samplers --phases shared independent
    python -m benchmarks.bridge --tables pm25 physionet:10 physionet:50 --methods csdi csbi0 \
        --options '{"net": "transformer", "width": 64, "layers": 4, "heads": 8}'

`waves`: windows of eight waves with a random phase; 20 steps of each are to be imputed. RMSE and
MAE of the median of the draws, CSDI's CRPS, coverage, a histogram of where truths fall among their
draws, and CPU seconds. Released for CSBI: RMSE 0.0656, MAE 0.0452, CRPS 0.0741. `samplers`: the
same scores of one trained network, drawn from in few steps and in many. `exchange`: forecasts.
`terminal`: the waves by a process whose noise ends at 0.3, without a forward policy and with one.
`tones`: two waves of one random frequency, which a Gaussian of windows cannot know; a stretch of
each is hidden. `pm25` and `physionet`: see `benchmarks/problems/monitors.py`; the last line above
has networks of the size of the papers', all windows and 99 draws, and wants a GPU.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import jobs
from benchmarks.problems import exchange, monitors, windows
from benchmarks.problems import waves as waves_problems
from benchmarks.problems.windows import Answer, Problem, score
from jaximpute import registry
from jaximpute.masking import from_nan
from jaximpute.maths import splits
from jaximpute.maths.odes import EVALUATIONS
from jaximpute.methods.papers.csbi.bridge_draws import LAST_NOISE

DRAWN = ("csdi", "csbi", "csbi0")
BRIDGES = ("csbi", "csbi0")  # whose rows say at which noise draws end
GIVEN = ("oracle", "median", "linear", "gaussian", "window_gaussian")
FORECAST = ("random_walk", "gaussian", "csbi0")
TABLES = ("waves", "samplers", "exchange", "terminal", "tones", *monitors.SETS)
WAVES = {"window": waves_problems.LENGTH, "split": "block"}
# a process that ends before the data are lost in its noise, as in the paper's figure 6
TERMINAL = {
    "base": None,
    "sigma_max": 0.3,
    "sde_steps": 20,
    "sampler": "sde",
    "draw_steps": 20,
    "steps": 10,
}
SAMPLERS = {
    "exponential": (3, 5, 8, 12, 20),
    "heun": (3, 5, 8, 12),
    "sde": (5, 10, 20, 40),
}
# what a few minutes of CPU allow
QUICK: dict[str, dict[str, Any]] = {
    "csdi": {"steps": 10},
    "csbi": {"steps": 1, "warmup": 1000},
    "csbi0": {"steps": 0, "warmup": 1000},
}
AHEAD = {
    "csbi0": {"base": None, "steps": 0, "warmup": 500, "sampler": "exponential", "draw_steps": 12}
}


def problem(phases: str, options: argparse.Namespace) -> Problem:
    """The waves."""
    train, _ = waves_problems.make(options.rows, 1, phases=phases)
    test, _ = waves_problems.make(options.test or 500, 2, phases=phases)
    level, spread = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
    where = np.broadcast_to(waves_problems.targets(), test.shape)
    holed = np.where(where, np.nan, (test - level) / spread)
    learned, asked = (jnp.asarray(z, jnp.float32) for z in ((train - level) / spread, holed))
    return Problem(from_nan(learned), from_nan(asked), test, where, level, spread)


def settings(
    method: str, options: argparse.Namespace, quick: dict[str, dict[str, Any]] = QUICK
) -> dict[str, Any]:
    """What the options of a method are here."""
    short = quick.get(method, {}) if options.quick else {}
    return {**short, **options.options} if method in DRAWN else {}


def waves(
    phases: str, options: argparse.Namespace, methods: Sequence[str], drawing: bool
) -> Iterator[dict[str, Any]]:
    """A row for each method, and for each sampler where `drawing` and the method is `csbi0`."""
    made = problem(phases, options)
    about = {"table": "waves", "phases": phases, "rows": options.rows, "windows": len(made.truth)}
    if "oracle" in methods:
        known = waves_problems.oracle(made.truth, made.where[0], phases, options.draws)
        scores = score(made.truth, jnp.asarray(known, jnp.float32), made.where)
        row = about | {"method": "oracle", "draws": options.draws}
        yield row | scores | {"seconds": 0.0, "options": {}}
    for method in methods:
        if method != "oracle":
            plain = {"base": None} if drawing and method == "csbi0" else {}
            own = plain | settings(method, options)
            answer, row = completed(about, made, method, WAVES, own, options)
            yield row
            if method == "csbi0" and drawing:
                yield from samplers(answer, made, options, {**WAVES, **own}, row)


def completed(
    about: dict[str, Any],
    made: Problem,
    method: str,
    shape: dict[str, Any],
    own: dict[str, Any],
    options: argparse.Namespace,
) -> tuple[Answer, dict[str, Any]]:
    """One method fitted and drawn from, and its row."""
    given = {**shape, **own} if method in DRAWN else {}
    answer = windows.learn(made, method, given, options.seed)
    started = time.process_time()
    found = windows.drawn(made, answer, options.draws, options.seed)
    seconds = answer.seconds + time.process_time() - started
    return answer, about | {
        "method": method,
        "draws": len(found),
        **score(made.truth, found, made.where),
        "train": round(answer.seconds, 1),
        "seconds": round(seconds, 1),
        "options": own,
    }


def samplers(
    answer: Answer,
    made: Problem,
    options: argparse.Namespace,
    given: dict[str, Any],
    row: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """The scores of one trained network by how it is drawn from."""
    for sampler, counts in SAMPLERS.items():
        for steps in counts:
            own = given | {"base": None, "sampler": sampler, "draw_steps": steps}
            plan = registry.build("csbi0", made.learned, kind="series", options=own)
            started = time.process_time()
            other = answer._replace(plan=plan)
            found = windows.drawn(made, other, options.draws, options.seed)
            # every sampler ends with one evaluation, and the others are of its steps
            calls = EVALUATIONS.get(sampler, 1) * (steps - 1) + 1
            yield row | {
                "table": "samplers",
                "sampler": sampler,
                "evaluations": calls,
                "draws": len(found),
                **score(made.truth, found, made.where),
                "seconds": round(time.process_time() - started, 1),
            }


def measured(name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each method on a set of `problems.monitors`."""
    made = monitors.SETS[name](options.test)
    about = {"table": name, "rows": len(made.learned.weight), "windows": len(made.truth)}
    about["targets"] = int(made.where.sum())
    for method in options.methods:
        if method != "oracle":
            own = settings(method, options)
            split = "historical" if own.get("base", "window_gaussian") else "random"
            shape = {"window": made.truth.shape[1], "split": split}
            yield completed(about, made, method, shape, own, options)[1]


def tones(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each method where the Gaussian is wrong."""
    train, test = (
        waves_problems.tones(options.rows, 1),
        waves_problems.tones(options.test or 500, 2),
    )
    level, spread = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
    every = jnp.full(test.shape, True)
    where = np.asarray(splits.block()(jax.random.key(5), every)[1])
    holed = np.where(where, np.nan, (test - level) / spread)
    learned, asked = (jnp.asarray(z, jnp.float32) for z in ((train - level) / spread, holed))
    made = Problem(from_nan(learned), from_nan(asked), test, where, level, spread)
    about = {"table": "tones", "rows": options.rows, "windows": len(test)}
    for method in options.methods:
        if method not in ("oracle", "gaussian"):
            own = settings(method, options)
            yield completed(about, made, method, {"window": 24, "split": "block"}, own, options)[1]


def terminal(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The bridge without and with its forward policy, where noise ends smaller than the data."""
    made = problem("shared", options)
    about = {"table": "terminal", "phases": "shared", "rows": options.rows}
    about["windows"] = len(made.truth)
    for method in ("csbi0", "csbi"):
        own = TERMINAL | settings(method, options)
        yield completed(about, made, method, WAVES, own, options)[1]


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All rows that were asked for."""
    if "waves" in options.tables or "samplers" in options.tables:
        for phases in options.phases:
            yield from waves(phases, options, options.methods, "samplers" in options.tables)
    if "terminal" in options.tables:
        yield from terminal(options)
    if "tones" in options.tables:
        yield from tones(options)
    for name in monitors.SETS:
        if name in options.tables:
            yield from measured(name, options)
    if "exchange" in options.tables:
        for method in options.forecast:
            own = settings(method, options, AHEAD)
            number = 5 if options.quick else min(options.test or 5, exchange.MOST)
            yield exchange.measure(method, number=number, n=100, seed=options.seed, options=own)


def main(given: Sequence[str] | None = None) -> int:
    """Print and record a row for each method and each kind of phases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES[:3]))
    parser.add_argument("--methods", nargs="+", default=[*GIVEN, *DRAWN])
    parser.add_argument("--forecast", nargs="+", default=list(FORECAST))
    parser.add_argument("--phases", nargs="+", default=["shared", "independent"])
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--test", type=int, default=None, help="windows to complete: all, 500 or 5")
    parser.add_argument("--draws", type=int, default=99)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={}, help="of the methods, as JSON")
    parser.add_argument("--quick", action="store_true", help="few windows, draws and steps")
    parser.add_argument("--out", type=Path, default=None, help="append rows as JSON lines")
    options = parser.parse_args(given)
    if options.quick:
        options.rows, options.test, options.draws = 4000, 24, 39
        options.phases = options.phases[:1]
    for row in rows(options):
        row |= {"quick": options.quick, "seed": options.seed}
        row |= {"end": LAST_NOISE} if row["method"] in BRIDGES else {}
        print(json.dumps(row), flush=True)
        if options.out is not None:
            jobs.append(options.out, row)
    return 0


if __name__ == "__main__":
    sys.exit(main())

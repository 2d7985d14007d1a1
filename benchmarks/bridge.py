"""Conditional diffusions on the synthetic series of CSBI's appendix C.2, and on exchange rates.

    python -m benchmarks.bridge --quick
    python -m benchmarks.bridge --tables waves samplers --phases shared independent

`waves`: windows of eight waves with a random phase; 20 steps of each are to be imputed. RMSE and
MAE of the median of the draws, CSDI's CRPS, coverage, a histogram of where truths fall among their
draws, and CPU seconds. Released for CSBI: RMSE 0.0656, MAE 0.0452, CRPS 0.0741. `samplers`: the
same scores of one trained network, drawn from in few steps and in many. `exchange`: forecasts.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _exchange, _jobs, _waves
from jaximpute import draws, loop, metrics, registry
from jaximpute.odes import EVALUATIONS
from jaximpute.types import Observed

DRAWN = ("csdi", "csbi", "csbi0")
GIVEN = ("oracle", "linear", "gaussian")
FORECAST = ("random_walk", "gaussian", "csbi0")
TABLES = ("waves", "samplers", "exchange")
LEARNED = {"window": _waves.LENGTH, "split": "block"}
SAMPLERS = {
    "exponential": (3, 5, 8, 12, 20),
    "heun": (3, 5, 8, 12),
    "sde": (5, 10, 20, 40),
}
BINS = 10
# what a few minutes of CPU allow
QUICK: dict[str, dict[str, Any]] = {
    "csdi": {"steps": 10, "draw_steps": 12},
    "csbi": {"steps": 1, "warmup": 1000, "sampler": "exponential", "draw_steps": 12},
    "csbi0": {"steps": 0, "warmup": 1000, "sampler": "exponential", "draw_steps": 12},
}
AHEAD = {"csbi0": {"steps": 0, "warmup": 500, "sampler": "exponential", "draw_steps": 12}}


class Problem(NamedTuple):
    """Windows to learn from and windows with targets, standardised, and how to undo that."""

    learned: Observed
    asked: Observed
    truth: np.ndarray
    where: np.ndarray
    level: jax.Array
    spread: jax.Array


def problem(phases: str, options: argparse.Namespace) -> Problem:
    """The waves."""
    train, _ = _waves.make(options.rows, 1, phases=phases)
    test, _ = _waves.make(options.test, 2, phases=phases)
    where = _waves.targets()
    level, spread = train.mean(axis=(0, 1)), train.std(axis=(0, 1))

    def data(x, mask):
        z = jnp.asarray((x - level) / spread, jnp.float32)
        mask = jnp.broadcast_to(jnp.asarray(mask)[None], z.shape)
        return Observed(jnp.where(mask, z, 0), mask, jnp.ones(len(z)))

    units = (jnp.asarray(part, jnp.float32) for part in (level, spread))
    return Problem(
        data(train, np.ones_like(where)), data(test, ~where), test, where, *units
    )  # fmt: skip


def score(truth: np.ndarray, drawn: jax.Array, where: np.ndarray) -> dict[str, Any]:
    """What the papers print, over the targets, and how truths lie among their draws."""
    at = jnp.broadcast_to(jnp.asarray(where)[None], truth.shape)
    x, middle = jnp.asarray(truth, drawn.dtype), jnp.median(drawn, axis=0)
    found = {
        "rmse": metrics.rmse(x, middle, at),
        "mae": metrics.mae(x, middle, at),
        "crps": metrics.crps_csdi(x, drawn, at),
    }
    if len(drawn) == 1:  # a point has no intervals
        return {name: round(float(value), 4) for name, value in found.items()}
    for level in (0.5, 0.8, 0.95):
        found[f"cover{level:.0%}"] = metrics.coverage(x, drawn, at, level=level)
    rank = np.asarray((drawn < x[None]).sum(axis=0))[np.asarray(at)]
    # every bin holds as many of the ranks 0, ..., n if n + 1 is a multiple of their number
    counts, _ = np.histogram((rank + 0.5) / (len(drawn) + 1), bins=BINS, range=(0, 1))
    return {name: round(float(value), 4) for name, value in found.items()} | {
        "pit": counts.tolist()
    }


def settings(method: str, options: argparse.Namespace) -> dict[str, Any]:
    """What the options of a method are here."""
    quick = QUICK.get(method, {}) if options.quick else {}
    return {**quick, **options.options} if method in DRAWN else {}


def waves(
    phases: str, options: argparse.Namespace, methods: Sequence[str], drawing: bool
) -> Iterator[dict[str, Any]]:
    """A row for each method, and for each sampler where `drawing` and the method is `csbi0`."""
    made = problem(phases, options)
    about = {"phases": phases, "rows": options.rows, "windows": options.test}
    for method in methods:
        own, row = settings(method, options), {"table": "waves", "method": method, **about}
        if method == "oracle":
            drawn = _waves.oracle(made.truth, made.where, phases, options.draws)
            scores = score(made.truth, jnp.asarray(drawn, jnp.float32), made.where)
            yield row | {"draws": options.draws, **scores, "seconds": 0.0, "options": {}}
            continue
        started = time.process_time()
        given = {**LEARNED, **own} if method in DRAWN else {}
        plan = registry.build(method, made.learned, kind="series", options=given)
        # what only interpolates has nothing to learn from other windows
        fitted = made.learned if method in (*DRAWN, "gaussian") else made.asked
        state = loop.fit(plan.method, jax.random.key(options.seed), fitted, plan.steps)
        jax.block_until_ready(state)
        trained = time.process_time() - started
        drawn = draw(plan, state, made, options)
        total = time.process_time() - started
        yield row | {
            "draws": len(drawn),
            **score(made.truth, drawn, made.where),
            "train": round(trained, 1),
            "seconds": round(total, 1),
            "options": own,
        }
        if method == "csbi0" and drawing:
            yield from samplers(state, made, options, {**given, **own}, row)


def draw(plan, state, made: Problem, options: argparse.Namespace) -> jax.Array:
    """Draws in the units of the waves."""
    key = jax.random.key(options.seed + 1)
    if plan.method.tag == "draws":
        drawn = draws.draw_many(plan.method, key, state, made.asked, options.draws)
    else:
        drawn = plan.method.sample(key, state, made.asked)[None]
    return jax.block_until_ready(drawn * made.spread + made.level)


def samplers(
    state, made: Problem, options: argparse.Namespace, given: dict[str, Any], row: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The scores of one trained network by how it is drawn from."""
    for sampler, counts in SAMPLERS.items():
        for steps in counts:
            own = given | {"sampler": sampler, "draw_steps": steps}
            plan = registry.build("csbi0", made.learned, kind="series", options=own)
            started = time.process_time()
            drawn = draw(plan, state, made, options)
            # the probability flow ends with one evaluation more than its steps take
            calls = EVALUATIONS[sampler] * (steps - 1) + 1 if sampler in EVALUATIONS else steps
            yield row | {
                "table": "samplers",
                "sampler": sampler,
                "evaluations": calls,
                "draws": len(drawn),
                **score(made.truth, drawn, made.where),
                "seconds": round(time.process_time() - started, 1),
            }


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All rows that were asked for."""
    if "waves" in options.tables or "samplers" in options.tables:
        for phases in options.phases:
            yield from waves(phases, options, options.methods, "samplers" in options.tables)
    if "exchange" in options.tables:
        for method in options.forecast:
            quick = AHEAD.get(method, {}) if options.quick else {}
            own = {**quick, **options.options} if method in DRAWN else {}
            yield _exchange.measure(method, n=100, seed=options.seed, options=own)


def main(given: Sequence[str] | None = None) -> int:
    """Print and record a row for each method and each kind of phases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--methods", nargs="+", default=[*GIVEN, *DRAWN])
    parser.add_argument("--forecast", nargs="+", default=list(FORECAST))
    parser.add_argument("--phases", nargs="+", default=["shared", "independent"])
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--test", type=int, default=500)
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
        print(json.dumps(row), flush=True)
        if options.out is not None:
            _jobs.append(options.out, row)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Conditional diffusions on the synthetic series of CSBI's appendix C.2.

    python -m benchmarks.bridge --quick
    python -m benchmarks.bridge --phases shared independent --methods csdi csbi csbi0

Windows of eight waves with a random phase; 20 steps of each are to be imputed. RMSE and MAE of the
median of 100 draws, CSDI's CRPS, coverage, and CPU seconds. Released for CSBI: RMSE 0.0656, MAE
0.0452, CRPS 0.0741.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _waves
from jaximpute import draws, loop, metrics, registry
from jaximpute.types import Observed

DRAWN = ("csdi", "csbi", "csbi0")
GIVEN = ("oracle", "linear", "gaussian")
LEARNED = {"window": _waves.LENGTH, "split": "block"}


def score(truth: np.ndarray, drawn: jax.Array, where: np.ndarray) -> dict[str, float]:
    """What the papers print, over the targets."""
    at = jnp.broadcast_to(jnp.asarray(where)[None], truth.shape)
    x, middle = jnp.asarray(truth), jnp.median(drawn, axis=0)
    found = {
        "rmse": metrics.rmse(x, middle, at),
        "mae": metrics.mae(x, middle, at),
        "crps": metrics.crps_csdi(x, drawn, at),
    }
    for level in (0.5, 0.8, 0.95):
        found[f"cover{level:.0%}"] = metrics.coverage(x, drawn, at, level=level)
    return {name: round(float(value), 4) for name, value in found.items()}


def measure(method: str, phases: str, options: argparse.Namespace) -> dict:
    """One row of the table."""
    train, _ = _waves.make(options.rows, 1, phases=phases)
    test, _ = _waves.make(options.test, 2, phases=phases)
    where = _waves.targets()
    if method == "oracle":
        drawn = jnp.asarray(_waves.oracle(test, where, phases, options.draws), jnp.float32)
        return {"method": method, "phases": phases, **score(test, drawn, where), "seconds": 0.0}
    level, spread = train.mean(axis=(0, 1)), train.std(axis=(0, 1))

    def data(x, mask):
        z = jnp.asarray((x - level) / spread, jnp.float32)
        mask = jnp.broadcast_to(jnp.asarray(mask)[None], z.shape)
        return Observed(jnp.where(mask, z, 0), mask, jnp.ones(len(z)))

    learned, asked = data(train, np.ones_like(where)), data(test, ~where)
    started = time.process_time()
    given = {**LEARNED, **options.options} if method in DRAWN else {}
    plan = registry.build(method, learned, kind="series", options=given)
    # what only interpolates has nothing to learn from other windows
    fitted = learned if method in (*DRAWN, "gaussian") else asked
    state = loop.fit(plan.method, jax.random.key(options.seed), fitted, plan.steps)
    trained = time.process_time() - started
    key = jax.random.key(options.seed + 1)
    if method in DRAWN:
        drawn = draws.draw_many(plan.method, key, state, asked, options.draws)
    else:
        drawn = plan.method.sample(key, state, asked)[None]
    drawn = drawn * jnp.asarray(spread, jnp.float32) + jnp.asarray(level, jnp.float32)
    row = {"method": method, "phases": phases, **score(test, drawn, where)}
    total = time.process_time() - started
    return row | {"train": round(trained), "seconds": round(total), "options": options.options}


def main(given: Sequence[str] | None = None) -> int:
    """Print and record a row for each method and each kind of phases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=[*GIVEN, *DRAWN])
    parser.add_argument("--phases", nargs="+", default=["shared", "independent"])
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={}, help="of the methods, as JSON")
    parser.add_argument("--quick", action="store_true", help="few windows, draws and steps")
    parser.add_argument("--out", type=Path, default=None, help="append rows as JSON lines")
    options = parser.parse_args(given)
    if options.quick:
        options.rows, options.test, options.draws = 1000, 50, 20
        options.phases = options.phases[:1]
    for phases in options.phases:
        for method in options.methods:
            row = measure(method, phases, options)
            print(json.dumps(row), flush=True)
            if options.out is not None:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Is MIRI as good as an exact sampler on the mixture of its paper's Table 3, and at what cost?

python -m benchmarks.toy

Two equal clusters of 3000 rows at (-2, -2) and (2, 2), standard deviation 0.5, 30 % of the entries
hidden. As in Table 3 (which says otherwise), errors are over all entries, observed ones included;
MMD is the root of the biased statistic with bandwidth 1 between 1000 random completed rows and 1000
random true ones, averaged over 10 such pairs. The row `exact` draws from the true conditional.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _jobs
from jaximpute import loop, masking, metrics, registry
from jaximpute._version import __version__
from jaximpute.draws import estimate

RATIO, ROWS, SUBSAMPLE, REPEATS = 0.3, 3000, 1000, 10
METHODS = ("exact", "miri", "miri_mean")


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="balanced", choices=registry.PRESETS)
    parser.add_argument("--out", type=Path, default=_jobs.RESULTS / "toy.jsonl")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a row, from a process of its own
    options = parser.parse_args(given)
    if options.one:
        method, seed = options.one.split(":")
        print(json.dumps(measure(method, int(seed), options.preset)))
        return 0
    for seed in range(options.seeds):
        for method in options.methods:
            command = [sys.executable, "-m", "benchmarks.toy", "--preset", options.preset]
            row = _jobs.call([*command, "--one", f"{method}:{seed}"])
            _jobs.append(options.out, row)
            shown = ("rmse_all", "mae_all", "mmd", "cpu_seconds")
            print(method, seed, *(f"{key} {row[key]:.4f}" for key in shown), flush=True)
    return 0


def mixture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and True where hidden."""
    random = np.random.default_rng(seed)
    centres = np.repeat([-2.0, 2.0], ROWS)[:, None]
    truth = random.permutation(centres + 0.5 * random.normal(size=(2 * ROWS, 2)))
    return truth, random.random(truth.shape) < RATIO


def exact(truth: np.ndarray, hidden: np.ndarray, seed: int) -> np.ndarray:
    """A draw of the hidden entries given the others, under the mixture."""
    random = np.random.default_rng(1000 + seed)
    odds = np.where(hidden, 0, 16 * truth).sum(
        axis=1
    )  # of the cluster at 2: N(2, 1/4) and N(-2, 1/4)
    high = random.random(len(truth)) < 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    drawn = np.where(high, 2.0, -2.0)[:, None] + 0.5 * random.normal(size=truth.shape)
    return np.where(hidden, drawn, truth)


def measure(method: str, seed: int, preset: str) -> dict[str, Any]:
    """One row: errors, distance and cost, compilation included."""
    truth, hidden = mixture(seed)
    holed = np.where(hidden, np.nan, truth)
    mean, std = np.nanmean(holed, axis=0), np.nanstd(holed, axis=0)
    wall, cpu = time.perf_counter(), time.process_time()
    settings: dict[str, Any] = {}
    if method == "exact":
        completed = exact(truth, hidden, seed)
    else:
        data = masking.observe(((holed - mean) / std).astype(np.float32))
        plan = registry.build(method, data, kind="table", preset=preset)
        key_fit, key_complete = jax.random.split(jax.random.key(seed))
        state = loop.fit(plan.method, key_fit, data, plan.steps, chunk=plan.chunk)
        completed = np.asarray(estimate(plan.method, key_complete, state, data)) * std + mean
        settings = {name: p.default for name, p in registry.options(method).items()}
        settings |= registry.presets(method)[preset]
    cost = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    gap = completed - truth
    return {
        "data": "mixture",
        "data_sha": f"mixture-{ROWS}",
        "ratio": RATIO,
        "seed": seed,
        "method": method,
        "preset": preset,
        "options": {},
        "split": False,
        "settings": settings,
        "version": __version__,
        "rmse_all": float(np.sqrt((gap**2).mean())),
        "mae_all": float(np.abs(gap).mean()),
        "mmd": distance(completed, truth, seed),
        **cost,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }


def distance(completed: np.ndarray, truth: np.ndarray, seed: int) -> float:
    random, found = np.random.default_rng(seed), []
    for _ in range(REPEATS):
        pair = [
            jnp.asarray(rows[random.choice(len(rows), SUBSAMPLE, replace=False)], jnp.float32)
            for rows in (completed, truth)
        ]
        found.append(float(metrics.mmd(*pair, bandwidth=1.0)) ** 0.5)
    return float(np.mean(found))


if __name__ == "__main__":
    sys.exit(main())

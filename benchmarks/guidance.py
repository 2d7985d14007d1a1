"""What guidance by an equation changes in draws of context-query diffusion.

    python -m benchmarks.guidance --quick
    python -m benchmarks.guidance

The fields of `benchmarks.fields`, which a known wind carries along. One network of learned modes is
trained; Algorithm 4 then draws from it without guidance, and guided by the squared residual of
exact advection at several strengths. A row holds errors of draws and of their mean, their CRPS,
their spread, and the residual, beside that of the truth. Lines go to results/guidance.jsonl.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaximpute as ji
from benchmarks import fields
from benchmarks.harness import jobs
from jaximpute.methods.papers.context_query import contexts, partitions
from jaximpute.metrics import crps_from_draws
from jaximpute.physics import advection
from jaximpute.types import Observed

OUT = jobs.RESULTS / "guidance.jsonl"
STRENGTHS = (0.0, 0.1, 0.3, 1.0)


def residual(film: jax.Array) -> jax.Array:
    """The squared difference of each frame from the one before, carried along exactly."""

    def carried(frame):
        return advection.advect(frame, jnp.array(fields.WIND), 2)[1]

    return jnp.sum((jax.vmap(carried)(film[:-1, ..., 0]) - film[1:, ..., 0]) ** 2)


def rows(masks: str, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each strength, of one network."""
    train, truth, test, best = fields.problem(masks, seed)
    test = Observed(*(leaf[: options.films] for leaf in test))
    truth = jnp.asarray(truth[: options.films])
    given: dict[str, Any] = {
        "batch": 16,
        "lr": 1e-2,
        "sgd_steps": 50,
        "total": options.steps,
        "at_delta": 0.25,
        "feeds": (contexts.every_block(),),
        "steps": options.draw_steps,
    }
    net, split = ji.nets.field_eof(fields.SHAPE), partitions.block(query="all")
    state = ji.fit(
        ji.methods.context_query(net, split, **given),
        jax.random.key(seed),
        train,
        options.steps // 50,
        chunk=1,
    )
    missing, found = ~test.mask, []
    exact = float(jax.vmap(residual)(truth).mean())
    for strength in options.strengths:
        guided = {"guidance": residual, "guidance_strength": strength} if strength else {}
        method = ji.methods.context_query(net, split, **given, **guided)
        started = time.process_time()
        draws = ji.draw_many(method, jax.random.key(seed + 1), state, test, options.draws)
        cpu = time.process_time() - started
        error = np.asarray(draws - truth[None])[:, np.asarray(missing)]
        found.append(
            {
                "masks": masks,
                "seed": seed,
                "steps": options.steps,
                "draw_steps": options.draw_steps,
                "strength": strength,
                "mse_draw": float((error**2).mean()),
                "mse_mean": float((error.mean(axis=0) ** 2).mean()),
                "best": best,
                "crps": float(crps_from_draws(truth, draws, missing)),
                "spread": float(error.std(axis=0, ddof=1).mean()),
                "residual": float(jax.vmap(jax.vmap(residual))(draws).mean()),
                "residual_truth": exact,
                "draw_cpu_seconds": round(cpu, 1),
                "films": options.films,
                "draws": options.draws,
                "version": ji.__version__,
                "quick": options.quick,
            }
        )
    return found


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a network that has learned little")
    parser.add_argument("--masks", default="blocks:5")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600, help="optimiser steps")
    parser.add_argument("--draw-steps", type=int, default=20, help="steps of Algorithm 4")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--films", type=int, default=64)
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(given)
    if options.quick:
        options.seeds, options.steps, options.draw_steps, options.films = 1, 50, 4, 8
    for seed in range(options.seeds):
        for row in rows(options.masks, seed, options):
            jobs.append(options.out, row)
            print(
                f"seed={seed} strength {row['strength']}: MSE of a draw {row['mse_draw']:.3f}, of "
                f"the mean {row['mse_mean']:.3f}, CRPS {row['crps']:.3f}, residual "
                f"{row['residual']:.1f} (truth {row['residual_truth']:.1f})",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

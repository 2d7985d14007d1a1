"""Fields learned from incomplete samples: which partition, and what to feed, beside the best.

    python -m benchmarks.fields --quick
    python -m benchmarks.fields --seeds 3

A field of one channel, 12 x 12 places and 4 frames, carried along by a wind; 3 x 3 blocks, of which
5 are observed, or single places. Each row of the results is one network trained under one
partition, and its mean squared error over missing entries for each way to feed it, beside the best
possible error; or a classical method on the same fields. The variance of the field is 1.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaximpute as ji
from benchmarks.problems import fields
from jaximpute import registry
from jaximpute.methods.papers.context_query import contexts, partitions
from jaximpute.types import Observed

CLASSICAL = ("window_average", "harmonic", "biharmonic", "optimal_interpolation", "kriging", "eof")
RECIPES = ("context_query",)  # as the library builds them, and on what they choose for a base
FEW = 512  # fields, of which a covariance is learned
ROOT = Path(__file__).resolve().parent
SIZE, FRAMES, WIND = 12, 4, (0.0, 2.6)
SHAPE = (FRAMES, SIZE, SIZE, 1)
TRAIN, TEST = 4000, 256


class Arm(NamedTuple):
    """A partition, and the ways to feed the network that it trains."""

    split: Any
    feeds: dict[str, Any]


def arms() -> dict[str, Arm]:
    """The partitions that are compared."""
    block, pixel = partitions.block(), partitions.pixel(0.5, "rest")
    printed = partitions.block(context=4, query=1)
    own = partitions.own()
    mixed = partitions.mixed(block, own, partitions.pixel((0.3, 1.0), "rest"))

    def several(split):
        return {f"K{k}": contexts.drawn(split, k) for k in (1, 10)} | {"M": contexts.observed}

    return {
        "missdiff": Arm(partitions.missdiff, {"M": contexts.observed}),
        "block": Arm(block, several(block) | {"every": contexts.every_block()}),
        "algorithm_6": Arm(printed, several(printed)),
        "pixel": Arm(pixel, several(pixel)),
        "own": Arm(own, several(own)),
        "mixed": Arm(mixed, several(mixed) | {"every": contexts.every_block()}),
    }


def problem(masks: str, seed: int) -> tuple[Observed, np.ndarray, Observed, float]:
    """Incomplete samples to learn from, other samples whole and in part, and the best error."""
    basis = fields.modes(SIZE, FRAMES, WIND)
    x = fields.fields(seed, TRAIN + TEST, basis, SHAPE)
    kind, much = masks.split(":")
    if kind == "blocks":
        mask = fields.block_masks(seed, len(x), SIZE, int(much))
    else:
        mask = fields.pixel_masks(seed, len(x), SIZE, float(much))
    mask = np.broadcast_to(mask, x.shape)

    def holed(part):
        values = np.where(mask[part], x[part], 0)
        return Observed(jnp.asarray(values), jnp.asarray(mask[part]), jnp.ones(len(values)))

    train, test = slice(0, TRAIN), slice(TRAIN, None)
    return holed(train), x[test], holed(test), fields.best_error(basis, mask[test])


class Learned(NamedTuple):
    """A network, and how it is trained."""

    net: Any
    batch: int
    lr: float
    together: int = 50  # optimiser steps in one compiled loop


def networks() -> dict[str, Learned]:
    """The networks that are compared."""
    return {
        "mlp": Learned(ji.nets.field_mlp(SHAPE), 64, 2e-3),
        "unet": Learned(ji.nets.field_unet(SHAPE), 32, 3e-3, 1),
        "eof": Learned(ji.nets.field_eof(SHAPE), 16, 1e-2),
    }


def measure(
    name: str, masks: str, net: str, steps: int, at_delta: float, shifts: int, seed: int
) -> dict:
    """One row: a network trained under a partition, and its errors."""
    train, truth, test, best = problem(masks, seed)
    arm, learned = arms()[name], networks()[net]
    options = {
        "batch": learned.batch,
        "lr": learned.lr,
        "sgd_steps": learned.together,
        "total": steps,
        "warmup": min(100, steps // 10) if net == "unet" else 0,  # as the recipe
        "decay": 0.995,
        "at_delta": at_delta,
    }
    built = ji.nets.shifted(learned.net, shifts, averaged=3) if shifts else learned.net
    make = lambda feed: ji.methods.context_query(built, arm.split, feeds=(feed,), **options)  # noqa: E731
    started = time.process_time()
    trainer = make(contexts.observed)
    state = ji.fit(trainer, jax.random.key(seed), train, steps // options["sgd_steps"], chunk=1)
    cpu = time.process_time() - started
    missing, errors = ~np.asarray(test.mask), {}
    for feed, how in arm.feeds.items():
        out = np.asarray(ji.complete(make(how), jax.random.key(seed + 1), state, test))
        errors[feed] = float(((out - truth)[missing] ** 2).mean())
    row = {"masks": masks, "partition": name, "net": net, "steps": steps, "at_delta": at_delta}
    row |= {"shifts": shifts} if shifts else {}
    row |= {"seed": seed, "mse": errors, "best": best, "cpu_seconds": round(cpu, 1)}
    return row | {"field_mean": float((truth[missing] ** 2).mean()), "version": ji.__version__}


def measure_classical(name: str, masks: str, seed: int, options: dict[str, Any]) -> dict:
    """One row: a method as the library builds it, on the same fields."""
    train, truth, test, best = problem(masks, seed)
    started = time.process_time()
    given = train if name in RECIPES else Observed(*(leaf[:FEW] for leaf in train))
    own = options if name in RECIPES else {}
    plan = registry.build(name, given, kind="field", options=own)
    method = plan.method
    state = ji.fit(method, jax.random.key(seed), given, plan.steps, chunk=plan.chunk)
    out = np.asarray(ji.complete(method, jax.random.key(seed + 1), state, test))
    cpu, missing = time.process_time() - started, ~np.asarray(test.mask)
    row = {"masks": masks, "partition": name, "net": "none", "steps": 0, "at_delta": 0.0}
    row |= {"seed": seed, "mse": {"-": float(((out - truth)[missing] ** 2).mean())}, "best": best}
    row |= {"cpu_seconds": round(cpu, 1), "field_mean": float((truth[missing] ** 2).mean())}
    row |= {} if plan.tells is None else {"told": plan.tells(state), "options": own}
    return row | {"version": ji.__version__}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two partitions, one seed")
    parser.add_argument("--masks", nargs="+", default=["blocks:5"], help="blocks:5, pixels:0.3 ...")
    parser.add_argument("--partitions", nargs="+", choices=list(arms()), default=list(arms()))
    parser.add_argument("--classical", nargs="*", choices=(*CLASSICAL, *RECIPES), default=CLASSICAL)
    parser.add_argument("--net", choices=["mlp", "unet", "eof"], default="mlp")
    parser.add_argument(
        "--shifts",
        type=int,
        default=0,
        help="stride of random shifts in training, for these fields are periodic; 0 = none",
    )
    parser.add_argument("--steps", type=int, default=1500, help="optimiser steps")
    parser.add_argument("--at-delta", type=float, default=0.9, help="share of t at delta")
    parser.add_argument("--options", type=json.loads, default={}, help="of recipes, as JSON")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "fields.jsonl")
    options = parser.parse_args(given)
    if options.quick:
        options.partitions, options.seeds = ["missdiff", "block"], 1
        options.classical = ["harmonic"]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for masks in options.masks:
        for seed in range(options.seeds):
            for name in (*options.classical, *options.partitions):
                if name in options.classical:
                    row = measure_classical(name, masks, seed, options.options)
                else:
                    how = (options.net, options.steps, options.at_delta, options.shifts)
                    row = measure(name, masks, *how, seed)
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                errors = ", ".join(f"{feed} {error:.3f}" for feed, error in row["mse"].items())
                print(
                    f"{masks} seed={seed} {name}: {errors}; best {row['best']:.3f} "
                    f"({row['cpu_seconds']} CPU-s)",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())

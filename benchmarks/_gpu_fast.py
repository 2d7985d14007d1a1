"""How fast is a learning step, and why not faster? Beside the card's ceilings, and beside PyTorch.

Run by `benchmarks.gpu`. For each network, in float32 (the device's own products) and in bfloat16: a
step of denoising score matching with its update (`ceilings.program`), beside a matrix product and a
copy by turns; what compiling took; memory; the shares of its time by cause (`_gpu_profile`); and
the same step in PyTorch (`_torch_steps`), eager and compiled, in a process of its own, by turns.
Then the solves of Gaussians and of kriging, whose operations are counted by hand, for their
matrices are worked through in loops.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _gpu_clock, _gpu_profile, _turns, ceilings
from benchmarks._gpu_clock import Clock, Row, Section
from benchmarks.ceilings import Size
from jaximpute import gaussians
from jaximpute.baselines import optimal_interpolation
from jaximpute.masking import observe

# SPIRIT's and CSDI's are the papers' networks and batches
SIZES = {
    "SPIRIT's MLP": Size("spirit", (24, 7), 512, {"width": 256}),
    "MIRI's MLP": Size("mlp", (100,), 1024, {"width": 1024}),
    "CSDI's transformer": Size("csdi", (36, 36), 16, {"width": 64, "layers": 4, "heads": 8}),
    "U-Net, 32 x 32 x 50": Size("unet", (50, 32, 32, 1), 16, {"width": 64}),
    "U-Net, 64 x 64 x 100": Size("unet", (100, 64, 64, 1), 16, {"width": 64}),
}
TOYS = {"CSDI's transformer": Size("csdi", (4, 3), 2, {"width": 8, "layers": 1, "heads": 1})}
PRECISIONS = ("float32", "bfloat16")
STEPS, TURNS = 20, 5
MODES = ("eager", "compiled")
PATIENCE = 45.0  # seconds that PyTorch may compile: it is not waited for with fewer left


def network(name: str, size: Size, section: Section, clock: Clock) -> Iterator[Row]:
    """Rows of one network: a step in each precision, and its twins."""
    for precision in PRECISIONS[: 1 if section.toy else 2]:
        clock.check()
        begun = time.perf_counter()
        step, state, number = ceilings.program(size, precision == "bfloat16")
        compiled, key, held = time.perf_counter() - begun, jax.random.key(3), [state]
        steps, turns = (2, 2) if section.toy else (STEPS, TURNS)

        def run(step=step, key=key, held=held, steps=steps) -> Any:
            for _ in range(steps):
                held[0], loss = step(key, held[0])
            return loss

        ours = partial(seconds, run, steps)
        ours()  # what a first call sets up
        about = {"network": name, "precision": precision, "batch": size.batch}
        about |= {"shape": size.event, "parameters": number, "torch_mode": None}
        counted = step.cost_analysis()
        yield {
            "what": "step",
            **about,
            **beside_ceilings(ours, counted, precision, section.toy, turns),
            "compile_seconds": compiled,
            **memory(step),
            **_gpu_profile.shares(run, step.as_text()),
        }
        for mode in MODES[: 1 if section.toy else 2]:
            clock.check(0 if mode == "eager" or section.toy else PATIENCE)
            yield twin(size, precision, mode, ours, section, turns) | about | {"torch_mode": mode}


def seconds(run: Callable[[], Any], steps: int) -> float:
    """By the clock, of one of several steps sent one after another."""
    begun = time.perf_counter()
    jax.block_until_ready(run())
    return (time.perf_counter() - begun) / steps


def beside_ceilings(
    ours: Callable[[], float], counted: dict[str, float], precision: str, toy: bool, turns: int
) -> Row:
    """A step by turns with a matrix product and a copy, as in `ceilings`."""
    scale = "quick" if toy else "large"
    side, cells = ceilings.PRODUCT[scale], 2 ** ceilings.COPY[scale]
    product, copy = jax.jit(lambda a: (a @ a) / side), jax.jit(lambda x: x + 1)
    clocks = [
        ours,
        ceilings.clock(product, jnp.ones((side, side), precision), 5),
        ceilings.clock(copy, jnp.ones(cells), 5),
    ]
    for one in clocks:
        one()
    taken = np.median([[one() for one in clocks] for _ in range(turns)], axis=0)
    flops, moved = counted["flops"] / taken[0], counted["bytes accessed"] / taken[0]
    most, widest = 2 * side**3 / taken[1], 8 * cells / taken[2]
    return {
        "seconds": float(taken[0]),
        "tflops": flops / 1e12,
        "gb_per_second": moved / 1e9,
        "product_tflops": most / 1e12,
        "copy_gb_per_second": widest / 1e9,
        "of_product": flops / most,
        "of_copy": moved / widest,
        # what the larger of both would take, of what it takes
        "of_ceiling": max(flops / most, moved / widest),
    }


def memory(step: Any) -> Row:
    """What a program holds by the compiler's count, and the most that this process has held."""
    needs, held = step.memory_analysis(), jax.devices()[0].memory_stats() or {}
    parts = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
    whole = sum(getattr(needs, part) for part in parts) - needs.alias_size_in_bytes
    peak = held.get("peak_bytes_in_use")
    return {"program_mb": whole / 1e6, "peak_mb": None if peak is None else peak / 1e6}


def twin(
    size: Size, precision: str, mode: str, ours: Callable[[], float], section: Section, turns: int
) -> Row:
    """The same step in PyTorch by turns with ours; a row that says so where there is none."""
    device = "cpu" if jax.default_backend() == "cpu" else "cuda"
    task = {**size._asdict(), "device": device, "mode": mode, "precision": precision}
    steps = 2 if section.toy else STEPS
    try:
        with _turns.twin(section.torch_python, "_torch_steps.py", json.dumps(task)) as theirs:
            theirs.seconds(steps)  # compiles
            found = _turns.alternate(partial(theirs.seconds, steps), ours, turns)
            return {"what": "torch", **theirs.about, **found}
    except (RuntimeError, json.JSONDecodeError) as error:
        missing = "no PyTorch" in str(error)
        return {"what": "skipped", "why": "needs torch"} if missing else failed(error)


def failed(error: Exception) -> Row:
    return {"what": "failed", "why": f"PyTorch ended: {type(error).__name__}"}


def solves(section: Section, clock: Clock) -> Iterator[Row]:
    """Rows of Gaussians' conditional means, and of optimal interpolation."""
    random = np.random.default_rng(0)
    d, n = (8, 16) if section.toy else (128, 2048)
    x = random.normal(size=(n, d)).astype(np.float32)
    cov = np.cov(random.normal(size=(4 * d, d)).T).astype(np.float32)
    mask = random.random(x.shape) < 0.7
    given = (x, mask, np.zeros(d, np.float32), cov)
    # a factorisation and two triangular solves, and a product
    yield solve("conditional mean", gaussians.conditional_mean, given, n * (d**3 / 3 + 4 * d**2), n)
    if section.toy:
        return
    clock.check()
    neighbours, films = 32, random.normal(size=(4, 4, 64, 64, 1)).cumsum(2).cumsum(3)
    holed = np.where(random.random(films.shape) < 0.5, np.nan, films).astype(np.float32)
    data, method = observe(holed), optimal_interpolation(neighbours=neighbours, reach=8)
    state, key = jax.jit(method.init)(jax.random.key(0), data), jax.random.key(1)
    asked = int(np.isnan(holed).sum())
    clock.check()
    work = asked * 2.0 * neighbours**2 * (neighbours + 1)
    yield solve("optimal interpolation", method.sample, (key, state, data), work, asked)


def solve(name: str, function: Callable[..., Any], given: Any, flops: float, number: int) -> Row:
    begun = time.perf_counter()
    program = jax.jit(function).lower(*given).compile()
    compiled, run = time.perf_counter() - begun, lambda: program(*given)
    taken = np.median([seconds(run, 1) for _ in range(4)][1:])
    side = ceilings.PRODUCT["quick"]
    a, product = jnp.ones((side, side)), jax.jit(partial(jnp.matmul, precision="highest"))
    floor = np.median([seconds(lambda: product(a, a), 1) for _ in range(4)][1:])
    return {
        "what": "solve",
        "solve": name,
        "number": number,
        "seconds": float(taken),
        "microseconds_each": float(1e6 * taken / number),
        "gflops": flops / taken / 1e9,
        # what one small exact product takes is what a call takes at the least
        "call_seconds": float(floor),
        "compile_seconds": compiled,
        **memory(program),
    }


def main() -> int:

    def step(name: str) -> _gpu_clock.Step:
        def rows(section: Section, clock: Clock) -> Iterator[Row]:
            sizes = TOYS if section.toy else SIZES
            return network(name, sizes[name], section, clock) if name in sizes else iter(())

        return rows

    # compiling takes longest where there are convolutions
    shares = {name: 2.0 if "U-Net" in name else 1.0 for name in SIZES}
    steps = {name: (share, step(name)) for name, share in shares.items()}
    return _gpu_clock.main({**steps, "solves": (0.7, solves)})


if __name__ == "__main__":
    sys.exit(main())

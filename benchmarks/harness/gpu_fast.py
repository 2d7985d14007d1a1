"""How fast is a learning step, and why not faster? Beside the card's ceilings, and beside PyTorch.

Run by `benchmarks.gpu`. For each network, in float32 (the device's own products) and in bfloat16: a
step of denoising score matching with its update (`ceilings.program`), beside a matrix product and a
copy by turns; memory; the shares of its time by cause (`harness.gpu_profile`); and the same step in
PyTorch (`peers.torch_steps`), eager and compiled, in a process of its own, by turns. What compiling
takes is measured in float32, one network after another on an idle machine; then all else is
compiled side by side, since a lent card is dear. Then the solves of Gaussians and of kriging, whose
operations are counted by hand, for their matrices are worked through in loops.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import ceilings
from benchmarks.ceilings import Program, Size
from benchmarks.harness import gpu_clock, gpu_profile
from benchmarks.harness import turns as harness_turns
from benchmarks.harness.gpu_clock import Clock, Row, Section
from jaximpute.masking import observe
from jaximpute.maths import gaussians
from jaximpute.methods import optimal_interpolation

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
MODES = ("eager", "compiled")  # of PyTorch


class Prepared(NamedTuple):
    """What is compiled before anything is timed.

    Attributes:
        programs: steps, by network and precision.
        twins: the same in PyTorch, by network, precision and mode.
        open: ends the twins' processes.
    """

    programs: dict[tuple[str, str], Program | Future[Program]]
    twins: dict[tuple[str, str, str], Future[harness_turns.Twin]]
    open: ExitStack


def sizes(section: Section) -> tuple[dict[str, Size], tuple[str, ...], tuple[str, ...], int]:
    """Networks, precisions, modes of PyTorch, and steps of a turn."""
    if section.toy:
        return TOYS, PRECISIONS[:1], MODES[:1], 2
    return SIZES, PRECISIONS, MODES, STEPS


def compiling(prepared: Prepared, section: Section, clock: Clock) -> Iterator[Row]:
    """Rows of what compiling takes; then the rest is compiled together."""
    networks, precisions, modes, steps = sizes(section)
    for name, size in networks.items():
        clock.check()
        begun = time.perf_counter()
        prepared.programs[name, "float32"] = ceilings.program(size, bfloat16=False)
        took = time.perf_counter() - begun
        yield {"what": "compiled", "network": name, "precision": "float32", "seconds": took}

    def theirs(size: Size, precision: str, mode: str) -> harness_turns.Twin:
        device = "cpu" if jax.default_backend() == "cpu" else "cuda"
        task = {**size._asdict(), "device": device, "mode": mode, "precision": precision}
        run = harness_turns.twin(section.torch_python, "torch_steps.py", json.dumps(task))
        found = prepared.open.enter_context(run)
        found.seconds(steps)  # compiles
        return found

    pool = ThreadPoolExecutor(4 * len(networks))
    for name, size in networks.items():
        for precision in precisions:
            if precision == "bfloat16":
                made = pool.submit(ceilings.program, size, bfloat16=True)
                prepared.programs[name, precision] = made
            for mode in modes:
                prepared.twins[name, precision, mode] = pool.submit(theirs, size, precision, mode)
    asked = [made for made in prepared.programs.values() if isinstance(made, Future)]
    wait([*asked, *prepared.twins.values()], timeout=max(clock.left(), 0))
    pool.shutdown(wait=False, cancel_futures=True)


def network(prepared: Prepared, name: str, section: Section, clock: Clock) -> Iterator[Row]:
    """Rows of one network: a step in each precision, and its twins."""
    networks, precisions, modes, steps = sizes(section)
    size, turns = networks[name], 2 if section.toy else TURNS
    for precision in precisions:
        clock.check()
        about: Row = {"network": name, "precision": precision, "batch": size.batch}
        about |= {"shape": size.event, "torch_mode": None}
        made = prepared.programs.get((name, precision))
        if isinstance(made, Future):
            made = made.result() if made.done() else None
        if made is None:
            yield {"what": "cut", "why": "was not compiled in time", **about}
            continue
        step, key, last, about["parameters"] = made.step, jax.random.key(3), [made.state], made[2]

        def run(step=step, key=key, last=last) -> Any:
            for _ in range(steps):
                last[0], loss = step(key, last[0])
            return loss

        ours = partial(seconds, run, steps)
        ours()  # what a first call sets up
        moved = step.cost_analysis()["bytes accessed"]
        file = f"{size.net}-{'x'.join(map(str, size.event))}-{precision}.json"
        keep = Path(section.keep) / file if section.keep else None
        yield {
            "what": "step",
            **about,
            **beside_ceilings(ours, made.flops, moved, precision, section.toy, turns),
            **memory(step),
            **gpu_profile.shares(run, step.as_text(), keep),
        }
        for mode in modes:
            twin = prepared.twins.get((name, precision, mode))
            yield beside(twin, ours, steps, turns) | about | {"torch_mode": mode}


def seconds(run: Callable[[], Any], steps: int) -> float:
    """By the clock, of one of several steps sent one after another."""
    begun = time.perf_counter()
    jax.block_until_ready(run())
    return (time.perf_counter() - begun) / steps


def beside_ceilings(
    ours: Callable[[], float], flops: float, moved: float, precision: str, toy: bool, turns: int
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
    flops, moved = flops / taken[0], moved / taken[0]
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


def beside(
    twin: Future[harness_turns.Twin] | None, ours: Callable[[], float], steps: int, turns: int
) -> Row:
    """The same step in PyTorch by turns with ours; a row that says so where there is none."""
    if twin is None or not twin.done() or twin.cancelled():
        return {"what": "cut", "why": "PyTorch was not ready in time"}
    try:
        theirs = twin.result()
        found = harness_turns.alternate(partial(theirs.seconds, steps), ours, turns)
        return {"what": "torch", **theirs.about, **found}
    except (RuntimeError, json.JSONDecodeError, BrokenPipeError) as error:
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
    yield solve("optimal interpolation", method.estimate, (key, state, data), work, asked)


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
    with ExitStack() as stack:
        prepared = Prepared({}, {}, stack)

        def step(name: str) -> gpu_clock.Step:
            def rows(section: Section, clock: Clock) -> Iterator[Row]:
                known = name in sizes(section)[0]
                return network(prepared, name, section, clock) if known else iter(())

            return rows

        # most of the time goes into compiling
        steps = {"compiling": (8.0, partial(compiling, prepared))}
        steps |= {name: (1.0, step(name)) for name in SIZES}
        return gpu_clock.main({**steps, "solves": (1.5, solves)})


if __name__ == "__main__":
    sys.exit(main())

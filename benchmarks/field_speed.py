"""What a learning step on fields costs beside what its arithmetic and its traffic must take.

    python -m benchmarks.field_speed --quick
    python -m benchmarks.field_speed

Four questions, a kind of row each. `step`: CPU-seconds of one step of a network, beside the larger
of two floors, the arithmetic and the bytes moved that the compiler counts, at the rates of a matrix
product and of a copy that take turns with it. `engine.loop`: a U-Net's steps in one compiled loop
and one
at a time. `contexts`: ten contexts in one call and in ten. `memory`: what the step of the largest
network keeps for 100 frames of 64 x 64, by the compiler's count, nothing run. One thread; lines go
to results/field_speed.jsonl.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import jobs
from benchmarks.harness import turns as harness_turns
from jaximpute import __version__, nets
from jaximpute.methods import context_query
from jaximpute.methods.papers.context_query import contexts, partitions
from jaximpute.types import Net, Observed

OUT = jobs.RESULTS / "field_speed.jsonl"
Event = tuple[int, ...]
NETS: dict[str, Callable[[Event], Net]] = {
    "mlp": nets.field_mlp,
    "eof": nets.field_eof,
    "unet": nets.field_unet,
    "fno": nets.fno,
    "spacetime": nets.spacetime_unet,
}
FULL = [
    ("mlp", (4, 12, 12, 1), 64),
    ("eof", (4, 12, 12, 1), 16),
    ("unet", (8, 16, 16, 3), 32),
    ("fno", (8, 16, 16, 3), 8),
    ("spacetime", (8, 16, 16, 3), 8),
]
QUICK = [("mlp", (2, 9, 9, 1), 4), ("unet", (2, 9, 9, 1), 4)]
LARGE, LARGE_QUICK = (100, 64, 64, 1), (2, 8, 8, 1)
# of the largest network: blocks computed again, and half precision
SAVINGS = [
    {"checkpoint": checkpoint, "half": half}
    for half in (False, True)
    for checkpoint in (False, True)
]
MEMBERS = 10


def method(net: Net, batch: int, steps: int = 1, scan: bool = False):
    """Context-query diffusion of this network, with blocks."""
    return context_query(
        net, partitions.block(), batch=batch, sgd_steps=steps, total=1000, scan=scan
    )


def films(event: Event, n: int) -> Observed:
    """Noise with a block missing."""
    values = jax.random.normal(jax.random.key(0), (n, *event))
    mask = jnp.ones_like(values, bool).at[:, :, : event[1] // 3, : event[2] // 3].set(False)
    return Observed(jnp.where(mask, values, 0), mask, jnp.ones(n))


def clock(run: Callable[[], Any], repeats: int = 1) -> Callable[[], float]:
    """CPU-seconds of one of several runs."""

    def seconds() -> float:
        begun = time.process_time()
        for _ in range(repeats):
            jax.block_until_ready(run())
        return (time.process_time() - begun) / repeats

    return seconds


def rates(size: int, cells: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """Seconds of an operation in a matrix product, and of a byte in a copy."""
    a, x = jnp.ones((size, size)), jnp.ones(cells)
    product, copy = jax.jit(jnp.matmul), jax.jit(lambda x: x + 1)
    multiplying, moving = clock(lambda: product(a, a), 3), clock(lambda: copy(x), 3)
    return lambda: multiplying() / (2 * size**3), lambda: moving() / (8 * cells)


def step(net: str, event: Event, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row: a step and its floor."""
    made, data, key = method(NETS[net](event), batch), films(event, 2 * batch), jax.random.key(1)
    state = jax.jit(made.init)(key, data)
    program = jax.jit(made.step).lower(key, state, data).compile()
    counted = program.cost_analysis()
    clocks = [clock(lambda: program(key, state, data), 3), *rates(*options.rates)]
    for one in clocks:
        one()  # what a first call sets up
    turns = np.array([[one() for one in clocks] for _ in range(options.repeats)])
    floors = turns[:, 1] * counted["flops"], turns[:, 2] * counted["bytes accessed"]
    ratios = turns[:, 0] / np.maximum(*floors)
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return {
        "net": net,
        "shape": event,
        "batch": batch,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.learner.params)),
        "gflop": counted["flops"] / 1e9,
        "mb_moved": counted["bytes accessed"] / 1e6,
        "seconds": float(np.median(turns[:, 0])),
        "bound": "arithmetic" if np.median(floors[0]) > np.median(floors[1]) else "traffic",
        "ratio": float(middle),
        "spread": [float(low), float(high)],
    }


def loop(event: Event, batch: int, options: argparse.Namespace, steps: int = 4) -> dict[str, Any]:
    """One row: steps of a U-Net in one loop beside one at a time."""
    data, key = films(event, 2 * batch), jax.random.key(1)

    def of(number: int, scan: bool) -> Callable[[], float]:
        made = method(nets.field_unet(event), batch, number, scan)
        state = jax.jit(made.init)(key, data)
        program = jax.jit(made.step).lower(key, state, data).compile()
        seconds = clock(lambda: program(key, state, data))
        seconds()
        return lambda: seconds() / number

    found = harness_turns.alternate(of(steps, True), of(1, False), options.repeats)
    return {"net": "unet", "shape": event, "batch": batch, **found}


def folded(event: Event, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row: ten contexts one after another beside all of them in one call."""
    data, key, block = films(event, batch), jax.random.key(1), partitions.block()
    net = nets.field_unet(event)
    state = jax.jit(method(net, batch).init)(key, data)

    def of(members: int) -> Callable[[], Any]:
        made = context_query(net, block, feeds=(contexts.drawn(block, members),), batch=batch)
        program = jax.jit(made.estimate).lower(key, state, data).compile()
        return lambda: program(key, state, data)

    one, all_ = of(1), of(MEMBERS)
    clocks = clock(lambda: [one() for _ in range(MEMBERS)]), clock(all_)
    for each in clocks:
        each()
    found = harness_turns.alternate(*clocks, options.repeats)
    return {"net": "unet", "shape": event, "batch": batch, "members": MEMBERS, **found}


def memory(event: Event, batch: int, saving: dict[str, bool]) -> dict[str, Any]:
    """One row: what reverse mode keeps for its way back; it is counted and not run."""
    net = nets.spacetime_unet(event, **saving)
    x, t = jnp.zeros((batch, *event)), jnp.zeros(batch)
    params = jax.eval_shape(net.init, jax.random.key(0), x, t, (x,))

    def loss(params):
        return (net.apply(params, x, t, (x,)) ** 2).mean()

    kept = jax.tree.leaves(jax.eval_shape(lambda params: jax.vjp(loss, params)[1], params))
    return {
        "net": "spacetime",
        "shape": event,
        "batch": batch,
        "saving": saving,
        "gb_kept": sum(leaf.size * leaf.dtype.itemsize for leaf in kept) / 1e9,
        "tflop": jax.jit(jax.grad(loss)).lower(params).cost_analysis()["flops"] / 1e12,
    }


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All questions."""
    options.rates = (64, 1000) if options.quick else (1024, 2**25)
    versions = {"jaximpute": __version__, "jax": jax.__version__}
    about = {"versions": versions, "threads": 1, "quick": options.quick}
    sizes = QUICK if options.quick else FULL
    for size in sizes:
        yield {"what": "step", **step(*size, options), **about}
    _, event, batch = next(size for size in sizes if size[0] == "unet")
    yield {"what": "loop", **loop(event, batch, options), **about}
    yield {"what": "contexts", **folded(event, batch, options), **about}
    large, many = (LARGE_QUICK, 2) if options.quick else (LARGE, 8)
    for saving in SAVINGS:
        yield {"what": "memory", **memory(large, many, saving), **about}


def main(given: Sequence[str] | None = None) -> int:
    made = harness_turns.parser(__doc__)
    return harness_turns.write(made, given, rows, OUT)


if __name__ == "__main__":
    sys.exit(main())

"""How much of a device's arithmetic and of its bandwidth a learning step reaches.

    python -m benchmarks.ceilings --quick
    python -m benchmarks.ceilings                      # sizes of a processor
    python -m benchmarks.ceilings --large              # sizes of an accelerator
    python -m benchmarks.ceilings --large --bfloat16

A step of denoising score matching, with its update, of the networks of the methods: the MLP of
MIRI and SPIRIT, CSDI's transformer, and the U-Net for fields. Seconds by the clock, of several
steps sent one after another; operations and bytes are the compiler's count. The ceilings are those
of a matrix product, in the precision of the step, and of a copy, on the same device; all of them
take turns. Lines go to results/ceilings.jsonl.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import jobs
from jaximpute import __version__, nets
from jaximpute.maths import optimise
from jaximpute.types import Net

OUT = jobs.RESULTS / "ceilings.jsonl"


class Size(NamedTuple):
    """A network, and the rows of a batch."""

    net: str
    event: tuple[int, ...]
    batch: int
    options: dict[str, Any]


# a loop's body is counted once: transformers of more than four blocks would count as smaller
SIZES = (
    Size("mlp", (11,), 512, {"width": 256}),
    Size("csdi", (36, 36), 16, {"width": 64, "layers": 4, "heads": 8}),
    Size("unet", (8, 16, 16, 3), 32, {}),
)
LARGE = (
    Size("mlp", (100,), 8192, {"width": 2048}),
    Size("csdi", (100, 100), 64, {"width": 256, "layers": 4, "heads": 8}),
    Size("unet", (20, 64, 64, 1), 64, {"width": 64}),
)
QUICK = (Size("mlp", (4,), 16, {"width": 16}), Size("unet", (2, 9, 9, 1), 2, {"width": 8}))
PRODUCT, COPY = (
    {"quick": 128, "usual": 2048, "large": 8192},
    {"quick": 14, "usual": 25, "large": 29},
)


def build(size: Size) -> tuple[Net, tuple[jax.Array, ...]]:
    """The network, and what it is given besides rows and times."""
    n, event = size.batch, size.event
    rows, seen = jnp.zeros((n, *event)), jnp.ones((n, *event), bool)
    if size.net == "spirit":
        return nets.adaln_mlp(event, **size.options), ()
    if size.net == "mlp":
        return nets.velocity_mlp(event, **size.options), (rows, rows)
    if size.net == "csdi":
        times = jnp.broadcast_to(jnp.arange(float(event[0])), (n, event[0]))
        return nets.csdi_transformer(event, **size.options), (rows, seen, times)
    return nets.field_unet(event, **size.options), (rows,)


class Program(NamedTuple):
    """A learning step of a network.

    Attributes:
        step: compiled.
        state: its first.
        parameters: how many it moves.
        flops: of a step as it was written. Libraries of an accelerator are called by name, so that
            the compiler's count of its own program lacks their products and convolutions.
    """

    step: Any
    state: Any
    parameters: int
    flops: float


def program(size: Size, bfloat16: bool) -> Program:
    """Compile a step of denoising score matching with its update."""
    net, cond = build(size)
    net = nets.in_bfloat16(net) if bfloat16 else net
    optimiser, shape = optimise.adamw(1e-3), (size.batch, *size.event)
    x = jax.random.normal(jax.random.key(0), (int(np.prod(shape)),)).reshape(shape)

    def loss(params, key):
        k_time, k_noise = jax.random.split(key)
        noise = jax.random.normal(k_noise, (x.size,)).reshape(shape)
        t = jax.random.uniform(k_time, (size.batch,), minval=0.01)
        noised = x + t.reshape(-1, *(1 for _ in size.event)) * noise
        return ((net.apply(params, noised, t, cond) - noise) ** 2).mean()

    def step(key, state):
        value, grads = jax.value_and_grad(loss)(state.params, key)
        updates, opt = optimiser.update(grads, state.opt, state.params)
        params = jax.tree.map(jnp.add, state.params, updates)
        return state._replace(params=params, opt=opt), value

    @jax.jit
    def begin(key):
        return optimise.learner(net.init(key, x, jnp.ones(size.batch), cond), optimiser)

    state = begin(jax.random.key(1))
    number = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    compiled = jax.jit(step, donate_argnums=1).lower(jax.random.key(2), state).compile()
    with jax.default_device(jax.devices("cpu")[0]):  # CUDA's client counts nothing by itself
        written = jax.jit(step).lower(jax.random.key(2), jax.eval_shape(lambda: state))
    return Program(compiled, state, number, written.cost_analysis()["flops"])


def clock(run: Callable[[Any], Any], state: Any, repeats: int) -> Callable[[], float]:
    """Seconds of one of several runs, each of which takes what the one before left."""
    held = [state]

    def seconds() -> float:
        begun = time.perf_counter()
        for _ in range(repeats):
            held[0] = run(held[0])
        jax.block_until_ready(held[0])
        return (time.perf_counter() - begun) / repeats

    return seconds


def measure(size: Size, options: argparse.Namespace) -> dict[str, Any]:
    """One row: a step beside a product and a copy."""
    step, state, number, work = program(size, options.bfloat16)
    counted, key = step.cost_analysis(), jax.random.key(3)
    side, cells = PRODUCT[options.scale], 2 ** COPY[options.scale]
    dtype = jnp.bfloat16 if options.bfloat16 else jnp.float32
    product, copy = jax.jit(lambda a: (a @ a) / side), jax.jit(lambda x: x + 1)
    clocks = [
        clock(lambda state: step(key, state)[0], state, 5),
        clock(product, jnp.ones((side, side), dtype), 5),
        clock(copy, jnp.ones(cells), 5),
    ]
    for one in clocks:
        one()  # what a first call sets up
    turns = np.array([[one() for one in clocks] for _ in range(options.repeats)])
    flops, moved = work / turns[:, 0], counted["bytes accessed"] / turns[:, 0]
    most, widest = 2 * side**3 / turns[:, 1], 8 * cells / turns[:, 2]
    return {
        "net": size.net,
        "shape": size.event,
        "batch": size.batch,
        "parameters": number,
        "precision": jnp.dtype(dtype).name,
        "seconds": float(np.median(turns[:, 0])),
        "gflops": float(np.median(flops)) / 1e9,
        "gb_per_second": float(np.median(moved)) / 1e9,
        "product_gflops": float(np.median(most)) / 1e9,
        "copy_gb_per_second": float(np.median(widest)) / 1e9,
        "of_product": float(np.median(flops / most)),
        "of_copy": float(np.median(moved / widest)),
        "repeats": options.repeats,
    }


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All networks."""
    device, versions = jax.devices()[0], {"jaximpute": __version__, "jax": jax.__version__}
    about = {"device": device.device_kind, "versions": versions, "quick": options.quick}
    for size in {"quick": QUICK, "usual": SIZES, "large": LARGE}[options.scale]:
        yield {"what": "ceilings", **measure(size, options), **about}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny networks; means nothing")
    parser.add_argument("--large", action="store_true", help="sizes of an accelerator")
    parser.add_argument("--bfloat16", action="store_true", help="activations in half precision")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    options.scale = "quick" if options.quick else "large" if options.large else "usual"
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    for row in rows(options):
        jobs.append(out, row)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a step of CSDI's network and of the bridge costs, and what a draw.

    python -m benchmarks.bridge_speed --quick
    python -m benchmarks.bridge_speed --torch-python /with/torch/bin/python

`training`: a step of training, beside the same network in plain PyTorch (`peers/torch_csdi.py`;
both answers and both numbers of parameters are compared first). `backward`: a step of the bridge's
backward policy, beside one of score matching. `sampling`: a draw by the library's solvers, beside a
loop written by hand. `draws`: a hundred draws, beside one.

CPU-seconds of one thread, compilation apart. The two of a pair take turns, for the machine may be
shared; a ratio is the median over turns, between its quartiles. Lines go to results/speed.jsonl.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import jobs, turns
from benchmarks.harness.turns import Clock, alternate, twin
from jaximpute import __version__
from jaximpute.engine import draws
from jaximpute.engine.loop import fit
from jaximpute.masking import masked_mean
from jaximpute.maths import optimise, processes
from jaximpute.methods import csbi0, csbi_warmup
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi import bridge_draws
from jaximpute.nets import csdi_transformer
from jaximpute.types import Net, Observed, Process

OUT = jobs.RESULTS / "speed.jsonl"
# at least, or at most
TARGETS = {"training": 1.3, "backward": 2.0, "sampling": 1.2, "draws": 15.0}
# rows, steps, features; the network of the papers
FULL = {"shape": (16, 36, 36), "net": {"width": 64, "layers": 4, "heads": 8}, "steps": 3}
QUICK = {"shape": (4, 12, 12), "net": {"width": 16, "layers": 2, "heads": 2}, "steps": 4}
# the default network of the recipes, on their windows
DRAWN = {"shape": (8, 24, 8), "net": {"width": 32, "layers": 2, "heads": 4}}


def clock(run: Callable[..., Any], *given: Any, per: int = 1) -> tuple[Clock, float, Any]:
    """CPU-seconds of a jitted call, divided; those of its compilation; and what it returns."""
    begun = time.process_time()
    program = jax.jit(run).lower(*given).compile()
    compiled = time.process_time() - begun
    found = jax.block_until_ready(program(*given))

    def seconds() -> float:
        begun = time.process_time()
        jax.block_until_ready(program(*given))
        return (time.process_time() - begun) / per

    return seconds, compiled, found


def rows_of(shape: tuple[int, ...]) -> Observed:
    """Waves of random phases, a third of their entries missing."""
    n, length, d = shape
    k_phase, k_mask = jax.random.split(jax.random.key(0))
    phase = jax.random.uniform(k_phase, (n, 1, d), maxval=6.3)
    x = jnp.sin(jnp.arange(length)[None, :, None] / 4 + phase)
    mask = jax.random.uniform(k_mask, shape) < 2 / 3
    return Observed(jnp.where(mask, x, 0), mask, jnp.ones(n))


def moved(net: Net, *given: Any) -> Any:
    """Weights a little off the network's start, where it answers 0."""

    @jax.jit
    def make(key):
        k_start, k_off = jax.random.split(key)
        leaves, tree = jax.tree.flatten(net.init(k_start, *given))
        keys = jax.random.split(k_off, len(leaves))
        pairs = zip(leaves, keys, strict=True)
        return jax.tree.unflatten(
            tree, [p + 0.02 * jax.random.normal(k, p.shape) for p, k in pairs]
        )

    return make(jax.random.key(1))


def training(sizes: dict[str, Any], repeats: int, python: str) -> Iterator[dict[str, Any]]:
    """PyTorch's step over ours."""
    (n, length, d), steps = sizes["shape"], sizes["steps"]
    data, net = rows_of(sizes["shape"]), csdi_transformer((length, d), **sizes["net"])
    x, t = data.values, jnp.linspace(0.1, 0.9, n)
    times = jnp.broadcast_to(jnp.arange(float(length)), (n, length))
    cond = (data.values, data.mask, times)
    params = moved(net, x, t, cond)
    optimiser = optimise.adamw(1e-3)

    def train(state):
        def loss(params, key):
            noise = jax.random.normal(key, x.shape)
            return masked_mean((net.apply(params, x + noise, t, cond) - noise) ** 2, ~data.mask)

        return optimise.train(loss, optimiser, jax.random.key(3), state, steps)

    ours, compiled, _ = clock(train, optimise.learner(params, optimiser), per=steps)
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    given = {"params/" + "/".join(str(k.key) for k in at): leaf for at, leaf in leaves}
    given |= {"x": x, "t": t, "values": data.values, "mask": data.mask, "times": times}
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "given.npz")
        answer = jax.jit(net.apply)(params, x, t, cond)
        np.savez(file, **given, answer=answer, sizes=np.array(list(sizes["net"].values())))
        with twin(python, "torch_csdi.py", file) as theirs:
            size = sum(leaf.size for leaf in jax.tree.leaves(params))
            check(theirs.about, size, float(jnp.abs(answer).max()))
            theirs.seconds(steps)  # what a first step sets up
            found = alternate(partial(theirs.seconds, steps), ours, repeats)
    yield found | {"compile": [0.0, compiled], **theirs.about}


def check(about: dict[str, Any], size: int, most: float) -> None:
    """Whether the twin is one.

    Raises:
        RuntimeError: it is another network.
    """
    if about["parameters"] != size or about["off"] > 1e-4 * most:
        raise RuntimeError(f"the twin is another function, of {size} parameters here: {about}")


def backward(sizes: dict[str, Any], repeats: int) -> Iterator[dict[str, Any]]:
    """A step down eq. (12a) over a step of score matching, as the methods take them."""
    (n, *event), steps = sizes["shape"], sizes["steps"]
    net, process = csdi_transformer(tuple(event), **sizes["net"]), processes.ve()
    data, key = rows_of(sizes["shape"]), jax.random.key(0)
    match = csbi_warmup(net, None, process, batch=n, sgd_steps=steps, total=10)
    bridge = csbi0(net, process, batch=n, cache=n, sgd_steps=steps, sde_steps=10, warmup=0)
    state = jax.jit(match.init)(key, data)
    (one, first, _), (other, second, _) = (
        clock(method.step, key, state, data, per=steps) for method in (bridge, match)
    )
    yield alternate(one, other, repeats) | {"compile": [first, second]}


def sampling(sizes: dict[str, Any], repeats: int, steps: int = 20) -> Iterator[dict[str, Any]]:
    """A draw by the solvers over one by `lax.scan`, with one network."""
    shape, event = sizes["shape"], sizes["shape"][1:]
    net, process, data = csdi_transformer(event, **sizes["net"]), processes.ve(), rows_of(shape)
    times = jnp.broadcast_to(jnp.arange(float(event[0])), shape[:2])
    cond, at = (data.values, data.mask, times), jnp.ones(shape[0])
    params = moved(net, data.values, at, cond)
    policy = bridges.backward_policy(net, process, True)
    key = jax.random.key(3)
    start = process.prior(jax.random.key(4), shape)

    def zero(x, t):
        return jnp.zeros_like(x)

    for sampler, plain in (("sde", by_hand), ("heun", heun_by_hand)):

        def ours(params, x, sampler=sampler):
            z = partial(asked, policy, params, cond)
            return bridge_draws.draw(sampler, process, z, zero, key, x, steps=steps)

        def hand(params, x, plain=plain):
            return plain(process, partial(asked, policy, params, cond), key, x, steps)

        (one, first, a), (other, second, b) = (clock(run, params, start) for run in (ours, hand))
        if sampler == "heun" and float(jnp.abs(a - b).max()) > 1e-3 * float(jnp.abs(b).max()):
            raise RuntimeError("the loop written by hand draws something else")
        found = alternate(one, other, repeats)
        yield found | {"of": sampler, "solver_steps": steps, "compile": [first, second]}


def asked(policy, params, cond, x, t):
    """The policy, at one time for all rows."""
    return policy(params, x, jnp.broadcast_to(t, x.shape[:1]).astype(x.dtype), cond)


def by_hand(process: Process, z, key, x, steps: int):
    """Eq. (11b) by Euler and Maruyama, then the mean of the clean rows."""
    end = bridge_draws.last_time(process)
    h = (1 - end) / (steps - 1)

    def step(x, i):
        t = 1 - i * h
        g = bridges.step_noise(process, t, h)
        noise = jax.random.normal(jax.random.fold_in(key, i), x.shape)
        pull = process.drift(x, t) - g**2 / process.diffusion(t) * z(x, t)
        return x - h * pull + g * h**0.5 * noise, None

    return mean_of_clean(process, z, jax.lax.scan(step, x, jnp.arange(steps - 1))[0], end)


def heun_by_hand(process: Process, z, key, x, steps: int):
    """The probability flow by Heun's method, then the mean of the clean rows."""
    end = bridge_draws.last_time(process)
    h = (end - 1) / (steps - 1)

    def flow(x, t):
        return process.drift(x, t) - process.diffusion(t) / 2 * z(x, t)

    def step(x, i):
        t = 1 + i * h
        now = flow(x, t)
        return x + h / 2 * (now + flow(x + h * now, t + h)), None

    return mean_of_clean(process, z, jax.lax.scan(step, x, jnp.arange(steps - 1))[0], end)


def mean_of_clean(process: Process, z, x, t: float):
    """Tweedie's formula."""
    alpha, sigma = process.marginal(jnp.asarray(t))
    return (x + sigma**2 / process.diffusion(jnp.asarray(t)) * z(x, t)) / alpha


def drawing(sizes: dict[str, Any], repeats: int, number: int = 100) -> Iterator[dict[str, Any]]:
    """A hundred draws of one window over one draw: without compilation, and with it."""
    shape = (1, *sizes["shape"][1:])
    net = csdi_transformer(shape[1:], **sizes["net"])
    method = csbi0(net, processes.ve(), sampler="exponential", draw_steps=8, warmup=0)
    data, key = rows_of(shape), jax.random.key(1)
    state = fit(method, jax.random.key(0), data, 0)

    def draw(n: int, batch: int) -> tuple[Clock, float]:
        begun = time.process_time()
        jax.block_until_ready(draws.draw_many(method, key, state, data, n, batch=batch))
        whole = time.process_time() - begun

        def seconds() -> float:
            begun = time.process_time()
            jax.block_until_ready(draws.draw_many(method, key, state, data, n, batch=batch))
            return time.process_time() - begun

        return seconds, whole

    one, whole_one = draw(1, 1)
    for batch in (1, 10):
        many, whole = draw(number, batch)
        about = {"draws": number, "batch": batch, "first": [whole, whole_one]}
        yield alternate(many, one, repeats) | about | {"first_ratio": round(whole / whole_one, 3)}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All rows that were asked for."""
    sizes = QUICK if options.quick else FULL
    small = QUICK if options.quick else DRAWN
    measures: dict[str, tuple[dict[str, Any], Callable[..., Iterator[dict[str, Any]]]]] = {
        "training": (sizes, partial(training, python=options.torch_python)),
        "backward": (sizes, backward),
        "sampling": (small, sampling),
        "draws": (small, drawing),
    }
    versions = {"jaximpute": __version__, "jax": jax.__version__}
    for what in options.whats:
        given, measure = measures[what]
        common = {"what": what, "sizes": given, "versions": versions, "threads": 1}
        for row in measure(given, options.repeats):
            yield common | row | {"target": TARGETS[what], "quick": options.quick}


def main(given: Sequence[str] | None = None) -> int:
    made = turns.parser(__doc__)
    made.add_argument("--whats", nargs="+", choices=TARGETS, default=list(TARGETS))
    return turns.write(made, given, rows, OUT)


if __name__ == "__main__":
    sys.exit(main())

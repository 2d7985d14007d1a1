"""Eight simulated devices against one: `python -m tests.helpers.mesh METHOD ...`, a process of its
own.

Prints a line of JSON: for each method the largest differences after one step, of the state and of
raw gradients, relative to the size of each array, how many arrays hold rows, and which collectives
move data.
"""

import json
import math
import os
import re
import sys

if __name__ == "__main__":  # not where the tests are collected, which import this
    # beside the flags of the process that starts this one
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    )

from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.random import key
from jax.sharding import Mesh

from jaximpute import registry
from jaximpute.engine import parallel
from jaximpute.engine.draws import draw_many
from jaximpute.masking import clamp
from jaximpute.types import Method, Observed, State
from tests.contract.cases import SMALL, awkward

# one update of the network, so that what Adam remembers is the raw gradient
ONE_UPDATE = {
    "spirit": ("table", {"score_steps": 1, "moves": 1, "hidings": 1}),
    "miri": ("table", {"sgd_steps": 1, "base": "none"}),
    "csdi": ("series", {"base": None, "sgd_steps": 1, "layers": 1, "heads": 1}),
    "context_query": ("field", {"net": "mlp", "base": "none"}),
    "mice": ("table", {}),
    "diffusion": ("table", {"score_steps": 1}),
    "missdiff": ("table", {"updates": 1}),
    "gain": ("table", {"updates": 1}),
    "diffputer": ("table", {"updates": 1}),
    "ambientdiff": ("field", {}),
    "knewimp": ("table", {"score_steps": 1, "moves": 1}),
    "sinkhorn": ("table", {"moves": 1}),
    "tdm": ("table", {"moves": 1}),
    "psw_i": ("series", {"moves": 1}),
    # CSBI0 is its first half, whose network stays as it is, so that the second learns from the same
    # paths
    "csbi:held": ("series", {"base": None, "sgd_steps": 1, "heads": 1, "lr": 0.0}),
}
INIT, FIRST, STEP = 3, 4, 5  # seeds: of the first state, the step before, the one compared


def many(kind: str) -> Observed:
    data = awkward(kind)
    copies = max(1, 128 // data.values.shape[0])
    return jax.tree.map(lambda x: np.concatenate([x] * copies), data)


class Alone(NamedTuple):
    """A method on one device.

    Attributes:
        plan: the method.
        data: the rows.
        begun: its first state.
        start: a state that has made one step, for new networks often answer 0; its optimisers
            remember nothing.
        step: the compiled step.
    """

    plan: registry.Plan
    data: Observed
    begun: State
    start: State
    step: Any


class Spread(NamedTuple):
    """The same on a mesh: the method, the rows with their padding, the start, and the step."""

    method: Method
    rows: Observed
    start: State
    step: Any


def alone(label: str, kind: str, options: dict) -> Alone:
    """A small method, built and compiled."""
    name, data = label.partition(":")[0], many(kind)
    batch = {"batch": 16} if "batch" in SMALL.get(name, {}) else {}
    options = {**SMALL.get(name, {}), **options, **batch}
    plan = registry.build(name, data, kind=kind, preset="fast", options=options)
    begun = jax.jit(plan.method.init)(key(INIT), data)
    step = jax.jit(plan.method.step).lower(key(FIRST), begun, data).compile()
    return Alone(plan, data, begun, forgetful(step(key(FIRST), begun, data)[0]), step)


def spread(one: Alone, on: Mesh) -> Spread:
    """The same on a mesh, from the same start."""
    rows = parallel.put(one.data, on)
    method = parallel.spread(one.plan.method, rows, on)
    outline = parallel.outline(method, key(INIT), rows)
    start = jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), one.start, outline)
    step = jax.jit(method.step).lower(key(STEP), start, rows).compile()
    return Spread(method, rows, start, step)


def compare(one: Alone, many: Spread) -> dict:
    """What a step on a mesh differs in from one on one device."""
    expected, _ = one.step(key(STEP), one.start, one.data)
    found, info = many.step(key(STEP), many.start, many.rows)
    specs = parallel.layouts(parallel.row_specs(one.plan.method, many.rows))
    gathers = re.findall(r"\[([\d,]*)\]\S* all-gather\(", many.step.as_text())
    return {
        "difference": difference(expected, found),
        "gradients": [
            difference(*pair) for pair in zip(gradients(expected), gradients(found), strict=True)
        ],
        # the largest slope of each, without which nothing would be compared
        "slopes": [
            max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(slopes))
            for slopes in gradients(expected)
        ],
        # of the arithmetic, that one device does of a batch
        "share": flops(many.step) / max(flops(one.step), 1.0),
        "sharded": sum(parallel.AXIS in spec for spec in specs),
        "devices": max(len(x.sharding.device_set) for x in jax.tree.leaves(found)),
        "finite": bool(np.isfinite(info.loss)),
        "rows": len(many.rows.values),
        "entries": many.rows.values.size,
        # entries of the largest array that is brought together on every device
        "gathered": max((math.prod(map(int, each.split(","))) for each in gathers), default=0),
    }


def flops(step: Any) -> float:
    """Arithmetic of a compiled step, on one device; none where a method makes no steps."""
    return float(step.cost_analysis().get("flops", 0.0))


def gradients(state: State) -> list:
    """The raw gradients of the one update that each optimiser remembers, but for a factor.

    Adam's first moment, or the root of what RMSProp keeps. An optimiser that a method does not
    keep in its state, as MIRI begins a new one each round, is not found.
    """
    return [
        one.mu if isinstance(one, optax.ScaleByAdamState) else jax.tree.map(np.sqrt, one.nu)
        for one in jax.tree.leaves(state, is_leaf=remembers)
        if remembers(one)
    ]


def forgetful(state: State) -> State:
    """The state, in which no optimiser remembers a gradient."""

    def forget(x: Any) -> Any:
        return jax.tree.map(jax.numpy.zeros_like, x) if remembers(x) else x

    return jax.tree.map(forget, state, is_leaf=remembers)


def remembers(x: Any) -> bool:
    """Whether it is the memory of an optimiser that tells the last gradient."""
    return isinstance(x, optax.ScaleByAdamState | optax.ScaleByRmsState)


def difference(a, b) -> float:
    """The largest relative to the size of the array it is in."""
    found = []
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x, float), np.asarray(y, float)
        with np.errstate(invalid="ignore"):  # infinities that are equal
            apart = np.where(x == y, 0, np.abs(x - y))
        found.append(apart.max(initial=0) / max(np.abs(x[np.isfinite(x)]).max(initial=0), 1e-6))
    return float(max(found))


def pick_in_place(on) -> dict:
    """Batches by device: whose rows they are, and what is moved to make them."""
    values = np.arange(21.0, dtype=np.float32)[:, None]
    rows = parallel.put(Observed(values, values > -1, np.ones(21, np.float32)), on)
    draw = parallel.local_pick(on, 16)
    text = jax.jit(draw).lower(key(0), rows).compile().as_text()
    batch = draw(key(0), rows)
    return {
        "rows": rows.values.shape[0],
        "weight": float(rows.weight.sum()),
        "owners": (np.asarray(batch.values)[:, 0] // 3).tolist(),
        "collectives": re.findall(r"all-\w+|collective-\w+", text),
    }


def draw_in_any_order(on) -> dict:
    """Draws of numbered rows: on a mesh, in another order, in parts, against all on one device."""

    def sample(key, state, data):
        return clamp(state + jax.random.normal(key, data.values.shape), data)

    method = Method(lambda key, data: 0.0, lambda *a: a, sample=sample)
    x = np.arange(48.0, dtype=np.float32).reshape(16, 3)
    data, number = Observed(x, x % 5 > 1, np.ones(16, np.float32)), 7

    def draws(which, placed=lambda part: part):
        part = placed(jax.tree.map(lambda a: a[which], data))
        return np.asarray(draw_many(method, key(1), np.float32(2), part, 3, rows=which + number))

    every, shuffled = np.arange(16), np.random.default_rng(0).permutation(16)
    alone = draws(every)
    found = {
        "sharded": draws(every, lambda part: parallel.put(part, on)) == alone,
        "permuted": draws(shuffled) == alone[:, shuffled],
        "in parts": np.concatenate([draws(every[:5]), draws(every[5:])], axis=1) == alone,
    }
    distinct = len(np.unique(alone[:, ~np.asarray(data.mask)]))
    return {name: bool(equal.all()) for name, equal in found.items()} | {"distinct": distinct}


def main() -> None:
    on = parallel.mesh(8)
    found = {"local_pick": pick_in_place(on), "draws": draw_in_any_order(on)}
    for name in sys.argv[1:]:
        one = alone(name, *ONE_UPDATE[name])
        there = spread(one, on)
        found[name] = compare(one, there)
        begun = jax.jit(there.method.init)(key(INIT), there.rows)
        found[name]["begun"] = difference(one.begun, begun)
        jax.clear_caches()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

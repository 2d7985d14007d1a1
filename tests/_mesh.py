"""Eight simulated devices against one, in a process of its own: `python -m tests._mesh METHOD ...`.

Prints a line of JSON: for each method the largest difference after one step, relative to the size
of each array, how many arrays hold rows, and which collectives move data.
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

import jax
import numpy as np

from jaximpute import parallel, registry
from jaximpute.draws import draw_many
from jaximpute.masking import clamp
from jaximpute.types import Method, Observed
from tests.contract.cases import SMALL, awkward

# one update of the network, so that Adam's first moment is the raw gradient over ten
ONE_UPDATE = {
    "spirit": ("table", {"score_steps": 1, "moves": 1}),
    "miri": ("table", {"sgd_steps": 1}),
    "csdi": ("series", {"sgd_steps": 1, "layers": 1, "heads": 1}),
    "context_query": ("field", {"net": "mlp"}),
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
    "csbi0": ("series", {"sgd_steps": 1, "heads": 1}),
}


def many(kind: str) -> Observed:
    data = awkward(kind)
    copies = max(1, 128 // data.values.shape[0])
    return jax.tree.map(lambda x: np.concatenate([x] * copies), data)


def compare(name: str, kind: str, options: dict, on) -> dict:
    data = many(kind)
    batch = {"batch": 16} if "batch" in SMALL[name] else {}
    options = {**SMALL[name], **options, **batch}
    plan = registry.build(name, data, kind=kind, preset="fast", options=options)
    k_init, k_run = jax.random.split(jax.random.key(3))
    rows = parallel.put(data, on)
    method = parallel.spread(plan.method, rows, on)
    state = jax.jit(method.init)(k_init, rows)
    start = jax.tree.map(lambda x: jax.device_put(np.asarray(x), jax.devices()[0]), state)
    single = jax.jit(plan.method.step).lower(k_run, start, data).compile()
    alone, _ = single(k_run, start, data)
    step = jax.jit(method.step).lower(k_run, state, rows).compile()
    together, info = step(k_run, state, rows)
    specs = jax.tree.leaves(parallel.row_specs(plan.method, rows), is_leaf=parallel._is_spec)
    gathers = re.findall(r"\[([\d,]*)\]\S* all-gather\(", step.as_text())
    return {
        "difference": difference(alone, together),
        # of the arithmetic, that one device does of a batch
        "share": step.cost_analysis()["flops"] / single.cost_analysis()["flops"],
        "sharded": sum(parallel.AXIS in spec for spec in specs),
        "devices": max(len(x.sharding.device_set) for x in jax.tree.leaves(together)),
        "finite": bool(np.isfinite(info.loss)),
        "rows": len(rows.values),
        "entries": rows.values.size,
        # entries of the largest array that is brought together on every device
        "gathered": max((math.prod(map(int, each.split(","))) for each in gathers), default=0),
    }


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
    text = jax.jit(draw).lower(jax.random.key(0), rows).compile().as_text()
    batch = draw(jax.random.key(0), rows)
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

    method = Method(lambda key, data: 0.0, lambda *a: a, sample=sample, tag="draws")
    x = np.arange(48.0, dtype=np.float32).reshape(16, 3)
    data, key, number = Observed(x, x % 5 > 1, np.ones(16, np.float32)), jax.random.key(1), 7

    def draws(which, placed=lambda part: part):
        part = placed(jax.tree.map(lambda a: a[which], data))
        return np.asarray(draw_many(method, key, np.float32(2), part, 3, rows=which + number))

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
        kind, options = ONE_UPDATE[name]
        found[name] = compare(name, kind, options, on)
        jax.clear_caches()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

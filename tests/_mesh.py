"""Eight simulated devices against one, in a process of its own: `python -m tests._mesh METHOD ...`.

Prints a line of JSON: for each method the largest difference after one step, relative to the size
of each array, how many arrays hold rows, and which collectives move data.
"""

import json
import os
import re
import sys

os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
)

import jax
import numpy as np

from jaximpute import parallel, registry
from jaximpute.types import Observed
from tests.contract.cases import SMALL, awkward

# one update of the network, so that Adam's first moment is the raw gradient over ten
ONE_UPDATE = {
    "spirit": ("table", {"score_steps": 1, "moves": 1}),
    "miri": ("table", {"sgd_steps": 1}),
    "csdi": ("series", {"sgd_steps": 1, "layers": 1, "heads": 1}),
    "context_query": ("field", {"net": "mlp"}),
    "mice": ("table", {}),
}


def many(kind: str) -> Observed:
    data = awkward(kind)
    copies = max(1, 8 // data.values.shape[0])
    return jax.tree.map(lambda x: np.concatenate([x] * copies), data)


def compare(name: str, kind: str, options: dict, on) -> dict:
    data = many(kind)
    options = {**SMALL[name], **options}
    plan = registry.build(name, data, kind=kind, preset="fast", options=options)
    k_init, k_run = jax.random.split(jax.random.key(3))
    rows = parallel.put(data, on)
    method = parallel.spread(plan.method, rows, on)
    state = jax.jit(method.init)(k_init, rows)
    start = jax.tree.map(lambda x: jax.device_put(np.asarray(x), jax.devices()[0]), state)
    alone, _ = jax.jit(plan.method.step)(k_run, start, data)
    step = jax.jit(method.step).lower(k_run, state, rows).compile()
    together, info = step(k_run, state, rows)
    specs = jax.tree.leaves(parallel.row_specs(plan.method, rows), is_leaf=parallel._is_spec)
    gathers = re.findall(r"= (\S+) all-gather\(.*op_name=\"([^\"]*)\"", step.as_text())
    return {
        "difference": difference(alone, together),
        "sharded": sum(parallel.AXIS in spec for spec in specs),
        "devices": max(len(x.sharding.device_set) for x in jax.tree.leaves(together)),
        "finite": bool(np.isfinite(info.loss)),
        "gathers": gathers,
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


def main() -> None:
    on = parallel.mesh(8)
    found = {"local_pick": pick_in_place(on)}
    for name in sys.argv[1:]:
        kind, options = ONE_UPDATE[name]
        found[name] = compare(name, kind, options, on)
        jax.clear_caches()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

"""The benchmark of devices: it misses no method, and the page counts what it should."""

import jax
import optax
import pytest

from benchmarks import devices
from jaximpute import registry
from jaximpute.engine import parallel
from jaximpute.engine.onhost import learns_on_host
from tests.benchmarks import pages
from tests.contract.cases import KINDS, SMALL
from tests.helpers import mesh


def test_every_method_that_learns_by_gradients_or_holds_rows_is_measured():
    data = {kind: mesh.many(kind) for kind in KINDS}
    wanted = set()
    for name in registry.names():
        kind = next(kind for kind in KINDS if name in registry.names(kind))
        options = dict(SMALL.get(name, {}))
        if name == "context_query":
            options["base"] = "none"  # which would be learned on the host
        plan = registry.build(name, data[kind], kind=kind, preset="fast", options=options)
        if learns_on_host(plan.method.init):
            continue  # outside of any program
        state = jax.eval_shape(plan.method.init, jax.random.key(0), data[kind])
        learns = any(
            isinstance(one, optax.ScaleByAdamState | optax.ScaleByRmsState)
            for one in jax.tree.leaves(state, is_leaf=mesh.remembers)
        )
        specs = parallel.layouts(parallel.row_specs(plan.method, data[kind]))
        if learns or any(parallel.AXIS in spec for spec in specs):
            wanted.add(name)
    assert {"gain", "csbi", "spirit", "knn"} <= wanted
    assert wanted == {label.partition(":")[0] for label in devices.METHODS}


def row(method, size, **parts):
    about = {"what": "devices", "method": method, "devices": size, "gradients": [2e-7 * size]}
    found = {"state": 1e-6, "completion": 3e-6, "rows": 120, "entries": 9216}
    counts = {"share": 1 / size, "gathered": 120, "ratio": float(size)}
    return {**about, **found, **counts, **parts}


@pytest.mark.fast
def test_the_table_tells_the_largest_differences_and_the_shares(tmp_path):
    alone = {"rows": 128, "gradients": [], "share": None, "gathered": 0, "ratio": None}
    rows = [
        row("gain", 1, state=5.0),  # measured again below
        *(row("gain", size) for size in (1, 8)),
        *(row("csbi:held", size, gradients=[1e-7, 3e-6], share=0.25) for size in (1, 8)),
        *({k: v for k, v in row("knn", n, **alone).items() if v is not None} for n in (1, 8)),
    ]
    text = pages.table("scale", "devices", rows, tmp_path)
    assert "| gain | 100% | 1 | 12% | 8 | 2e-06 |  | 1e-06 | 3e-06 | 120 (9,216) |" in text
    assert "| csbi:held | 25% | 1 | 25% | 8 | 1e-07 | 3e-06 |" in text
    assert "| knn |  |  |  |  |  |  | 1e-06 | 3e-06 | 0 (9,216) |" in text


@pytest.mark.fast
def test_quick_measures_one_of_those_there_are():
    assert set(devices.QUICK) <= set(devices.METHODS)
    assert devices.SIZES == (1, 2, 4, 8)

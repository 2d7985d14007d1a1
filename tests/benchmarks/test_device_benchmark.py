"""The benchmark of devices: it misses no method, and the page counts what it should."""

import json

import jax
import optax
import pytest

from benchmarks import devices
from benchmarks.pages import scale
from jaximpute import registry
from jaximpute.engine import parallel
from jaximpute.engine.onhost import learns_on_host
from tests.contract.cases import KINDS, SMALL
from tests.helpers import mesh


def test_every_method_that_learns_by_gradients_or_holds_rows_is_measured():
    data = {kind: mesh.many(kind) for kind in KINDS}
    wanted = set()
    for name in registry.names():
        kind = next(kind for kind in KINDS if name in registry.names(kind))
        options = SMALL.get(name, {})
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
def test_the_page_tells_the_largest_differences_and_the_shares(tmp_path):
    alone = {"rows": 128, "gradients": [], "share": None, "gathered": 0, "ratio": None}
    rows = [
        row("gain", 1, state=5.0),  # measured again below
        *(row("gain", size) for size in (1, 8)),
        *(row("tdm", size, share=0.9) for size in (1, 8)),
        *(row("csbi:held", size, gradients=[1e-7, 3e-6], share=0.25) for size in (1, 8)),
        *({k: v for k, v in row("knn", n, **alone).items() if v is not None} for n in (1, 8)),
    ]
    (tmp_path / "scale.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    text = scale.page(scale.read(tmp_path / "scale.jsonl"))
    assert "The largest difference of raw gradients is 3e-6, of 3 methods" in text
    assert "Each of 8 devices\ndoes 12% to 25%" in text
    line = "| gain | 2e-6 | 1e-6 | 3e-6 | 100% / 12% | 120 (9,216) | 1 / 8 |"
    assert line in text
    assert "| csbi:held | 1e-7, 3e-6 |" in text
    assert "| knn | – | 1e-6 | 3e-6 | – / – | 0 (9,216) | – / – |" in text
    assert "120 to 128 rows" in text


@pytest.mark.fast
def test_quick_measures_one_of_those_there_are():
    assert set(devices.QUICK) <= set(devices.METHODS)
    assert devices.SIZES == (1, 2, 4, 8)

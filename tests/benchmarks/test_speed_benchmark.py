"""The benchmark of speed: ratios of turns, loops written by hand, and a twin's parameters."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import bridge_speed
from benchmarks.harness import jobs, turns
from benchmarks.peers import torch_csdi
from jaximpute.maths import processes
from jaximpute.methods._conditional import per_row
from jaximpute.methods.papers.csbi import bridge_draws
from jaximpute.nets import csdi_transformer
from tests.benchmarks import pages


@pytest.mark.fast
def test_two_take_turns_and_the_ratio_is_the_median_over_turns():
    taken = []

    def clock(name, seconds):
        def run():
            taken.append(name)
            return next(seconds)

        return run

    found = turns.alternate(
        clock("a", itertools.cycle([2.0, 3.0, 40.0])), clock("b", itertools.repeat(2.0)), 3
    )
    assert taken == list("ababab")
    assert found["ratio"] == 1.5
    assert found["spread"] == [1.25, 10.75]
    assert found["seconds"] == [3.0, 2.0]


@pytest.mark.parametrize("sampler", ["sde", "heun"])
def test_loops_written_by_hand_draw_what_the_solvers_draw(sampler):
    """Rows that are N(0, s^2), under their exact policy: the same flow, the same spread."""
    process, s = processes.ve(0.05, 4.0), 0.7
    x = process.prior(jax.random.key(0), (4000, 1))

    def z(x, t):
        t = per_row(jnp.broadcast_to(t, x.shape[:1]), x)
        alpha, sigma = process.marginal(t)
        return -process.diffusion(t) * x / ((alpha * s) ** 2 + sigma**2)

    ours = bridge_draws.draw(
        sampler, process, z, lambda x, t: 0 * x, jax.random.key(1), x, steps=60
    )
    by_hand = {"sde": bridge_speed.by_hand, "heun": bridge_speed.heun_by_hand}[sampler]
    hand = by_hand(process, z, jax.random.key(2), x, 60)
    if sampler == "heun":
        np.testing.assert_allclose(hand, ours, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(hand.std(), ours.std(), rtol=0.05)


@pytest.mark.fast
def test_a_twin_gets_every_parameter_once():
    net, x = csdi_transformer((5, 3), width=8, layers=2, heads=2), jnp.zeros((1, 5, 3))
    shapes = jax.eval_shape(net.init, jax.random.key(0), x, jnp.ones(1), ())
    leaves, _ = jax.tree_util.tree_flatten_with_path(shapes)
    numbers = itertools.count()
    ours = {
        "/".join(str(k.key) for k in at): np.full(leaf.shape, next(numbers)) for at, leaf in leaves
    }
    found = torch_csdi.weights(ours)
    assert sum(leaf.size for leaf in found.values()) == sum(leaf.size for leaf in ours.values())
    assert {int(v.flat[0]) for v in found.values()} == set(range(len(ours)))
    assert found["blocks.1.feature.self_attn.in_proj_weight"].shape == (24, 8)
    assert found["head.weight"].flat[0] == ours["head/kernel"].flat[0]


@pytest.mark.fast
def test_another_function_is_no_twin():
    twin = {"parameters": 10, "off": 1e-6}
    bridge_speed.check(twin, 10, 1.0)
    for about, size in ((twin | {"off": 0.01}, 10), (twin, 11)):
        with pytest.raises(RuntimeError, match="another"):
            bridge_speed.check(about, size, 1.0)


@pytest.mark.fast
def test_ratios_stand_beside_what_is_wanted(tmp_path):
    common = {
        "sizes": {"shape": [16, 36, 36], "steps": 4},
        "versions": {"jax": "0.10"},
        "spread": [1.0, 2.0],
        "seconds": [3.0, 2.0],
        "quick": False,
    }
    twin = {"parameters": 7, "off": 1e-7, "torch": "2"}
    rows = [
        {"what": "training", "ratio": 1.1, "target": 1.3, **common, **twin},
        {"what": "training", "ratio": 1.5, "target": 1.3, **common, **twin},
        {"what": "backward", "ratio": 2.4, "target": 2.0, **common},
        {"what": "sampling", "of": "sde", "solver_steps": 9, "ratio": 1.1, "target": 1.2, **common},
        {"what": "backward", "ratio": 9.0, "target": 2.0, **common, "quick": True},
    ]
    text = pages.table("bridge", "speed", rows, tmp_path)
    assert "1.10 (1.00 to 2.00) | 1.2 |" in text
    assert "1.50 (1.00 to 2.00) | 1.3 |" in text
    assert "2.40 (1.00 to 2.00) | 2 |" in text
    assert text.count("16 x 36 x 36") == 3
    assert "jax 0.10, PyTorch 2" in text
    words = (jobs.ROOT / "docs" / "results" / "bridge.md").read_text()
    assert all(f"- *{what}*:" in words for what in bridge_speed.TARGETS)


@pytest.mark.fast
def test_a_twin_that_does_not_start_is_named():
    with (
        pytest.raises(RuntimeError, match="--torch-python"),
        turns.twin("false", "torch_flow.py"),
    ):
        pass


@pytest.mark.fast
def test_the_page_on_tables_says_what_a_step_and_what_size_cost(tmp_path):
    sizes = {"columns": 11, "width": 256, "batch": 128}
    rows = [
        {
            "what": "flow",
            "sizes": sizes,
            "ratio": ratio,
            "spread": [2.0, 3.0],
            "seconds": [0.005, 0.002],
            "compile": 4.25,
            "quick": quick,
        }
        for ratio, quick in ((9.0, False), (2.5, False), (7.0, True))
    ]
    text = pages.table("tables", "flow", rows, tmp_path)
    assert "| 256 | 128 | 11 | 5.00 | 2.00 | 2.50 (2.00 to 3.00) | 4.2 |" in text
    made = {"cpu_seconds": 2.0, "peak_mb": 300.0, "method": "miri", "seed": 0}
    sizes = [{"data": f"synthetic:{n}x20", **made} for n in (10_000, 1_000)]
    text = pages.table("tables", "sizes", sizes, tmp_path)
    assert text.index("| synthetic:1000x20 | 2.0 / 300 |") < text.index("| synthetic:10000x20 |")

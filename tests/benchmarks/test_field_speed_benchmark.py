"""What a step on fields costs: floors, turns, and a section from rows."""

import argparse

import jax

from benchmarks import field_speed
from tests.benchmarks import pages


def test_a_step_on_fields_is_measured_beside_its_floor():
    options = argparse.Namespace(rates=(32, 1000), repeats=2)
    with jax.debug_key_reuse(False):  # the same step again and again is meant
        row = field_speed.step("mlp", (2, 6, 6, 1), 2, options)
        found = field_speed.loop((2, 6, 6, 1), 2, options, steps=2)
    assert row["bound"] in ("arithmetic", "traffic")
    assert 0 < row["spread"][0] <= row["ratio"] <= row["spread"][1]
    # at least a product with each weight, forward, for the weights and for what is below
    assert row["gflop"] * 1e9 > 2 * 2 * row["parameters"]
    assert min(found["seconds"]) > 0


def test_computing_blocks_again_keeps_a_fraction_for_a_third_more_work():
    plain, again = (
        field_speed.memory((8, 12, 12, 1), 2, {"checkpoint": checkpoint})
        for checkpoint in (False, True)
    )
    assert again["gb_kept"] < plain["gb_kept"] / 5
    assert 1.1 < again["tflop"] / plain["tflop"] < 1.5


def test_rows_of_steps_on_fields_become_tables(tmp_path):
    about = {"quick": False, "shape": [2, 9, 9, 1], "batch": 4, "spread": [1.0, 3.0], "ratio": 2.0}
    cost = {"parameters": 5e5, "gflop": 0.5, "mb_moved": 12.0, "seconds": 0.01, "bound": "traffic"}
    rows = [
        {"what": "step", "net": "mlp", **about, **cost},
        {"what": "loop", "net": "unet", **about},
        {"what": "contexts", "net": "unet", "members": 10, **about},
        {"what": "memory", "net": "spacetime", **about, "saving": {"half": True}}
        | {"gb_kept": 54.0, "tflop": 5.1},
    ]
    text = pages.table("fields", "step", rows, tmp_path)
    assert (
        "| mlp | 2 x 9 x 9 x 1 | 4 | 0.50 M | 0.50 | 12 | 0.010 | 2.0 (1.0..3.0) | traffic" in text
    )
    loops = pages.table("fields", "loops", rows, tmp_path)
    assert "| contexts | unet | 2.0 (1.0..3.0) | 10 |" in loops
    assert "| – | yes | 54.0 | 5.1 |" in pages.table("fields", "memory", rows, tmp_path)
    quick = [row | {"quick": True} for row in rows]
    assert "Not measured yet" in pages.table("fields", "step", quick, tmp_path)

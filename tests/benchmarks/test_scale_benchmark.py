"""The page on size: the latest of equal rows, predictions against runs, and files in blocks."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import ceilings, kills, plans, scale, startup
from tests.benchmarks import pages


def planned(method, **parts):
    about = {"what": "plans", "method": method, "shape": [5, 2], "options": {}, "preset": "fast"}
    ran = {"seconds": 4.0, "cpu_seconds": 2.0, "peak_mb": 100.0, "steps": 3, "steps_done": 3}
    said = {"planned_seconds": 5.0, "planned_cpu_seconds": 2.1, "planned_mb": 20.0}
    return {**about, **ran, **said, **parts}


@pytest.mark.fast
def test_predictions_stand_beside_runs_and_the_latest_counts(tmp_path):
    rows = [
        planned("mean", planned_cpu_seconds=9.0),  # measured again below
        planned("mean"),
        planned("knn", planned_cpu_seconds=2.7, steps_done=2),
        {"what": "kills", "kills": 8, "inside_a_save": 5, "identical": True},
        {"what": "kills", "of": "run", "kills": 30, "inside_a_save": 9, "identical": True},
        {"what": "overhead", "of": "hooks", "steps": 9, "cpu_seconds": 2.0, "over_alone": 0.04},
    ]
    text = pages.table("scale", "plans", rows, tmp_path)
    line = "| mean | 5 x 2 | 3 (3 taken) | 2.1 / 2 (1.05) | 5 / 4 (1.25) | 20 / 100 (0.20) |"
    assert line in text
    assert "| knn | 5 x 2 | 3 (2 taken) | 2.7 / 2 (1.35) |" in text
    whole = pages.table("scale", "plans-over-all", rows, tmp_path)
    assert "| 2 | 1.05 to 1.35 | 1.25 to 1.25 | 0.20 to 0.20 |" in whole
    kills = pages.table("scale", "kills", rows, tmp_path)
    assert "| checkpoints by Orbax | – | 30 | 9 | yes |" in kills
    assert "| 8 |" not in kills
    assert "| 9 | hooks | 2.00 | +4.0%" in pages.table("scale", "overhead", rows, tmp_path)


@pytest.mark.fast
def test_files_in_blocks_stand_beside_one_block(tmp_path):
    stream = {"what": "streams", "method": "gaussian", "rows": 10, "blocks": 2, "block_rows": 5}
    costs = {"seconds": 3.0, "cpu_seconds": 1.0, "peak_anonymous_mb": 300.0, "megabytes": 2000.0}
    whole = {"inside_seconds": 4.0, "inside_cpu_seconds": 2.0, "inside_anonymous_mb": 900.0}
    rows = [{**stream, **costs}, {**stream, **costs, **whole, "rows": 5, "identical": False}]
    text = pages.table("scale", "streams", rows, tmp_path)
    assert "| gaussian | – | 5 | 2,000 | 2 | 3 | 1 | 300 |  | 4 | 2 | 900 | no |" in text


@pytest.mark.fast
def test_configurations_are_twelve_and_of_their_shapes():
    assert len(plans.SETUPS) == 12
    for setup in plans.QUICK:
        assert plans.data(setup.shape).shape == setup.shape


@pytest.mark.fast
def test_progress_of_what_was_killed(tmp_path):
    assert kills.saved(tmp_path) == kills.done("end", tmp_path) == 0
    (tmp_path / "kept" / "14").mkdir(parents=True)
    (tmp_path / "kept" / "16.orbax-checkpoint-tmp").mkdir()
    (tmp_path / ".end.unfinished").mkdir()
    (tmp_path / ".end.unfinished" / "progress.json").write_text('{"progress": {"done": 3}}')
    assert (kills.saved(tmp_path), kills.done("end", tmp_path)) == (14, 3)
    assert any(tmp_path.glob(kills.KINDS["run"].halfway))


@pytest.mark.fast
def test_overhead_is_the_median_over_turns():
    costs = {"alone": iter([1.0, 2.0, 4.0]), "more": iter([1.1, 2.0, 8.0])}
    runs = {kind: found.__next__ for kind, found in costs.items()}
    alone, more = scale._by_turns(runs, 3, 5)
    assert (alone["over_alone"], more["cpu_seconds"]) == (0.0, 2.0)
    assert more["over_alone"] == pytest.approx(0.1)
    assert more["spread"] == pytest.approx([0.05, 0.55])


def test_a_step_stands_beside_its_ceilings(tmp_path):
    size = ceilings.Size("mlp", (4,), 16, {"width": 8})
    about = {"what": "ceilings", "device": "cpu", "quick": True}
    row = about | ceilings.measure(size, SimpleNamespace(scale="quick", bfloat16=True, repeats=2))
    assert row["precision"] == "bfloat16"
    assert row["gflops"] > 0
    assert row["of_product"] == pytest.approx(row["gflops"] / row["product_gflops"], rel=0.9)
    text = pages.table("scale", "ceilings", [row], tmp_path, where={"quick": True})
    assert "| cpu | mlp | 4 | 16 | bfloat16 | 0.00 M |" in text


@pytest.mark.fast
def test_what_is_started_can_be_read(tmp_path):
    startup.table(tmp_path / "t.csv")
    found = np.genfromtxt(tmp_path / "t.csv", delimiter=",", skip_header=1)
    assert found.shape == (startup.ROWS, startup.COLUMNS)
    assert 0.1 < np.isnan(found).mean() < 0.3
    with pytest.raises(RuntimeError, match="No such command"):
        startup.seconds([sys.executable, "-m", "jaximpute", "fly"], tmp_path)


@pytest.mark.fast
def test_presets_of_a_method_stand_side_by_side(tmp_path):
    def row(method, preset, mae, cost=3.0, seed=0, **scores):
        about = {"data": "energy", "method": method, "preset": preset, "seed": seed}
        return {**about, "mae": mae, "cpu_seconds": cost, **(scores or {"crps": 1.0})}

    rows = [
        row("gain", "fast", 0.7, seed=0),
        row("gain", "fast", 0.9, seed=1),
        row("gain", "fast", 77.0, seed=2),
        *(row("gain", "balanced", 0.6, 12.0, seed=seed) for seed in (0, 1)),
        *(row("gain", "best", 0.65, 99.0, seed=seed, crps=1.0) for seed in (0, 1)),
        row("tdm", "balanced", 0.5),
        row("tdm", "best", 0.4),
        row("mean", "balanced", 0.9),
    ]
    text = pages.table("presets", "presets-fields", rows, tmp_path, where={"data": "energy"})
    shown = "| 0.8000 / 1.0000, 3 s | 0.6000 / 1.0000, 12 s | 0.6500 / 1.0000, 99 s | 2 |"
    assert f"| energy | gain {shown}" in text
    assert "| energy | tdm |  | 0.5000 / 1.0000, 3 s | 0.4000 / 1.0000, 3 s | 1 |" in text

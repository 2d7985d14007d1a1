"""The page on size: the latest of equal rows, predictions against runs, and files in blocks."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import ceilings, kills, plans, scale, startup
from benchmarks.pages import presets
from benchmarks.pages import scale as scale_page

pytestmark = pytest.mark.fast


def planned(method, **parts):
    about = {"what": "plans", "method": method, "shape": [5, 2], "options": {}, "preset": "fast"}
    ran = {"seconds": 4.0, "cpu_seconds": 2.0, "peak_mb": 100.0, "steps": 3, "steps_done": 3}
    said = {"planned_seconds": 5.0, "planned_cpu_seconds": 2.1, "planned_mb": 20.0}
    return {**about, **ran, **said, **parts}


def test_the_page_counts_predictions_that_are_near(tmp_path):
    rows = [
        planned("mean", planned_cpu_seconds=9.0),  # measured again below
        planned("mean"),
        planned("knn", planned_cpu_seconds=2.7, steps_done=2),
        {"what": "kills", "kills": 8, "inside_a_save": 5, "identical": True},
        {"what": "kills", "of": "run", "kills": 30, "inside_a_save": 9, "identical": True},
        {"what": "overhead", "of": "hooks", "steps": 9, "cpu_seconds": 2.0, "over_alone": 0.04},
    ]
    (tmp_path / "scale.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stream = {"what": "streams", "method": "gaussian", "rows": 10, "blocks": 2, "block_rows": 5}
    costs = {"seconds": 3.0, "cpu_seconds": 1.0, "peak_anonymous_mb": 300.0, "megabytes": 2000.0}
    whole = {"inside_seconds": 4.0, "inside_cpu_seconds": 2.0, "inside_anonymous_mb": 900.0}
    streams = [{**stream, **costs}, {**stream, **costs, **whole, "rows": 5, "identical": False}]
    (tmp_path / "streams.jsonl").write_text("".join(json.dumps(row) + "\n" for row in streams))
    text = scale_page.page(scale_page.read(tmp_path / "scale.jsonl"))
    assert "| mean | 5 x 2 | 3 | 2.1 / 2 (+5%) | 5 / 4 (+25%) | 20 / 100 (-80%) |" in text
    assert "| knn | 5 x 2 | 3 (2 taken) | 2.7 / 2 (+35%) |" in text
    assert "Of 2 configurations CPU-seconds are within 30% in 1, seconds in 2" in text
    assert "memory in 0" in text
    assert "| checkpoints by Orbax | 30 | 9 | yes |" in text
    assert "| 8 |" not in text
    assert "| hooks | 9 | 2.00 | +4.0% |" in text
    assert "| gaussian, 2 GB, in one block | 5 | 1 | 4 | 2 | 900 MB |" in text
    assert "is that of one block, **not bit for bit**" in text


def test_configurations_are_twelve_and_of_their_shapes():
    assert len(plans.SETUPS) == 12
    for setup in plans.QUICK:
        assert plans.data(setup.shape).shape == setup.shape


def test_progress_of_what_was_killed(tmp_path):
    assert kills.saved(tmp_path) == kills.done("end", tmp_path) == 0
    (tmp_path / "kept" / "14").mkdir(parents=True)
    (tmp_path / "kept" / "16.orbax-checkpoint-tmp").mkdir()
    (tmp_path / ".end.unfinished").mkdir()
    (tmp_path / ".end.unfinished" / "progress.json").write_text('{"done": 3}')
    assert (kills.saved(tmp_path), kills.done("end", tmp_path)) == (14, 3)
    assert any(tmp_path.glob(kills.KINDS["run"].halfway))


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
    (tmp_path / "ceilings.jsonl").write_text(json.dumps(row) + "\n")
    rows = scale_page.read(tmp_path / "scale.jsonl")
    start = {"what": "startup", "of": "mean, cold", "seconds": 2.0, "least": 1.5}
    text = scale_page.page([*rows, start])
    assert "| cpu | `mlp`, 4 | 16 | 0.00 M | bfloat16 |" in text
    assert "| `mean, cold` | 2.00 | 1.50 |" in text


def test_what_is_started_can_be_read(tmp_path):
    startup.table(tmp_path / "t.csv")
    found = np.genfromtxt(tmp_path / "t.csv", delimiter=",", skip_header=1)
    assert found.shape == (startup.ROWS, startup.COLUMNS)
    assert 0.1 < np.isnan(found).mean() < 0.3
    with pytest.raises(RuntimeError, match="No such command"):
        startup.seconds([sys.executable, "-m", "jaximpute", "fly"], tmp_path)


def test_the_knee_is_where_time_follows_rows():
    def row(rows, each, method="mean"):
        about = {"what": "rows", "method": method, "rows": rows, "microseconds_per_row": each}
        return {**about, "cpu_seconds": 1.0, "peak_mb": 9.0}

    costs = [(10, 99.0), (1_000, 1.4), (100, 1.2), (10_000, 1.0)]
    rows = [*(row(*cost) for cost in costs), row(100, 1.0, "knn"), row(1_000, 3.0, "knn")]
    text = scale_page.page(rows)
    assert "`knn` none: rows are dearer where there are 1,000; `mean` 100 rows." in text


def test_presets_of_a_method_stand_side_by_side():
    def row(method, preset, mae, cost=3.0, seed=0, **scores):
        about = {"data": "energy", "method": method, "preset": preset, "seed": seed}
        return {**about, "mae": mae, "cpu_seconds": cost, **(scores or {"crps": 1.0})}

    rows = [
        row("gain", "fast", 0.7, seed=0),
        row("gain", "fast", 0.9, seed=1),
        row("gain", "fast", 77.0, seed=2),
        *(row("gain", "balanced", 0.6, 12.0, seed=seed) for seed in (0, 1)),
        *(row("gain", "best", 0.65, 99.0, seed=seed, energy_distance=0.5) for seed in (0, 1)),
        row("tdm", "balanced", 0.5),
        row("tdm", "best", 0.4),
        row("mean", "balanced", 0.9),
        row("mean", "paper", 0.9),
    ]
    text = presets.page(rows)
    shown = "| 0.8000 / 1.0000, 3 s | **0.6000** / 1.0000, 12 s | 0.6500 / **0.5000**, 99 s |"
    assert f"| `gain` | 2 {shown}" in text
    assert "| `tdm` | 1 |  | 0.5000 / **1.0000**, 3 s | **0.4000** / **1.0000**, 3 s |" in text
    assert "`mean`" not in text

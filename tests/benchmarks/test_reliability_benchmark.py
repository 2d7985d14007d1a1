"""Rows on reliability, and the table that is made of them; short forms of what makes them."""

import json
import random

import pytest

from benchmarks import crashes, soak, surroundings
from benchmarks.pages import reliability


@pytest.mark.fast
def test_the_table_sums_and_says_what_went_wrong(tmp_path):
    fine = {"deaths": 9, "lost": 0, "stuck": 0, "leftovers": 0}
    rows = {
        "crashes": [
            {"what": "crashes", "of": "csv", "forced": False, **fine, "stuck": 3},  # again below
            {"what": "crashes", "of": "csv", "forced": False, **fine},
            {"what": "crashes", "of": "csv", "forced": True, **fine, "lost": 1},
        ],
        "scale": [
            {"what": "kills", "of": "run", "kills": 30, "identical": True},
            {"what": "kills", "of": "run", "seed": 1, "kills": 12, "identical": False},
            {"what": "rows", "rows": 8},
        ],
        "surroundings": [
            {"of": "names", "tries": 7, "failed": 1, "wrong": ["csv: gone"]},
            {"of": "bare", "tries": 5, "failed": 0, "wrong": []},
        ],
        "fuzz": [
            {"kind": "csv", "inputs": 850, "failed": 0},
            {"kind": "model", "inputs": 1000, "failed": 0, "slowest_seconds": 3.2, "most_mb": 99.6},
        ],
        "soak": [
            {"method": "mean", "calls": 500, "first": 100, "growth": 0.012, "later_mb": 900.0}
        ],
    }
    for name, own in rows.items():
        lines = "".join(json.dumps(row) + "\n" for row in own)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    text = reliability.section(reliability.read(tmp_path))
    assert "1 commands, new and forced | 18 | 1 lost, 0 stuck, 0 leftovers |" in text
    assert "to its end | 42 | **1 differ** |" in text
    assert "| damaged model | 1,000 | nothing; at most 3 s and 100 MB |" in text
    assert "`mean` | 500 | +1.2% at most after the first 100 (900 MB) |" in text
    assert "closed and full streams | 5 | nothing |" in text
    assert text.endswith("- names: csv: gone\n- csv, replaced by force: 1 of 9 deaths: lost\n")


def test_a_command_that_dies(capsys):
    row = crashes.walk("csv", old=False, quick=True)
    assert row["deaths"] > 5
    assert (row["lost"], row["stuck"], row["leftovers"]) == (0, 0, 0)
    assert not capsys.readouterr().out


def test_what_is_wrong_is_counted(monkeypatch):
    monkeypatch.setattr(crashes, "_look", lambda *given: ["stuck"])
    assert crashes.walk("csv", old=False, quick=True)["stuck"] == 1


def test_a_name_that_is_odd(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    surroundings.sources(tmp_path)
    (tmp_path / "try").mkdir()
    assert surroundings.names(tmp_path / "try", random.Random(0)) == []


def test_a_soak_tells_what_it_saw():
    row = soak.soak(5, "mean", 0)
    assert row["growth"] == row["later_mb"] / row["first_mb"] - 1
    assert row["first"] == 1

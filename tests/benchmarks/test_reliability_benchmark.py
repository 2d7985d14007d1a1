"""Short forms of what makes rows on reliability."""

import random

from benchmarks import crashes, soak, surroundings


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

"""Three hundred damaged inputs of all kinds end in a documented exit code, and in words."""

import os
import time

import pytest

from benchmarks import fuzz
from benchmarks.harness import fuzz_same, fuzz_watch

pytest.importorskip("xarray")
pytest.importorskip("zarr")
pytest.importorskip("pyarrow")
pytest.importorskip("PIL")

EACH = 26  # the first inputs of each kind that `python -m benchmarks.fuzz` tries


@pytest.mark.parametrize("kind", list(fuzz.KINDS))
def test_damage_is_foreseen(kind):
    outcomes = {number: fuzz.attempt(kind, number) for number in range(EACH)}
    assert {number: each.wrong for number, each in outcomes.items() if each.wrong} == {}
    codes = {each.code for each in outcomes.values()}
    assert codes - {0}, "no input was damaged"


def test_some_inputs_are_whole_enough_to_be_of_use():
    assert any(fuzz.attempt("npy", number).code == 0 for number in range(EACH))
    assert EACH * len(fuzz.KINDS) >= 300


def test_what_is_not_foreseen_is_seen(monkeypatch):
    from jaximpute.tasks import saving

    def fail(*arguments):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(saving, "_refuse_format", fail)
    assert any("ZeroDivisionError" in fuzz.attempt("model", number).wrong for number in range(9))


def test_a_changed_cell_is_seen(monkeypatch):
    from jaximpute.files import arrays

    def completed(held, missing, values, signed=None):
        return values + 1

    monkeypatch.setattr(arrays, "completed", completed)
    assert any(
        "observed cells of 'values' differ" in fuzz.attempt("npy", number).wrong
        for number in range(EACH)
    )


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy", "npz", "netcdf", "zarr", "stations"])
def test_every_format_is_compared(kind, tmp_path):
    path = tmp_path / fuzz.KINDS[kind].name
    fuzz.KINDS[kind].make(path)
    assert fuzz_same.changed(path, path) == ""
    assert len(fuzz_same._READERS[path.suffix](path)) > 0


def test_inputs_that_do_not_end_are_ended():
    found = [why for _, _, why in fuzz_watch.each(time.sleep, [(0,), (600,), (0,)], 10.0)]
    assert found == ["", "did not end within 10 s", ""]
    found = [why for _, _, why in fuzz_watch.each(os._exit, [(3,)], 60.0)]
    assert found == ["the process died with 3"]

"""Three hundred damaged inputs end in a documented exit code, and in words."""

import pytest

from benchmarks import fuzz

pytest.importorskip("xarray")
pytest.importorskip("zarr")
pytest.importorskip("pyarrow")
pytest.importorskip("PIL")

EACH = 60  # the first inputs of each kind that `python -m benchmarks.fuzz` tries


@pytest.mark.parametrize("kind", ["settings", "training", "manifest", "model", "npz"])
def test_damage_is_foreseen(kind):
    outcomes = {number: fuzz.attempt(kind, number) for number in range(EACH)}
    assert {number: each.wrong for number, each in outcomes.items() if each.wrong} == {}
    codes = {each.code for each in outcomes.values()}
    assert codes - {0}, "no input was damaged"
    assert 0 in codes, "none is whole enough to be of use"


def test_what_is_not_foreseen_is_seen(monkeypatch):
    from jaximpute import saving

    def fail(*arguments):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(saving, "_refuse_format", fail)
    assert any("ZeroDivisionError" in fuzz.attempt("model", number).wrong for number in range(9))

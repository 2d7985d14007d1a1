"""Killed before any change of a file among its checkpoints, a run ends as if it had not been."""

import time
from pathlib import Path

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine import hooks
from jaximpute.engine.hooks._ownership import MARK
from tests.helpers.killed import run, walk
from tests.helpers.snapshots import put_back, snapshots

pytest.importorskip("orbax.checkpoint")
METHOD = walk()  # compiled by identity
EVERY = 6  # chunks: few checkpoints, of which the first are deleted

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def leftovers(folder: Path) -> set[str]:
    """What is there that is neither a checkpoint nor the mark, once threads have tidied up."""
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        strange = {each.name for each in folder.iterdir() if not each.name.isdecimal()} - {MARK}
        if not strange:
            return set()
        time.sleep(0.05)
    return strange


def again(folder: Path, **options) -> np.ndarray:
    keeping = hooks.CheckpointPolicy(str(folder), share=1.0, every=EVERY, most=1, **options)
    return np.asarray(run(keeping, method=METHOD)["x"])


def test_killed_before_any_change_the_same_run_ends_alike(tmp_path, monkeypatch):
    whole = np.asarray(run(method=METHOD)["x"])
    kept, folder = tmp_path / "kept", tmp_path / "again"
    with snapshots(monkeypatch, kept, tmp_path / "copies") as taken:
        np.testing.assert_array_equal(again(kept), whole)
    assert len(taken) > 20
    assert any((each / str(2 * EVERY)).is_dir() for each in taken)
    for number, copy in enumerate(taken):
        put_back(copy, folder)
        np.testing.assert_array_equal(again(folder, resume=True), whole, err_msg=str(number))
        assert not leftovers(folder), number
        if number % 4 == 0:  # or anew
            put_back(copy, folder)
            np.testing.assert_array_equal(again(folder, force=True), whole, err_msg=str(number))
            assert not leftovers(folder), number
        if number % 8 == 0:  # as it was: refused by name where there is anything to lose
            put_back(copy, folder)
            try:
                np.testing.assert_array_equal(again(folder), whole)
            except ji.OptionError as error:
                assert "holds checkpoints; resume goes on" in str(error)  # noqa: PT017

"""A command with a limit of time ends as one that is interrupted."""

import threading
import time

import pytest

from jaximpute.cli import interrupt
from jaximpute.engine import hooks
from jaximpute.tasks import filling
from tests.helpers.commands import call
from tests.helpers.killed import run

# the collector swallows an interrupt that comes while it runs, and another one follows
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_command_ends_in_time(path, tmp_path, monkeypatch):
    begun, out, watch = threading.Event(), tmp_path / "out.csv", interrupt._watch

    def work(*given, **how):
        begun.set()
        time.sleep(60)
        raise AssertionError("nothing came")

    def later(seconds, over):  # however long it takes until there is something to interrupt
        begun.wait(60)
        watch(seconds, over)

    monkeypatch.setattr(filling, "fill", work)
    monkeypatch.setattr(interrupt, "_watch", later)
    done = call("--timeout", "0.2", "impute", path, "-o", out, "-m", "mean")
    assert done.exit_code == 130
    assert "interrupted; no half-written file is left" in done.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.csv"]


def test_one_that_is_quicker_is_left_alone(path, monkeypatch):
    monkeypatch.setattr(filling, "fill", lambda *given, **how: 1 / 0)
    assert call("--timeout", "100", "impute", path, "-m", "mean").exit_code == 1
    for watch in threading.enumerate():
        if watch.name == "timeout":  # nothing comes later
            watch.join(10)
            assert not watch.is_alive()


def test_what_is_saved_stays(tmp_path, monkeypatch):
    pytest.importorskip("orbax.checkpoint")
    kept, watch = tmp_path / "kept", interrupt._watch

    def later(seconds, over):  # however long it takes until there is a checkpoint
        while not any(each.name.isdecimal() for each in kept.glob("*")):
            time.sleep(0.02)
        watch(seconds, over)

    monkeypatch.setattr(interrupt, "_watch", later)
    keeping = hooks.CheckpointPolicy(str(kept), tell=lambda text: None)
    words = rf"steps are saved in {kept}; go on from there with resume \(--resume\)"
    with pytest.raises(KeyboardInterrupt, match=words), interrupt.limit(0.01):
        run(keeping, hooks=[lambda *_: time.sleep(0.01) is not None], steps=100_000)

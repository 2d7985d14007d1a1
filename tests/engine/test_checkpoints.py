"""Nothing is lost: a run that is stopped in any way ends as if it had not been."""

import asyncio
import gc
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine import hooks
from jaximpute.engine.hooks import _orbax, checkpoint
from jaximpute.engine.hooks._ownership import LOCK, MARK
from tests.helpers.killed import STEPS, rows, run, walk

pytest.importorskip("orbax.checkpoint")
METHOD = walk()  # compiled by identity

# reads that are still under way when the first one fails find Orbax's event loop closed
quietly = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def whole():
    return run(method=METHOD)


def stop_after(t: int):
    def hook(now, state, info):
        if now == t:
            raise ZeroDivisionError  # anything that a run may die of
        return False

    return hook


def stopped(folder: Path, t: int = 20, **options) -> None:
    keeping = hooks.CheckpointPolicy(str(folder), share=1.0, **options)
    with pytest.raises(ZeroDivisionError):
        run(keeping, hooks=[stop_after(t)], method=METHOD)


def kept(folder: Path) -> list[int]:
    """The steps after which there are checkpoints; nothing else may be there but the mark."""
    return sorted(int(path.name) for path in folder.iterdir() if path.name != MARK)


def resumed(folder: Path, **options):
    keeping = hooks.CheckpointPolicy(str(folder), resume=True, share=1.0)
    return run(keeping, method=METHOD, **options)


def test_a_run_that_died_ends_as_if_it_had_not(tmp_path, whole):
    stopped(tmp_path)
    assert kept(tmp_path) == [14, 16, 18]
    times = []
    state = resumed(tmp_path, hooks=[lambda t, state, info: bool(times.append((t, info.loss)))])
    np.testing.assert_array_equal(state["x"], whole["x"])
    assert state["empty"].shape == (0, 3)
    # the hooks saw the whole run, those steps too that lie before the checkpoint
    assert [t for t, _ in times] == list(range(2, STEPS + 1, 2))
    losses = []
    run(hooks=[lambda t, state, info: bool(losses.append(info.loss))], method=METHOD)
    np.testing.assert_array_equal([loss for _, loss in times], losses)


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
def test_nobody_else_reads_checkpoints(tmp_path):
    stopped(tmp_path / "kept")
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir(mode=0o750)  # one that the user has made is as he made it
    stopped(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o750


def test_a_run_that_had_ended_is_not_run_again(tmp_path):
    def enough(t, state, info):
        return t >= 10

    keeping = hooks.CheckpointPolicy(str(tmp_path), share=1.0)
    state = run(keeping, hooks=[enough], method=METHOD)
    again = resumed(tmp_path, hooks=[enough])
    np.testing.assert_array_equal(again["x"], state["x"])


def test_another_run_is_refused_by_what_differs(tmp_path):
    stopped(tmp_path, 4)
    with pytest.raises(ji.OptionError, match=r"what differs: key, seed \(was 0, is 1\)\."):
        resumed(tmp_path, seed=1)
    with pytest.raises(ji.OptionError, match=r"what differs: data, mask\."):
        resumed(tmp_path, data=rows(1))
    with pytest.raises(ji.OptionError, match=r"option eta \(was None, is 0.1\)"):
        resumed(tmp_path, **{"option eta": 0.1})
    with pytest.raises(ji.OptionError, match="holds checkpoints"):
        run(hooks.CheckpointPolicy(str(tmp_path)), method=METHOD)
    run(hooks.CheckpointPolicy(str(tmp_path), force=True), data=rows(1), method=METHOD)
    assert (tmp_path / "40").is_dir()
    assert not (tmp_path / "4").exists()


@pytest.mark.parametrize("theirs", ["7", "notes.txt", "4/notes.txt", "8.orbax-checkpoint-tmp/a"])
def test_what_others_put_there_is_never_deleted(tmp_path, theirs):
    def refused(**options):
        with pytest.raises(ji.OutputError, match=r"holds '.*', which is no checkpoint of this"):
            run(hooks.CheckpointPolicy(str(tmp_path / "kept"), share=1.0, **options), method=METHOD)
        assert file.is_file()

    file = tmp_path / "kept" / theirs / "precious"
    file.parent.mkdir(parents=True)
    file.touch()
    for options in ({}, {"force": True}, {"resume": True}):
        refused(**options)
    file.unlink()
    for folder in (tmp_path / "kept" / theirs, *(tmp_path / "kept" / theirs).parents):
        if folder.is_relative_to(tmp_path / "kept"):
            folder.rmdir()
    stopped(tmp_path / "kept", 6)
    file.parent.mkdir(parents=True)
    file.touch()
    for options in ({"force": True}, {"resume": True, "most": 1}):
        refused(**options)
    assert {2, 4} <= {int(each.name) for each in (tmp_path / "kept").iterdir() if each.name in "24"}


def test_what_a_kill_left_of_a_checkpoint_is_no_hindrance(tmp_path, whole):
    stopped(tmp_path, 6)
    for file in (tmp_path / "2" / "about").iterdir():  # it was being deleted
        file.unlink()
    (tmp_path / "9.orbax-checkpoint-tmp" / "state.orbax-checkpoint-tmp").mkdir(parents=True)
    state = run(hooks.CheckpointPolicy(str(tmp_path), share=1.0, force=True), method=METHOD)
    np.testing.assert_array_equal(state["x"], whole["x"])


@quietly
@pytest.mark.parametrize("harm", ["cut", "flip", "lost"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, whole, harm):
    stopped(tmp_path)
    newest = tmp_path / "18"
    for file in (path for path in newest.rglob("d/*") if path.is_file()):
        content = file.read_bytes()
        if harm == "cut":
            file.write_bytes(content[: len(content) // 2])
        elif harm == "flip":
            file.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
        else:
            file.unlink()
    with pytest.warns(ji.ImputationWarning, match="after 18 steps .* damaged; .* after 16"):
        state = resumed(tmp_path)
    np.testing.assert_array_equal(state["x"], whole["x"])


def test_a_read_that_fails_is_silent(capsys, caplog):
    async def fail():
        sys.stderr.write("from a thread")
        raise ValueError

    async def read():
        kept = [asyncio.create_task(fail()) for _ in range(3)]
        await asyncio.sleep(0.01)
        raise ValueError(kept)

    assert _orbax.attempt(lambda: asyncio.run(read())) is None
    gc.collect()
    assert capsys.readouterr().err == caplog.text == ""
    assert _orbax.attempt(lambda: 3) == 3


@quietly
def test_leftovers_are_cleaned_and_a_lone_damaged_one_is_an_error(tmp_path):
    stopped(tmp_path, 4, most=1)
    (tmp_path / "6.orbax-checkpoint-tmp").mkdir()
    (tmp_path / "2" / "about" / "metadata").write_text("{")
    with pytest.raises(ji.DataError, match="are damaged"):
        resumed(tmp_path)
    patience = time.monotonic() + 60  # they are removed in a thread, which nobody waits for
    while (tmp_path / "6.orbax-checkpoint-tmp").exists() and time.monotonic() < patience:
        time.sleep(0.05)
    assert kept(tmp_path) == [2]


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(tmp_path, whole, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    import orbax.checkpoint

    monkeypatch.setattr(orbax.checkpoint.CheckpointManager, "save", full)
    with pytest.warns(ji.ImputationWarning, match="cannot save .*No space left"):
        state = run(hooks.CheckpointPolicy(str(tmp_path)), method=METHOD)
    np.testing.assert_array_equal(state["x"], whole["x"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_chunk(tmp_path, whole, number):
    def ask(t, state, info):
        if t == 8:
            signal.raise_signal(number)
        return False

    told: list[str] = []
    before = signal.getsignal(number)
    keeping = hooks.CheckpointPolicy(str(tmp_path), every=100, tell=told.append)
    with pytest.raises(KeyboardInterrupt, match="8 steps are saved"):
        run(keeping, hooks=[ask], method=METHOD)
    assert told == ["stopping after this chunk, to save it; once more stops at once"]
    assert signal.getsignal(number) is before
    np.testing.assert_array_equal(resumed(tmp_path)["x"], whole["x"])


def test_saves_take_no_more_than_their_share(tmp_path, monkeypatch):
    now = np.zeros(2)
    copied = checkpoint._copy
    monkeypatch.setattr(checkpoint, "_clocks", now.copy)

    def working(t, state, info):
        now[:] += [2.0, 1.0]
        return False

    def copy(leaf):  # the state has two
        now[:] += [0.01, 0.1]
        return copied(leaf)

    monkeypatch.setattr(checkpoint, "_copy", copy)
    run(hooks.CheckpointPolicy(str(tmp_path), most=99, share=0.05), hooks=[working], method=METHOD)
    # of 20 CPU-seconds a twentieth: the first save at once, and always one left for the last
    saved = kept(tmp_path)
    assert saved == [2, 24, 32, STEPS]
    assert len(saved) * 0.2 <= 0.05 * now[1]


@pytest.mark.parametrize("bad", [{"every": 0}, {"most": 0}, {"share": 0.0}])
def test_options_are_checked(tmp_path, bad):
    with pytest.raises(ji.OptionError, match="expected every and most"):
        run(hooks.CheckpointPolicy(str(tmp_path), **bad), method=METHOD)


def test_kills_at_any_moment_lose_nothing(tmp_path, whole):
    """The first kill strikes inside a save, the second between two."""
    folder, out = tmp_path / "kept", tmp_path / "out.npy"
    command = [sys.executable, "-m", "tests.helpers.killed", str(folder), str(out)]
    for unfinished in (True, False):
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            before = {path.name for path in folder.glob("*")}
            end = time.monotonic() + 120
            while time.monotonic() < end and process.poll() is None:
                new = {path.name for path in folder.glob("*")} - before
                if any(("tmp" in name) == unfinished for name in new):
                    break
                time.sleep(0.001)
            process.kill()
        assert process.returncode == -signal.SIGKILL, process.stderr
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(out), whole["x"])
    assert not list(folder.glob("*tmp*"))


def test_two_runs_do_not_share_a_folder(tmp_path):
    seen = []

    def meanwhile(t, state, info):
        for options in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(
                ji.OutputError, match=r"another run keeps its checkpoints in .* now"
            ):
                run(hooks.CheckpointPolicy(str(tmp_path / "kept"), **options), method=METHOD)
            seen.append(t)
        return True

    run(hooks.CheckpointPolicy(str(tmp_path / "kept")), method=METHOD, hooks=[meanwhile])
    assert len(seen) == 3
    run(hooks.CheckpointPolicy(str(tmp_path / "kept"), resume=True), method=METHOD)
    assert not (tmp_path / "kept" / LOCK).exists()

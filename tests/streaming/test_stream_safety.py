"""A stream and its surroundings: other runs, sources that change, files that are others'."""

import os
from pathlib import Path

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.data import npyrows
from jaximpute.streaming import impute_file, workfolder
from tests.helpers.streams import Stop, rows, run, stop_after


def meddled(path: Path, how: str, x: np.ndarray) -> None:
    """Other cells in the same file: of the same size, and by the looks of it of the same time."""
    was = path.stat()
    if how == "in place":
        with path.open("r+b") as file:
            file.seek(-4, 2)
            file.write(np.float32(7).tobytes())
    else:
        np.save(path.with_name("other.npy"), x)
        path.with_name("other.npy").replace(path)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (was.st_size, was.st_mtime_ns)


def test_a_source_that_becomes_shorter_is_named(path, monkeypatch):
    cut = path.stat().st_size // 2

    def watch(done, blocks):
        if done == 2:
            os.truncate(path, cut)

    for whole in ("C", "F"):
        np.save(path, np.asarray(rows(), order=whole))
        with pytest.raises(ji.DataError, match=r"x\.npy became shorter while it was read"):
            run(path, watch=watch, force=True)


@pytest.mark.parametrize("shape", [(7, 3), (7, 2, 3), (7, 2, 3, 4)])
def test_rows_of_either_order_are_those_of_the_array(tmp_path, shape):
    x = np.arange(np.prod(shape), dtype=">i4").reshape(shape)
    for order in ("C", "F"):
        np.save(tmp_path / "x.npy", np.asarray(x, order=order))
        found = npyrows.open_rows(str(tmp_path / "x.npy")).read(2, 5)
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(found, x[2:5])


@pytest.mark.skipif(os.name != "posix", reason="where a file's time of change is kept")
@pytest.mark.parametrize("how", ["in place", "swapped"])
def test_a_source_that_changes_makes_no_mixture(path, how):
    def watch(done, blocks):
        if done == 2:
            meddled(path, how, rows(seed=3))

    for force in (False, True):
        with pytest.raises(ji.DataError, match=r"x\.npy was changed while it was completed"):
            run(path, watch=watch, force=force)
        assert sorted(each.name for each in path.parent.iterdir()) == ["x.npy"]
    with pytest.raises(ji.DataError, match="was changed"):
        impute_file.impute_file(str(path), None, "mean", block_rows=16, watch=watch)
    with pytest.raises(Stop):
        run(path, watch=stop_after(2))
    meddled(path, how, rows(seed=4))
    with pytest.raises(ji.OptionError, match=r"differs from this one: source"):
        run(path)
    x = np.load(path)
    filled = run(path, force=True)
    assert (filled[~np.isnan(x)] == x[~np.isnan(x)]).all()


def test_two_runs_do_not_write_one_output(path):
    seen = []

    def watch(done, blocks):
        for options in ({}, {"seed": 1}, {"seed": 1, "force": True}):
            with pytest.raises(ji.OutputError, match=r"another run is writing .*out\.npy now"):
                run(path, **options)
            seen.append(done)

    whole = run(path, "a.npy")
    np.testing.assert_array_equal(run(path, watch=watch), whole)
    assert len(seen) == 12
    assert sorted(each.name for each in path.parent.iterdir()) == ["a.npy", "out.npy", "x.npy"]


def test_an_output_that_appears_meanwhile_stays_and_so_does_the_work(path):
    target = path.with_name("out.npy")

    def watch(done, blocks):
        if done == blocks:
            target.write_text("precious")

    with pytest.raises(ji.OutputError, match="exists; pass --force"):
        run(path, watch=watch)
    assert target.read_text() == "precious"
    done = impute_file.impute_file(str(path), str(target), "mean", block_rows=16, force=True)
    assert done["went_on_at"] == done["blocks"] == 4
    assert np.isfinite(np.load(target)).all()


def test_a_folder_by_the_name_of_the_work_is_not_emptied(path):
    folder = workfolder.folder_of(str(path.with_name("out.npy")))
    folder.mkdir()
    (folder / "notes.txt").touch()
    for force in (False, True):
        with pytest.raises(ji.OutputError, match=r"holds 'notes\.txt', which no run has written"):
            run(path, force=force)
    assert (folder / "notes.txt").exists()
    (folder / "notes.txt").unlink()
    folder.rmdir()
    folder.symlink_to(path.parent, target_is_directory=True)
    with pytest.raises(ji.OutputError, match="is no folder"):
        run(path, force=True)
    assert path.exists()


@pytest.mark.skipif(os.name != "posix", reason="of POSIX")
def test_a_private_file_stays_private(path):
    seen = []

    def watch(done, blocks):
        folder = workfolder.folder_of(str(path.with_name("out.npy")))
        seen.append(folder.stat().st_mode & 0o077)

    path.chmod(0o600)
    run(path, watch=watch)
    target = path.with_name("out.npy")
    assert target.stat().st_mode & 0o077 == 0
    assert not any(seen)
    path.chmod(0o644)
    run(path, force=True)
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("harm", ["cut", "lost"])
def test_what_was_learned_and_is_damaged_is_learned_anew_by_force(path, harm):
    with pytest.raises(Stop):
        run(path, watch=stop_after(2))
    file = workfolder.folder_of(str(path.with_name("out.npy"))) / "learned.npz"
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        file.unlink()
    with pytest.raises(ji.DataError, match=r"has learned cannot be read: .*pass force=True"):
        run(path)
    assert np.isfinite(run(path, force=True)).all()

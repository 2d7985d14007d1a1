"""Outputs get into their place whole, with the permissions of what they replace."""

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from jaximpute import OutputError
from jaximpute.files import _rename, access, atomic, filesets, workrooms, zarrfolders

pytestmark = pytest.mark.fast
posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX")


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "place" / "model"
    folder.mkdir(parents=True)
    (folder / "what.txt").write_text("old")
    return folder


def write(folder: Path, text: str = "new") -> None:
    folder.mkdir()
    (folder / "what.txt").write_text(text)


def replace(target: Path) -> None:
    with atomic.replacing_folder(target, force=True) as folder:
        write(folder)
        assert (target / "what.txt").read_text() == "old"


def contents(target: Path) -> str:
    """What the folder holds; nothing else may lie beside it."""
    assert [each.name for each in target.parent.iterdir()] == [target.name]
    return (target / "what.txt").read_text()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("swaps", [True, False])
def test_the_new_folder_takes_the_place_of_the_old(target, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(_rename, "_system_call", lambda: None)
    with pytest.raises(OutputError, match="exists; pass --force"):
        atomic.check_new(target)
    replace(target)
    assert contents(target) == "new"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_old_folder_stays_where_writing_fails(target, error):
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt

    def fail():
        with atomic.replacing_folder(target, force=True) as folder:
            write(folder)
            raise error

    with pytest.raises(expected):
        fail()
    assert contents(target) == "old"


def test_the_old_folder_is_put_back_where_the_exchange_fails(target, monkeypatch):
    rename = os.rename

    def fails_once(source, to):
        if Path(source).name == atomic.NEW:
            raise OSError(5, "Input/output error")
        rename(source, to)

    monkeypatch.setattr(_rename, "_system_call", lambda: None)
    monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises(OutputError, match="Input/output error; what was there before is untouched"):
        replace(target)
    assert contents(target) == "old"


def test_what_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"

    def late():
        with atomic.replacing(path) as file:
            file.write(b"new")
            path.write_text("another's")

    for call in (_rename._system_call, lambda: None):
        monkeypatch.setattr(_rename, "_system_call", call)
        with pytest.raises(OutputError, match="has appeared"):
            late()
        assert path.read_text() == "another's"
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()


@pytest.mark.parametrize("locked", ["folders", "files"])
def test_a_dead_process_is_swept_up_after_and_a_living_one_is_not(tmp_path, monkeypatch, locked):
    if locked == "files":  # as on Windows
        monkeypatch.setattr(workrooms, "fcntl", None)
        for number in range(2):  # of a process that died before and after it removed its folder
            (tmp_path / f".out.txt.{str(number) * 16}.part.lock").touch()
    path = tmp_path / "out.txt"
    dead = workrooms.named(path, f"{'0' * 16}.part")
    dead.mkdir()
    (dead / "new").write_text("half")
    others = [tmp_path / name for name in (".out.txt.part", f".out.txt.{'0' * 15}.part", ".b.part")]
    for other in others:
        other.mkdir()
    with atomic.replacing(path) as one:
        one.write(b"one")
        with atomic.replacing(path, force=True) as other:  # sees the first at work
            other.write(b"other")
        assert not dead.exists()
        path.unlink()
    assert path.read_text() == "one"
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
    dead.symlink_to(others[0], target_is_directory=True)
    atomic.restore(path)
    assert others[0].is_dir()


@pytest.mark.parametrize("locked", ["folders", "files"])
def test_a_folder_is_held_once(tmp_path, monkeypatch, locked):
    if locked == "files":
        monkeypatch.setattr(workrooms, "fcntl", None)
    folder = tmp_path / ".out.unfinished"
    folder.mkdir()
    for _ in range(2):
        with atomic.locked(folder, "out"):
            with (
                pytest.raises(OutputError, match="another run is writing out now"),
                atomic.locked(folder, "out"),
            ):
                pass
            assert folder.is_dir()
    assert list(tmp_path.iterdir()) == [folder]
    folder.rmdir()
    with (
        pytest.raises(OutputError, match="another run is writing"),
        atomic.locked(folder, "out"),
    ):
        pass


def test_names_of_any_length_can_be_written(tmp_path):
    path = tmp_path / ("ü" * 125 + ".csv")
    with atomic.replacing(path) as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="File name too long"):
        atomic.check(tmp_path / ("a" * 300))


@posix
def test_a_file_is_as_private_as_the_one_it_replaces(tmp_path):
    path = tmp_path / "out.txt"
    path.touch(0o600)
    seen = []
    with atomic.replacing(path, force=True) as file:
        (room,) = (each for each in tmp_path.iterdir() if each.is_dir())
        seen = [mode(room)]
        file.write(b"new")
    assert seen == [0o700]  # nobody else reaches the file before it has its permissions
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    path.chmod(0o664)
    with atomic.replacing(path, force=True) as file:
        file.write(b"new")
    assert mode(path) == 0o664


@posix
def test_a_new_file_is_as_private_as_what_it_is_made_of(tmp_path):
    source, path = tmp_path / "in.txt", tmp_path / "out.txt"
    source.touch()
    for given in (0o600, 0o640, 0o444, 0o644):
        source.chmod(given)
        with atomic.replacing(path, like=source):
            pass
        assert mode(path) & ~(given | 0o700) == 0
        path.unlink()
    source.chmod(0o600)
    with filesets.replacing(tmp_path / "draws", like=source) as folder:
        (folder / "draw_1.txt").touch()
    assert mode(tmp_path / "draws") == 0o700


@posix
def test_a_folder_and_its_files_are_as_private_as_before(target):
    (target / "what.txt").chmod(0o600)
    target.chmod(0o750)
    with atomic.replacing_folder(target, force=True) as folder:
        write(folder)
        (folder / "more.txt").touch()
    assert (mode(target), mode(target / "what.txt")) == (0o750, 0o600)
    assert mode(target / "more.txt") & 0o077 == 0


@posix
def test_another_group_may_do_no_more_than_all_others():
    assert access._of_group(0o640, True) == 0o640
    assert access._of_group(0o640, False) == 0o600
    assert access._of_group(0o664, False) == 0o644
    assert access._of_group(0o755, False) == 0o755


@posix
def test_what_may_not_be_written_is_replaced_and_leaves_nothing(target):
    inner = target / "inner"
    write(inner, "deep")
    for folder in (inner, target):
        folder.chmod(0o500)
    replace(target)
    target.chmod(0o700)
    assert contents(target) == "new"


def test_files_appear_beside_others(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "note.txt").write_text("mine")
    (folder / "a.txt").write_text("old")
    with pytest.raises(OutputError, match="exists; pass --force"):
        filesets.check(folder, ["a.txt"])
    with filesets.replacing(folder, force=True) as new:
        (new / "a.txt").write_text("new")
        (new / "draw_1").mkdir()
        (new / "draw_1" / "a.txt").write_text("drawn")
        assert (folder / "a.txt").read_text() == "old"
    found = {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*.txt")}
    assert found == {"note.txt": "mine", "a.txt": "new", os.path.join("draw_1", "a.txt"): "drawn"}
    assert not [each for each in folder.iterdir() if each.name.startswith(".")]


@posix
def test_one_run_at_a_time_holds_a_folder(tmp_path):
    with (
        atomic.locked(tmp_path, "out.npy"),
        pytest.raises(OutputError, match=r"another run is writing out\.npy"),
        atomic.locked(tmp_path, "out.npy"),
    ):
        pass
    with atomic.locked(tmp_path, "out.npy"):
        pass


@posix
def test_a_store_is_replaced_only_if_all_of_it_is_one(tmp_path):
    xarray, _ = pytest.importorskip("xarray"), pytest.importorskip("zarr")
    for version in (2, 3):
        store = tmp_path / f"{version}.zarr"
        data = xarray.Dataset({"v": (("y", "x"), np.ones((4, 4)))}, attrs={"a": 1})
        chunks = {"v": {"chunks": (2, 2)}}
        data.to_zarr(store, consolidated=False, zarr_format=version, encoding=chunks)
        data.to_zarr(store, group="inner", mode="a", consolidated=False, zarr_format=version)
        zarrfolders.check(str(store))
        for strange in ("notes.txt", "v/notes.txt", "inner/v/deep/a.txt"):
            (store / strange).parent.mkdir(exist_ok=True)
            (store / strange).touch()
            with pytest.raises(OutputError, match=f"holds '{Path(strange).parts[0]}.*no part of"):
                zarrfolders.check(str(store))
            (store / strange).unlink()
            if "deep" in strange:
                (store / strange).parent.rmdir()
        zarrfolders.check(str(store))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_copy_of_a_store_follows_no_link_out_of_it(tmp_path):
    store, secret = tmp_path / "x.zarr", tmp_path / "secret"
    store.mkdir()
    (store / "a").write_text("cells")
    (store / "b").symlink_to("a")
    secret.write_text("secret")
    zarrfolders.copy(str(store), tmp_path / "copy")
    assert [(tmp_path / "copy" / name).read_text() for name in "ab"] == ["cells", "cells"]
    assert not (tmp_path / "copy" / "b").is_symlink()
    for to in (secret, tmp_path, tmp_path / "nowhere", Path("/dev/zero"), store):
        (store / "c").symlink_to(to)
        with pytest.raises(ValueError, match=r"'c' in .* is a link out of the store"):
            zarrfolders.copy(str(store), tmp_path / f"copy{to.name}")
        (store / "c").unlink()

"""Folders beside an output in which it is made: private, held by one process, swept if it died.

Whatever is written lies in such a folder until it is whole; see `atomic` for how it leaves. One
that a run goes on in after a crash has a fixed name, all others a random one, by which the next run
for the same output knows what a dead process left, and removes it.
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaximpute.engine import locks
from jaximpute.engine.locks import BusyError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCK = ".lock"
_LONGEST = 180  # bytes of a name that is made longer


def named(target: Path, end: str) -> Path:
    """The path of a folder to work in, beside its output.

    Args:
        target: the output.
        end: of the name.

    Example:
        >>> named(Path("a/x.npy"), "unfinished").as_posix()
        'a/.x.npy.unfinished'
    """
    return target.with_name(f".{_short(target.name)}.{end}")


@contextlib.contextmanager
def workroom(target: Path) -> Iterator[Path]:
    """A new folder to make an output in, removed at the end.

    Args:
        target: the output.

    Yields:
        The folder; only its owner may look into it.
    """
    while True:
        room = named(target, f"{secrets.token_hex(8)}.part")
        room.mkdir(mode=0o700)
        # another's sweep may get hold of it first, and then removes it
        with contextlib.suppress(BusyError, FileNotFoundError):
            lock = hold(room)
            break
    try:
        yield room
    finally:
        try:
            remove(room)
        finally:
            release(lock)


def sweep(target: Path, rescue: Callable[[Path], None] = lambda room: None) -> None:
    """Remove what dead processes left of work on an output.

    Args:
        target: the output.
        rescue: is shown each folder before it goes.
    """
    pattern = re.compile(rf"(\.{re.escape(_short(target.name))}\.[0-9a-f]{{16}}\.part)(\.lock)?")
    try:
        names = sorted(name for name in os.listdir(target.parent) if pattern.fullmatch(name))
    except OSError:
        return
    for room in map(target.parent.joinpath, names):
        with contextlib.suppress(OSError, BusyError):
            if room.suffix == _LOCK:  # of a room that is gone, or is swept with it
                if not room.with_suffix("").exists():
                    locks.unlock(locks.lock(room))
                continue
            lock = hold(room)
            try:
                rescue(room)
                remove(room)
            finally:
                release(lock)


def hold(folder: Path) -> Any:
    """Lock a folder for as long as this process lives, or until `release`.

    Where folders cannot be locked, as on Windows, a file beside it is.

    Returns:
        What `release` takes.

    Raises:
        BusyError: another holds it.
        OSError: it is no folder, a link to one, or gone.
    """
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise NotADirectoryError(f"{folder} is no folder")
    if fcntl is None:
        return _hold_beside(folder)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError from None
        except OSError:  # some file systems lock no folders
            os.close(lock)
            return _hold_beside(folder)
        held, there = os.fstat(lock), os.lstat(folder)
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
            raise FileNotFoundError(f"{folder} was another's, which has removed it")
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(lock)
        raise
    return lock


def _hold_beside(folder: Path) -> Any:
    lock = locks.lock(folder.with_name(f"{folder.name}{_LOCK}"))
    if not folder.exists():
        release(lock)
        raise FileNotFoundError(f"{folder} was another's, which has removed it")
    return lock


def release(lock: Any) -> None:
    """Let go of a folder."""
    if isinstance(lock, int):
        os.close(lock)
    else:
        locks.unlock(lock)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds, and follow no link; what cannot go stays."""
    if not path.is_dir() or path.is_symlink():
        with contextlib.suppress(OSError):
            os.unlink(path)
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():  # a folder in it may not be written
        with contextlib.suppress(OSError):
            path.chmod(0o700)
            for folder, names, _ in os.walk(path):
                for inner in map(Path(folder).joinpath, names):
                    if not inner.is_symlink():
                        inner.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def _short(name: str) -> str:
    """A name that may be made longer: most file systems take 255 bytes."""
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return f"{name[:32]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"

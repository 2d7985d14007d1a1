"""Who may read what is written: those who could read what it replaces or is made of, no others."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def take_over(new: Path, old: Path) -> None:
    """Give a file or folder the permissions of what it replaces, and its owner where that may be.

    In a folder each file takes those of its counterpart; one that has none takes what all files of
    the old folder allow.

    Args:
        new: finished, and not yet in its place.
        old: what it is to replace.
    """
    _become(new, old.stat())
    if not new.is_dir():
        return
    common = {True: 0o777, False: 0o777}
    for each in _within(old):
        common[each.is_dir()] &= stat.S_IMODE(each.stat().st_mode)
    for each in _within(new):
        before = old / each.relative_to(new)
        if before.exists() and before.is_dir() == each.is_dir():
            _become(each, before.stat())
        else:
            _limit(each, common[each.is_dir()])


def limit(new: Path, source: Path) -> None:
    """Let a new file or folder be read by nobody who cannot read what it was made of.

    Args:
        new: finished, and not yet in its place.
        source: a file or folder.
    """
    was = source.stat()
    allowed = _of_group(stat.S_IMODE(was.st_mode), was.st_gid == new.stat().st_gid)
    if new.is_dir() and not source.is_dir():
        allowed |= (allowed & 0o444) >> 2  # a folder is read by those who may enter it
    _limit(new, allowed | 0o700)
    if not (new.is_dir() and source.is_dir()):
        return
    for each in _within(new):
        before = source / each.relative_to(new)
        if before.exists() and before.is_dir() == each.is_dir():
            _limit(each, stat.S_IMODE(before.stat().st_mode) | 0o700)


def _become(new: Path, was: os.stat_result) -> None:
    now, mode = new.stat(), stat.S_IMODE(was.st_mode) & 0o777
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(new, -1, was.st_gid)
        with contextlib.suppress(OSError):
            os.chown(new, was.st_uid, -1)
        mode = _of_group(mode, new.stat().st_gid == was.st_gid)
    os.chmod(new, mode)


def _limit(new: Path, allowed: int) -> None:
    now = stat.S_IMODE(new.stat().st_mode)
    if now & ~allowed & 0o777:
        os.chmod(new, now & allowed)


def _of_group(mode: int, same: bool) -> int:
    """What another group may do: no more than all others."""
    return mode if same else mode & 0o707 | mode & (mode << 3) & 0o070


def _within(folder: Path) -> Iterator[Path]:
    """All files and folders in a folder; links are none of them."""
    for place, folders, files in os.walk(folder):
        for each in map(Path(place).joinpath, folders + files):
            if not each.is_symlink():
                yield each

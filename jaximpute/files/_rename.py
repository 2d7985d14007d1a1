"""Renames that plain `os.rename` lacks: one that swaps two paths, one that replaces nothing."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

_NEW, _SWAP = (4, 2) if sys.platform == "darwin" else (1, 2)  # flags of the two systems
# what a system or a file system answers that does not know the flag
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def swap(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; False where the system cannot, and nothing was done.

    Raises:
        OSError: it can, and failed.
    """
    return _flagged(one, other, _SWAP)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder to a path where nothing is.

    Raises:
        FileExistsError: something is there.
        OSError: renaming failed.
    """
    if _flagged(source, target, _NEW):
        return
    if os.path.lexists(target):  # Windows looks itself; elsewhere this leaves a moment
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)


def _flagged(source: Path, target: Path, flag: int) -> bool:
    call = _system_call()
    if call is None:
        return False
    failed = call(os.fsencode(source), os.fsencode(target), flag)
    if failed in _UNKNOWN:
        return False
    if failed:
        raise OSError(failed, os.strerror(failed), str(source), None, str(target))
    return True


def _system_call() -> Callable[[bytes, bytes, int], int] | None:
    """`(source, target, flag) -> errno`; None where there is none."""
    if os.name != "posix":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    here = -2 if sys.platform == "darwin" else -100  # AT_FDCWD
    name = "renameatx_np" if sys.platform == "darwin" else "renameat2"
    function = getattr(library, name, None)  # not in every C library
    if function is None:
        return None

    def call(source: bytes, target: bytes, flag: int) -> int:
        return ctypes.get_errno() if function(here, source, here, target, flag) else 0

    return call

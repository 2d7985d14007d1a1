"""Locks between processes, by a file that goes when the lock does; on any system."""

import contextlib
import os
from pathlib import Path
from typing import Any


class BusyError(Exception):
    """Another process, or another thread of this one, holds the lock."""


def lock(path: Path) -> Any:
    """Hold a lock for as long as this process lives, or until `unlock`.

    Args:
        path: of its file, in a folder that is there.

    Returns:
        What `unlock` takes.

    Raises:
        BusyError: another holds it.
        OSError: there can be no such file.
    """
    import filelock  # only where it is needed: it takes longer than many commands

    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}")
    held = filelock.FileLock(path, timeout=0, mode=0o600)
    try:
        held.acquire()
    except (filelock.Timeout, RuntimeError):  # by another thread, or by this one
        raise BusyError from None
    if not path.exists():  # its holder took it away when we had opened it
        held.release()
        raise BusyError
    return held


def unlock(held: Any) -> None:
    """Let go of a lock, and take its file away."""
    with contextlib.suppress(OSError):  # Windows removes it by itself, once it is let go of
        os.unlink(held.lock_file)
    held.release()

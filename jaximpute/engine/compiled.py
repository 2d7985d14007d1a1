"""Compiled programs, kept in the user's cache folder so that the next start is quick.

In memory they are kept as long as there are not too many of them.
"""

import gc
import os
import re
import sys
from pathlib import Path

from jaximpute.engine import forks

_PRIVATE = 0o700
_OTHERS_WRITE = 0o022
_READING = re.compile(r"Error reading persistent compilation cache entry for '([\w.<>-]+)'")
_MOST = 600  # programs in memory; each takes about a megabyte
_COMPILED = "/jax/core/compile/backend_compile_duration"
_made: list[int] = []  # how many were compiled since the last were forgotten; empty = not counted
TROUBLE = "persistent compilation cache"  # in every warning of the kind


def keep_compiled() -> None:
    """Keep compiled programs on the disk, where the user has not set up a cache already.

    Tasks of the command line and of Python call it before they compile. JAX keeps in memory what it
    has compiled, for ever: past some hundred programs, as after many calls with data of many
    shapes, all are forgotten and made again as they are needed. What is kept is run, so it is kept
    in a folder that only the user may write to, and nowhere else; one that cannot be written to is
    left alone. `JAXIMPUTE_NO_CACHE=1` turns the folder off.

    Raises:
        JaximputeError: this process was forked from one that had used JAX.
    """
    import jax

    forks.refuse()
    _forget_many()
    chosen = jax.config.values["jax_compilation_cache_dir"]
    if chosen or os.environ.get("JAXIMPUTE_NO_CACHE") == "1":
        return
    folder = cache_folder()
    if folder is None or not _is_ours(folder):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # most of a cold start goes to many small programs, which jax would not keep
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def _forget_many() -> None:
    import jax

    if not _made:
        _made.append(0)
        jax.monitoring.register_event_duration_secs_listener(_count)
    if _made[0] > _MOST:
        _made[0] = 0
        jax.clear_caches()
        gc.collect()  # they hold one another


def _count(event: str, duration_secs: float, **about: str | int) -> None:
    del duration_secs, about
    _made[0] += event == _COMPILED


def mend(message: str) -> str:
    """Drop what is kept of a program that could not be read, so that it is kept anew.

    A cache that the user has set up is left as it is.

    Args:
        message: the warning.

    Returns:
        What to tell the user, once; empty for what is of no concern.
    """
    import jax

    folder, found = cache_folder(), _READING.search(message)
    used = jax.config.values["jax_compilation_cache_dir"]
    if found is None:
        return (
            f"note: compiled programs cannot be kept in {used}: "
            f"{message.splitlines()[0].rpartition(': ')[2]}. JAXIMPUTE_NO_CACHE=1 does without"
        )
    if folder is None or used != str(folder):
        return (
            f"note: compiled programs that were kept in {used} cannot be read, and are compiled "
            "anew at each start. Empty that folder"
        )
    for entry in folder.glob(f"{found[1]}-*-cache"):
        try:
            entry.unlink(missing_ok=True)
        except OSError:
            return f"note: compiled programs that were kept cannot be read: {entry}. Remove it"
    return (
        "note: some compiled programs that were kept are damaged; they are dropped and compiled "
        f"anew: {folder}"
    )


def cache_folder() -> Path | None:
    """Where compiled programs are kept; None for a user who has no home."""
    home = _cache_home()
    return None if home is None else home / "jaximpute" / "compiled"


def _is_ours(folder: Path) -> bool:
    """Whether a folder, made if it is not there, is the user's alone and can be written to."""
    try:
        if not folder.exists():
            if not _may_make(folder):
                return False
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=_PRIVATE, exist_ok=True)
        about = folder.stat()
        if hasattr(os, "getuid"):
            # what others could write to, they may have written already
            if about.st_uid != os.getuid() or about.st_mode & _OTHERS_WRITE:
                return False
            if os.access(folder, os.W_OK) and about.st_mode & 0o077:
                folder.chmod(_PRIVATE)
    except OSError:
        return False  # no place to keep anything is no reason to stop
    return os.access(folder, os.W_OK | os.X_OK)


def _may_make(folder: Path) -> bool:
    """Whether nobody else's home is written to, as by root in the place of its owner."""
    there = next(parent for parent in folder.parents if parent.exists())
    return not hasattr(os, "getuid") or os.getuid() != 0 or there.stat().st_uid == 0


def _cache_home() -> Path | None:
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given)
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    try:
        return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError:  # neither HOME nor an entry among the users
        return None

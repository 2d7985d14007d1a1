"""What tells files apart without reading them: their sizes, times and places on the disk."""

import hashlib
import os
from pathlib import Path


def size_of(path: str) -> int:
    """Bytes of a file, or of all files in a folder."""
    return int(fingerprint_of(path)["bytes"])


def fingerprint_of(path: str) -> dict[str, int | str]:
    """What changes when a file does, without reading it: its size, and when it was written.

    Args:
        path: a file, or a folder such as a Zarr store.

    Returns:
        `bytes`, `files`, `written`, the newest time in nanoseconds, and `identity`, a hash of each
        file's name, size, times of writing and of any change, and number on its disk: a file that
        another has replaced, or whose time was set back, is another one. One that is not there
        counts for nothing.
    """
    found, total = [], hashlib.sha256()
    for entry in sorted(_files(path)):
        try:
            stat = entry.stat()
        except OSError:  # whoever reads it says what is wrong
            continue
        found.append(stat)
        about = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)
        total.update(f"{os.path.relpath(entry, path)}\0{about};".encode(errors="replace"))
    return {
        "bytes": sum(stat.st_size for stat in found),
        "files": len(found),
        "written": max((stat.st_mtime_ns for stat in found), default=0),
        "identity": total.hexdigest(),
    }


def _files(path: str) -> list[Path]:
    if not Path(path).is_dir():
        return [Path(path)]
    return [Path(folder) / name for folder, _, names in os.walk(path) for name in names]

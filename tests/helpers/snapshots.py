"""A folder as a process would leave it that is killed before its K-th change of a file, for all K.

The folder is copied before each change, in whatever thread it is made. What a library writes
without Python is in the next copy, as far as it has come by then.
"""

import builtins
import contextlib
import io
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.dying import CHANGES


@contextlib.contextmanager
def snapshots(patch: pytest.MonkeyPatch, folder: Path, to: Path) -> Iterator[list[Path]]:
    """Copy a folder before each change of a file.

    Args:
        patch: of the test.
        folder: that is changed within.
        to: where the copies go.

    Yields:
        The copies so far, in the order of the changes; equal ones that follow one another once.
    """
    taken: list[Path] = []
    lock, copying, last = threading.Lock(), threading.local(), None

    def take() -> None:
        nonlocal last
        if getattr(copying, "now", False) or not folder.is_dir():
            return
        copying.now = True
        try:
            with lock:
                held = _contents(folder)
                if held == last:
                    return
                copy = to / str(len(taken))
                for name, data in held.items():
                    place = copy / name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    if data is None:
                        place.mkdir(exist_ok=True)
                    else:
                        place.write_bytes(data)
                copy.mkdir(exist_ok=True, parents=True)
                taken.append(copy)
                last = held
        finally:
            copying.now = False

    def counted(function):
        def call(*arguments, **keywords):
            take()
            return function(*arguments, **keywords)

        return call

    def opened(function):
        def call(file, mode="r", *arguments, **keywords):
            if any(letter in mode for letter in "wxa+"):
                take()
            return function(file, mode, *arguments, **keywords)

        return call

    with patch.context() as patched:
        for name in CHANGES:
            patched.setattr(os, name, counted(getattr(os, name)))
        for module in (io, builtins):
            patched.setattr(module, "open", opened(module.open))
        yield taken
    take()


def _contents(folder: Path) -> dict[str, bytes | None]:
    """What lies in a folder: contents of files, None for folders."""
    held: dict[str, bytes | None] = {}
    for place, folders, files in os.walk(folder):
        where = Path(place).relative_to(folder)
        held |= {str(where / name): None for name in folders}
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                held[str(where / name)] = (folder / where / name).read_bytes()
    return held


def put_back(copy: Path, folder: Path) -> None:
    """Make a folder what it was."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copy, folder)

"""A run that writes block by block, on disk: what it is, what it has learned, how far it came.

All of it lies in one folder beside the output, which is renamed into its place at the end.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaximpute import fingerprint
from jaximpute._errors import DataError, OptionError, OutputError

_PROGRESS, _LEARNED, _FORMAT = "progress.json", "learned.npz", 1


def folder_of(output: str) -> Path:
    """Where an unfinished run for an output lies."""
    target = Path(output).resolve()
    return target.with_name(f".{target.name}.unfinished")


def find(output: str, about: Mapping[str, Any], *, force: bool = False) -> dict[str, Any] | None:
    """How far an earlier run of the same kind came.

    Args:
        output: where the result is to appear.
        about: what must be equal for one run to go on where another stopped, as values for JSON.
        force: throw away a run that differs.

    Returns:
        What `keep` kept last; None if there is nothing to go on with.

    Raises:
        OptionError: an unfinished run lies there that differs; the message says in what.
    """
    folder = folder_of(output)
    try:
        held = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        held = None  # stopped before the first block
    if held is not None and held.get("format") == _FORMAT:
        differing = fingerprint.differing(held["about"], json.loads(json.dumps(dict(about))))
        if not differing:
            return held
        if not force:
            raise OptionError(
                f"{folder} holds an unfinished run for {output} that differs from this one: "
                f"{', '.join(differing)}. Run that one again to finish it, or pass force=True "
                "(--force) to throw it away"
            )
    shutil.rmtree(folder, ignore_errors=True)
    return None


def begin(output: str) -> Path:
    """Make the folder to work in.

    Raises:
        OutputError: it cannot be made.
    """
    folder = folder_of(output)
    with writing(output):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    return folder


def keep(folder: Path, about: Mapping[str, Any], progress: Mapping[str, Any]) -> None:
    """Write down how far a run came, whole or not at all."""
    held = {"format": _FORMAT, "about": dict(about), **progress}
    beside = folder / f"{_PROGRESS}.part"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(held, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, folder / _PROGRESS)


def keep_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what was learned."""
    with (folder / _LEARNED).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())


def read_arrays(folder: Path) -> dict[str, np.ndarray]:
    """What `keep_arrays` wrote.

    Raises:
        DataError: it is damaged.
    """
    try:
        with np.load(folder / _LEARNED, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError) as error:
        raise DataError(
            f"what the unfinished run in {folder} has learned cannot be read: {error}; remove the "
            "folder, or pass force=True (--force), to begin again"
        ) from error


def finish(whole: Path, output: str, folder: Path) -> None:
    """Put the result into its place, and remove the folder."""
    target = Path(output).resolve()
    if target.is_dir() and whole.is_dir():  # a Zarr store, or a folder of draws
        target.rename(folder / "replaced")
    os.replace(whole, target)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(output: str) -> Iterator[None]:
    """Say what to do where a block cannot be written.

    Raises:
        OutputError: the disk is full, for instance.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {output}: {error.strerror or error}; what is done so far lies in "
            f"{folder_of(output)}, and the same command goes on from there"
        ) from error

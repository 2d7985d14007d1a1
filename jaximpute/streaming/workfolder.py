"""A run that writes block by block, on disk: what it is, what it has learned, how far it came.

All of it lies in one folder beside the output, whose fixed name the next run knows. The folder
loses that name before the result is put into its place, so that a run that dies at its very end
leaves nothing that another could take for its own beginning.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaximpute._errors import DataError, OptionError, OutputError
from jaximpute.engine import fingerprint
from jaximpute.files import atomic, safe_arrays, workrooms

_PROGRESS, _LEARNED, _FORMAT = "progress.json", "learned.npz", 3
_OURS = re.compile(r"progress\.json(\.part)?|learned\.npz|whole.*|rows_\d+_\d+\.part|draw_\d+")


def folder_of(output: str) -> Path:
    """Where an unfinished run for an output lies."""
    return workrooms.named(atomic.resolved(output), "unfinished")


@contextmanager
def working(output: str) -> Iterator[Path]:
    """The folder of a run, held by this process alone; it stays if there is anything to go on with.

    Raises:
        OutputError: another run holds it, it cannot be made, or it holds what no run has written.
    """
    folder = folder_of(output)
    with atomic.output_errors(output):
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
    with atomic.locked(folder, output):
        strange = sorted(each.name for each in folder.iterdir() if not _OURS.fullmatch(each.name))
        if strange:
            raise OutputError(
                f"{folder}, where {output} is to be made, holds '{strange[0]}', which no run has "
                "written; move it away"
            )
        try:
            yield folder
        finally:
            if not (folder / _PROGRESS).exists():
                workrooms.remove(folder)


def find(output: str, identity: Mapping[str, Any], *, force: bool = False) -> dict[str, Any] | None:
    """How far an earlier run of the same kind came.

    Args:
        output: where the result is to appear.
        identity: what must be equal for one run to go on where another stopped, as values for JSON.
        force: throw away a run that differs.

    Returns:
        The `progress` that `keep` kept last; None if there is nothing to go on with, and the folder
        is empty.

    Raises:
        OptionError: an unfinished run lies there that differs; the message says in what.
    """
    folder = folder_of(output)
    try:
        kept = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        kept = None  # stopped before the first block
    if isinstance(kept, dict) and kept.get("format") == _FORMAT and "run" in kept:
        differing = fingerprint.differing(kept["run"], json.loads(json.dumps(dict(identity))))
        if not differing:
            return kept["progress"]
        if not force:
            raise OptionError(
                f"{folder} holds an unfinished run for {output} that differs from this one: "
                f"{', '.join(differing)}. Run that one again to finish it, or pass force=True "
                "(--force) to throw it away"
            )
    clear(folder)
    return None


def clear(folder: Path) -> None:
    """Throw away what a run has kept, how far it came first."""
    for each in sorted(folder.iterdir(), key=lambda each: (each.name != _PROGRESS, each.name)):
        workrooms.remove(each)


def keep(folder: Path, identity: Mapping[str, Any], progress: Mapping[str, Any]) -> None:
    """Write down how far a run came, whole or not at all."""
    kept = {"format": _FORMAT, "run": dict(identity), "progress": dict(progress)}
    beside = folder / f"{_PROGRESS}.part"
    with beside.open("wb") as file:
        file.write(json.dumps(kept).encode())
        atomic.to_disk(file)
    os.replace(beside, folder / _PROGRESS)


def keep_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what was learned."""
    with (folder / _LEARNED).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        atomic.to_disk(file)


def read_arrays(folder: Path) -> dict[str, np.ndarray]:
    """What `keep_arrays` wrote.

    Raises:
        DataError: it is damaged.
    """
    try:
        return safe_arrays.read_arrays(folder / _LEARNED, lambda name: True)
    except (OSError, DataError) as error:
        raise DataError(
            f"what the unfinished run in {folder} has learned cannot be read: {error}; pass "
            "force=True (--force) to begin again"
        ) from error


def finish(whole: Path, output: str, like: str, *, force: bool) -> None:
    """Put the result into its place, and remove the folder.

    Args:
        whole: the result, in the folder.
        output: its place.
        like: what it is made of; see `atomic.replacing`.
        force: replace an output that exists.
    """
    target, folder = atomic.resolved(output), folder_of(output)
    # by a name that any later run may sweep
    leaving = workrooms.named(target, f"{secrets.token_hex(8)}.part")
    os.rename(folder, leaving)
    try:
        atomic.put(leaving / whole.relative_to(folder), target, force=force, like=like)
    except OSError:  # it is not in its place
        os.rename(leaving, folder)
        raise
    workrooms.remove(leaving)


def writing(output: str) -> AbstractContextManager[None]:
    """Say what to do where a block cannot be written.

    Raises:
        OutputError: the disk is full, for instance.
    """
    where = folder_of(output)
    return atomic.output_errors(
        output,
        f"what is done so far lies in {where}, and the same command goes on from there",
    )

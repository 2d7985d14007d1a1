"""What completed blocks are written to, and the files of single blocks."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Sink(NamedTuple):
    """Where completed blocks go.

    Attributes:
        write: `(start, stop, fill, values)`: rows or steps, of which the cells in `fill` take the
            `values`, and all others are copied as the file holds them, bit for bit. Where draws are
            written, `values` has an axis of them in front.
        finish: puts the parts together, if there are any, and returns the path of the whole.
    """

    write: Callable[[int, int, np.ndarray, np.ndarray], None]
    finish: Callable[[], Path]


def settle(file) -> None:
    """Bring what was written to the disk."""
    file.flush()
    os.fsync(file.fileno())


def part(folder: Path, start: int, stop: int) -> Path:
    """The file of a block."""
    return folder / f"rows_{start:015d}_{stop:015d}.part"


def span(path: Path) -> tuple[int, int]:
    """The block of a file that `part` named.

    Example:
        >>> span(part(Path("work"), 3, 7))
        (3, 7)
    """
    start, stop = path.stem.split("_")[1:]
    return int(start), int(stop)


def all_parts(folder: Path, length: int) -> list[Path]:
    """The files of all blocks in order, of a source of this length."""
    found = sorted(folder.glob("rows_*.part"))
    spans = [span(path) for path in found]
    edges = [0, *(stop for _, stop in spans)]
    assert edges[-1] == length
    assert [start for start, _ in spans] == edges[:-1]
    return found

"""The files of single blocks."""

from pathlib import Path


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

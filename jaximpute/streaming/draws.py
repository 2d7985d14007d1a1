"""Draws of a file that is completed block by block: a file each, or one Parquet file for all."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaximpute._errors import OptionError, OutputError
from jaximpute.files import atomic, sheets
from jaximpute.files import draws as many
from jaximpute.files.sheets import Sheet
from jaximpute.streaming import outputs, parquet_output
from jaximpute.streaming.types import PARQUET, Sink, Source


def check(
    source: Source, output: str | None, draws: int, *, interval: bool, force: bool = False
) -> None:
    """Refuse draws that there is no place for, before the work is done.

    Args:
        source: what is completed.
        output: where they are to go; None writes nothing.
        draws: how many.
        interval: whether their median and the ends of their intervals are written instead.
        force: replace what exists.

    Raises:
        OptionError: steps of time, or a format with no place for them.
        OutputError: the output exists, or cannot be written.
        DataError: the file has a column of a name that is to be added.
    """
    if source.along == "time":
        raise OptionError(
            f"block by block the steps of time in {source.path} are drawn window by window, and "
            "draws of two windows would not fit together. Read the file whole, without block_rows "
            "(--block-rows), or ask for one completion"
        )
    if output is None:
        return
    suffix = Path(source.path).suffix.lower()
    if not interval and many.is_folder(output):
        _check_folder(output, many.names(suffix, draws), force)
        return
    if suffix not in PARQUET:
        raise OptionError(
            f"block by block the draws of {suffix} are written to a folder (5 draws: --draws 5 -o "
            "draws/); intervals are columns of Parquet"
        )
    sheets.check_output(output, force=force)
    outputs.check_format(source, output)
    many.check_names(Sheet(source.native[0].schema_arrow.empty_table(), None), interval)


def open_sink(
    source: Source,
    output: str,
    folder: Path,
    draws: int,
    *,
    interval: bool,
    cells: Sequence[int],
    fresh: bool,
) -> Sink:
    """Begin to write draws, or go on.

    Args:
        source: what is completed.
        output: where they are to go.
        folder: to work in.
        draws: how many.
        interval: whether what is written is their median, and the lower and upper ends.
        cells: how many each column of the source has observed.
        fresh: whether nothing was written before.

    Returns:
        A sink whose values have an axis in front: of the draws, or of those three.
    """
    if interval:
        holed = [
            i
            for i, column in enumerate(source.columns)
            if column.holds_numbers and cells[i] < source.rows
        ]
        return parquet_output.with_interval(source, folder, holed)
    if not many.is_folder(output):
        return parquet_output.stacked(source, folder, draws)
    return _files(source, folder, draws, fresh)


def _files(source: Source, folder: Path, draws: int, fresh: bool) -> Sink:
    whole = folder / "whole"
    whole.mkdir(exist_ok=True)
    ends = [whole / name for name in many.names(Path(source.path).suffix.lower(), draws)]
    own = {}
    for end in ends:
        if not end.exists():  # as it does after a run that was killed while it ended
            (folder / end.stem).mkdir(exist_ok=True)
            own[end] = outputs.open_sink(source, folder / end.stem, fresh=fresh)

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        for end, one in zip(ends, values, strict=True):
            own[end].write(start, stop, fill, one)

    def finish() -> Path:
        for end, sink in own.items():
            os.replace(sink.finish(), end)
        return whole

    return Sink(write, finish)


def _check_folder(output: str, wanted: Sequence[str], force: bool) -> None:
    """The folder appears as a whole, so that nothing else may lie where it is to be."""
    folder = atomic.resolved(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{output} is no folder")
    atomic.check_new(output, force=True)
    present = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    others = [name for name in present if name not in wanted]
    if others:
        raise OutputError(
            f"{output} holds '{others[0]}', which this run does not write; draws of a file in "
            "blocks go to a folder of their own: move it away, or name another folder"
        )
    if present and not force:
        raise OutputError(f"{output} holds draws; pass --force (force=True) to replace them")

"""Several completions of one file: one below the other, or as a file each, or as columns."""

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OutputError
from jaximpute.data import fields
from jaximpute.files import csv, filesets, grids, zarrfolders
from jaximpute.files import sheets as files
from jaximpute.files.sheets import Sheet

COLUMN = "draw"


def is_folder(path: str) -> bool:
    """Whether a path names a folder for files: it is one, or ends as one does; no Zarr store is."""
    if path == files.STREAM or grids.is_zarr(path.rstrip("/\\")):
        return False
    return path.endswith(("/", "\\")) or Path(path).is_dir()


def check_folder(path: str, suffix: str, draws: int, *, force: bool = False) -> None:
    """Refuse a folder that `write_folder` could not write into, before the work is done.

    Raises:
        OutputError: its own folder does not exist, or a file in it does and `force` is false; or
            it holds other draws, which would stay beside the new ones.
    """
    wanted = names(suffix, draws)
    filesets.check(path, wanted, force=force)
    for name in (name for name in wanted if grids.is_zarr(name)):
        zarrfolders.check(str(Path(path, name)))
    pattern = re.compile(rf"{COLUMN}_\d+{re.escape(suffix)}")
    held = sorted(each.name for each in Path(path).iterdir()) if Path(path).is_dir() else []
    other = next((name for name in held if pattern.fullmatch(name) and name not in wanted), None)
    if other is not None:
        raise OutputError(
            f"{path} holds '{other}' of other draws, beside which these could not be told apart; "
            "move it away, or name another folder"
        )


def write_folder(
    sheets: Sequence[Sheet],
    path: str,
    suffix: str,
    *,
    force: bool = False,
    like: str | None = None,
) -> None:
    """A file for each completion: `draw_1.csv`, `draw_2.csv`, ...; all of them appear together."""
    with filesets.replacing(path, force=force, like=like) as folder:
        for name, sheet in zip(names(suffix, len(sheets)), sheets, strict=True):
            files.write_file(sheet, str(folder / name))


def stacked(sheets: Sequence[Sheet]) -> Sheet:
    """The completions below one another, numbered from 1 in a first column `draw`."""
    first = sheets[0]
    if first.text is not None:
        text = csv.below([sheet.text for sheet in sheets if sheet.text is not None], COLUMN)
        return first._replace(
            table=pd.concat([sheet.table for sheet in sheets], ignore_index=True),
            text=text,
            dresses=[None, *first.dresses],
        )
    pyarrow = importlib.import_module("pyarrow")
    numbered = [
        sheet.table.add_column(0, COLUMN, pyarrow.array([i] * sheet.table.num_rows))
        for i, sheet in enumerate(sheets, 1)
    ]
    return Sheet(pyarrow.concat_tables(numbered), None)


def with_interval(sheet: Sheet, low: Sheet, high: Sheet, columns: Sequence[str]) -> Sheet:
    """The completion with columns `NAME_low` and `NAME_high` behind the others.

    Args:
        sheet: the completion to report.
        low: the same with the lower ends; equal where observed.
        high: with the upper ends.
        columns: names of those to give intervals for.

    Returns:
        The wider sheet.
    """
    names = _columns(sheet)
    ends = [
        (f"{name}_{end}", part, names.index(name))
        for name in columns
        for end, part in (("low", low), ("high", high))
    ]
    if sheet.text is not None:
        return sheet._replace(
            text=csv.beside(
                sheet.text,
                {name: (part.text, j) for name, part, j in ends if part.text is not None},
            )
        )
    table = sheet.table
    if fields.is_gridded(table):
        beside = {name: part.table[names[j]] for name, part, j in ends}
        return sheet._replace(table=table.assign(beside))
    for name, part, j in ends:
        table = table.append_column(name, part.table.column(j))
    return Sheet(table, None)


def check_names(sheet: Sheet, interval: bool) -> None:
    """Refuse a file with a column of a name that is to be added, or with no room for any.

    Args:
        sheet: the file.
        interval: whether `with_interval` will add them, or else `stacked`.

    Raises:
        DataError: it has one.
    """
    if interval and sheet.text is not None and sheet.text.dialect.fixed:
        raise DataError(
            "the columns of the file are told apart by their places, and nothing can stand beside "
            "them; save the file as CSV first"
        )
    names = _columns(sheet)
    added = [f"{name}_{end}" for name in names for end in ("low", "high")] if interval else [COLUMN]
    taken = [name for name in added if name in names]
    if taken:
        advice = "rename it" if interval else "rename it, or write to a folder (-o draws/)"
        raise DataError(f"the file has a column '{taken[0]}' already; {advice}")


def _columns(sheet: Sheet) -> list[str]:
    if fields.is_gridded(sheet.table):
        whole = sheet.table if sheet.origin is None else sheet.origin.dataset
        return [str(name) for name in whole.data_vars]
    return sheet.text.names if sheet.text is not None else sheet.table.column_names


def names(suffix: str, draws: int) -> list[str]:
    """What the files of so many completions are called.

    Example:
        >>> names(".npy", 2)
        ['draw_1.npy', 'draw_2.npy']
    """
    digits = len(str(draws))
    return [f"{COLUMN}_{i:0{digits}d}{suffix}" for i in np.arange(1, draws + 1).tolist()]

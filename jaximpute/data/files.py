"""Files in, files out, by suffix: CSV, Parquet, NetCDF, Zarr, NumPy; `-` is standard streams."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OutputError, need_extra
from jaximpute.data import csvtext, fields, gridfiles, placing, stacks
from jaximpute.data.placing import replacing

STREAM = "-"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")


class Sheet(NamedTuple):
    """A file's table.

    Attributes:
        table: a pandas frame for CSV, a pyarrow table for Parquet, an xarray `Dataset` for NetCDF
            and Zarr, an array for NumPy's files.
        text: the cells of a CSV file as written; None for the others.
    """

    table: Any
    text: csvtext.Text | None


def read_file(path: str, missing: Sequence[str] = ()) -> Sheet:
    """Read a table.

    Args:
        path: `.csv`, `.tsv`, `.parquet`, `.nc`, `.zarr`, `.npy` or `.npz`, or `-` for CSV on stdin.
        missing: texts that stand for a missing cell of a CSV file, besides the usual ones.

    Returns:
        The table, and for CSV the text it came from.

    Raises:
        DataError: no such file, unknown suffix, empty or damaged; the message names the file.
        MissingExtraError: Parquet without pyarrow, NetCDF or Zarr without xarray.
    """
    suffix = _suffix(path, DataError)
    source = "stdin" if path == STREAM else path
    if suffix in gridfiles.SUFFIXES:
        return Sheet(gridfiles.read_dataset(path), None)
    try:
        data = sys.stdin.buffer.read() if path == STREAM else Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}") from error
    if suffix in _PARQUET:
        return Sheet(_read_parquet(data, source), None)
    if suffix in stacks.SUFFIXES:
        return Sheet(stacks.read_stack(data, source), None)
    text = csvtext.parse(data, source, _DELIMITERS[suffix], missing)
    return Sheet(csvtext.typed(text, source), text)


def complete(sheet: Sheet, table: Any) -> Sheet:
    """The sheet with its table completed; in a CSV file only missing cells change.

    Args:
        sheet: what `read_file` returned.
        table: its table, completed.
    """
    return Sheet(table, None if sheet.text is None else csvtext.completed(sheet.text, table))


def punch(sheet: Sheet, holes: np.ndarray) -> Sheet:
    """The sheet without some of its cells.

    Args:
        sheet: what `read_file` returned.
        holes: `(rows, columns)`, True where a cell is to be emptied.

    Raises:
        DataError: the sheet is a field's.
    """
    if fields.is_gridded(sheet.table):
        raise DataError("cells of fields are not emptied; see jaximpute.missing for fields")
    if sheet.text is not None:
        rows = [
            ["" if hole else cell for cell, hole in zip(row, emptied, strict=True)]
            for row, emptied in zip(sheet.text.rows, holes.tolist(), strict=True)
        ]
        missing = (np.array(sheet.text.missing) | holes).tolist()
        return Sheet(sheet.table.mask(holes), sheet.text._replace(rows=rows, missing=missing))
    compute = pyarrow("pyarrow.compute")
    table = sheet.table
    for i, field in enumerate(table.schema):
        kept = compute.if_else(~holes[:, i], table.column(i), None)
        table = table.set_column(i, field, kept)
    return Sheet(table, None)


def write_file(sheet: Sheet, path: str, *, force: bool = False, like: str | None = None) -> None:
    """Write a table, in the format of the path's suffix; CSV on stdout for `-`.

    Args:
        sheet: the table; its text, if it has one, is written as it is.
        path: where.
        force: replace a file that exists.
        like: what it is made of: a new file may be read by nobody who cannot read this.

    Raises:
        OutputError: it exists and `force` is false, or it cannot be written; nothing half-written
            is left, and a file that was there is untouched.
        MissingExtraError: Parquet without pyarrow.
    """
    suffix = _suffix(path, OutputError)
    if (suffix in gridfiles.SUFFIXES) != fields.is_gridded(sheet.table):
        raise OutputError(
            f"cannot write {path}: what is read from NetCDF or Zarr is written as one of them "
            "(.nc, .zarr), and nothing else is"
        )
    if gridfiles.is_zarr(path):
        gridfiles.write_zarr(sheet.table, path, force=force, like=like)
        return
    if suffix in gridfiles.SUFFIXES:
        with replacing(path, force=force, like=like) as file:
            file.write(gridfiles.netcdf(sheet.table))
        return
    if (suffix in stacks.SUFFIXES) != isinstance(sheet.table, np.ndarray):
        raise OutputError(
            f"cannot write {path}: an array is written as .npy or .npz, and nothing else is"
        )
    if suffix in stacks.SUFFIXES:
        with replacing(path, force=force, like=like) as file:
            stacks.write_stack(file, sheet.table, suffix)
        return
    if suffix in _PARQUET:
        arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
        table = sheet.table
        if isinstance(table, pd.DataFrame):
            table = arrow.Table.from_pandas(table, preserve_index=False)
        with replacing(path, force=force, like=like) as file:
            parquet.write_table(table, file)
        return
    if sheet.text is None or sheet.text.delimiter != _DELIMITERS[suffix]:
        frame = sheet.table if isinstance(sheet.table, pd.DataFrame) else sheet.table.to_pandas()
        data = frame.to_csv(index=False, sep=_DELIMITERS[suffix]).encode()
    else:
        data = csvtext.render(sheet.text)
    if path == STREAM:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with replacing(path, force=force, like=like) as file:
        file.write(data)


def check_table(path: str, *, force: bool = False) -> None:
    """Refuse a path that `write_file` would refuse, before the work is done.

    Raises:
        OutputError: an unknown suffix, or see `check_output`.
    """
    _suffix(path, OutputError)
    check_output(path, force=force)


def check_output(path: str, *, force: bool = False) -> None:
    """Refuse a path that could not be written to, before the work is done.

    Raises:
        OutputError: it exists and `force` is false, its folder does not exist, or it is no file.
    """
    if path == STREAM:
        return
    if gridfiles.is_zarr(path):
        gridfiles.check_zarr(path, force=force)
        return
    placing.check(path, force=force)


def _suffix(path: str, wrong: type[DataError] | type[OutputError]) -> str:
    suffix = ".csv" if path == STREAM else Path(path).suffix.lower()
    every = (*_DELIMITERS, *_PARQUET, *gridfiles.SUFFIXES, *stacks.SUFFIXES)
    if suffix not in every:
        known = ", ".join(every)
        raise wrong(f"{path} has the suffix '{suffix}'; expected one of {known}, or - for CSV")
    return suffix


def _read_parquet(data: bytes, source: str) -> Any:
    arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
    try:
        table = parquet.read_table(arrow.BufferReader(data))
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{source} is no Parquet file: {error}") from error
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{source} has {table.num_rows} rows and {table.num_columns} columns")
    return table


def pyarrow(module: str) -> Any:
    """A module of pyarrow.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise need_extra("pyarrow", "parquet", "Parquet") from error

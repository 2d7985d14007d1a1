"""Files in, files out, by suffix: CSV, Parquet, NetCDF, Zarr, NumPy; `-` is standard streams."""

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OptionError, OutputError
from jaximpute.data import fields, looks
from jaximpute.data.dialect import Reading, check
from jaximpute.data.numerals import Dress
from jaximpute.files import (
    arrays,
    atomic,
    celltypes,
    cellwriting,
    compressed,
    csv,
    gridcopies,
    grids,
    gridviews,
    parquet,
)
from jaximpute.files.atomic import replacing

STREAM = "-"
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": ",", ".data": ","}


class Sheet(NamedTuple):
    """A file's table.

    Attributes:
        table: a pandas frame for CSV, a pyarrow table for Parquet, an xarray `Dataset` for NetCDF
            and Zarr, an array for NumPy's files.
        text: the cells of a CSV file as written; None for the others.
        dresses: how the numbers of each column of a CSV file are written; None for other columns.
        suffix: of the file, that of its compression aside; empty for stdin.
        notes: what was taken as what, and how to change it.
        origin: the file of NetCDF or Zarr that was read, of which the output is a copy.
        part: what of it was asked to be completed, if that is not all of it.
        stack: the array of a NumPy file as it was read, in its own type.
    """

    table: Any
    text: csv.Text | None
    dresses: list[Dress | None] = []  # noqa: RUF012 - of a tuple, never changed
    suffix: str = ""
    notes: tuple[str, ...] = ()
    origin: gridcopies.Origin | None = None
    part: Any = None
    stack: arrays.Stack | None = None


def read_file(path: str, reading: Reading | None = None) -> Sheet:
    """Read a table.

    Args:
        path: `.csv`, `.tsv`, `.txt`, `.data`, `.parquet`, `.nc`, `.zarr`, `.npy` or `.npz`, or `-`
            for CSV on stdin; text and Parquet also compressed (`.csv.gz`, `.bz2`, `.xz`, `.zip`).
        reading: what the user says about it; the rest is told by the file.

    Returns:
        The table, and for CSV the text it came from.

    Raises:
        DataError: no such file, unknown suffix, empty or damaged; the message names the file.
        OptionError: `reading` holds what is not for such a file, or no such value.
        MissingExtraError: Parquet without pyarrow, NetCDF or Zarr without xarray.
    """
    suffix = _suffix(path, DataError)
    reading = check(reading or Reading())
    source = "stdin" if path == STREAM else path
    _refuse(reading, suffix, source)
    if suffix in grids.SUFFIXES:
        origin = gridcopies.read(path)
        if not (reading.variables or reading.missing):
            return Sheet(origin.dataset, None, origin=origin)
        part, notes = gridviews.view(origin.dataset, reading.variables, reading.missing)
        return Sheet(part, None, notes=tuple(notes), origin=origin, part=part)
    try:
        data = _stdin() if path == STREAM else Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}") from error
    data = compressed.unpack(data, compressed.suffixes(path)[1], source)
    if suffix in parquet.SUFFIXES:
        table = parquet.read_table(data, source)
        return Sheet(parquet.without_signs(table, reading.missing), None)
    if suffix in arrays.SUFFIXES:
        stack, notes = arrays.read_stack(data, source), []
        if reading.missing:
            stack, notes = arrays.with_signs(stack, reading.missing)
        return Sheet(stack.values, None, notes=tuple(notes), stack=stack)
    text, notes = csv.parse(data, source, reading, _DELIMITERS[suffix])
    found = celltypes.typed(text, source, reading)
    found = _without_sentinels(found, reading)
    return Sheet(
        found.table,
        found.text,
        found.dresses,
        "" if path == STREAM else suffix,
        (*notes, *found.notes),
    )


def complete(sheet: Sheet, table: Any) -> Sheet:
    """The sheet with its table completed; in a CSV file only missing cells change.

    Args:
        sheet: what `read_file` returned.
        table: its table, completed.
    """
    if sheet.stack is not None:
        # under a mask given apart, too, which is why the table says what is missing
        missing = np.isnan(sheet.table)
        held, signed = sheet.stack.held, sheet.stack.signed
        return sheet._replace(table=arrays.completed(held, missing, table, signed))
    if sheet.text is None:
        return sheet._replace(table=table)
    text = cellwriting.completed(sheet.text, table, sheet.dresses)
    return sheet._replace(table=table, text=text)


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
        emptied = {(int(i), int(j)): "" for i, j in np.argwhere(holes)}
        missing = (np.array(sheet.text.missing) | holes).tolist()
        text = csv.changed(sheet.text, emptied, missing)
        return sheet._replace(table=sheet.table.mask(holes), text=text)
    compute = parquet.pyarrow("pyarrow.compute")
    table = sheet.table
    for i, field in enumerate(table.schema):
        kept = compute.if_else(~holes[:, i], table.column(i), None)
        table = table.set_column(i, field, kept)
    return sheet._replace(table=table)


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
    if (suffix in grids.SUFFIXES) != fields.is_gridded(sheet.table):
        raise OutputError(
            f"cannot write {path}: what is read from NetCDF or Zarr is written as one of them "
            "(.nc, .zarr), and nothing else is"
        )
    if suffix in grids.SUFFIXES:
        _write_grid(sheet, path, force=force, like=like)
        return
    if (suffix in arrays.SUFFIXES) != isinstance(sheet.table, np.ndarray):
        raise OutputError(
            f"cannot write {path}: an array is written as .npy or .npz, and nothing else is"
        )
    if suffix in arrays.SUFFIXES:
        with replacing(path, force=force, like=like) as file:
            name = "" if sheet.stack is None else sheet.stack.name
            arrays.write_stack(file, sheet.table, suffix, name)
        return
    table = sheet.table
    if suffix in parquet.SUFFIXES:
        if sheet.text is not None:
            table = cellwriting.lossless(sheet.text, table, sheet.dresses)
        data = parquet.parquet_of(table)
    elif sheet.text is None:
        frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
        data = frame.to_csv(index=False, sep=_DELIMITERS[suffix]).encode()
    else:
        # in its own dress, unless the name asks for another delimiter than such files have
        kept = path == STREAM or sheet.suffix in ("", suffix)
        data = csv.render(sheet.text, None if kept else _DELIMITERS[suffix])
    if path == STREAM:
        _to_stdout(data)
        return
    with replacing(path, force=force, like=like) as file:
        file.write(compressed.pack(data, path))


def _write_grid(sheet: Sheet, path: str, *, force: bool, like: str | None) -> None:
    origin, table = sheet.origin, sheet.table
    if origin is not None and sheet.part is not None:
        table = gridviews.put_back(origin.dataset, sheet.part, table)
    if origin is not None and not gridcopies.fits(origin, path):
        origin = None
    if grids.is_zarr(path):
        make = functools.partial(grids.to_zarr, table)
        if origin is not None:
            make = functools.partial(gridcopies.write, origin, table)
        grids.write_zarr(make, path, force=force, like=like)
        return
    with replacing(path, force=force, like=like) as file, tempfile.TemporaryDirectory() as folder:
        if origin is None:
            file.write(grids.netcdf(table))
            return
        made = Path(folder) / "filled.nc"
        gridcopies.write(origin, table, made)
        with made.open("rb") as whole:
            shutil.copyfileobj(whole, file)


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
    if grids.is_zarr(path):
        grids.check_zarr(path, force=force)
        return
    atomic.check(path, force=force)


def suffix_of(path: str) -> str:
    """The suffixes of files of a path's format and compression; `.csv` for stdin."""
    return ".csv" if path == STREAM else "".join(compressed.suffixes(path))


def _suffix(path: str, wrong: type[DataError] | type[OutputError]) -> str:
    suffix, packed = (".csv", "") if path == STREAM else compressed.suffixes(path)
    tables = (*_DELIMITERS, *parquet.SUFFIXES)
    if suffix not in (tables if packed else (*tables, *grids.SUFFIXES, *arrays.SUFFIXES)):
        known = ", ".join((*tables, *grids.SUFFIXES, *arrays.SUFFIXES))
        raise wrong(
            f"{path} has the suffix '{suffix}{packed}'; expected one of {known}, "
            f"{', '.join(tables)} followed by one of {', '.join(compressed.SUFFIXES)}, or - for CSV"
        )
    return suffix


def _refuse(reading: Reading, suffix: str, source: str) -> None:
    """Options that mean nothing for a format are mistakes."""
    if reading.variables and suffix not in grids.SUFFIXES:
        raise OptionError(
            f"--variables chooses among the variables of NetCDF and Zarr, and {source} is neither"
        )
    if suffix not in _DELIMITERS and (wrong := reading.of_text):
        raise OptionError(
            f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} for text files such as CSV, "
            f"and {source} is none"
        )


def _without_sentinels(found: celltypes.Typed, reading: Reading) -> celltypes.Typed:
    """Take for missing a number that several columns repeat far off the rest, and say so."""
    numbers = [
        j
        for j, dress in enumerate(found.dresses)
        if dress is not None and found.text.names[j] not in reading.kinds
    ]
    if reading.missing_only:
        return found
    table = found.table
    columns = [table.iloc[:, j].to_numpy(dtype=np.float64, na_value=np.nan) for j in numbers]
    sure = [hit for hit in looks.sentinels(columns) if hit.sure]
    if not sure:
        return found
    missing = np.array(found.text.missing)
    for hit in sure:
        missing[:, numbers[hit.column]] |= columns[hit.column] == hit.value
    notes = []
    for value in sorted({hit.value for hit in sure}):
        where = [hit for hit in sure if hit.value == value]
        shown = ", ".join(f"'{found.text.names[numbers[hit.column]]}'" for hit in where[:6])
        more = f" and {len(where) - 6} more" if len(where) > 6 else ""
        notes.append(
            f"{value:.10g} is taken for a missing cell {sum(hit.cells for hit in where)} times, in "
            f"columns {shown}{more}: it is repeated far off their other values. --missing "
            f"{value:.10g} says the same; --missing-only NA takes it for a number"
        )
    empty = missing & ~np.array(found.text.missing)
    return found._replace(
        table=table.mask(pd.DataFrame(empty, table.index, table.columns)),
        text=found.text._replace(missing=missing.tolist()),
        notes=[*found.notes, *notes],
    )


def _stdin() -> bytes:
    if sys.stdin is None:
        raise DataError("cannot read stdin: it is closed")
    return sys.stdin.buffer.read()


def _to_stdout(data: bytes) -> None:
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed; name a file with -o")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        raise
    except OSError as error:
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # or the end would try once more
        raise OutputError(f"cannot write to stdout: {error.strerror or error}") from error

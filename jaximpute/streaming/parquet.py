"""Parquet in blocks of rows, tables or series, and a block of rows with its gaps filled."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaximpute._errors import DataError, TimeError
from jaximpute.data.codec import MOST_LEVELS
from jaximpute.data.columns import Column, ColumnKind, is_long, read_long, suggest
from jaximpute.data.panels import check_group
from jaximpute.data.series import make_axis, parse_stamps
from jaximpute.files.parquet import pyarrow
from jaximpute.streaming.panel import Panel, panel_of, placed
from jaximpute.streaming.types import Source

_TOO_MANY = f"it holds more than {MOST_LEVELS} different values, too many to learn"


def open_parquet(path: str, time: str | None = None, group: Sequence[str] = ()) -> Source:
    """A Parquet file as rows, as steps of time, or as series that are a row each.

    Columns of texts and categories are read once, one after the other, for their levels. Reading a
    block decodes the row groups it lies in, whole.

    Args:
        path: of the file.
        time: the column of time stamps of a series.
        group: the columns that tell several apart, which lie below one another.

    Raises:
        DataError: it is no Parquet file, or has no rows or columns; or see `panel.panel_of`.
        TimeError: see `jaximpute.streaming.formats.open_source`.
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file: {error}") from error
    about, schema = file.metadata, file.schema_arrow
    if not about.num_rows or not len(schema):
        raise DataError(f"{path} has {about.num_rows} rows and {len(schema)} columns")
    if len(set(schema.names)) < len(schema):
        raise DataError(f"the columns of {path} have the same names; expected one name for each")
    panel = None
    if group:
        check_group(list(group), time, schema.names, where=f" of {path}")
    if time is not None:
        _check_name(file, time)
    if group and time is not None:
        keys = file.read(columns=[*group, time], use_threads=False)
        panel = panel_of(keys, path, time, group, len(schema))
    elif time is not None:
        _check_time(file, path, time)
    kinds: dict[str, ColumnKind] = dict.fromkeys(group, "group")
    kinds |= {} if time is None else {time: "time"}
    columns = tuple(
        Column(field.name, kinds[field.name]) if field.name in kinds else _column(file, field)
        for field in schema
    )
    groups = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
    starts = np.concatenate([[0], np.cumsum(groups)])

    event = (len(columns),) if time is None else (1, len(columns))

    @functools.lru_cache(maxsize=1)  # blocks in order want the same group again
    def part(i: int) -> Any:
        return file.read_row_group(i, use_threads=False)

    def rows(start: int, stop: int) -> Any:
        first = int(np.searchsorted(starts, start, side="right")) - 1
        last = int(np.searchsorted(starts, stop, side="left"))
        parts = [
            part(i).slice(max(start - starts[i], 0), stop - max(start, starts[i]))
            for i in range(first, last)
        ]
        return arrow.concat_tables(parts)

    def cells_in(table: Any) -> np.ndarray:
        return np.column_stack(
            [cells_of(table.column(i), column) for i, column in enumerate(columns)]
        )

    def read(start: int, stop: int) -> np.ndarray:
        return cells_in(rows(start, stop)).reshape(stop - start, *event)

    if panel is not None:
        return _of_series(path, panel, columns, max(groups), (file, rows), cells_in)

    return Source(
        path,
        "table" if time is None else "series",
        "rows" if time is None else "time",
        about.num_rows,
        event,
        columns,
        unit=max(groups),
        align=1,
        read=read,
        native=(file, rows),
    )


def _of_series(
    path: str,
    panel: Panel,
    columns: tuple[Column, ...],
    unit: int,
    native: tuple[Any, Callable[[int, int], Any]],
    cells_in: Callable[[Any], np.ndarray],
) -> Source:
    """Whole series, one after the other."""
    file, rows = native

    def lines(start: int, stop: int) -> Any:
        return rows(int(panel.starts[start]), int(panel.starts[stop]))

    def read(start: int, stop: int) -> np.ndarray:
        return placed(panel, start, stop, cells_in(lines(start, stop)))

    return Source(
        path,
        "series",
        "rows",
        len(panel.starts) - 1,
        (panel.length, len(columns)),
        columns,
        unit=max(1, unit // panel.length),
        align=1,
        read=read,
        native=(file, lines),
        panel=panel,
    )


def cells_of(cells: Any, column: Column) -> np.ndarray:
    """A column of a block as float64, NaN where missing; codes for levels, 0 for what is not
    learned."""
    arrow, compute = pyarrow("pyarrow"), pyarrow("pyarrow.compute")
    if not column.holds_values:
        return np.where(cells.is_null().to_numpy(), np.nan, 0.0)
    if column.levels:
        levels = arrow.array(column.levels, _plain(cells.type))
        cells = compute.index_in(cells.cast(_plain(cells.type)), value_set=levels)
    return cells.cast(arrow.float64(), safe=False).to_numpy().astype(np.float64)


def filled(table: Any, columns: tuple[Column, ...], fill: np.ndarray, values: np.ndarray) -> Any:
    """A block with some cells filled; all others, the schema and its metadata stay.

    Args:
        table: the block, as read.
        columns: of the source.
        fill: `(rows, columns)`, which cells.
        values: `(rows, columns)`, coded like the cells of the source.
    """
    arrow, compute = pyarrow("pyarrow"), pyarrow("pyarrow.compute")
    for i, (field, column) in enumerate(zip(table.schema, columns, strict=True)):
        here = fill[:, i]
        if not here.any():
            continue
        plain, cells = _plain(field.type), np.where(here, values[:, i], 0)
        if column.levels:
            new = arrow.array(column.levels, plain).take(arrow.array(cells.astype(np.int64)))
        elif column.kind == "integer" and column.limits is not None:
            low, high = column.limits
            whole = np.array([min(max(int(cell), low), high) for cell in cells[here]], object)
            cells = np.zeros(len(here), np.uint64 if low == 0 else np.int64)
            cells[here] = whole.astype(cells.dtype)
            new = arrow.array(cells).cast(plain)
        else:
            new = arrow.array(cells).cast(plain, safe=False)
        old = table.column(i).cast(plain)
        both = compute.if_else(arrow.array(here), new, old)
        if plain != field.type:
            both = both.dictionary_encode().cast(field.type)
        table = table.set_column(i, field, both)
    return table


def _check_name(file: Any, time: str) -> None:
    names = file.schema_arrow.names
    if time not in names:
        raise TimeError(f"no column is called {time!r}{suggest(time, names)}")


def _check_time(file: Any, path: str, time: str) -> None:
    """Refuse stamps between which a block would have to know what lies in others."""
    stamps = file.read(columns=[time], use_threads=False).column(0)
    length = len(stamps)
    axis, _ = make_axis(parse_stamps(stamps.to_pandas(), length, f"column {time!r}"), length)
    if (axis.order != np.arange(length)).any():
        raise TimeError(f"the rows of {path} are not in order of {time!r}; sort them first")
    if axis.positions is not None or axis.length != length:
        raise TimeError(
            f"the steps of {time!r} in {path} are irregular, or rows are absent; block by block a "
            "series needs one row for each step. Put in the absent rows, with nothing observed"
        )


def _column(file: Any, field: Any) -> Column:
    """What a column holds, by its type; levels by its cells."""
    types = pyarrow("pyarrow.types")
    kind = _plain(field.type)
    if types.is_boolean(kind):
        return Column(field.name, "boolean", (False, True))
    if types.is_integer(kind) and _may_be_long(file, field.name):
        cells = file.read(columns=[field.name], use_threads=False).column(0)
        missing = cells.is_null().to_numpy()
        long = None if missing.all() else read_long(cells.to_pylist(), field.name, missing)
        if long is not None:
            few = len(long[0].levels) <= MOST_LEVELS
            return long[0] if few else Column(field.name, "other", reason=_TOO_MANY)
    if types.is_integer(kind):
        limits = np.iinfo(str(kind))
        return Column(field.name, "integer", limits=(int(limits.min), int(limits.max)))
    if types.is_floating(kind) or types.is_decimal(kind):
        return Column(field.name, "number")
    if types.is_string(kind) or types.is_large_string(kind):
        levels = _levels(file, field.name)
        if levels is None:
            return Column(field.name, "other", reason=_TOO_MANY)
        return Column(field.name, "text" if kind == field.type else "category", levels)
    if types.is_temporal(kind):
        return Column(field.name, "time", reason="dates and times are not learned")
    return Column(field.name, "other", reason=f"cells of type {field.type} are not learned")


def _may_be_long(file: Any, name: str) -> bool:
    """Whether integers may have more than 15 digits, by the statistics of the file's parts."""
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        about = next(
            column
            for column in (group.column(j) for j in range(group.num_columns))
            if column.path_in_schema == name
        )
        found = about.statistics
        if found is None or not found.has_min_max:
            if found is None or found.null_count != about.num_values:
                return True
        elif is_long(found.min, found.max):
            return True
    return False


def _levels(file: Any, name: str) -> tuple[str, ...] | None:
    """The texts in a column, in order; None if there are too many to learn."""
    found: set[str] = set()
    for batch in file.iter_batches(columns=[name], use_threads=False):
        column = batch.column(0)
        found |= set(column.cast(_plain(column.type)).unique().to_pylist()) - {None}
        if len(found) > MOST_LEVELS:
            return None
    return tuple(sorted(found))


def _plain(kind: Any) -> Any:
    """The type of the values behind a dictionary."""
    return kind.value_type if pyarrow("pyarrow.types").is_dictionary(kind) else kind

"""Parquet files that are completed block by block: a part for each block, put together at the end.

A Parquet file cannot be appended to: one that is killed before its end is lost.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaximpute.files import draws as many
from jaximpute.files.atomic import to_disk
from jaximpute.files.parquet import pyarrow
from jaximpute.streaming import parts
from jaximpute.streaming.panel import taken
from jaximpute.streaming.parquet import filled
from jaximpute.streaming.types import Sink, Source


def plain(source: Source, folder: Path) -> Sink:
    """One completion.

    Args:
        source: what is completed.
        folder: to work in.
    """

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        _write(source, folder, start, stop, _block(source, start, stop, fill, values))

    def finish() -> Path:
        return _together(source, folder, source.native[0].schema_arrow, _tables(source, folder))

    return Sink(write, finish)


def stacked(source: Source, folder: Path, draws: int) -> Sink:
    """Draws below one another, numbered from 1 in a first column `draw`.

    Args:
        source: what is completed.
        folder: to work in; each draw's parts lie in a folder there.
        draws: how many.
    """
    own = [folder / f"draw_{i}" for i in range(1, draws + 1)]
    for place in own:
        place.mkdir(exist_ok=True)

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        for place, one in zip(own, values, strict=True):
            _write(source, place, start, stop, _block(source, start, stop, fill, one))

    def numbered(table: Any, i: int) -> Any:
        number = pyarrow("pyarrow").array(np.full(table.num_rows, i, np.int64))
        return table.add_column(0, many.COLUMN, number)

    def finish() -> Path:
        tables = (
            numbered(table, i) for i, place in enumerate(own, 1) for table in _tables(source, place)
        )
        schema = numbered(source.native[0].schema_arrow.empty_table(), 0).schema
        return _together(source, folder, schema, tables)

    return Sink(write, finish)


def with_interval(source: Source, folder: Path, holed: Sequence[int]) -> Sink:
    """The median of draws, and columns `NAME_low` and `NAME_high` behind the others.

    Args:
        source: what is completed.
        folder: to work in.
        holed: the columns to give intervals for.

    Returns:
        A sink whose values are the median, the lower and the upper ends.
    """
    names = [column.name for column in source.columns]

    def wider(table: Any, low: Any, high: Any) -> Any:
        for i in holed:
            for end, other in (("low", low), ("high", high)):
                table = table.append_column(f"{names[i]}_{end}", other.column(i))
        return table

    def write(start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> None:
        blocks = (_block(source, start, stop, fill, one) for one in values)
        _write(source, folder, start, stop, wider(*blocks))

    def finish() -> Path:
        empty = source.native[0].schema_arrow.empty_table()
        schema = wider(empty, empty, empty).schema
        return _together(source, folder, schema, _tables(source, folder))

    return Sink(write, finish)


def _block(source: Source, start: int, stop: int, fill: np.ndarray, values: np.ndarray) -> Any:
    rows: Callable[[int, int], Any] = source.native[1]
    if source.panel is None:
        flat = (stop - start, len(source.columns))
        here, cells = fill.reshape(flat), values.reshape(flat)
    else:
        here, cells = (taken(source.panel, start, stop, part) for part in (fill, values))
    return filled(rows(start, stop), source.columns, here, cells)


def _write(source: Source, folder: Path, start: int, stop: int, table: Any) -> None:
    size = max(1, table.num_rows)
    with parts.part(folder, start, stop).open("wb") as out:
        pyarrow("pyarrow.parquet").write_table(table, out, row_group_size=size, **_how(source))
        to_disk(out)


def _tables(source: Source, folder: Path) -> Iterable[Any]:
    for part in parts.all_parts(folder, source.length):
        yield pyarrow("pyarrow.parquet").read_table(part, use_threads=False, memory_map=False)


def _together(source: Source, folder: Path, schema: Any, tables: Iterable[Any]) -> Path:
    arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
    whole = folder / "whole.parquet"
    with whole.open("wb") as out:
        with parquet.ParquetWriter(out, schema, **_how(source)) as writer:
            for table in tables:
                writer.write_table(arrow.Table.from_batches(table.to_batches(), schema))
        to_disk(out)
    return whole


def _how(source: Source) -> dict[str, str]:
    """Pressed as the source is."""
    pressed = source.native[0].metadata.row_group(0).column(0).compression.lower()
    return {"compression": "none" if pressed == "uncompressed" else pressed}

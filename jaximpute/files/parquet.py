"""Parquet files whole: read, cells that stand for missing ones emptied, written."""

import importlib
import io
from collections.abc import Sequence
from typing import Any

import pandas as pd

from jaximpute._errors import DataError, need_extra
from jaximpute.data import signs
from jaximpute.data.dialect import Reading

SUFFIXES = (".parquet", ".pq")


def read_table(data: bytes, source: str) -> Any:
    """A Parquet file as a pyarrow table.

    Raises:
        DataError: it is none, or has no rows or columns.
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
    try:
        table = parquet.read_table(arrow.BufferReader(data))
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{source} is no Parquet file: {error}") from error
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{source} has {table.num_rows} rows and {table.num_columns} columns")
    return table


def without_signs(table: Any, missing: Sequence[str]) -> Any:
    """A pyarrow table without the cells that `--missing` names.

    Numbers are compared as numbers, texts as texts without spaces around them.
    """
    if not missing:
        return table
    arrow, compute = pyarrow("pyarrow"), pyarrow("pyarrow.compute")
    tokens = signs.signs_of(Reading(missing=tuple(missing), missing_only=("",)), table.column_names)
    for i, (field, named) in enumerate(zip(table.schema, tokens, strict=True)):
        column, kind = table.column(i), field.type
        if arrow.types.is_dictionary(kind):
            kind = kind.value_type
        if arrow.types.is_string(kind) or arrow.types.is_large_string(kind):
            plain = column.cast(kind)
            texts = arrow.array(sorted(named - {""}), kind)
            hit = compute.is_in(compute.utf8_trim_whitespace(plain), texts)
        elif (
            arrow.types.is_integer(kind)
            or arrow.types.is_floating(kind)
            or arrow.types.is_decimal(kind)
        ):
            numbers = sorted(signs.numbers_of(named))
            hit = compute.is_in(
                column.cast(arrow.float64(), safe=False), arrow.array(numbers, arrow.float64())
            )
        else:
            continue
        if compute.any(hit).as_py():
            emptied = compute.if_else(hit, arrow.scalar(None, kind), column.cast(kind))
            table = table.set_column(i, field, emptied.cast(field.type))
    return table


def parquet_of(table: Any) -> bytes:
    """A pyarrow table or a pandas frame as a Parquet file.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow("pyarrow"), pyarrow("pyarrow.parquet")
    if isinstance(table, pd.DataFrame):
        table = arrow.Table.from_pandas(table, preserve_index=False)
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def pyarrow(module: str) -> Any:
    """A module of pyarrow.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise need_extra("pyarrow", "parquet", "Parquet") from error

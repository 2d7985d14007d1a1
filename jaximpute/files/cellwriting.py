"""Completed cells as text, written in the manner of their column."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from jaximpute.data import numerals
from jaximpute.data.numerals import PLAIN, Dress
from jaximpute.files import csv
from jaximpute.files.celltypes import BOOLEAN, DATE, INTEGER
from jaximpute.files.csv import Text


def completed(text: Text, frame: pd.DataFrame, dresses: Sequence[Dress | None]) -> Text:
    """The missing cells that `frame` holds, written in their column's manner.

    A filled number gets as many decimals as the observed cells of its column show at most (as many
    digits, if they have exponents), and their dress; integers stay integers, and booleans are
    spelled as observed ones are.

    Args:
        text: the file as read; not changed.
        frame: `celltypes.typed(text).table`, completed.
        dresses: of its columns.

    Returns:
        The file in which only missing cells differ.
    """
    missing = [list(row) for row in text.missing]
    cells: dict[tuple[int, int], str] = {}
    rows = text.rows
    for j in range(len(text.names)):
        column = frame.iloc[:, j]
        fill = [i for i, hole in enumerate(text.missing) if hole[j]]
        present = column.notna().to_numpy()
        fill = [i for i in fill if present[i]]
        if not fill:
            continue
        observed = [
            row[j].strip() for row, hole in zip(rows, text.missing, strict=True) if not hole[j]
        ]
        write = _writer(column, observed, dresses[j] or PLAIN)
        for i, value in zip(fill, column.iloc[fill], strict=True):
            cells[i, j], missing[i][j] = write(value), False
    return csv.changed(text, cells, missing)


def lossless(text: Text, frame: pd.DataFrame, dresses: Sequence[Dress | None]) -> pd.DataFrame:
    """The table for a format with types: as text where a type would change what a cell says.

    Args:
        text: the file.
        frame: its table.
        dresses: of its columns.

    Returns:
        The table, in which numbers with units and dates in an order of their own are texts.
    """
    changes, rows = {}, text.rows
    for j, name in enumerate(text.names):
        column, dress = frame.iloc[:, j], dresses[j]
        dated = pd.api.types.is_datetime64_any_dtype(column.dtype)
        cells = [row[j] for row in rows]
        unlike = dated and not all(
            hole[j] or DATE.fullmatch(cell.strip())
            for cell, hole in zip(cells, text.missing, strict=True)
        )
        # in UTC, what had offsets of its own
        offsets = str(getattr(column.dtype, "tz", "")) == "UTC" and not all(
            hole[j] or cell.strip().endswith("Z")
            for cell, hole in zip(cells, text.missing, strict=True)
        )
        if (dress is not None and not dress.is_bare) or unlike or offsets:
            changes[name] = pd.array(
                [None if hole[j] else cell for cell, hole in zip(cells, text.missing, strict=True)],
                dtype="string",
            )
    return frame.assign(**changes) if changes else frame


def _writer(column: pd.Series, observed: Sequence[str], dress: Dress) -> Callable[[Any], str]:
    if pd.api.types.is_bool_dtype(column.dtype):
        first = observed[0] if observed else "true"
        like = str.upper if first.isupper() else str.title if first.istitle() else str.lower
        # a value that is nowhere observed is spelled in the manner of the other
        spelled = {True: like("true"), False: like("false")}
        spelled |= {BOOLEAN[cell.lower()]: cell for cell in reversed(observed)}
        return lambda value: spelled[bool(value)]
    if pd.api.types.is_integer_dtype(column.dtype):
        return lambda value: numerals.clothe(str(value), dress)
    if not pd.api.types.is_float_dtype(column.dtype):
        return str
    plain = [numerals.plain(cell, dress).lower() for cell in set(observed)]
    if all(INTEGER.fullmatch(cell) for cell in plain):
        # numbers are known to have decimals, and show none
        return lambda value: numerals.clothe(f"{value + 0.0:.6g}", dress)
    mantissas = [cell.split("e")[0] for cell in plain]
    decimals = max(len(part) for _, _, part in (cell.partition(".") for cell in mantissas))
    kind = "e" if any("e" in cell for cell in plain) else "f"

    def written(value: float) -> str:
        number = f"{value:.{decimals}{kind}}"
        # no minus before what is rounded to zero
        return numerals.clothe(number.lstrip("-") if float(number) == 0 else number, dress)

    return written

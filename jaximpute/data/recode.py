"""Rows to come in the codes of rows that were learned from: each level keeps its number."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from jaximpute._errors import DataError
from jaximpute.data.columns import Column
from jaximpute.data.frames import Frame


def holds_levels(data: Any) -> bool:
    """Whether a container is a frame with columns of anything but numbers.

    Example:
        >>> import numpy as np, pandas as pd
        >>> holds_levels(pd.DataFrame({"a": ["x", None]})), holds_levels(np.zeros((2, 1)))
        (True, False)
    """
    table = nw.from_native(data, eager_only=True, pass_through=True)
    if not isinstance(table, nw.DataFrame):
        return False
    return any(not table[name].dtype.is_numeric() for name in table.columns)


def recode(frame: Frame, columns: Sequence[Column]) -> tuple[Frame, np.ndarray]:
    """Rows to come under the columns that were learned from.

    Args:
        frame: what `frames.read` returned of them, with the same columns in the same order.
        columns: those that were learned from, with their levels.

    Returns:
        The frame under these columns, whose container has room for their levels; and the cells for
        a method, `(rows, columns)`. A level that was not learned is observed in the frame, and so
        stays as it is. To the method it is missing. No column is static by these rows, among which
        there may be one series only.

    Raises:
        DataError: a column holds levels where numbers were learned, or the other way round.

    Example:
        >>> import pandas as pd
        >>> from jaximpute.data.frames import read
        >>> learned = read(pd.DataFrame({"a": ["x", "y", None]})).columns
        >>> _, cells = recode(read(pd.DataFrame({"a": ["y", "z"]})), learned)
        >>> cells.ravel().tolist()
        [1.0, nan]
    """
    values, cells = frame.values.copy(), frame.values.copy()
    for i, (own, learned) in enumerate(zip(frame.columns, columns, strict=True)):
        seen = frame.mask[:, i]
        if not learned.holds_values or not seen.any():
            continue
        _refuse_other_kind(own, learned)
        if not learned.holds_levels:
            continue
        code = {level: float(number) for number, level in enumerate(learned.levels)}
        codes = np.array([code.get(level, np.nan) for level in own.levels])
        cells[seen, i] = codes[frame.values[seen, i].astype(int)]
        values[seen, i] = np.nan_to_num(cells[seen, i])
    native = _with_room(frame.native, columns)
    known = frame._replace(values=values, columns=tuple(columns), native=native, static=())
    return known, cells


def _refuse_other_kind(own: Column, learned: Column) -> None:
    if (own.holds_levels, own.holds_numbers) != (learned.holds_levels, learned.holds_numbers):
        words = "numbers" if learned.holds_numbers else "texts, categories or booleans"
        raise DataError(
            f"{own.called} is of kind '{own.kind}', and what was learned of it are {words}; "
            "convert it to what it was in the rows given to fit"
        )


def _with_room(native: Any, columns: Sequence[Column]) -> Any:
    """The container, its columns of types that take all levels that may be filled in."""
    levelled = [(i, column) for i, column in enumerate(columns) if column.holds_levels]
    if isinstance(native, pd.DataFrame):
        result = native.copy(deep=False)
        for i, column in levelled:
            own = native.iloc[:, i]
            if isinstance(own.dtype, pd.CategoricalDtype):
                lacking = [one for one in column.levels if one not in own.cat.categories]
                result.isetitem(i, own.cat.add_categories(lacking) if lacking else own)
            elif own.isna().all():
                result.isetitem(i, own.astype(object))
        return result
    table = nw.from_native(native, eager_only=True)
    changes = []
    for i, column in levelled:
        own = table[table.columns[i]]
        if isinstance(own.dtype, nw.Enum):
            lacking = [one for one in column.levels if one not in own.dtype.categories]
            changes += [own.cast(nw.Enum([*own.dtype.categories, *lacking]))] if lacking else []
        elif own.is_null().all() and own.dtype not in (nw.Categorical, nw.String, nw.Boolean):
            changes.append(own.cast(nw.Boolean if column.kind == "boolean" else nw.String))
    return table.with_columns(*changes).to_native() if changes else native

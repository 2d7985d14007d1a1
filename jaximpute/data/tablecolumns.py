"""Some columns of a table of pandas or pyarrow: taken out, made alike, put back."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from jaximpute.data.columns import Column
from jaximpute.data.frames import Frame


def some(table: Any, names: Sequence[str]) -> Any:
    """The columns of these names, in this order.

    Example:
        >>> import pandas as pd
        >>> some(pd.DataFrame({"a": [1], "b": [2]}), ["b"]).columns.tolist()
        ['b']
    """
    return table[list(names)] if isinstance(table, pd.DataFrame) else table.select(list(names))


def part(frame: Frame, where: Sequence[int], names: Sequence[str]) -> Frame:
    """A frame of some of its columns.

    Args:
        frame: of a table of pandas or pyarrow.
        where: numbers of the columns.
        names: of the same.
    """
    return frame._replace(
        values=frame.values[:, list(where)],
        columns=tuple(frame.columns[i] for i in where),
        native=some(frame.native, names),
        static=tuple(i for i, column in enumerate(where) if column in frame.static),
    )


def put(table: Any, names: Sequence[str], columns: Any) -> Any:
    """A table with columns replaced by those of the same names of another.

    Example:
        >>> import pandas as pd
        >>> put(pd.DataFrame({"a": [1], "b": [2]}), ["b"], pd.DataFrame({"b": [3]})).b.tolist()
        [3]
    """
    if isinstance(table, pd.DataFrame):
        return table.assign(**{name: columns[name] for name in names})
    for name in names:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, columns.schema.field(name), columns.column(name))
    return table


def as_learned(table: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """A CSV file's table with columns of the kind that was learned, whatever its cells look like.

    Where a few rows show only whole numbers, or none, the file does not say what a column holds.

    Args:
        table: as it was read.
        columns: those that were learned.
    """
    changes = {}
    for column in (one for one in columns if one.name in table.columns):
        own = table[column.name]
        if own.notna().any() and not pd.api.types.is_integer_dtype(own.dtype):
            continue
        if column.holds_numbers:
            kind = "Int64" if column.kind == "integer" else "Float64"
            changes[column.name] = pd.Series(pd.to_numeric(own), own.index).astype(kind)
        elif column.kind == "text" and own.notna().any():
            changes[column.name] = own.map(str, na_action="ignore").astype(object)
    return table.assign(**changes)

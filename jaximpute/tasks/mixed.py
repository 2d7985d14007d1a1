"""Frames with texts, categories and booleans, for `Imputer`: read, completed, cut to columns."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from jaximpute.data import frames
from jaximpute.data.frames import Frame


def read(data: Any, missing_values: Any) -> Frame:
    """A frame whose rows have no order, whatever its index is.

    Args:
        data: a frame of pandas, polars or pyarrow.
        missing_values: a number that marks a missing cell of columns of numbers, or NaN.
    """
    plain = data.reset_index(drop=True) if isinstance(data, pd.DataFrame) else data
    frame = frames.read(plain)
    if pd.isna(missing_values):
        return frame
    numbers = np.array([column.holds_numbers for column in frame.columns])
    marked = (frame.values == missing_values) & numbers[None]
    return frame._replace(values=np.where(marked, np.nan, frame.values))


def write(
    data: Any, frame: Frame, values: np.ndarray, kept: np.ndarray, flags: dict[str, np.ndarray]
) -> Any:
    """The container with its missing cells filled.

    Args:
        data: as it was given, with its index.
        frame: what `recode` made of it.
        values: `(rows, columns)` completed.
        kept: `(columns,)` which are returned.
        flags: `(rows,)` of columns to append, by their names.

    Returns:
        A container of the same type.
    """
    filled: Any = frames.write(frame, values)
    if isinstance(data, pd.DataFrame):
        result = filled.set_axis(data.index).loc[:, kept]
        return result.assign(**flags) if flags else result
    table = nw.from_native(filled, eager_only=True)
    names = [name for name, keep in zip(table.columns, kept, strict=True) if keep]
    backend = table.implementation
    more = [nw.new_series(name, flag, nw.Boolean, backend=backend) for name, flag in flags.items()]
    return table.select(names).with_columns(*more).to_native()

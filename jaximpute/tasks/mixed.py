"""Frames with texts, categories and booleans, for `Imputer`: read, completed, cut to columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from jaximpute.data import frames, possible
from jaximpute.data.frames import Frame


def read(data: Any, missing_values: Any, time: Any = None, group: Any = None) -> Frame:
    """A frame whose rows have no order, whatever its index is, unless it is said to hold series.

    Args:
        data: a frame of pandas, polars or pyarrow.
        missing_values: a number that marks a missing cell of columns of numbers, or NaN.
        time: of series, see `frames.read`.
        group: what tells series apart.
    """
    if time is not None or group is not None:
        frame = frames.read(data, time, None, group)
    else:
        plain = data.reset_index(drop=True) if isinstance(data, pd.DataFrame) else data
        frame = frames.read(plain)
    if pd.isna(missing_values):
        return frame
    numbers = np.array([column.holds_numbers for column in frame.columns])
    marked = (frame.values == missing_values) & numbers[None]
    return frame._replace(values=np.where(marked, np.nan, frame.values))


def described(frame: Frame, names: Sequence[Any], whole: Sequence[str], imputer: Any) -> Frame:
    """The rows given to `fit`, under the names of their columns and with what these hold.

    Args:
        frame: the rows.
        names: of its columns.
        whole: those that hold whole numbers.
        imputer: an `Imputer`, which says what is bounded and circular.
    """
    named, bounds, circular = (
        hasattr(imputer, "feature_names_in_"),
        imputer.bounds,
        imputer.circular,
    )
    columns = tuple(
        column._replace(name=str(name), kind="integer" if name in whole else column.kind)
        for column, name in zip(frame.columns, names, strict=True)
    )

    def known(name: Any) -> Any:  # a position, where columns have no names
        return name if named or name in names else f"x{name}"

    if isinstance(bounds, Mapping):
        bounds = {known(name): pair for name, pair in bounds.items()}
    if isinstance(circular, Mapping):
        circular = {known(name): period for name, period in circular.items()}
    elif isinstance(circular, Sequence) and not isinstance(circular, str):
        circular = [known(name) for name in circular]
    return frame._replace(columns=possible.tell(columns, bounds, circular))


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

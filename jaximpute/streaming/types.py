"""A file as it is read block by block, and what completed blocks are written to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from jaximpute.data.columns import Column
from jaximpute.streaming.panel import Panel
from jaximpute.types import Kind

PARQUET = (".parquet", ".pq")


class Source(NamedTuple):
    """A file as a sequence along one axis; opening it reads no more than a header.

    Attributes:
        path: of the file.
        kind: of the data: `table`, `series`, `image` or `field`.
        along: what the sequence is made of: `rows`, which have nothing to do with one another, or
            steps of `time`.
        length: how many rows or steps.
        event: shape of one, its columns last; of steps `(samples, y, x, variables)` for fields and
            `(1, columns)` for series.
        columns: what each column holds.
        unit: how many are best read at once: rows of a Parquet group, steps in a chunk of Zarr.
        align: blocks are written in multiples of so many; 1 = anywhere.
        read: `(start, stop) -> (stop - start, *event)` float64, NaN where missing; booleans and
            texts as codes of their column's levels.
        native: what a writer needs besides, such as the open dataset.
        panel: where the rows of a file lie in its series, which are a row of the sequence each.
    """

    path: str
    kind: Kind
    along: Literal["rows", "time"]
    length: int
    event: tuple[int, ...]
    columns: tuple[Column, ...]
    unit: int
    align: int
    read: Callable[[int, int], np.ndarray]
    native: Any = None
    panel: Panel | None = None

    @property
    def rows(self) -> int:
        """Cells of a column."""
        if self.panel is not None:
            return self.panel.rows
        return self.length * int(np.prod(self.event[:-1]))


class Sink(NamedTuple):
    """Where completed blocks go.

    Attributes:
        write: `(start, stop, fill, values)`: rows or steps, of which the cells in `fill` take the
            `values`, and all others are copied as the file holds them, bit for bit. Where draws are
            written, `values` has an axis of them in front.
        finish: puts the parts together, if there are any, and returns the path of the whole.
    """

    write: Callable[[int, int, np.ndarray, np.ndarray], None]
    finish: Callable[[], Path]

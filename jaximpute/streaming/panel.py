"""Series below one another in a file that is read block by block: whole series, a row each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OptionError, TimeError
from jaximpute.data import panels, series
from jaximpute.data.panels import Constancy
from jaximpute.data.series import Axis


class Panel(NamedTuple):
    """Where the rows of a file lie among the steps of its series.

    Attributes:
        starts: `(series + 1,)` the first row of each, and the number of all.
        slots: `(rows,)` the step of each row, from the first step of all series.
        length: number of steps.
        seconds: in a step; None if the time holds numbers.
        longest: the name of the series with most rows.
    """

    starts: np.ndarray
    slots: np.ndarray
    length: int
    seconds: float | None
    longest: str

    @property
    def rows(self) -> int:
        """Of the file."""
        return int(self.starts[-1])

    @property
    def most(self) -> int:
        """Rows of the longest series."""
        return int(np.diff(self.starts).max())

    def places(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """For each row of some series which of them it is in, and its step."""
        numbers = np.repeat(np.arange(stop - start), np.diff(self.starts[start : stop + 1]))
        return numbers, self.slots[self.starts[start] : self.starts[stop]]


def panel_of(table: Any, path: str, time: str, group: Sequence[str], columns: int) -> Panel:
    """How the rows of a file lie.

    Args:
        table: the columns of time and of groups, of pyarrow.
        path: of the file, for messages.
        time: the column of time stamps.
        group: the columns that tell the series apart.
        columns: of the file.

    Raises:
        DataError: no such column, what tells series apart is missing in a row, or the rows of a
            series do not lie together.
        TimeError: the stamps are none, occur twice in a series, or are irregular.
    """
    named = pd.DataFrame({name: table.column(name).to_pandas() for name in group})
    number = panels.number_rows(named)
    rows = len(number)

    def called(row: int) -> str:
        return ", ".join(str(named[name].iloc[row]) for name in group)

    back = np.flatnonzero(np.diff(number) < 0)
    if back.size:
        row = int(back[0]) + 1
        before = int(np.flatnonzero(number[:row] == number[row])[-1])
        by = ", ".join([*group, time])
        raise DataError(
            f"the rows of the series '{called(row)}' do not lie together in {path}: one is row "
            f"{before}, the next row {row}. Block by block each series is read whole: sort the "
            f"file by {by} first, or read it whole, without block_rows (--block-rows)"
        )
    stamps = series.parse_stamps(
        table.column(time).to_pandas(), rows, f"column {time!r} of {path}", number
    )
    groups, length = int(number[-1]) + 1, len(np.unique(stamps.ticks))
    panels.check_room(groups, length, rows * columns, columns)
    axis, _ = series.make_axis(stamps, length)
    if axis.positions is not None or axis.at is None:
        raise TimeError(
            f"the steps of {time!r} in {path} are irregular; block by block series are completed "
            "by steps. Round the stamps to steps, or tell each by the time since its start"
        )
    starts = np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1, [rows]])
    longest = int(starts[np.argmax(np.diff(starts))])
    return Panel(starts, axis.at - number * axis.length, axis.length, axis.seconds, called(longest))


def row_at(panel: Panel, number: int, step: int) -> int:
    """The row of the file at a step of a series."""
    start, stop = panel.starts[number : number + 2]
    return int(start + np.flatnonzero(panel.slots[start:stop] == step)[0])


def rows_in_series(panel: Panel, rows: int, what: str) -> int:
    """So many rows as a number of whole series, as long as all together are.

    Raises:
        OptionError: one series alone has more.
    """
    if rows < panel.most:
        raise OptionError(
            f"{what} is {rows}, and the series '{panel.longest}' has {panel.most} rows; a block "
            f"holds whole series. Give {panel.most} at least"
        )
    return max(1, rows // panel.length)


def placed(panel: Panel, start: int, stop: int, cells: np.ndarray) -> np.ndarray:
    """Rows of some series as `(series, steps, columns)`, NaN where there is no row."""
    result = np.full((stop - start, panel.length, cells.shape[-1]), np.nan)
    result[panel.places(start, stop)] = cells
    return result


def taken(panel: Panel, start: int, stop: int, placed: np.ndarray) -> np.ndarray:
    """The inverse of `placed`."""
    return placed[panel.places(start, stop)]


def constancy(values: np.ndarray) -> Constancy:
    """Of the columns of series `(n, T, D)`."""
    seen = ~np.isnan(values)
    low = np.where(seen, values, np.inf).min(axis=1)
    return panels.constancy(low, np.where(seen, values, -np.inf).max(axis=1), seen.sum(axis=1))


def left_empty(
    panel: Panel, start: int, values: np.ndarray, static: tuple[int, ...], max_gap: Any
) -> np.ndarray:
    """Which cells of a block are not to be filled: in too long gaps, and where there is no row.

    Args:
        panel: of the file.
        start: the first series of the block.
        values: `(n, T, D)` cells.
        static: columns with one value for each series, which have no gaps.
        max_gap: see `data.series.long_gaps`; None for no limit.
    """
    stop = start + len(values)
    numbers, slots = panel.places(start, stop)
    result = np.ones(values.shape, bool)
    result[numbers, slots] = False
    if max_gap is not None:
        every = np.arange(panel.length)
        at = numbers * panel.length + slots
        axis = Axis(every, every, panel.length, None, panel.seconds, at, static)
        mask = ~np.isnan(values[numbers, slots])
        result[numbers, slots] = series.long_gaps(axis, mask, max_gap, len(values))
    return result

"""`jaximpute inspect`: what is missing, and where."""

from typing import Annotated, Any, NamedTuple

import typer

from jaximpute._errors import OptionError
from jaximpute._terminal import stage, visible
from jaximpute.cli import paths
from jaximpute.cli import reading as files_read
from jaximpute.cli._fields import print_field
from jaximpute.cli._patterns import print_patterns
from jaximpute.cli.common import (
    Debug,
    Dims,
    File,
    Force,
    Group,
    Quiet,
    Time,
    begin,
    mention_dates,
    reported,
    say,
    split_dims,
)


class Holes(NamedTuple):
    """The missing cells of one column."""

    missing: int
    gaps: int
    longest: int


@files_read.with_reading
def inspect(
    file: File,
    time: Time = None,
    group: Group = None,
    plot: Annotated[str | None, typer.Option(metavar="PNG", help="Draw the holes.")] = None,
    patterns: Annotated[
        bool,
        typer.Option(
            "--patterns",
            help="Say also which columns are missing together, and whether by chance alone.",
        ),
    ] = False,
    dims: Dims = None,
    reading: Any = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say for each column what it holds, how much of it is missing, and in gaps of which length.

    Of a field (NetCDF, Zarr, NumPy): how much is missing by variable and frame, and which partition
    could teach a network to fill it.
    """
    with reported(debug):
        begin("reading", file, quiet)
        from jaximpute import plots
        from jaximpute.data import fields, frames

        paths.check_distinct({"FILE": file}, {"--plot": plot})
        if plot is not None:
            plots.check(plot, force=force)
        sheet = files_read.read(file, files_read.settled(reading), quiet)
        gridded = fields.is_gridded(sheet.table)
        if plot is not None and (gridded or getattr(sheet.table, "ndim", 2) > 3):
            raise OptionError("--plot draws the holes of tables and series, not of fields")
        frame = frames.read(sheet.table, time, split_dims(dims), group or None)
        if plot is not None and frame.stamps is not None and frame.stamps.group is not None:
            raise OptionError("--plot draws the holes of one series, not of several (--group)")
        if frame.grid is not None:
            print_field(frame, file, quiet)
            return
        if not gridded:
            mention_dates(sheet.table, time)
        stage("", show=not quiet)
        _print(frame)
        if patterns:
            print_patterns(sheet.table, time, dims, group or None)
        for note in frame.notes:
            say(f"warning: {note}")
        if plot is not None:
            figure = plots.plot_missingness(sheet.table, time=time)
            plots.save(figure, plot, force=force)
            say(f"picture: {plot}")


def count_holes(frame: Any) -> list[Holes]:
    """For each column its missing cells, its gaps and the longest of them.

    Gaps are counted in the order of time, and steps of a regular grid that have no row are part of
    them; in a table they are runs of rows.
    """
    import numpy as np

    from jaximpute.data import series

    missing = ~frame.mask
    if frame.stamps is not None and frame.stamps.group is not None:
        # each series from its first row to its last, and no gap from one into the next
        order = np.lexsort([frame.stamps.ticks, frame.stamps.group])
        begins = np.flatnonzero(np.diff(frame.stamps.group[order])) + 1
        missing = np.insert(missing[order], begins, False, axis=0)
    elif frame.stamps is not None:
        axis, _ = series.make_axis(frame.stamps, frame.shape[1])
        missing = np.isnan(series.place(axis, np.where(frame.mask, 0.0, np.nan), frame.shape[0])[0])
    found = []
    for column in missing.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], column, [False]]).astype(int)))
        lengths = edges[1::2] - edges[::2]
        found.append(Holes(int(column.sum()), len(lengths), int(lengths.max(initial=0))))
    return found


def _print(frame: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jaximpute.data import series

    rows, steps, when = frame.values.shape[0], frame.values.shape[0], ""
    if frame.stamps is not None:
        axis, notes = series.make_axis(frame.stamps, frame.shape[1])
        steps = axis.length if axis.at is None else rows
        when = f"of {frame.shape[0]} series " if axis.at is not None else ""
        when += (
            "at irregular times"
            if axis.positions is not None
            else f"on a grid of {axis.length} steps"
        )
        for note in notes:
            say(f"note: {note}")
    table = Table(title=f"{frame.kind}, {rows} rows {when}".rstrip(), title_justify="left")
    table.add_column("column", overflow="fold")
    for name in ("holds", "from", "to", "missing", "%", "gaps", "longest gap"):
        table.add_column(name, justify="left" if name == "holds" else "right")
    counted = zip(frame.columns, frame.values.T, count_holes(frame), strict=True)
    for column, cells, holes in counted:
        share = 100 * holes.missing / steps
        numbers = (holes.missing, f"{share:.1f}", holes.gaps, holes.longest)
        ends = _ends(column, cells)
        # as it is, not as markup
        shown = (visible(column.name), _describe(column), *ends, *map(str, numbers))
        table.add_row(*map(Text, shown))
    Console(width=None if Console().is_terminal else 120).print(table)


def _ends(column: Any, cells: Any) -> tuple[str, str]:
    """Least and greatest number of a column."""
    import numpy as np

    if not column.holds_numbers or np.isnan(cells).all():
        return "", ""
    return f"{np.nanmin(cells):.6g}", f"{np.nanmax(cells):.6g}"


def _describe(column: Any) -> str:
    if column.kind == "time" and not column.reason:
        return "the time axis"
    if column.kind == "group":
        return "the series"
    if column.levels:
        return f"{column.kind}, {len(column.levels)} values"
    return column.kind

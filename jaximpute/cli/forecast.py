"""`jaximpute forecast`: what may follow a series, with intervals."""

from typing import Annotated, Any

import typer

from jaximpute._errors import DataError, OptionError
from jaximpute.cli import limits, paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Assignments,
    Bounds,
    Circular,
    Debug,
    File,
    Force,
    Group,
    MaxMemory,
    Quiet,
    begin,
    reported,
    say,
)
from jaximpute.engine.compiled import keep_compiled


@files_read.with_reading
def forecast(
    file: File,
    time: Annotated[str, typer.Option(help="Column of time stamps.")],
    horizon: Annotated[int, typer.Option(help="Steps to forecast.")],
    group: Group = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to write, by suffix; CSV on stdout.")
    ] = "-",
    draws: Annotated[int, typer.Option(help="Random futures behind the intervals.")] = 100,
    interval: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.9,
    method: Annotated[
        str, typer.Option("--method", "-m", help="A method that draws; auto picks one.")
    ] = "auto",
    context: Annotated[
        int | None,
        typer.Option(help="Steps of the past in a window; by default the horizon, 48 at least."),
    ] = None,
    preset: Annotated[str, typer.Option(help="fast, balanced, best, or paper.")] = "balanced",
    assignments: Assignments = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    plot: Annotated[
        str | None, typer.Option(metavar="PNG", help="Draw the end of the series and the forecast.")
    ] = None,
    max_memory: MaxMemory = None,
    reading: Any = None,
    bounds: Bounds = None,
    circular: Circular = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw the steps after the last one: their median, and columns NAME_low and NAME_high.

    With --group those of each series, from its own end.
    """
    with reported(debug):
        import pandas as pd

        from jaximpute import plots
        from jaximpute.files import sheets
        from jaximpute.tasks import forecast as forecasting

        begin("reading", file, quiet)
        paths.check_distinct({"FILE": file}, {"--output": output, "--plot": plot})
        settings.check_seed(seed)
        options = settings.parse_options(assignments or [])
        settings.refuse_taken(options, forecasting.forecast)
        if plot is not None and group:
            raise OptionError("--plot draws one series, not several (--group); leave it out")
        if plot is not None:  # written last: what a run that died left of it goes first
            plots.check(plot, force=force)
        sheets.check_table(output, force=force)
        most = limits.refuse_large(file, max_memory)
        table = files_read.read(file, files_read.settled(reading), quiet).table
        table = table if isinstance(table, pd.DataFrame) else table.to_pandas()
        columns = [str(name) for name in table.columns]
        made = [f"{name}_{end}" for name in columns for end in ("low", "high")]
        if taken := set(columns) & set(made):
            raise DataError(
                f"column '{min(taken)}' has the name of an interval's end; rename it first"
            )
        keep_compiled()
        found = forecasting.forecast(
            table,
            horizon,
            method,
            draws,
            time=time,
            group=group or None,
            level=interval,
            context=context,
            seed=seed,
            preset=preset,
            bounds=settings.parse_bounds(bounds or []),
            circular=settings.parse_circular(circular or []),
            max_memory=most,
            progress=not quiet,
            **options,
        )
        wide = found.median.copy()
        for name in found.median.columns.drop([time, *(group or [])]):
            for column, part in (
                (name, found.median),
                (f"{name}_low", found.low),
                (f"{name}_high", found.high),
            ):
                # draws are float32, which has no more than seven digits
                wide[column] = [float(f"{value:.7g}") for value in part[name]]
        begin("writing", output, quiet)
        sheets.write_file(sheets.Sheet(wide, None), output, force=force)
        if plot is not None:
            seen = context or forecasting.past(horizon)
            recent = forecasting.extend(table, horizon, time).iloc[-(3 * seen + horizon) :]
            ends = [recent.copy() for _ in range(3)]
            parts = (found.median, found.low, found.high)
            for end, part in zip(ends, parts, strict=True):
                end.iloc[-horizon:] = part.to_numpy()
            after, low, high = ends
            turning = settings.parse_circular(circular or [])
            figure = plots.plot_imputation(
                recent, after, time=time, band=(low, high), circular=turning
            )
            plots.save(figure, plot, force=force)
        if not quiet:
            where = "stdout" if output == "-" else output
            seconds = found.report["seconds"]
            name = found.report["method"]
            of = f" of {len(wide) // horizon} series" if group else ""
            say(f"forecast {horizon} steps{of} with '{name}' in {seconds:.0f} s: {where}")

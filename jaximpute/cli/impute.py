"""`jaximpute impute`: a file with holes in, a completed file out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute._terminal import stage
from jaximpute.cli import manifest, outputs, paths, settings, streaming
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Assignments,
    Bounds,
    Checkpoint,
    Circular,
    Config,
    Debug,
    Dims,
    Every,
    File,
    Force,
    Group,
    MaxMemory,
    Quiet,
    Report,
    Resume,
    Time,
    begin,
    mention_dates,
    reported,
    say,
)
from jaximpute.cli.settings import ImputeSettings
from jaximpute.cli.work import count_draws, fill, read_frame, read_sheet
from jaximpute.engine.compiled import keep_compiled


@files_read.with_reading
def impute(
    file: File,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Where to write, by suffix; CSV on stdout by default."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", "-m", help="A method; auto picks one. jaximpute methods lists them."
        ),
    ] = None,
    time: Time = None,
    group: Group = None,
    preset: Annotated[
        str | None, typer.Option(help="fast, balanced, best, or paper (as published).")
    ] = None,
    assignments: Assignments = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random; 0 by default.")] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            help="That many random completions, below one another with a column 'draw', or as files"
            " in a folder (-o draws/). Of a field in one file: their median, and beside each "
            "variable their standard deviation, NAME_std."
        ),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            help="Coverage such as 0.8, of intervals in columns NAME_low and NAME_high. Cells that "
            "are hidden again make them, and the report says how many of them they hold. Draws, 50 "
            "by default, shape those of methods that draw. Block by block: of the draws alone."
        ),
    ] = None,
    max_gap: Annotated[
        str | None,
        typer.Option(help="Leave longer gaps of a series empty: steps, or a duration such as 3h."),
    ] = None,
    dims: Dims = None,
    fill_unseen: Annotated[
        bool,
        typer.Option("--fill-unseen", help="Fill places never observed, such as land, too."),
    ] = False,
    mask: Annotated[
        str | None,
        typer.Option(
            help="Where images or an array are observed: .npy of booleans, or for a folder of "
            "images a black and white one (white = observed) or a folder of these."
        ),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="PNG", help="Draw observed and filled points.")
    ] = None,
    report: Report = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what it would cost in time and memory, by one trial step; write nothing.",
        ),
    ] = False,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    checkpoint_every: Every = None,
    block_rows: Annotated[
        int | None,
        typer.Option(
            help="Rows (steps of time of Zarr and NetCDF) in memory at a time: complete .npy, "
            "Parquet, Zarr or NetCDF block by block. The default where a file takes more than half "
            "of the memory. The same command goes on after a crash. Draws of rows go to a new "
            "folder, or to one Parquet file; along time there is one completion."
        ),
    ] = None,
    sample_rows: Annotated[
        int | None,
        typer.Option(help="Block by block: rows that are learned from at a time; 8192 by default."),
    ] = None,
    max_memory: MaxMemory = None,
    reading: Any = None,
    bounds: Bounds = None,
    circular: Circular = None,
    config: Config = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fill in what is missing; observed cells are copied as they are written.

    In a CSV file a filled number gets as many decimals as the column shows.
    """
    with reported(debug):
        flags = {
            "output": output,
            "method": method,
            "time": time,
            "preset": preset,
            "options": settings.parse_options(assignments or []),
            "seed": seed,
            "draws": draws,
            "interval": interval,
            "max_gap": None if max_gap is None else settings.parse_value(max_gap),
            "dims": dims,
            "group": group,
            "fill_unseen": fill_unseen,
            "mask": mask,
            "plot": plot,
            "report": report,
            "checkpoint": checkpoint,
            "resume": resume,
            "checkpoint_every": checkpoint_every,
            "block_rows": block_rows,
            "sample_rows": sample_rows,
            "max_memory": max_memory,
            **files_read.given(reading),
            "bounds": bounds,
            "circular": circular,
            "force": force,
            "quiet": quiet,
        }
        run = settings.resolve(ImputeSettings, flags, config)
        begin("reading", file, run.quiet)
        paths.check_impute(file, run, config, count_draws(run))
        if dry_run:
            _plan(file, run)
        elif streaming.is_streamed(file, run):
            _tell(file, replace(run, report=None), streaming.impute_blocks(file, run))
        else:
            _impute(file, run)


def _impute(file: str, run: ImputeSettings) -> None:
    from jaximpute import plots
    from jaximpute.data import fields, frames, gridwriting
    from jaximpute.files import arrays, gridcopies, grids
    from jaximpute.files import draws as many
    from jaximpute.files import sheets as files
    from jaximpute.plots import montage
    from jaximpute.tasks import multiple

    force, draws, kept = run.force, count_draws(run), settings.checkpoints(run)
    if Path(file).is_dir() and not grids.is_grid_file(file):
        from jaximpute.cli import pictures

        if run.report is not None:
            files.check_output(run.report, force=force)
        _tell(file, run, pictures.impute_folder(file, run, draws, kept))
        return
    folder = draws > 0 and run.interval is None and many.is_folder(run.output)
    suffix = files.suffix_of(file)
    # what is written last is looked at first: a refusal then leaves nothing of a run that died
    if run.report is not None:
        files.check_output(run.report, force=force)
    if run.plot is not None:
        if run.group:
            raise OptionError("--plot draws one series, not several (--group); leave it out")
        plots.check(run.plot, force=force)
    if folder:
        many.check_folder(run.output, suffix, draws, force=force)
    else:
        files.check_table(run.output, force=force)
    sheet = read_sheet(file, run)
    is_stack = suffix in arrays.SUFFIXES
    gridded = fields.is_gridded(sheet.table)
    if is_stack:
        outputs.check_stack(run, folder)
    if gridded:
        outputs.check_gridded(run, folder)
        if sheet.origin is not None and not folder:
            gridcopies.check(sheet.origin, run.output)
    elif not is_stack:
        mention_dates(sheet.table, run.time)
    spread = gridded and draws > 0 and not folder and run.interval is None
    if (draws or run.interval is not None) and not folder and not spread:
        many.check_names(sheet, interval=run.interval is not None)

    frame, filled, ends = fill(sheet, run, kept, spread=spread)

    def sheet_of(values: Any) -> files.Sheet:
        return files.complete(sheet, frames.write(frame, values))

    completed, band = frames.write(frame, filled.values), None
    result = files.complete(sheet, completed)
    if ends is not None:
        low, high = band = tuple(frames.write(frame, values) for values in ends)
        holed = [
            about.variable or about.name
            for about, known in zip(frame.columns, frame.mask.T, strict=True)
            if about.holds_numbers and not known.all()
        ]
        holed = list(dict.fromkeys(holed))  # a variable has a column for each station
        low, high = files.complete(sheet, low), files.complete(sheet, high)
        result = many.with_interval(result, low, high, holed)
    elif draws:
        band = tuple(
            frames.write(frame, values) for values in multiple.interval(frame, filled, 0.9)
        )
        if spread and (lies := frame.strand or frame.grid) is not None:
            beside = multiple.deviation(frame, filled)
            wider = gridwriting.with_spread(sheet.table, lies, completed, beside, draws)
            result = sheet._replace(table=wider)
        elif folder:
            sheets = [sheet_of(values) for values in filled.draws]
            begin("writing", run.output, run.quiet)
            many.write_folder(sheets, run.output, suffix, force=force, like=_made_of(file))
        else:
            result = many.stacked([sheet_of(values) for values in filled.draws])
    if not folder:
        begin("writing", run.output, run.quiet)
        files.write_file(result, run.output, force=force, like=_made_of(file))
    if run.plot is not None:
        if is_stack and sheet.table.ndim == 4:
            figure = montage.plot_images(sheet.table, completed)
        else:
            turning = settings.parse_circular(run.circular)
            figure = plots.plot_imputation(
                sheet.table, completed, time=run.time, band=band, circular=turning
            )
        plots.save(figure, run.plot, force=force)
    _tell(file, run, filled.report)


def _made_of(file: str) -> str | None:
    """Whose permissions an output takes."""
    return None if file == "-" else file


def _tell(file: str, run: ImputeSettings, report: dict[str, Any]) -> None:
    """Warnings and summary on stderr, and the report's file."""
    for text in report["warnings"]:
        say(f"warning: {text}")
    if run.report is not None:
        manifest.write("impute", file, run, report)
    if not run.quiet:
        outputs.summarise(report, run)


def _plan(file: str, run: ImputeSettings) -> None:
    """Print what `impute` would cost."""
    from jaximpute.tasks import plan

    sheet = read_sheet(file, run)
    keep_compiled()
    stage("trying one step", show=not run.quiet)
    cost = plan.measure(
        read_frame(sheet, run),
        run.method,
        preset=run.preset,
        options=run.options,
        draws=count_draws(run),
    )
    stage("", show=not run.quiet)
    for name, value in _in_words(cost).items():
        typer.echo(f"{name + ':':10}{value}")


def _in_words(cost: Any) -> dict[str, str]:
    """What a run would need, for somebody who knows nothing of how it is done."""
    rows = f"{cost.rows} row{'s' * (cost.rows != 1)}"
    if len(cost.event) > 1:
        rows = f"{cost.rows} piece{'s' * (cost.rows != 1)}"
    size = " x ".join(map(str, cost.event))
    steps = (
        f"; up to {cost.steps} steps of {cost.step_seconds:.2g} s" if cost.steps else ""
    ) + f"; {cost.compile_seconds:.2g} s go to compiling"
    return {
        "method": cost.method,
        "data": f"{rows} of {size} numbers, as the method sees them",
        "to fill": f"{cost.missing} missing cell{'s' * (cost.missing != 1)}",
        "to learn": f"{cost.parameters} numbers, kept in {cost.state_mb:.2g} MB",
        "time": f"at most {cost.seconds:.2g} s, by the measure of one trial step{steps}"
        if cost.steps
        else f"about {cost.seconds:.2g} s{steps}",
        "memory": f"{cost.peak_mb:.3g} MB more than before it starts",
    }

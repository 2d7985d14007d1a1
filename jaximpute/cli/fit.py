"""`jaximpute fit` and `jaximpute apply`: learn from one file, complete others."""

from typing import Annotated, Any

import typer

from jaximpute._terminal import stage
from jaximpute.cli import limits, manifest, outputs, paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Assignments,
    Bounds,
    Checkpoint,
    Circular,
    Debug,
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
    reported,
    say,
)
from jaximpute.cli.settings import ApplySettings, FitSettings
from jaximpute.engine.compiled import keep_compiled


@files_read.with_reading
def fit(
    file: File,
    save: Annotated[
        str, typer.Option("--save", "-o", metavar="DIR", help="Folder to write the model to.")
    ],
    method: Annotated[
        str,
        typer.Option("--method", "-m", help="A method that completes new rows; auto picks one."),
    ] = "auto",
    time: Time = None,
    group: Group = None,
    max_gap: Annotated[
        str | None,
        typer.Option(help="apply leaves longer gaps of a series empty: steps, or a duration."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="fast, balanced, best, or paper (as published).")
    ] = "balanced",
    assignments: Assignments = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    leave: Annotated[
        list[str] | None,
        typer.Option(help="Column that is not learned, and copied by apply. May be repeated."),
    ] = None,
    report: Report = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    checkpoint_every: Every = None,
    max_memory: MaxMemory = None,
    reading: Any = None,
    bounds: Bounds = None,
    circular: Circular = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Learn to complete tables, or series (--time); jaximpute apply completes others by it."""
    with reported(debug):
        flags = {
            "save": save,
            "method": method,
            "preset": preset,
            "options": settings.parse_options(assignments or []),
            "seed": seed,
            "leave": leave,
            "time": time,
            "group": group,
            "max_gap": None if max_gap is None else settings.parse_value(max_gap),
            "report": report,
            "checkpoint": checkpoint,
            "resume": resume,
            "checkpoint_every": checkpoint_every,
            "max_memory": max_memory,
            **files_read.given(reading),
            "bounds": bounds,
            "circular": circular,
            "force": force,
            "quiet": quiet,
        }
        run = settings.resolve(FitSettings, flags)
        begin("reading", file, quiet)
        paths.check_distinct(
            {"FILE": file},
            {"--save": save, "--report": report, "--checkpoint": checkpoint},
            whole=["--save", "--checkpoint"],
        )
        kept = settings.checkpoints(run)
        from jaximpute.cli import models
        from jaximpute.files import sheets
        from jaximpute.tasks import saving

        if report is not None:  # written last: what a run that died left of it goes first
            sheets.check_output(report, force=force)
        saving.check(save, force=force)
        limits.refuse_large(file, max_memory)
        sheet = files_read.read(file, run, quiet)
        keep_compiled()
        learned = models.learn(sheet, file, run, kept)
        learned.imputer.save(save, force=force)
        for text in learned.report["warnings"]:
            say(f"warning: {text}")
        if report is not None:
            manifest.write("fit", file, run, learned.report)
        if not quiet:
            about = learned.report
            say(
                f"learned {about['columns']} columns of {about['rows']} rows with "
                f"'{about['method']}' in {about['seconds']:.1f} s: {save}"
            )


@files_read.with_reading
def apply(
    model: Annotated[str, typer.Argument(help="Folder that jaximpute fit --save has written.")],
    file: File,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to write, by suffix; CSV on stdout.")
    ] = "-",
    report: Report = None,
    max_memory: MaxMemory = None,
    reading: Any = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Complete a file by a saved model; observed cells are copied as they are written.

    Each row is completed on its own: a row gets the same answer in any file and in any order. Of
    series, each series is, also one that fit has not seen.
    """
    with reported(debug):
        flags = {
            "model": model,
            "output": output,
            "report": report,
            "max_memory": max_memory,
            **files_read.given(reading),
            "force": force,
            "quiet": quiet,
        }
        run = settings.resolve(ApplySettings, flags)
        from jaximpute.cli import models
        from jaximpute.files import grids, sheets

        begin("reading", file, quiet)
        paths.check_distinct(
            {"FILE": file, "MODEL": model},
            {"--output": output, "--report": report},
            whole=["MODEL", *(["--output"] if grids.is_zarr(output) else [])],
            in_place=[("--output", "FILE")],
        )
        if report is not None:  # as in fit
            sheets.check_output(report, force=force)
        sheets.check_table(output, force=force)
        most = limits.refuse_large(file, max_memory)
        sheet = files_read.read(file, run, quiet)
        keep_compiled()
        stage(f"completing by {model}", show=not quiet)
        applied = models.complete(sheet, file, model, most)
        begin("writing", output, quiet)
        sheets.write_file(
            applied.sheet, output, force=force, like=None if file == sheets.STREAM else file
        )
        if report is not None:
            manifest.write("apply", file, run, applied.report)
        if not quiet:
            about, where = applied.report, "stdout" if output == "-" else output
            outputs.tell_clipped(about)
            say(
                f"filled {about['filled']} of {sum(about['missing'].values())} missing cells with "
                f"'{about['method']}' in {about['seconds']:.1f} s: {where}"
            )

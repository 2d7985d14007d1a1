"""`jaximpute evaluate`: which method for this file?"""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute._terminal import stage
from jaximpute.cli import limits, paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    GATE,
    Bounds,
    Circular,
    Debug,
    Dims,
    File,
    Force,
    Group,
    MaxMemory,
    Quiet,
    Time,
    begin,
    mention_dates,
    reported,
    say,
    split_dims,
)
from jaximpute.engine.compiled import keep_compiled


@files_read.with_reading
def evaluate(
    file: File,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", help="A method, may be repeated; all of them by default."),
    ] = None,
    time: Time = None,
    group: Group = None,
    dims: Dims = None,
    holdout: Annotated[float, typer.Option(help="Share of the observed cells to hide.")] = 0.1,
    pattern: Annotated[
        str,
        typer.Option(
            help="mcar (single cells), mar, mnar, block (stretches) or own (like the holes)."
        ),
    ] = "mcar",
    repeats: Annotated[int, typer.Option(help="How often, each time with other holes.")] = 3,
    draws: Annotated[
        int, typer.Option(help="Random completions by which methods that draw are scored as well.")
    ] = 0,
    budget: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="For all methods: leave out what comes later; 0 for no limit."
        ),
    ] = 300.0,
    seed: Annotated[int, typer.Option(help="Of the holes and the methods.")] = 0,
    preset: Annotated[str, typer.Option(help="fast, balanced, best or paper.")] = "balanced",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METHOD.NAME=VALUE", help="An option. May be repeated."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Write all scores, by column too; - for stdout."),
    ] = None,
    fail_over: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="Exit with 4 if the best score is above this."),
    ] = None,
    max_memory: MaxMemory = None,
    reading: Any = None,
    bounds: Bounds = None,
    circular: Circular = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Hide observed cells, let each method fill them, and score only those.

    The score is the mean absolute error of numbers, in standard deviations of their column (of
    NetCDF and Zarr: of their variable), and of categories the share that is wrong.
    """
    with reported(debug):
        from jaximpute.files import sheets
        from jaximpute.tasks import evaluate as evaluation

        begin("reading", file, quiet)
        paths.check_distinct({"FILE": file}, {"--output": output})
        if output is not None:
            sheets.check_table(output, force=force)
        settings.check_seed(seed)
        options = _by_method(assignments or [])
        most = limits.refuse_large(file, max_memory)
        sheet = files_read.read(file, files_read.settled(reading), quiet)
        mention_dates(sheet.table, time)
        keep_compiled()
        scores = evaluation.evaluate(
            sheet.table,
            method or "all",
            time=time,
            group=group or None,
            dims=split_dims(dims),
            holdout=holdout,
            pattern=pattern,
            repeats=repeats,
            budget=budget or None,
            draws=draws,
            max_memory=most,
            seed=seed,
            preset=preset,
            options=options,
            bounds=settings.parse_bounds(bounds or []),
            circular=settings.parse_circular(circular or []),
            verbose=not quiet and output != sheets.STREAM,
        )
        if output is not None:
            begin("writing", output, quiet)
            sheets.write_file(sheets.Sheet(scores, None), output, force=force)
        stage("", show=not quiet)
        if fail_over is not None:
            _gate(scores, fail_over)


def _by_method(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    for path, value in settings.parse_options(assignments).items():
        method, dot, name = path.partition(".")
        if not dot:
            raise OptionError(
                f"--set takes METHOD.NAME=VALUE, for instance spirit.steps=3; got {path}={value}"
            )
        options.setdefault(method, {})[name] = value
    return options


def _gate(scores: Any, limit: float) -> None:
    from jaximpute.tasks.score import OVERALL

    best = scores[(scores["column"] == OVERALL) & (scores["metric"] == "score")].iloc[0]
    # a failed method's score is NaN, and no gate lets NaN pass
    if not best["mean"] <= limit:
        say(f"the best score is {best['mean']:.4g} ('{best['method']}'), above {limit:g}")
        raise typer.Exit(GATE)

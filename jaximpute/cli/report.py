"""`jaximpute report`: complete a file, and write one page about it."""

import shlex
import warnings
from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute._terminal import stage
from jaximpute.cli import limits, paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Bounds,
    Circular,
    Debug,
    File,
    Force,
    MaxMemory,
    Quiet,
    Time,
    begin,
    mention_dates,
    reported,
    say,
)
from jaximpute.engine.compiled import keep_compiled

_SIMPLE = {"table": ("mean", "ice"), "series": ("locf", "linear")}


@files_read.with_reading
def report(
    file: File,
    output: Annotated[str, typer.Option("--output", "-o", metavar="HTML", help="Where to write.")],
    method: Annotated[
        str, typer.Option("--method", "-m", help="A method; auto picks one.")
    ] = "auto",
    time: Time = None,
    preset: Annotated[str, typer.Option(help="fast, balanced, best or paper.")] = "balanced",
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    interval: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.9,
    scores: Annotated[
        bool, typer.Option("--scores/--no-scores", help="Set simple methods beside it.")
    ] = True,
    max_memory: MaxMemory = None,
    reading: Any = None,
    bounds: Bounds = None,
    circular: Circular = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write one self-contained HTML page: what was missing, what was done, and how sure it is.

    Of tables and series. The completion itself is that of jaximpute impute with the same options.
    """
    with reported(debug):
        from jaximpute import plots
        from jaximpute.data import frames, possible
        from jaximpute.files import atomic
        from jaximpute.plots.densities import plot_densities
        from jaximpute.tasks import diagnose, evaluate, page
        from jaximpute.tasks.impute import impute_with_report

        begin("reading", file, quiet)
        paths.check_distinct({"FILE": file}, {"--output": output})
        if not output.lower().endswith((".html", ".htm")):
            raise OptionError(
                f"a page is written as .html, and not to {output}; name it -o report.html"
            )
        atomic.check(output, force=force)
        settings.check_seed(seed)
        most = limits.refuse_large(file, max_memory)
        sheet = files_read.read(file, files_read.settled(reading), quiet)
        frame = frames.read(sheet.table, time)
        kind = frame.kind
        if kind not in _SIMPLE:
            raise OptionError(f"pages are of tables and series, and {file} holds a {kind}")
        mention_dates(sheet.table, time)
        keep_compiled()
        how: dict[str, Any] = {
            "bounds": settings.parse_bounds(bounds or []),
            "circular": settings.parse_circular(circular or []),
        }
        frame = frame._replace(columns=possible.tell(frame.columns, **how))
        limits.refuse_costly(frame, method, preset, {}, 0, most)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they stand on the page
            done = impute_with_report(
                sheet.table,
                method,
                time=time,
                seed=seed,
                preset=preset,
                interval=interval,
                progress=not quiet,
                **how,
            )
        found = None
        if scores:
            stage("comparing with simple methods", show=not quiet)
            found = evaluate.evaluate(
                sheet.table,
                [method, *_SIMPLE[kind]],
                time=time,
                repeats=1,
                seed=seed,
                preset=preset,
                max_memory=most,
                verbose=False,
                **how,
            )
        figures = {
            "What is missing": plots.plot_missingness(sheet.table, time=time),
            "Observed and filled cells as distributions": plot_densities(
                sheet.table, done.data, time=time
            ),
        }
        if kind == "series":
            figures["Observed and filled cells along time, with intervals"] = plots.plot_imputation(
                sheet.table, done.data, time=time, band=(done.low, done.high)
            )
        words = ["jaximpute", "report", file, "-o", output, "--method", method, "--preset", preset]
        words += ["--time", time] if time is not None else []
        words += ["--seed", str(seed), "--interval", f"{interval:g}"]
        text = page.page(
            file,
            done.report,
            diagnose.missingness(sheet.table, time=time),
            figures=figures,
            scores=found,
            repeat=shlex.join(words),
        )
        with atomic.replacing(output, force=force) as temporary:
            temporary.write(text.encode())
        stage("", show=not quiet)
        if not quiet:
            say(f"page: {output} ({len(text) / 1e6:.1f} MB)")

"""`jaximpute sensitivity`: does a conclusion survive that cells are not missing at random?"""

from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute.cli import paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Assignments,
    Bounds,
    Debug,
    File,
    Force,
    Quiet,
    begin,
    reported,
    say,
)
from jaximpute.engine.compiled import keep_compiled


@files_read.with_reading
def sensitivity(
    file: File,
    shift: Annotated[
        list[str],
        typer.Option(metavar="COLUMN", help="Column whose filled cells move. May be repeated."),
    ],
    regress: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA",
            help="The analysis: a regression such as 'after ~ arm + before'. Without it, the mean "
            "of the first column that is shifted.",
        ),
    ] = None,
    parameter: Annotated[
        str | None,
        typer.Option(help="The one concluded on; by default the first after the intercept."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="COLUMN=VALUE", help="Shift in these rows alone, such as arm=1."),
    ] = None,
    delta: Annotated[
        str, typer.Option(help="The shifts, in standard deviations of the column.")
    ] = "-2,-1.5,-1,-0.5,0.5,1,1.5,2",
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to write, by suffix; CSV on stdout.")
    ] = "-",
    plot: Annotated[
        str | None, typer.Option(metavar="PNG", help="Draw the estimate along the shift.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Completions, 2 or more.")] = 20,
    method: Annotated[str, typer.Option("--method", "-m", help="A method that draws.")] = "mice",
    preset: Annotated[str, typer.Option(help="fast, balanced, best, or paper.")] = "balanced",
    assignments: Assignments = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    reading: Any = None,
    bounds: Bounds = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Repeat an analysis with the filled cells shifted, and say when its conclusion changes."""
    with reported(debug):
        from jaximpute import plots
        from jaximpute.data import frames
        from jaximpute.files import sheets
        from jaximpute.tasks import regressions
        from jaximpute.tasks.multiple import impute_many
        from jaximpute.tasks.sensitivity import sensitivity as shifted
        from jaximpute.tasks.sensitivity import shiftable

        begin("reading", file, quiet)
        paths.check_distinct({"FILE": file}, {"--output": output, "--plot": plot})
        settings.check_seed(seed)
        options = settings.parse_options(assignments or [])
        settings.refuse_taken(options, impute_many)
        if plot is not None:  # written last: what a run that died left of it goes first
            plots.check(plot, force=force)
        sheets.check_table(output, force=force)
        steps = _numbers(delta)
        table = files_read.read(file, files_read.settled(reading), quiet).table
        table = table if hasattr(table, "dtypes") else table.to_pandas()
        shiftable(frames.read(table), shift)  # before anything is completed
        how: dict[str, Any] = {}
        if regress is None:
            analysis = regressions.mean_of(shift[0])
            how["names"], how["dfcom"] = [f"mean of {shift[0]}"], float(len(table) - 1)
        else:
            analysis, how["names"], how["dfcom"] = regressions.least_squares(regress, table)
        chosen = parameter or how["names"][0 if regress is None else 1]
        if chosen not in how["names"]:
            raise OptionError(
                f"no parameter is called '{chosen}'; parameters: {', '.join(how['names'])}"
            )
        rows = None if where is None else _rows(table, where)
        keep_compiled()
        many = impute_many(
            table,
            method,
            draws,
            seed=seed,
            preset=preset,
            bounds=settings.parse_bounds(bounds or []),
            progress=not quiet,
            **options,
        )
        found = shifted(many, delta=steps, columns=shift, fit=analysis, rows=rows, **how)
        written = found.to_frame().reset_index()
        begin("writing", output, quiet)
        sheets.write_file(sheets.Sheet(written, None), output, force=force)
        if plot is not None:
            from jaximpute.plots.sensitivity import plot_sensitivity

            plots.save(plot_sensitivity(found, chosen), plot, force=force)
        if not quiet:
            say(_verdict(chosen, found.tipping(chosen), steps))


def _verdict(parameter: str, tips: tuple[float | None, float | None], steps: list[float]) -> str:
    """What became of the conclusion about a parameter, in one line."""
    changed = [f"{tip:+g}" for tip in tips if tip is not None]
    if not changed:
        tried = f"{min(0, *steps):+g} to {max(0, *steps):+g}"
        return f"'{parameter}': the same conclusion at p < 0.05 at all shifts tried, {tried} sd"
    return (
        f"'{parameter}': another conclusion at p < 0.05 from a shift of {' or '.join(changed)} sd; "
        "at less it is the same"
    )


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"--delta is '{text}'; expected numbers such as 0.5,1,2") from None


def _rows(table: Any, where: str) -> Any:
    """The rows whose cell is a value, by its text or as a number."""
    from jaximpute.data.columns import suggest

    name, equals, value = where.partition("=")
    if not equals:
        raise OptionError(f"--where is '{where}'; expected COLUMN=VALUE, such as arm=1")
    names = [str(column) for column in table.columns]
    if name not in names:
        raise OptionError(f"no column is called '{name}'{suggest(name, names)}")
    cells = table.iloc[:, names.index(name)]
    try:
        same = (cells == float(value)).fillna(False)
    except (TypeError, ValueError):
        same = cells.astype(str) == value
    found = same.to_numpy(dtype=bool)
    if not found.any():
        raise OptionError(f"no row has '{value}' in column '{name}'")
    return found

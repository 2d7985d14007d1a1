"""What all commands share: arguments, words on stderr, and errors as exit codes."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from jaximpute._errors import (
    DataError,
    JaximputeError,
    OptionError,
    OutOfMemoryError,
    is_out_of_memory,
)
from jaximpute._terminal import CLEAR, is_shown, stage, visible
from jaximpute.cli import interrupt
from jaximpute.engine import compiled

FAILED, USAGE, BAD_INPUT, GATE, OUT_OF_MEMORY, INTERRUPTED = 1, 2, 3, 4, 5, 130

File = Annotated[
    str,
    typer.Argument(
        help="CSV, TSV, Parquet, NetCDF, Zarr or NumPy file, or for impute a folder of "
        "images; text and Parquet also as .gz, .bz2, .xz or .zip; - reads CSV from stdin."
    ),
]
Time = Annotated[
    str | None,
    typer.Option(help="Column of time stamps; makes the file a series. Without it, a table."),
]
Bounds = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=LOW:HIGH",
        help="Least and greatest value a missing cell of a column may get, such as Ozone=0: . "
        "Counts, rain and shares are kept at or above 0 without it. May be repeated.",
    ),
]
Circular = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=PERIOD]",
        help="Column of directions, which come back to themselves after 360 or PERIOD. May be "
        "repeated.",
    ),
]
Group = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Column that tells the series below one another apart, such as a station. May be "
        "repeated.",
    ),
]
Dims = Annotated[
    str | None,
    typer.Option(
        help="Dimensions of a NetCDF or Zarr file: time,lat,lon. Told by its attributes if not."
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="An option of the method. May be repeated."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors on stderr.")]
Report = Annotated[
    str | None,
    typer.Option(
        metavar="JSON",
        help="Write what was done: settings, versions, hashes; see jaximpute reproduce.",
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        metavar="2GB",
        help="Refuse, before it is begun, a run that would take more, by the measure of one trial "
        "step.",
    ),
]
Config = Annotated[
    str | None, typer.Option(metavar="TOML", help="Settings by their long names; flags win.")
]
Checkpoint = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Save the run there while it goes on, and if interrupted."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the newest checkpoint, if there is one.")
]
Every = Annotated[
    int | None, typer.Option(help="Chunks of steps between checkpoints, at least; 1 by default.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def split_dims(dims: str | None) -> list[str] | None:
    """The names in `--dims time,lat,lon`."""
    return None if dims is None else [dim.strip() for dim in dims.split(",")]


def begin(what: str, file: str, quiet: bool = False) -> None:
    """Say what is begun with a file; with stdout, keep its line free."""
    if file == "-":
        stage("reading stdin" if what == "reading" else "", show=not quiet)
    else:
        stage(f"{what} {file}", show=not quiet)


def say(text: str) -> None:
    """A line on stderr, in place of a progress bar that may stand there."""
    clear = CLEAR if is_shown() else ""
    typer.echo(f"{clear}{visible(text)}", err=True)


@contextlib.contextmanager
def reported(debug: bool) -> Iterator[None]:
    """Errors as one paragraph on stderr and an exit code.

    Args:
        debug: let them through with their tracebacks instead.
    """
    try:
        with contextlib.nullcontext() if debug else _without_chatter():
            yield
    except KeyboardInterrupt as interrupted:
        say(f"interrupted; {str(interrupted) or 'no half-written file is left'}")
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            raise
        if interrupt.came(error):
            say("interrupted; no half-written file is left")
            raise typer.Exit(INTERRUPTED) from None
        code, text = _verdict(error)
        say(f"error: {text}")
        raise typer.Exit(code) from None


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep to ourselves what other libraries say of their insides, a damaged cache aside."""
    import logging
    import warnings

    told: list[str] = []

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if compiled.TROUBLE in str(message) and (text := compiled.mend(str(message))) not in told:
            told.append(text)
            say(text)

    tasks = logging.getLogger("asyncio")  # tells tracebacks of reads of damaged files
    level = tasks.level
    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.filterwarnings("always", message=f".*{compiled.TROUBLE}")
        tasks.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            tasks.setLevel(level)


def mention_dates(table: Any, time: str | None) -> None:
    """Say how to get a series where a column of dates is taken for a table's."""
    if time is not None:
        return
    from jaximpute.data import panels

    names = [
        str(name) for name, kind in _kinds(table) if kind.startswith(("datetime", "timestamp"))
    ]
    if names:
        axis = names[0]
        clock = _clock_beside(table, axis)
        if clock is not None:
            axis = f"{axis}+{clock}"
        cells = {
            str(name): [str(cell) for cell in (table[name].tolist())]
            for name in (table.columns if hasattr(table, "dtypes") else ())
        }
        apart = panels.telling_apart(cells, names[0]) if cells and clock is None else None
        if apart is not None:
            say(
                f"note: column '{names[0]}' holds dates, and '{apart[0]}' tells rows of the same "
                f"date apart: {apart[1]} series below one another. The file is taken for a table, "
                f"whose rows have no order. For series: --time '{axis}' --group '{apart[0]}'"
            )
            return
        say(
            f"note: column '{names[0]}' holds dates, and the file is taken for a table, whose rows "
            f"have no order. For a time series: --time '{axis}'"
        )


def _clock_beside(table: Any, name: str) -> str | None:
    """A column of times of day, where that of dates has none."""
    from jaximpute.data import calendars

    if not hasattr(table, "dtypes") or (table[name].dropna().dt.hour != 0).any():
        return None
    for other in table.columns:
        cells = table[other].dropna()
        texts = str(cells.dtype) in ("string", "str", "object") and cells.size > 0
        if texts and all(calendars.CLOCK.fullmatch(str(cell).strip()) for cell in cells.unique()):
            return str(other)
    return None


def _kinds(table: Any) -> list[tuple[Any, str]]:
    if not hasattr(table, "schema") and not hasattr(table, "columns"):
        return []  # arrays and fields
    if hasattr(table, "dtypes"):
        return [(name, str(dtype)) for name, dtype in table.dtypes.items()]
    return [(field.name, str(field.type)) for field in table.schema]


def _verdict(error: Exception) -> tuple[int, str]:
    if isinstance(error, DataError):
        return BAD_INPUT, str(error)
    if isinstance(error, OptionError):
        return USAGE, str(error)
    if isinstance(error, OutOfMemoryError):
        return OUT_OF_MEMORY, str(error)
    if isinstance(error, JaximputeError):
        return FAILED, str(error)
    if is_out_of_memory(error):
        return OUT_OF_MEMORY, (
            "out of memory. Take fewer rows or columns, --preset fast, or a simpler method; "
            "jaximpute methods lists them"
        )
    first = str(error).splitlines()[0] if str(error) else ""
    return FAILED, (
        f"{type(error).__name__}: {first}\nThis was not foreseen; --debug shows where it comes from"
    )

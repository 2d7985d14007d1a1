"""The options by which a file is read: one group, the same in every command that reads one."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute.cli.common import say


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """How a file is read; see the help of the flags of these names."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip_rows: int | str | None = None
    comment: str | None = None
    missing: tuple[str, ...] = ()
    missing_only: tuple[str, ...] = ()
    as_: Mapping[str, str] = field(default_factory=dict)
    variables: str | None = None


_FLAGS: dict[str, Any] = {
    "delimiter": Annotated[
        str | None,
        typer.Option(
            help="Between the cells of a text file: one character, tab, or whitespace, of which "
            "any number is as good as one. Told by the file."
        ),
    ],
    "decimal": Annotated[
        str | None, typer.Option(help="Decimal mark of its numbers, . or , - told by them.")
    ],
    "encoding": Annotated[
        str | None, typer.Option(help="Of its text, such as cp1252; UTF-8 by default.")
    ],
    "header": Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether its first line holds names."),
    ],
    "skip_rows": Annotated[
        str | None,
        typer.Option(
            help="Lines that are no part of the table: 4 = the first four; 2-2,5-7 = these. They "
            "are kept as they are."
        ),
    ],
    "comment": Annotated[
        str | None, typer.Option(help="What lines begin with that are no part of the table.")
    ],
    "missing": Annotated[
        list[str] | None,
        typer.Option(
            help="Text or number that also stands for a missing cell, such as -999, or NAME=-999 "
            "for one column. May be repeated."
        ),
    ],
    "missing_only": Annotated[
        list[str] | None,
        typer.Option(
            help="The same in place of NA, NaN, None and the like, and of what is found; '' = "
            "empty cells alone; NAME= for one column. May be repeated."
        ),
    ],
    "as_": Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="NAME=KIND",
            help="Read a column as text or as number. May be repeated.",
        ),
    ],
    "variables": Annotated[
        str | None,
        typer.Option(
            help="Variables of a NetCDF or Zarr file to fill: a,b. The others are carried along."
        ),
    ],
}


def with_reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of this group, as one argument `reading` of settings.

    Args:
        command: with an argument `reading`.

    Returns:
        The command, whose flags the command line shows in that argument's place.
    """
    own = inspect.signature(command)

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        reading = {name: given.pop(name) for name in _FLAGS}
        command(**given, reading=reading)

    shown = []
    for name, parameter in own.parameters.items():
        if name != "reading":
            shown.append(parameter)
            continue
        shown += [
            inspect.Parameter(
                flag,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=None,
                annotation=annotation,
            )
            for flag, annotation in _FLAGS.items()
        ]
    wrapped.__signature__ = own.replace(parameters=shown)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return wrapped


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags as settings: `NAME=KIND` texts as a dictionary, None where not given."""
    kinds = {}
    for assignment in flags["as_"] or []:
        name, equals, kind = assignment.rpartition("=")
        if not equals or not name:
            raise OptionError(f"--as takes NAME=KIND, for instance --as zip=text; got {assignment}")
        kinds[name] = kind
    return {
        **{name: tuple(v) if isinstance(v, list) else v for name, v in flags.items()},
        "as_": kinds or None,
    }


def settled(flags: Mapping[str, Any]) -> ReadSettings:
    """The flags as settings, with defaults for those that are not given."""
    return ReadSettings(**{name: v for name, v in given(flags).items() if v is not None})


def read(file: str, settings: ReadSettings, quiet: bool = False) -> Any:
    """Read a file by a command's settings, and say what was taken as what.

    Args:
        file: its path.
        settings: of a command.
        quiet: say nothing.

    Returns:
        A `files.sheets.Sheet`.
    """
    from jaximpute.data.dialect import Reading
    from jaximpute.files import sheets

    names = () if settings.variables is None else settings.variables.split(",")
    sheet = sheets.read_file(
        file,
        Reading(
            delimiter=settings.delimiter,
            decimal=settings.decimal,
            encoding=settings.encoding,
            header=settings.header,
            skip_rows=None if settings.skip_rows is None else str(settings.skip_rows),
            comment=settings.comment,
            missing=tuple(map(str, settings.missing)),
            missing_only=tuple(map(str, settings.missing_only)),
            kinds=settings.as_,
            variables=tuple(name.strip() for name in names),
        ),
    )
    if not quiet:
        for note in sheet.notes:
            say(f"note: {note}")
    return sheet


def used(settings: ReadSettings) -> list[str]:
    """The flags of this group that are set.

    Example:
        >>> used(ReadSettings(missing=("-9",), header=False))
        ['--no-header', '--missing']
    """
    usual, named = ReadSettings(), {"header": "--header" if settings.header else "--no-header"}
    return [
        named.get(each.name, f"--{each.name.rstrip('_').replace('_', '-')}")
        for each in fields(ReadSettings)
        if getattr(settings, each.name) != getattr(usual, each.name)
    ]

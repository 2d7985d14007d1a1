"""The options by which a file is read: one group, the same in every command that reads one."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from jaximpute._errors import OptionError
from jaximpute.cli.common import say

# the settings of a file's reading, and what they are where nobody says
DEFAULTS: dict[str, Any] = {
    "delimiter": None,
    "decimal": None,
    "encoding": None,
    "header": None,
    "skip_rows": None,
    "comment": None,
    "missing": [],
    "missing_only": [],
    "as": {},
    "variables": None,
}
TYPES: dict[str, tuple[type, ...]] = {
    "header": (bool,),
    "skip_rows": (int, str),
    "missing": (list,),
    "missing_only": (list,),
    "as": (dict,),
}
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
    "as": Annotated[
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
    name_of = {name: f"{name}_" if name == "as" else name for name in _FLAGS}

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        reading = {name: given.pop(name_of[name]) for name in _FLAGS}
        command(**given, reading=reading)

    shown = []
    for name, parameter in own.parameters.items():
        if name != "reading":
            shown.append(parameter)
            continue
        shown += [
            inspect.Parameter(
                name_of[flag],
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
    for assignment in flags["as"] or []:
        name, equals, kind = assignment.rpartition("=")
        if not equals or not name:
            raise OptionError(f"--as takes NAME=KIND, for instance --as zip=text; got {assignment}")
        kinds[name] = kind
    return {**flags, "as": kinds or None}


def settled(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags as settings, with defaults for those that are not given."""
    return {
        name: DEFAULTS[name] if value is None else value for name, value in given(flags).items()
    }


def read(file: str, run: Mapping[str, Any], quiet: bool = False) -> Any:
    """Read a file by a command's settings, and say what was taken as what.

    Args:
        file: its path.
        run: settings, those of this group among them.
        quiet: say nothing.

    Returns:
        A `files.sheets.Sheet`.
    """
    from jaximpute.data.dialect import Reading
    from jaximpute.files import sheets

    chosen = {name: run[name] for name in DEFAULTS}
    kinds, rows = chosen.pop("as"), chosen.pop("skip_rows")
    names = chosen.pop("variables")
    sheet = sheets.read_file(
        file,
        Reading(
            **chosen
            | {name: tuple(map(str, chosen[name])) for name in ("missing", "missing_only")},
            skip_rows=None if rows is None else str(rows),
            kinds=kinds,
            variables=() if names is None else tuple(each.strip() for each in names.split(",")),
        ),
    )
    if not quiet:
        for note in sheet.notes:
            say(f"note: {note}")
    return sheet


def used(run: Mapping[str, Any]) -> list[str]:
    """The flags of this group that are set.

    Example:
        >>> used({**DEFAULTS, "missing": ["-9"], "header": False})
        ['--no-header', '--missing']
    """
    named = {"header": "--header" if run["header"] else "--no-header"}
    return [
        named.get(name, f"--{name.replace('_', '-')}")
        for name, default in DEFAULTS.items()
        if run[name] != default
    ]

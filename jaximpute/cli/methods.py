"""`jaximpute methods`: what there is, and with which options."""

import textwrap
from inspect import Parameter
from typing import Annotated

import typer

from jaximpute.cli.common import Debug, reported


def methods(
    name: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    debug: Debug = False,
) -> None:
    """List the methods with the data they take, what their answers are, and their options."""
    with reported(debug):
        from jaximpute import registry

        for each in registry.names() if name is None else [name]:
            entry = registry.entry(each)
            rows = "completes new rows" if entry.inductive else "completes the rows it learns from"
            answers = "an estimate, and draws" if entry.draws else "an estimate"
            typer.echo(f"{each}: {entry.summary}")
            typer.echo(f"    {' and '.join(entry.kinds)}; {answers}; {rows}")
            options = ", ".join(_show(option) for option in registry.options(each).values())
            if options:
                indent = " " * 4
                typer.echo(
                    textwrap.fill(
                        f"options: {options}",
                        96,
                        initial_indent=indent,
                        subsequent_indent=indent * 2,
                    )
                )


def _show(option: Parameter) -> str:
    return option.name if option.default is option.empty else f"{option.name}={option.default!r}"

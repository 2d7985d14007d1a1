"""The command line, called within this process."""

from pathlib import Path

from typer.testing import CliRunner

from jaximpute.cli import app


def call(*arguments: str | Path, **keywords):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **keywords)

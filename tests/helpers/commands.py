"""The command line, called within this process or in one of its own, and a file for it."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from jaximpute.cli import app

SERIES = """day,level,word
2024-01-01,1.50,a
2024-01-02,,b
2024-01-03,3.5,
2024-01-05,5.50,a
"""


def call(*arguments: str | Path, **keywords):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **keywords)


def shell(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )

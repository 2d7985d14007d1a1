"""A table of the docs from rows of one's own."""

import json
import tomllib
from pathlib import Path

from benchmarks import document
from benchmarks.harness import jobs, tabulate


def asked(page: str, name: str) -> dict:
    """What a table of a page of results asks for."""
    text = (jobs.ROOT / "docs" / "results" / f"{page}.md").read_text()
    return {n: tomllib.loads(ask) for _, n, ask, *_ in document.MARK.findall(text)}[name]


def table(page: str, name: str, rows: list[dict], folder: Path, **changes) -> str:
    """The table of a page made of rows, with some of what it asks for changed."""
    return made(asked(page, name) | changes, rows, folder)


def made(ask: dict, rows: list[dict], folder: Path) -> str:
    """A table made of rows."""
    write(rows, folder / f"{ask['from']}.jsonl")
    return tabulate.table(ask, folder)


def write(rows: list[dict], file: Path) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

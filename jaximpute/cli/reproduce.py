"""`jaximpute reproduce`: do what a manifest tells again, and say whether the same comes out."""

from typing import Annotated, Any

import typer

from jaximpute._errors import DataError
from jaximpute.cli import manifest
from jaximpute.cli.common import GATE, Debug, Quiet, keep_compiled, reported, say


def reproduce(
    path: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="JSON that --report has written.")
    ],
    file: Annotated[
        str | None, typer.Option("--input", help="The data, if they lie elsewhere now.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Repeat a run by its manifest and compare the result, bit for bit; nothing is written.

    Exits with 4 if the result is another one.
    """
    with reported(debug):
        about = manifest.read(path)
        name = about["input"] if file is None else file
        if name == "-":
            raise DataError("the data came from stdin; name their file with --input")
        report = _repeat(about, name, {**about["settings"], "quiet": quiet})
        if report["hashes"] == about["hashes"]:
            say(f"identical: '{about['method']}' on {name} gives the same result, bit for bit")
            return
        from jaximpute import fingerprint

        changed = fingerprint.differing(about["versions"], report["versions"])
        why = f"; what differs: {', '.join(changed)}" if changed else ", with the same versions"
        say(f"not identical: '{about['method']}' on {name} gives another result{why}")
        raise typer.Exit(GATE)


def _repeat(about: dict[str, Any], file: str, run: dict[str, Any]) -> dict[str, Any]:
    from jaximpute.cli import models
    from jaximpute.cli.impute import fill, read_sheet
    from jaximpute.data import files

    if about["command"] not in ("impute", "fit", "apply"):
        raise DataError(f"the manifest is of '{about['command']}', which is not repeated")
    keep_compiled()
    if about["command"] == "impute":
        found = fill(read_sheet(file, run), run).filled.report
    elif about["command"] == "fit":
        found = models.learn(files.read_file(file, run["missing"]), file, run).report
    else:
        sheet = files.read_file(file, run["missing"])
        found = models.complete(sheet, file, run["model"]).report
    for what in ("data", "model"):
        if found["hashes"].get(what) != about["hashes"].get(what):
            where = file if what == "data" else run["model"]
            raise DataError(f"{where} is not what it was when the manifest was written")
    return found

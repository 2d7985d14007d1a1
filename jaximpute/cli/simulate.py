"""`jaximpute simulate`: punch holes into a file, to see how they are filled."""

from typing import Annotated, Any

import typer

from jaximpute.cli import paths, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import (
    Debug,
    File,
    Force,
    Quiet,
    Time,
    begin,
    reported,
    say,
)
from jaximpute.engine.compiled import keep_compiled


@files_read.with_reading
def simulate(
    file: File,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to write, by suffix; CSV on stdout.")
    ] = "-",
    pattern: Annotated[
        str,
        typer.Option(
            help="mcar (single cells), mar (by other columns), mnar (large values), block "
            "(stretches) or own (like the holes that are there)."
        ),
    ] = "mcar",
    rate: Annotated[float, typer.Option(help="Share of the cells to hide.")] = 0.1,
    length: Annotated[
        float | None, typer.Option(help="Mean length of a block; 8 steps by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same holes.")] = 0,
    time: Time = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Column to leave alone. May be repeated.")
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(help="Write a file of the same columns: true = still observed."),
    ] = None,
    reading: Any = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Hide observed cells; the rest of the file is copied as it is written."""
    with reported(debug):
        import jax

        from jaximpute.data import frames, holes
        from jaximpute.files import sheets

        settings.check_seed(seed)
        begin("reading", file, quiet)
        paths.check_distinct(
            {"FILE": file}, {"--output": output, "--mask": mask}, in_place=[("--output", "FILE")]
        )
        # what is written last is looked at first: a refusal then leaves nothing of a run that died
        for path in (mask, output):
            if path is not None:
                sheets.check_table(path, force=force)
        sheet = files_read.read(file, files_read.settled(reading), quiet)
        keep_compiled()
        frame = frames.read(sheet.table, time)
        hidden = holes.hide(
            jax.random.key(seed), frame, rate, pattern, length=length, keep=keep or []
        )
        like = None if file == sheets.STREAM else file
        begin("writing", output, quiet)
        sheets.write_file(sheets.punch(sheet, hidden), output, force=force, like=like)
        if mask is not None:
            sheets.write_file(_mask_sheet(frame, hidden), mask, force=force)
        if not quiet:
            touched = hidden.any(axis=0)
            observed = int(frame.mask[:, touched].sum())
            say(
                f"hid {int(hidden.sum())} of {observed} observed cells in {int(touched.sum())} "
                f"columns ({pattern})"
            )


def _mask_sheet(frame: Any, hidden: Any) -> Any:
    import pandas as pd

    from jaximpute.files import sheets

    table = pd.DataFrame(frame.mask & ~hidden, columns=list(frame.names))
    return sheets.Sheet(table.replace({True: "true", False: "false"}), None)

"""What `jaximpute inspect` says of a field."""

from typing import Any

import typer

from jaximpute._terminal import stage, visible
from jaximpute.cli.common import say
from jaximpute.engine.compiled import keep_compiled

_SEED = 0


def print_field(frame: Any, file: str, quiet: bool) -> None:
    """Holes by variable and frame, the audit of each partition, and the command to run."""
    import jax

    from jaximpute.tasks.survey import survey

    keep_compiled()
    if not quiet:
        for note in frame.grid.notes:
            say(f"note: {note}")
    stage("looking at the holes, and at what could be learned", show=not quiet)
    found = survey(frame, key=jax.random.key(_SEED))
    stage("", show=not quiet)
    n, *sizes, _ = frame.shape
    axes = " x ".join(
        f"{size} {dim}" for size, dim in zip(sizes, frame.grid.dims[-len(sizes) :], strict=True)
    )
    typer.echo(f"{frame.kind}, {n} sample{'s' if n > 1 else ''} of {axes}")
    _holes(frame, found)
    if not found.audits:
        _nothing(frame)
        return
    _audits(found)
    if found.suggested is None:
        typer.echo(
            "\nsuggested: none. Every partition refuses places: no network can learn them from "
            "these data. --method optimal_interpolation needs no such learning"
        )
        return
    typer.echo(f"\nsuggested: {found.suggested}")
    tile = "" if found.tile is None else f" --set 'tile={list(found.tile)}'"
    typer.echo(
        f"  jaximpute impute {file} -o filled.nc --method context_query "
        f"--set partition={found.suggested}{tile}"
    )
    typer.echo("It says what can be learned, not what is best: jaximpute evaluate hides and scores")


def _holes(frame: Any, found: Any) -> None:
    typer.echo(
        f"\n{'variable':20} {'missing':>8} {'never':>8} {'frames: least':>14} {'median':>8} "
        f"{'most':>8}  {'in':10} {'empty':>5}"
    )
    for one in found.holes:
        name = visible(one.name)[:20]
        least, median, most = (f"{100 * share:.1f}%" for share in one.frames)
        typer.echo(
            f"{name:20} {100 * one.missing:>7.1f}% {100 * one.never:>7.1f}% {least:>14} "
            f"{median:>8} {most:>8}  {_when(frame, one.worst):10} {one.empty:>5}"
        )
    typer.echo(
        "never: of the places, observed at no time (left empty, unless --fill-unseen); frames: "
        "without these"
    )
    if any(one.missing for one in found.holes):
        typer.echo("holes " + ("differ between frames" if found.moving else "stay where they are"))


def _audits(found: Any) -> None:
    what = "fields" if found.tile is None else "tiles of " + " x ".join(map(str, found.tile))
    typer.echo(
        f"\nP(asked for | not shown, nor anything within {found.depth} cells), over {found.places} "
        f"places of {found.samples} {what}:\n"
        f"{'partition':12} {'least':>8} {'mean':>8} {'refused':>8}"
    )
    for one in found.audits:
        typer.echo(f"{one.partition:12} {one.minimum:>8.3f} {one.mean:>8.3f} {one.refused:>8}")
    for one in found.audits:
        if one.refused:
            more = ", ..." if one.refused > len(one.named) else ""
            typer.echo(f"{one.partition} never asked for {', '.join(one.named)}{more}")


def _nothing(frame: Any) -> None:
    if frame.mask.all():
        typer.echo("nothing is missing")
    elif not frame.mask.any():
        typer.echo("nothing is observed, as on land; there is nothing to learn from")
    else:
        typer.echo("images are filled one by one: --method harmonic")


def _when(frame: Any, index: int) -> str:
    """The stamp of a frame, or its number."""
    if frame.kind != "field":
        return "-"
    coords = getattr(frame.native, "coords", {})
    dim = frame.grid.dims[-3]
    return str(coords[dim].values[index])[:10] if dim in coords else str(index)

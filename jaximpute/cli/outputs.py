"""Which outputs go with which data, asked before the work is done, and what is said after it."""

from typing import Any

from jaximpute._errors import OptionError
from jaximpute.cli.common import say
from jaximpute.cli.settings import ImputeSettings


def check_stack(run: ImputeSettings, folder: bool) -> None:
    """Refuse what an array cannot be written as.

    Raises:
        OptionError: draws beside one another, or another suffix than an array's.
    """
    if run.interval is not None:
        raise OptionError("intervals of an array have no columns to stand in: --draws 5 -o draws/")
    if run.draws is not None and not folder:
        raise OptionError("draws of an array are written to a folder: --draws 5 -o draws/")
    if not folder and not run.output.lower().endswith((".npy", ".npz")):
        raise OptionError(
            f"an array is written as .npy or .npz, and not to {run.output}; name it with "
            "-o filled.npy"
        )


def check_gridded(run: ImputeSettings, folder: bool) -> None:
    """Refuse what a field cannot be written as.

    Raises:
        OptionError: the spread of one draw, another suffix than a grid's, or a picture.
    """
    from jaximpute.files import grids

    if run.draws == 1 and run.interval is None and not folder:
        raise OptionError(
            "one draw has no standard deviation; expected --draws 2 or more (some twenty), or a "
            "folder to write the draw to (-o draws/)"
        )
    if not folder and not grids.is_grid_file(run.output):
        raise OptionError(
            f"a field is written as NetCDF or Zarr, and not to {run.output}; name it with "
            "-o filled.nc or -o filled.zarr"
        )
    if run.plot is not None:
        raise OptionError("--plot draws tables and series, not fields")


def tell_clipped(report: dict[str, Any], what: str = "columns") -> None:
    """Say on stderr how many fills were brought back within their bounds, if any were."""
    if clipped := report.get("clipped"):
        names = ", ".join(f"'{name}' {cells}" for name, cells in clipped.items())
        say(f"fills kept within what their {what} may hold: {names} (see --bounds)")


def summarise(report: dict[str, Any], run: ImputeSettings) -> None:
    """Say on stderr what was filled, and where it was written."""
    missing = sum(report["missing"].values())
    if not missing:
        say("nothing is missing; the file was copied")
        return
    where = "stdout" if run.output == "-" else run.output
    picture = "" if run.plot is None else f"; picture: {run.plot}"
    tell_clipped(report, "variables" if report["kind"] in ("field", "image") else "columns")
    say(
        f"filled {report['filled']} of {missing} missing cells with '{report['method']}' in "
        f"{report['seconds']:.1f} s: {where}{picture}"
    )
    if interval := report.get("interval"):
        held, level, cells = (interval[name] for name in ("coverage", "level", "cells"))
        say(
            f"intervals of {level:.0%} from {cells} observed cells hidden again"
            + ("" if held is None else f", of which they hold {held:.0%} made without them")
        )
    if report.get("chosen", {}).get("weights"):
        from jaximpute.tasks.report import in_one_line

        say(f"{report['method']}: {in_one_line(report['chosen'])}")

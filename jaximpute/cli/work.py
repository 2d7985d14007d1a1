"""What `jaximpute impute` does between reading and writing, for every kind of file."""

from pathlib import Path
from typing import Any, NamedTuple

from jaximpute._errors import OptionError
from jaximpute.cli import limits, settings
from jaximpute.cli import reading as files_read
from jaximpute.cli.common import split_dims
from jaximpute.cli.settings import ImputeSettings
from jaximpute.engine.compiled import keep_compiled


class Done(NamedTuple):
    """A frame and its completion, and with `--interval` the ends of each cell's interval."""

    frame: Any
    filled: Any
    ends: tuple[Any, Any] | None = None


def read_sheet(file: str, run: ImputeSettings) -> Any:
    """A file, or a folder of images, as `impute` sees it: under its mask, if it has one.

    Args:
        file: its path.
        run: settings.

    Returns:
        A `files.sheets.Sheet`.
    """
    import numpy as np

    from jaximpute.files import grids, pictures
    from jaximpute.files import sheets as files

    mask = run.mask
    if Path(file).is_dir() and not grids.is_grid_file(file):
        return files.Sheet(pictures.with_holes(pictures.read_pictures(file), file, mask), None)
    limits.refuse_large(file, run.max_memory)
    sheet = files_read.read(file, run, run.quiet)
    if mask is None:
        return sheet
    if not isinstance(sheet.table, np.ndarray):
        raise OptionError("--mask is for images and arrays; empty the missing cells of a table")
    return sheet._replace(table=pictures.masked(sheet.table, pictures.read_mask(mask), mask))


def fill(sheet: Any, run: ImputeSettings, kept: Any = None, spread: bool = False) -> Done:
    """What `impute` does between reading and writing.

    Args:
        sheet: what `read_sheet` returned.
        run: settings.
        kept: where checkpoints lie.
        spread: whether the spread of draws is to be written beside a field.

    Returns:
        The frame, and its completion.
    """
    from jaximpute.data import fields, gridwriting
    from jaximpute.tasks import choose, filling, intervals

    keep_compiled()
    frame = read_frame(sheet, run)
    if spread and (lies := frame.strand or frame.grid) is not None:
        whole = sheet.table if sheet.origin is None else sheet.origin.dataset
        gridwriting.check_spread(whole, lies)
    draws, level = count_draws(run), run.interval
    most = settings.parse_memory(run.max_memory)
    limits.refuse_costly(frame, run.method, run.preset, run.options, draws, most)
    name = choose.resolve(run.method, frame.kind, draws=draws > 0)
    how: dict[str, Any] = {
        "seed": run.seed,
        "preset": run.preset,
        "max_gap": run.max_gap,
        "never_impute": False if fields.is_gridded(sheet.table) and run.fill_unseen else None,
        "progress": not run.quiet,
        "options": run.options,
        "checkpoints": kept,
        "hint": not run.circular,
    }
    if level is None:
        return Done(frame, filling.fill(frame, name, draws=draws, **how))
    bands = intervals.fill_between(frame, name, level, draws=draws or None, **how)
    return Done(frame, bands.filled, (bands.low, bands.high))


def read_frame(sheet: Any, run: ImputeSettings) -> Any:
    """The `Frame` of a sheet, with what its columns may hold as the settings say."""
    from jaximpute.data import frames, possible

    frame = frames.read(sheet.table, run.time, split_dims(run.dims), run.group or None)
    bounds = settings.parse_bounds(run.bounds)
    circular = settings.parse_circular(run.circular)
    return frame._replace(columns=possible.tell(frame.columns, bounds, circular))


def count_draws(run: ImputeSettings) -> int:
    """How many draws are asked for: 0 if none."""
    from jaximpute.tasks import trials

    if run.interval is not None:
        trials.check_level(run.interval)
    draws = run.draws
    if draws is None:
        return 0
    if draws < 1:
        raise OptionError(f"--draws is {draws}; expected at least 1")
    return draws

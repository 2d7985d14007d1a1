"""`jaximpute impute` on a folder of images: a folder of completed ones out, and a montage."""

from pathlib import Path
from typing import Any

import numpy as np

from jaximpute._errors import OptionError
from jaximpute.cli import paths
from jaximpute.cli.settings import ImputeSettings

_UNUSED = ("time", "interval", "max_gap", "dims", "plot", "missing", "variables", "fill_unseen")


def impute_folder(file: str, run: ImputeSettings, draws: int, kept: Any = None) -> dict[str, Any]:
    """Fill the holes of all images in a folder.

    Args:
        file: the folder.
        run: the settings.
        draws: how many to write beside the completed images; may be 0.
        kept: where checkpoints lie.

    Returns:
        The report of what was done.

    Raises:
        OptionError: a setting that is of no use for images, or no folder to write to.
        JaximputeError: see `files.pictures` and `tasks.filling.fill`.
    """
    from jaximpute import plots
    from jaximpute.cli.work import fill
    from jaximpute.data import frames
    from jaximpute.files import filesets, pictures, sheets
    from jaximpute.plots import montage

    unused = [name for name in _UNUSED if getattr(run, name)]
    if unused:
        flag = unused[0].replace("_", "-")
        raise OptionError(
            f"--{flag} is of no use for a folder of images, whose montage is made anyway"
        )
    output, force = run.output, run.force
    if output == "-":
        raise OptionError("completed images are written to a folder; name it with -o out/")
    read = pictures.read_pictures(file)
    names = pictures.names(read, draws)
    paths.check_distinct(
        {"--mask": run.mask},
        {"a picture": [str(Path(output, name)) for name in names], "--report": run.report},
    )
    filesets.check(output, names, force=force)
    holed = pictures.with_holes(read, file, run.mask)
    frame, filled, _ = fill(sheets.Sheet(holed, None), run, kept)
    with filesets.replacing(output, force=force, like=file) as folder:
        parts = [folder, *(folder / f"draw_{i + 1}" for i in range(draws))]
        for part, values in zip(parts, (filled.values, *filled.draws), strict=True):
            pictures.write_pictures(read, frames.write(frame, values), part)
        figure = montage.plot_images(holed, np.clip(frames.write(frame, filled.values), 0, 255))
        plots.save(figure, str(folder / f"{pictures.MONTAGE}.png"))
    return filled.report

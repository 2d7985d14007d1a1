"""`jaximpute impute` on a folder of images: a folder of completed ones out, and a montage."""

from pathlib import Path
from typing import Any

import numpy as np

from jaximpute._errors import OptionError

_UNUSED = ("time", "interval", "max_gap", "dims", "plot", "missing", "fill_unseen")


def impute_folder(file: str, run: dict[str, Any], draws: int, kept: Any = None) -> dict[str, Any]:
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
        JaximputeError: see `data.pictures` and `api.fill`.
    """
    from jaximpute import montage, plots
    from jaximpute.cli.impute import fill
    from jaximpute.data import files, frames, pictures

    unused = [name for name in _UNUSED if run[name]]
    if unused:
        flag = unused[0].replace("_", "-")
        raise OptionError(
            f"--{flag} is of no use for a folder of images, whose montage is made anyway"
        )
    output, force = run["output"], run["force"]
    if output == "-":
        raise OptionError("completed images are written to a folder; name it with -o out/")
    read = pictures.read_pictures(file)
    folders = [output, *(str(Path(output, f"draw_{i + 1}")) for i in range(draws))]
    for folder in folders if Path(output).is_dir() else folders[:1]:
        pictures.check_output_folder(folder, read.names, force=force)
    holed = pictures.with_holes(read, file, run["mask"])
    frame, filled = fill(files.Sheet(holed, None), run, kept)
    for folder, values in zip(folders, (filled.values, *filled.draws), strict=True):
        pictures.write_pictures(read, frames.write(frame, values), folder, force=force)
    figure = montage.plot_images(holed, np.clip(frames.write(frame, filled.values), 0, 255))
    plots.save(figure, pictures.paths(output, read.names)[-1], force=force)
    return filled.report

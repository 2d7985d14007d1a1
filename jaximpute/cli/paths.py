"""The paths that a command is given: no output may be its input, its settings or another output."""

import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from jaximpute._errors import OptionError
from jaximpute.cli.settings import ImputeSettings

_STREAM = "-"


def check_distinct(
    read: Mapping[str, str | None],
    written: Mapping[str, str | Sequence[str] | None],
    *,
    whole: Sequence[str] = (),
    in_place: Sequence[tuple[str, str]] = (),
) -> None:
    """Refuse two names for one file, whatever links, case or dots make of them.

    Args:
        read: what is read, by its name on the command line.
        written: what is written; several files for one name.
        whole: names of folders that are replaced as a whole, in which no other path may lie.
        in_place: pairs of an output and the input that it may replace.

    Raises:
        OptionError: two are one, or one lies in a folder that is replaced; the message names both.

    Example:
        >>> check_distinct({"FILE": "a.csv"}, {"--output": "b.csv", "--report": None})
        >>> check_distinct({"FILE": "a.csv"}, {"--report": "./a.csv"})
        Traceback (most recent call last):
        ...
        jaximpute._errors.OptionError: --report and FILE are the same file, ./a.csv; name another
    """
    outputs = [(name, path) for name, paths in written.items() for path in _several(paths)]
    inputs = [(name, path) for name, paths in read.items() for path in _several(paths)]
    for name, path in (*outputs, *inputs):
        if "\0" in path:
            raise OptionError(f"{name} is {path!r}, which is no path")
    pairs = [*((out, other) for out in outputs for other in inputs), *combinations(outputs, 2)]
    for (name, path), (other, its) in pairs:
        if name == other:
            continue  # files of one folder
        if (name, other) not in in_place and _same(path, its):
            raise OptionError(f"{name} and {other} are the same file, {path}; name another")
        for (outer, folder), (inner, file) in (
            ((name, path), (other, its)),
            ((other, its), (name, path)),
        ):
            if outer in whole and _within(file, folder):
                raise OptionError(
                    f"{inner} is {file}, in the folder {folder} that {outer} replaces as a whole; "
                    "name another place"
                )


def check_impute(file: str, run: ImputeSettings, config: str | None, draws: int) -> None:
    """Refuse one path under two names of `impute`; a file may be completed in its own place.

    Args:
        file: what is completed.
        run: settings.
        config: where they come from.
        draws: how many are written.

    Raises:
        OptionError: see `check_distinct`.
    """
    from jaximpute.files import draws as many
    from jaximpute.files import grids

    output = run.output
    folder = draws > 0 and run.interval is None and many.is_folder(output)
    names = many.names(Path(file).suffix.lower(), draws) if folder else []
    check_distinct(
        {"FILE": file, "--mask": run.mask, "--config": config},
        {
            "--output": output,
            "--plot": run.plot,
            "--report": run.report,
            "--checkpoint": run.checkpoint,
            "a file of draws": [str(Path(output, name)) for name in names],
        },
        whole=["--checkpoint", *(["--output"] if grids.is_zarr(output) else [])],
        in_place=[("--output", "FILE")],
    )


def _several(paths: str | Sequence[str] | None) -> list[str]:
    if paths is None or paths == _STREAM:
        return []
    return [paths] if isinstance(paths, str) else list(paths)


def _same(one: str, other: str) -> bool:
    a, b = (Path(os.path.realpath(path)) for path in (one, other))
    if a.exists() and b.exists():
        return a.samefile(b)
    if a == b:
        return True
    together = a.parent == b.parent or (
        a.parent.exists() and b.parent.exists() and a.parent.samefile(b.parent)
    )
    return together and a.name.casefold() == b.name.casefold() and _folds(a.parent)


def _within(file: str, folder: str) -> bool:
    place = Path(os.path.realpath(folder))
    outer = Path(os.path.realpath(file)).parents
    if place in outer:
        return True
    return place.exists() and any(each.exists() and each.samefile(place) for each in outer)


def _folds(folder: Path) -> bool:
    """Whether upper and lower case are one where a folder lies."""
    for each in (folder, *folder.parents):
        other = each.with_name(each.name.swapcase()) if each.name else each
        if other.name != each.name and each.exists():
            return other.exists() and other.samefile(each)
    return False

"""Several files that are put into a folder together, beside what else lies there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from jaximpute._errors import OutputError
from jaximpute.files import access, atomic
from jaximpute.files.atomic import NEW, OLD
from jaximpute.files.workrooms import named, remove, sweep, workroom

_INSIDE, _MOVING = "jaximpute", "moving"  # names of what is made in the folder meanwhile
_STORE = ".zarr"  # a folder that counts as one file


@contextlib.contextmanager
def replacing(
    path: str | Path, *, force: bool = False, like: str | Path | None = None
) -> Iterator[Path]:
    """Files (and Zarr stores) that appear in a folder together, beside what else lies there.

    A folder that does not exist appears whole. Into one that does, files are moved one by one: a
    run that dies meanwhile leaves the others in a folder there, and `check` of the next run
    moves them first.

    Args:
        path: the folder.
        force: replace files that exist.
        like: see `atomic.replacing`.

    Yields:
        A folder to write them to.

    Raises:
        OutputError: a file exists and `force` is false, or writing failed.
    """
    target = atomic.resolved(path)
    if not target.exists():
        with atomic.replacing_folder(path, like=like) as folder:
            folder.mkdir()
            yield folder
        return
    with atomic.output_errors(path), workroom(target / _INSIDE) as room:
        new = room / NEW
        new.mkdir()
        yield new
        names = [each.relative_to(new) for each in _wholes(new)]
        check(path, [str(name) for name in names], force=force)
        for name in names:
            old = target / name
            access.take_over(new / name, old) if old.exists() else atomic.limit(new / name, like)
        moving = named(target / _INSIDE, _MOVING)
        # from here on all files get to their places, if need be by the next run
        os.rename(room, moving)
        try:
            _move_in(moving, target)
        except OSError as error:
            raise OutputError(
                f"cannot put all files into {path}: {error.strerror or error}; the others lie in "
                f"{moving}, and the next run that writes there moves them"
            ) from error


def check(path: str | Path, names: list[str], *, force: bool = False) -> None:
    """Refuse files that `replacing` would refuse, and end what a dead run began there.

    Args:
        path: the folder.
        names: of the files, relative to it.
        force: replace files that exist.

    Raises:
        OutputError: there is no place for the folder, it is none, a file exists and `force` is
            false, or is no file; or another run is writing there.
    """
    target = atomic.resolved(path)
    atomic.restore(target)
    if not target.exists():
        if not target.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {target.parent}")
        return
    if not target.is_dir():
        raise OutputError(f"{path} is no folder; name a folder to write files to, such as out/")
    sweep(target / _INSIDE)
    moving = named(target / _INSIDE, _MOVING)
    if os.path.lexists(moving):
        with atomic.output_errors(path), atomic.locked(moving, path):
            _move_in(moving, target)
    for name in names:
        file = target / name
        if file.exists() and file.is_file() == (file.suffix == _STORE):
            raise OutputError(f"{Path(path, name)} is no regular file; it stays")
        if file.exists() and not force:
            raise OutputError(f"{Path(path, name)} exists; pass --force (force=True) to replace it")


def _wholes(folder: Path) -> list[Path]:
    """All files in a folder, where a store counts as one."""
    found: list[Path] = []
    for each in sorted(folder.iterdir()):
        single = each.is_file() or each.suffix == _STORE
        found += [each] if single else _wholes(each)
    return found


def _move_in(moving: Path, target: Path) -> None:
    """Move all files to their places; where a run died before, what is left of them."""
    new, old = moving / NEW, moving / OLD
    old.mkdir(exist_ok=True)
    for i, one in enumerate(_wholes(new) if new.is_dir() and not new.is_symlink() else []):
        place = target / one.relative_to(new)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            remove(old / str(i))
            os.rename(place, old / str(i))
        os.replace(one, place)
    remove(moving)

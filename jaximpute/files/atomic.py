"""Finished files and folders are put into their place: whole or not at all, once or not at all.

All that this program writes comes by here. It is made in a private folder beside its place (see
`workrooms`), takes the permissions of what it replaces (see `access`) and is renamed at the end, so
that at any moment the old or the new one is there, whole. A process that dies leaves its folder,
which the next run for the same output removes.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaximpute._errors import OutputError
from jaximpute.files import _rename, access
from jaximpute.files.workrooms import BusyError, hold, release, sweep, workroom

NEW, OLD = "new", "replaced"  # in a workroom


def check(path: str | Path, *, force: bool = False) -> None:
    """Refuse a file that `replacing` would refuse, and clear away what a dead run left of it.

    Raises:
        OutputError: it exists and `force` is false, its folder does not exist, or it is no file.
    """
    with output_errors(path):
        if Path(path).exists() and not Path(path).is_file():
            raise OutputError(f"{path} is no regular file; name a file, or - for stdout")
    check_new(path, force=force)


def check_new(path: str | Path, *, force: bool = False) -> Path:
    """Refuse what exists unless forced to replace it, and a place without a folder.

    Returns:
        The path, through links.

    Raises:
        OutputError: see above.
    """
    target = resolved(path)
    with output_errors(path):
        if not target.parent.is_dir():
            place = target.parent if Path(path).parent.is_dir() else Path(path).parent
            raise OutputError(f"cannot write {path}: there is no folder {place}")
        restore(target)
        if target.exists() and not force and not _is_empty(target):
            raise OutputError(f"{path} exists; pass --force (force=True) to replace it")
    return target


@contextlib.contextmanager
def replacing(
    path: str | Path, *, force: bool = False, like: str | Path | None = None
) -> Iterator[IO[bytes]]:
    """A file that appears whole or not at all.

    Args:
        path: where it is to appear; a link is written through.
        force: replace a file that exists.
        like: what it is made of: where there was no file before, the new one may be read by nobody
            who cannot read this.

    Raises:
        OutputError: see `check`; or writing failed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with replacing(f"{place}/a.txt") as file:
        ...         _ = file.write(b"all of it")
        ...     [file.name for file in Path(place).iterdir()]
        ['a.txt']
    """
    check(path, force=force)
    target = resolved(path)
    with output_errors(path), workroom(target) as room:
        with (room / NEW).open("xb") as file:
            yield file
            to_disk(file)
        put(room / NEW, target, force=force, like=like)


@contextlib.contextmanager
def replacing_folder(
    path: str | Path, *, force: bool = False, like: str | Path | None = None
) -> Iterator[Path]:
    """A folder that appears whole or not at all, in place of one that is removed as a whole.

    Args:
        path: where it is to appear. The caller has seen that nothing of anybody else lies in it.
        force: replace a folder that exists.
        like: see `replacing`.

    Yields:
        Where to write meanwhile; it does not exist yet.

    Raises:
        OutputError: it exists and `force` is false, or writing failed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with replacing_folder(f"{place}/model") as folder:
        ...         folder.mkdir()
        ...         _ = (folder / "a.txt").write_text("all of it")
        ...     [file.name for file in Path(place, "model").iterdir()]
        ['a.txt']
    """
    target = check_new(path, force=force)
    with output_errors(path), workroom(target) as room:
        yield room / NEW
        put(room / NEW, target, force=force, like=like)


def put(new: Path, target: Path, *, force: bool, like: str | Path | None = None) -> None:
    """Move a finished file or folder into its place; what was there goes to where it was made.

    Args:
        new: in a workroom.
        target: its place, through links.
        force: replace what is there.
        like: see `replacing`.

    Raises:
        OutputError: something is there, and `force` is false.
        OSError: it cannot be moved; what was there is there.
    """
    if target.exists() and (force or _is_empty(target)):
        access.take_over(new, target)
        if not target.is_dir():
            os.replace(new, target)
        elif not _rename.swap(new, target):
            _replace_folder(new, target)
    else:
        limit(new, like)
        try:
            _rename.move(new, target)
        except FileExistsError:
            raise OutputError(
                f"{target} has appeared while this ran, and stays; pass --force (force=True) to "
                "replace it"
            ) from None
    _folder_to_disk(target.parent)


def restore(target: Path) -> None:
    """Clear away what dead runs left beside an output, and put back what one of them took away."""

    def rescue(room: Path) -> None:
        if (room / OLD).is_dir() and not os.path.lexists(target):
            os.rename(room / OLD, target)

    sweep(target, rescue)


def resolved(path: str | Path) -> Path:
    """A path through links.

    Raises:
        OutputError: links that lead in a circle.
    """
    try:
        return Path(path).resolve()
    except (RuntimeError, OSError) as error:
        raise OutputError(f"cannot write {path}: {error}") from error


@contextlib.contextmanager
def output_errors(
    path: str | Path, rest: str = "what was there before is untouched"
) -> Iterator[None]:
    """Say which output cannot be written, and what there is in its place.

    Raises:
        OutputError: in place of an `OSError`.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {rest}") from error


@contextlib.contextmanager
def locked(folder: Path, path: str | Path) -> Iterator[None]:
    """Hold a folder to work in, for as long as the block takes.

    Raises:
        OutputError: another process works in it, or it is no folder.
    """
    try:
        lock = hold(folder)
    except (BusyError, FileNotFoundError):  # gone: the other has just ended
        raise OutputError(
            f"another run is writing {path} now, in {folder}; wait until it has ended, or name "
            "another output"
        ) from None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield
    finally:
        release(lock)


def to_disk(file: IO[bytes]) -> None:
    """Bring what was written to the disk."""
    file.flush()
    os.fsync(file.fileno())


def _is_empty(target: Path) -> bool:
    """Whether it is a folder with nothing in it, which is as good as none."""
    return target.is_dir() and next(target.iterdir(), None) is None


def limit(new: Path, like: str | Path | None) -> None:
    """Let what is new be read by nobody who cannot read what it is made of."""
    if like is not None and Path(like).exists():
        access.limit(new, Path(like))


def _replace_folder(new: Path, target: Path) -> None:
    """By two renames, between which a run may die; `restore` puts back what was there."""
    old = new.with_name(OLD)
    os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(old, target)
        raise


def _folder_to_disk(folder: Path) -> None:
    """Bring a rename to the disk, where folders can be opened."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

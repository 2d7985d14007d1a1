"""A folder of checkpoints is marked as such, and nothing that others put there is deleted."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from jaximpute._errors import OutputError
from jaximpute.engine import locks

MARK = ".jaximpute-checkpoints"
LOCK = ".jaximpute-lock"
_STEP = re.compile(r"\d+(\.orbax-checkpoint-tmp.*)?")
# what a step holds, some of it while it is written or deleted
_PARTS = re.compile(
    r"(about|state)(\.orbax-checkpoint-tmp.*)?|_CHECKPOINT_METADATA.*|commit_success\.txt"
)


def claim(folder: Path, named: str) -> None:
    """Mark a folder that is new or empty; refuse one in which anything of others lies.

    Args:
        folder: for checkpoints, which are deleted there as new ones come.
        named: as the user named it, for messages.

    Raises:
        OutputError: it is no folder, it cannot be made, or others have put something there; the
            message says what.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # states may hold rows
        held = sorted(folder.iterdir())
        mark = folder / MARK
        ours = mark.is_file() and not mark.is_symlink()
        strange = _strange(held) if ours else next(iter(held), None)
        if strange is not None:
            raise OutputError(
                f"{named} holds '{strange.relative_to(folder)}', which is no checkpoint of this "
                "program; checkpoints are kept in a folder of their own, where old ones are "
                "deleted: name another one (--checkpoint), or move that away"
            )
        mark.touch(exist_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot keep checkpoints in {named}: {error.strerror or error}"
        ) from error


@contextlib.contextmanager
def holding(folder: Path, named: str) -> Iterator[None]:
    """Keep other runs from a folder, for as long as the block takes.

    Raises:
        OutputError: another run keeps its checkpoints there now.
    """
    try:
        lock = locks.lock(folder / LOCK)
    except locks.BusyError:
        raise OutputError(
            f"another run keeps its checkpoints in {named} now; wait until it has ended, or name "
            "another folder (--checkpoint)"
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot keep checkpoints in {named}: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        locks.unlock(lock)


def _strange(held: list[Path]) -> Path | None:
    """The first thing that is neither the mark, nor a checkpoint or what is left of one."""
    for each in held:
        if each.name in (MARK, LOCK):
            continue
        if not _STEP.fullmatch(each.name) or each.is_symlink() or not each.is_dir():
            return each
        for part in sorted(each.iterdir()):
            if not _PARTS.fullmatch(part.name):
                return part
    return None

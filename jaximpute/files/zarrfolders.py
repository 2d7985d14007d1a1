"""Zarr stores as folders: what may lie in one, and a copy that follows no link out of it."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from jaximpute._errors import DataError, OutputError

_NODES = ("zarr.json", ".zgroup", ".zarray")
_ABOUT = (*_NODES, ".zattrs", ".zmetadata")
_CHUNK = re.compile(r"c([./]\d+)*|\d+([./]\d+)*")  # its key, by the versions 3 and 2 of the format

# what a writer of Zarr leaves of a file if it dies
_PARTIAL = re.compile(r".+\.[0-9a-f]{32}\.partial")


def check(path: str) -> None:
    """Refuse a folder that holds what is no part of a Zarr store, so that it is not replaced.

    Raises:
        OutputError: it does, or is no store; the message names what was found.
    """
    target = Path(path)
    if not target.exists():
        return
    if not target.is_dir() or not any((target / name).is_file() for name in _NODES):
        raise OutputError(f"{path} exists and is no Zarr store; it is not replaced")
    strange = _strange(target.resolve())
    if strange is not None:
        raise OutputError(
            f"{path} holds '{strange.relative_to(target.resolve())}', which is no part of a Zarr "
            "store; move it away, or name another output"
        )


def copy(store: str, to: Path) -> None:
    """Copy a store; a link to another file in it becomes a copy of that file.

    Args:
        store: a folder.
        to: does not exist.

    Raises:
        DataError: a link leads elsewhere, or something is neither a file nor a folder.
        OSError: the disk is full, for instance.
    """
    root = Path(store).resolve()
    to.mkdir()
    for one in _within(root, store):
        place = to / one.relative_to(root)
        if one.is_dir():
            place.mkdir()
        elif not _PARTIAL.fullmatch(one.name):
            shutil.copyfile(one, place)


def refuse_links(store: str) -> None:
    """Refuse a store that leads elsewhere: to what is none of its data, or has no end.

    Raises:
        DataError: see `copy`.
    """
    for _ in _within(Path(store).resolve(), store):
        pass


def _within(root: Path, store: str) -> Iterator[Path]:
    """All files and folders of a store, folders before what they hold."""
    for one in sorted(root.rglob("*")):
        if one.is_dir() and not one.is_symlink():
            yield one
            continue
        try:
            real = one.resolve()
            ours = real.is_file() and real.is_relative_to(root)
        except (OSError, RuntimeError):  # a link to itself
            ours = False
        if not ours:
            raise DataError(
                f"'{one.relative_to(root)}' in {store} is a link out of the store or to a folder, "
                "or no file; put a copy of what it stands for in its place"
            )
        yield one


def clear(store: Path) -> None:
    """Remove what a run that died while it wrote a chunk has left of it."""
    for one in store.rglob("*.partial"):
        if _PARTIAL.fullmatch(one.name):
            one.unlink()


def _strange(node: Path) -> Path | None:
    """The first thing in a group or array that the format does not put there."""
    array = _is_array(node)
    for one in sorted(node.iterdir()):
        if (one.name in _ABOUT or _PARTIAL.fullmatch(one.name)) and one.is_file():
            continue
        if array and _CHUNK.fullmatch(one.name):
            found = _no_chunk(one)
        elif not array and one.is_dir() and any((one / name).is_file() for name in _NODES):
            found = _strange(one)
        else:
            found = one
        if found is not None:
            return found
    return None


def _no_chunk(one: Path) -> Path | None:
    if one.is_file():
        return None
    for each in sorted(one.iterdir()):
        known = _CHUNK.fullmatch(each.name) or _PARTIAL.fullmatch(each.name)
        found = _no_chunk(each) if known else each
        if found is not None:
            return found
    return None


def _is_array(node: Path) -> bool:
    if (node / ".zarray").is_file():
        return True
    try:
        about = json.loads((node / "zarr.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("node_type") == "array"

"""How the arrays of a Zarr store are packed: by codecs that are installed, and that run nothing."""

import importlib
import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jaximpute._errors import DataError

_RUNS = ("pickle", "numcodecs.pickle")  # what such a file says is run as a program
_USUAL = "zstd, blosc or gzip"


def check(store: str) -> None:
    """Refuse a store with arrays that cannot be read here, or that run code when they are.

    Args:
        store: a folder.

    Raises:
        DataError: names the array and the codec.
    """
    for array, about in _arrays(Path(store)):
        for name in _codecs(about):
            if name in _RUNS:
                raise DataError(
                    f"'{array}' in {store} is packed with the codec '{name}', which runs what the "
                    "file says, and is not read; whoever made the store should write the array "
                    f"as numbers or texts, with {_USUAL}"
                )
            if not _is_known(name, about):
                raise DataError(
                    f"'{array}' in {store} is packed with the codec '{name}', which is not "
                    f"installed; install the package that has it, or write the store with {_USUAL}"
                )


def _arrays(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names and the metadata of all arrays, those that groups repeat of them too."""
    for name in (".zarray", "zarr.json", ".zmetadata"):
        for file in sorted(root.rglob(name)):
            node = file.parent.relative_to(root).as_posix()
            about = _read(file)
            if name == ".zmetadata":
                held, end = about.get("metadata"), "/.zarray"
            else:
                yield node, about
                held, end = about.get("consolidated_metadata"), ""
                held = held.get("metadata") if isinstance(held, dict) else None
            for key, each in (held if isinstance(held, dict) else {}).items():
                if key.endswith(end) and isinstance(each, dict):
                    yield key.removesuffix(end), each


def _read(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}  # damaged: the library that reads it says how
    return about if isinstance(about, dict) else {}


def _codecs(about: Any) -> Iterator[str]:
    """The names of codecs, of those within others, too."""
    for key in ("compressor", "filters", "codecs", "index_codecs", "storage_transformers"):
        found = about.get(key)
        for codec in found if isinstance(found, list) else [found]:
            if isinstance(codec, str):
                yield codec
            elif isinstance(codec, dict):
                name = codec.get("id", codec.get("name"))
                if isinstance(name, str):
                    yield name
                if isinstance(inner := codec.get("configuration"), dict):
                    yield from _codecs(inner)


def _is_known(name: str, about: dict[str, Any]) -> bool:
    if about.get("zarr_format") == 3:
        try:
            importlib.import_module("zarr.registry").get_codec_class(name)
        except Exception:  # none, or a package that cannot be loaded
            return False
        return True
    numcodecs = importlib.import_module("numcodecs.registry")
    installed = (entry.name for entry in entry_points(group="numcodecs.codecs"))
    return name in numcodecs.codec_registry or name in installed

"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaximpute._errors import OutputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new folder beside `path`, which takes its place when the block ends without an error.

    What stood there is kept until then, and put back if the exchange fails.

    Args:
        path: the folder to be written; what it holds is replaced.

    Yields:
        Where to write meanwhile; it does not exist yet.

    Raises:
        OutputError: the block or the exchange failed with an `OSError`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with replacing(f"{place}/model") as folder:
        ...         folder.mkdir()
        ...         _ = (folder / "a.txt").write_text("all of it")
        ...     [file.name for file in Path(place, "model").iterdir()]
        ['a.txt']
    """
    target = Path(path).resolve()
    beside, old = (
        target.with_name(f".{target.name}.{os.getpid()}.{end}") for end in ("part", "old")
    )
    try:
        yield beside
        if target.exists():
            target.rename(old)
        try:
            beside.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; what was there before is untouched"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)

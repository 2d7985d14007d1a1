"""Whether an HDF5 file is all there is to it: parts of it may lie in other files."""

import importlib
from typing import Any

from jaximpute._errors import DataError


def refuse(file: Any, source: str) -> None:
    """Refuse a file that leads to others: by links, cells that lie outside, or views of others.

    Whoever made it could name any file of whoever reads it.

    Args:
        file: an open `h5py.File`.
        source: its name, for messages.

    Raises:
        DataError: names the group or variable, and where it leads.
    """
    h5py = importlib.import_module("h5py")

    def lead(name: str, where: Any) -> None:
        raise DataError(
            f"'{name}' in {source} lies in another file, {str(where)!r}, and is not read; put a "
            "copy of what it stands for in its place (h5repack copies files whole)"
        )

    def look(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            if thing.external:
                lead(name, thing.external[0][0])
            for part in thing.virtual_sources() if thing.is_virtual else ():
                if part.file_name != ".":
                    lead(name, part.file_name)
            return
        for each in thing:
            link = thing.get(each, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                lead(f"{name}/{each}".lstrip("/"), link.filename)

    look("", file)
    file.visititems(look)

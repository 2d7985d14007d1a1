"""How the variables of an HDF5 file are packed: by filters that are installed."""

import contextlib
import importlib
from typing import Any

from jaximpute._errors import DataError


def check(file: Any, source: str) -> None:
    """Refuse a file with variables that cannot be unpacked here.

    The filters of `hdf5plugin` are there if it is installed.

    Args:
        file: an open `h5py.File`.
        source: its name, for messages.

    Raises:
        DataError: names the variable and the filter.
    """
    h5py = importlib.import_module("h5py")
    absent: list[tuple[str, int, str]] = []

    def look(name: str, thing: Any) -> None:
        if not isinstance(thing, h5py.Dataset):
            return
        how = thing.id.get_create_plist()
        for i in range(how.get_nfilters()):
            number, _, _, called = how.get_filter(i)
            if not h5py.h5z.filter_avail(number):
                absent.append((name, number, called.decode(errors="replace").strip("\0 ")))

    file.visititems(look)
    if absent:
        with contextlib.suppress(ImportError):
            importlib.import_module("hdf5plugin")
    for name, number, called in absent:
        if not h5py.h5z.filter_avail(number):
            what = f"{number} ('{called}')" if called else f"{number}"
            raise DataError(
                f"variable '{name}' in {source} is packed by the HDF5 filter {what}, which is not "
                "installed; install hdf5plugin, or write the file with zlib (nccopy -d 4)"
            )

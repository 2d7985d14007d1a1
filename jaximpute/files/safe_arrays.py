"""Arrays that this program has written for itself, read back without trust.

Such a file (`np.savez`) is not compressed, so that it takes no more memory than it has bytes on the
disk; one that is compressed, is no regular file, or holds what was not expected is refused unread.
"""

import ast
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaximpute._errors import DataError

_KINDS = "biuf"
_DAMAGE = (
    OSError,
    ValueError,  # of NumPy, and of texts
    EOFError,
    KeyError,
    SyntaxError,  # of a header
    OverflowError,
    MemoryError,
    RecursionError,
    TypeError,  # of a type of cells
    NotImplementedError,  # of archives
    struct.error,
    zipfile.BadZipFile,
)


def read_text(path: Path, most: int = 2**26) -> str:
    """A text file of at most so many bytes.

    Raises:
        DataError: it is larger, no regular file or no text, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise ValueError(f"it has more than {most} bytes")
        return data.decode()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def read_arrays(path: Path, expected: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """All arrays of a file.

    Args:
        path: of the file.
        expected: whether an array may have a name.

    Raises:
        DataError: it is damaged, or not as this program writes it.
        FileNotFoundError: there is none.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            arrays: dict[str, np.ndarray] = {}
            size = os.fstat(file.fileno()).st_size
            if sum(member.file_size for member in archive.infolist()) > size:
                raise ValueError("it says that it holds more than it has bytes")
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if not expected(name) or name in arrays:
                    raise ValueError(f"it holds '{name[:80]}', which is not expected there")
                if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                    raise ValueError(f"'{name}' is compressed or encrypted")
                arrays[name] = _array(archive.read(member), name)
            return arrays
    except FileNotFoundError:
        raise
    except _DAMAGE as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged: {words}") from error


def open_regular(path: Path) -> Any:
    """Open a file, and nothing that might never end, such as a pipe or a device.

    Raises:
        OSError: it is none, or cannot be opened.
    """
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(f"{path} is no regular file")
        return os.fdopen(opened, "rb")
    except BaseException:
        os.close(opened)
        raise


def _array(data: bytes, name: str) -> np.ndarray:
    """An array from bytes as `np.save` writes them, whose header must tell their length."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError(f"'{name}' is no array")
    (length,) = struct.unpack("<H", data[8:10])
    about = ast.literal_eval(data[10 : 10 + length].decode("latin1"))
    if not isinstance(about, dict) or about.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError(f"'{name}' has another header")
    if not isinstance(about["descr"], str) or about["fortran_order"] not in (True, False):
        raise ValueError(f"'{name}' is not of plain numbers")
    dtype, shape = np.dtype(about["descr"]), about["shape"]
    sizes = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if dtype.kind not in _KINDS or not sizes:
        raise ValueError(f"'{name}' holds {dtype} of shape {shape}")
    count = 1
    for size in shape:
        count *= size
    if count * dtype.itemsize != len(data) - 10 - length:
        raise ValueError(f"'{name}' has {len(data)} bytes, which do not make {dtype} of {shape}")
    flat = np.frombuffer(data, dtype, count, 10 + length).copy()
    return flat.reshape(shape[::-1]).T if about["fortran_order"] else flat.reshape(shape)

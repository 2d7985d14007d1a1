"""Stacks of images and other arrays in NumPy's files; NaN or a mask says what is missing."""

import io
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from jaximpute._errors import DataError

SUFFIXES = (".npy", ".npz")
MASK = "mask"
# what NumPy and the archives it reads raise where a file is damaged
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_stack(data: bytes, source: str) -> np.ndarray:
    """An array with NaN where missing.

    Args:
        data: the file. An `.npz` holds one array, and may hold another called `mask`, True where
            observed: of the array's shape, or of its first axes.
        source: its name, for messages.

    Returns:
        `(rows, columns)`, `(n, time, channels)`, `(n, y, x, channels)` or `(n, time, y, x,
        channels)`, in float32 unless it is float64.

    Raises:
        DataError: no array file, pickled objects, several arrays, images of different sizes, or a
            mask of another shape.
    """
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
    except _DAMAGE as error:
        hint = " (objects, such as images of different sizes, cannot be stacked)"
        raise DataError(f"{source} is no file of one numeric array{hint}: {error}") from error
    if isinstance(loaded, np.ndarray):
        return _floats(loaded, source)
    try:
        arrays = {name: loaded[name] for name in loaded.files}
    except _DAMAGE as error:
        raise DataError(f"{source} is damaged, or holds objects, not numbers: {error}") from error
    mask = arrays.pop(MASK, None)
    if len(arrays) != 1:
        raise DataError(
            f"{source} holds the arrays {', '.join(arrays) or 'none'}; expected one, and "
            f"optionally '{MASK}' (True = observed)"
        )
    (values,) = arrays.values()
    values = _floats(values, source)
    if mask is None:
        return values
    if mask.dtype != bool or mask.shape != values.shape[: mask.ndim]:
        raise DataError(
            f"the mask in {source} is of type {mask.dtype} and shape {mask.shape}; expected "
            f"booleans of shape {values.shape}, or of its first axes"
        )
    mask = mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim))
    return np.where(mask, values, np.nan)


def write_stack(file: IO[bytes], values: Any, suffix: str) -> None:
    """Write an array, to `.npz` under the name `values`."""
    if suffix == ".npy":
        np.save(file, np.asarray(values), allow_pickle=False)
    else:
        np.savez_compressed(file, values=np.asarray(values))


def _floats(values: np.ndarray, source: str) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise DataError(f"{source} holds {values.dtype}; expected numbers")
    return values if values.dtype == np.float64 else values.astype(np.float32)

"""Stacks of images and other arrays in NumPy's files; NaN or a mask says what is missing."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import signs

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


class Stack(NamedTuple):
    """A file's array.

    Attributes:
        values: to compute with: float32 or float64, NaN where missing.
        held: as the file holds it, whatever its type.
        name: in an `.npz`; empty otherwise.
        signed: which cells of `held` are signs for missing, not told by NaN or a mask; or None.
    """

    values: np.ndarray
    held: np.ndarray
    name: str = ""
    signed: np.ndarray | None = None


def read_stack(data: bytes, source: str) -> Stack:
    """An array with NaN where missing.

    Args:
        data: the file. An `.npz` holds one array, and may hold another called `mask`, True where
            observed: of the array's shape, or of its first axes.
        source: its name, for messages.

    Returns:
        `(rows, columns)`, `(n, time, channels)`, `(n, y, x, channels)` or `(n, time, y, x,
        channels)`.

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
        return Stack(_floats(loaded, source), loaded)
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
    ((name, held),) = arrays.items()
    values = _floats(held, source)
    if mask is None:
        return Stack(values, held, name)
    if mask.dtype != bool or mask.shape != values.shape[: mask.ndim]:
        raise DataError(
            f"the mask in {source} is of type {mask.dtype} and shape {mask.shape}; expected "
            f"booleans of shape {values.shape}, or of its first axes"
        )
    mask = mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim))
    return Stack(np.where(mask, values, np.asarray(np.nan, values.dtype)), held, name)


def with_signs(stack: Stack, missing: Sequence[str]) -> tuple[Stack, list[str]]:
    """The array with NaN for numbers that stand for a missing cell.

    Args:
        stack: as it was read.
        missing: the numbers, `NAME=NUMBER` for one column, whose name is its position.

    Returns:
        The array, and what was taken for missing, in words.

    Raises:
        OptionError: a sign that is no number.

    Example:
        >>> held = np.array([[1, -9], [-9, 3]])
        >>> stack, notes = with_signs(Stack(held.astype(float), held), ["1=-9"])
        >>> stack.values.tolist(), notes
        ([[1.0, nan], [-9.0, 3.0]], ["-9 is taken for a missing cell 1 times, in column '1'"])
    """
    held = stack.held
    names = [str(i) for i in range(held.shape[-1])] if held.ndim else []
    everywhere, _ = signs.by_column(missing, names)
    signed, notes = np.zeros(held.shape, bool), []
    for sign in dict.fromkeys(text.strip() for text in missing):
        columns = list(range(len(names)))
        if sign not in everywhere:
            name, _, sign = sign.partition("=")
            columns, sign = [int(name)], sign.strip()
        number = signs.number_of(sign, "column", names)
        if held.dtype.kind == "f":
            wanted: Any = held.dtype.type(number)
        else:  # whole numbers of 64 bits are not those of floats
            wanted = int(number) if number.is_integer() else number
        here = held[..., columns] == wanted
        signed[..., columns] |= here
        where = [f"'{j}'" for i, j in enumerate(columns) if here[..., i].any()]
        notes.append(signs.taken(sign, int(here.sum()), where, "column"))
    values = stack.values if stack.values.dtype.kind == "f" else stack.values.astype(np.float64)
    values = np.where(signed, np.asarray(np.nan, values.dtype), values)
    return stack._replace(values=values, signed=signed), notes


def completed(
    held: np.ndarray, missing: np.ndarray, values: np.ndarray, signed: np.ndarray | None = None
) -> np.ndarray:
    """A copy of the array in its own type, in which only missing cells differ.

    Whole numbers have no sign for a cell that is left empty: with one the copy is float64.

    Args:
        held: as the file holds it.
        missing: which cells are.
        values: the completion, NaN where left empty.
        signed: which cells hold a sign for missing, that they keep if they are left empty.
    """
    if signed is not None:
        missing = missing & ~(signed & np.isnan(values))
    result, fills = held.copy(order="K"), np.asarray(values)[missing]
    if np.isnan(fills).any() and result.dtype.kind != "f":
        result = result.astype(np.float64)
    result[missing] = cast(fills, result.dtype)
    return result


def cast(fills: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Fills as cells of a type: the nearest that it has.

    Example:
        >>> cast(np.array([-3.2, 7.6]), np.dtype("uint8")).tolist()
        [0, 8]
    """
    fills = np.asarray(fills, np.float64)
    if dtype.kind == "b":
        return fills >= 0.5
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        return np.clip(fills, -most, most).astype(dtype)
    info = np.iinfo(dtype)
    # of 64 bits the last one that a float holds
    high = float(info.max) if info.bits < 64 else np.nextafter(float(info.max), 0)
    return np.clip(np.rint(fills), float(info.min), high).astype(dtype)


def write_stack(file: IO[bytes], values: Any, suffix: str, name: str = "") -> None:
    """Write an array, to `.npz` under its name there, or else `values`."""
    if suffix == ".npy":
        np.save(file, np.asarray(values), allow_pickle=False)
    else:
        arrays: dict[str, Any] = {name or "values": np.asarray(values)}
        np.savez_compressed(file, **arrays)


def _floats(values: np.ndarray, source: str) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise DataError(f"{source} holds {values.dtype}; expected numbers")
    # the types that lose nothing by it, or little memory
    same = values.dtype in (np.dtype(np.float32), np.dtype(np.float64))
    return values if same and values.dtype.isnative else values.astype(np.float64)

"""Short names for arrays: equal if and only if every bit is."""

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from jaximpute._version import __version__


def digest(arrays: Iterable[Any]) -> str:
    """SHA-256 of arrays: their types, shapes and values, in their order.

    A missing cell is a missing cell: all NaN are alike.

    Args:
        arrays: NumPy or JAX arrays.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> digest([np.arange(3)]) == digest([np.arange(3)]) != digest([np.arange(3.0)])
        True
    """
    total = hashlib.sha256()
    for each in arrays:
        array = np.ascontiguousarray(each)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
        total.update(f"{array.dtype.str}{array.shape};".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def versions() -> dict[str, str]:
    """What a result may depend on besides its settings: libraries, Python, and the processor."""
    return {
        "jaximpute": __version__,
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }


def differing(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What changed between two records, one short text a name.

    Example:
        >>> differing({"seed": 1, "data": "a" * 64}, {"seed": 2, "data": "b" * 64})
        ['data', 'seed (was 1, is 2)']
    """
    texts = []
    for name in sorted({*was, *now}):
        before, after = was.get(name), now.get(name)
        if before != after:
            # hashes tell a reader nothing
            hashed = isinstance(before, str) and isinstance(after, str) and len(before) == 64
            texts.append(name if hashed else f"{name} (was {before!r}, is {after!r})")
    return texts

"""Short names for arrays: equal if and only if every bit is."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaximpute._version import __version__
from jaximpute.engine.parallel import local_rows

_BYTES = 2**22  # of rows that are hashed together


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


def rows(arrays: Iterable[Any], weight: Any) -> str:
    r"""Of rows, wherever they lie: the same for any number of devices, processes and padding rows.

    With :math:`h` SHA-256 and :math:`i` numbering the rows of positive weight, it is
    :math:`\sum_i h(i, x_i)`, each of its eight words modulo :math:`2^{32}`.

    Args:
        arrays: of equal numbers of rows.
        weight: `(rows,)`, 0 for padding.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> few, padded = np.arange(3.0), np.arange(4.0)
        >>> rows([few], np.ones(3)) == rows([padded], np.array([1.0, 1.0, 1.0, 0.0]))
        True
    """
    number, real = _numbers(weight), local_rows(weight) > 0
    local = [np.ascontiguousarray(local_rows(each)) for each in arrays]
    heads = [f"{each.dtype.str}{each.shape[1:]};".encode() for each in local]
    total = np.zeros(8, np.uint32)
    places = np.flatnonzero(real)
    length = max(1, _BYTES // max(1, sum(each.nbytes // max(1, len(each)) for each in local)))
    for start in range(0, len(places), length):
        some = places[start : start + length]
        parts = [_row_bytes(head, x[some]) for head, x in zip(heads, local, strict=True)]
        hashes = [
            hashlib.sha256(b"%d;%b" % (i, b"".join(row))).digest()
            for i, row in zip(number[some].tolist(), zip(*parts, strict=True), strict=True)
        ]
        total += np.frombuffer(b"".join(hashes), "<u4").reshape(-1, 8).sum(0, dtype=np.uint32)
    if jax.process_count() > 1:
        total = multihost_utils.process_allgather(total).sum(axis=0, dtype=np.uint32)
    return total.astype("<u4").tobytes().hex()


def _numbers(weight: Any) -> np.ndarray:
    """The number of each row among those of positive weight, of the rows that lie here."""
    if not isinstance(weight, jax.Array) or weight.is_fully_addressable:
        return np.cumsum(np.asarray(weight) > 0)
    count = jax.jit(lambda w: jnp.cumsum(w > 0), out_shardings=weight.sharding)
    return local_rows(count(weight))


def _row_bytes(head: bytes, rows: np.ndarray) -> list[bytes]:
    """Of each row its bytes, after what it is."""
    flat = rows.reshape(len(rows), -1)
    size = flat.shape[1] * flat.itemsize
    if not size:
        return [head] * len(rows)
    return [head + row for row in flat.view(f"V{size}").ravel().tolist()]


def run(
    method: str, preset: str, seed: int, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What names a run: what must be equal for one to be another's continuation.

    Example:
        >>> run("spirit", "fast", 0, {"eta": 0.1})
        {'method': 'spirit', 'preset': 'fast', 'seed': 0, 'option eta': 0.1}
    """
    named = {f"option {name}": plain(value) for name, value in (options or {}).items()}
    return {"method": method, "preset": preset, "seed": int(seed), **named}


def plain(value: Any) -> Any:
    """A value as JSON holds it: itself, or its text."""
    return value if isinstance(value, bool | int | float | str | None) else str(value)


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

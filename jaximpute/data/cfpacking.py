r"""How the numbers of a grid lie in their file, by the CF conventions: packed, and within limits.

A cell :math:`x` is stored as the code :math:`c` with :math:`x = \mathrm{scale}\, c +
\mathrm{offset}`, in whole numbers of few bits or in shorter floats. Some codes mean missing, and
what lies outside `valid_min` to `valid_max` is missing, too.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Packing(NamedTuple):
    """How a variable is stored.

    Attributes:
        dtype: of the cells in the file.
        read_as: the same with the sign that `_Unsigned` gives it.
        scale: what a code is multiplied by.
        offset: what is added then.
        absent: the codes that mean missing.
        valid: the least and greatest cell that is valid, decoded; infinite where nothing is said.
    """

    dtype: np.dtype
    read_as: np.dtype
    scale: float
    offset: float
    absent: tuple[float, ...]
    valid: tuple[float, float]

    @property
    def room(self) -> tuple[float, float]:
        """The least and greatest cell that can be stored, is valid, and is no sign of a gap."""
        low, high = sorted(self.scale * code + self.offset for code in _codes(self))
        return low, high

    def __str__(self) -> str:
        offset = f" + {self.offset:g}" if self.offset else ""
        times = f" x {self.scale:g}" if self.scale != 1 else ""
        return f"{self.read_as.name}{times}{offset}"


def packing_of(array: Any) -> Packing:
    """How a variable is stored, by its encoding and attributes.

    Args:
        array: a `DataArray` or `Variable` of xarray, decoded.

    Example:
        >>> import xarray
        >>> array = xarray.Variable("x", [0.0, 1.5])
        >>> array.encoding = {"dtype": "uint8", "scale_factor": 0.1, "_FillValue": 255}
        >>> packing = packing_of(array)
        >>> str(packing), [round(end, 6) for end in packing.room]
        ('uint8 x 0.1', [0.0, 25.4])
    """
    about = {**array.attrs, **array.encoding}
    dtype = np.dtype(about.get("dtype") or array.dtype)
    if dtype.kind not in "iuf":
        dtype = array.dtype
    read_as, sign = dtype, str(about.get("_Unsigned", "")).lower()
    if dtype.kind in "iu" and sign in ("true", "false"):
        read_as = np.dtype(f"{'u' if sign == 'true' else 'i'}{dtype.itemsize}")
    scale = _number(about.get("scale_factor"), 1.0) or 1.0
    offset = _number(about.get("add_offset"), 0.0)
    known = [
        code
        for key in ("_FillValue", "missing_value")
        if about.get(key) is not None
        for code in _read_codes(about[key], read_as)
    ]
    bare = Packing(dtype, read_as, scale, offset, tuple(dict.fromkeys(known)), _ANY)
    return bare._replace(valid=_valid(about, bare))


def encoded(packing: Packing, cells: np.ndarray) -> np.ndarray:
    """Cells as their file holds them: at the nearest code there is that does not mean missing.

    Args:
        packing: of the variable.
        cells: finite.

    Returns:
        Codes of the file's type.
    """
    codes = (np.asarray(cells, np.float64) - packing.offset) / packing.scale
    low, high = _codes(packing)
    whole = packing.read_as.kind != "f"
    stored = np.clip(np.rint(codes) if whole else codes, low, high).astype(packing.read_as)
    for code in sorted(packing.absent):  # to the next one above, if there is one
        stored[stored == code] = _beside(packing, code, low, high)
    return stored.view(packing.dtype) if whole else stored.astype(packing.dtype)


def decoded(packing: Packing, codes: np.ndarray) -> np.ndarray:
    """What a reader makes of codes: float64 cells, NaN where they mean missing."""
    whole = packing.read_as.kind != "f"
    read = codes.astype(packing.dtype)
    read = (read.view(packing.read_as) if whole else read).astype(np.float64)
    cells = packing.scale * read + packing.offset
    outside = (cells < packing.valid[0]) | (cells > packing.valid[1])
    return np.where(np.isin(read, packing.absent) | outside, np.nan, cells)


def writable(packing: Packing, cells: np.ndarray) -> np.ndarray:
    """Cells, those that could not be stored moved to the nearest that can; others are as they are.

    Args:
        packing: of the variable.
        cells: finite.
    """
    low, high = packing.room
    kept = np.clip(np.asarray(cells, np.float64), low, high)
    codes = (kept - packing.offset) / packing.scale
    nearest = np.rint(codes) if packing.read_as.kind != "f" else codes.astype(packing.read_as)
    taken = np.isin(nearest.astype(np.float64), packing.absent)
    if taken.any():
        kept[taken] = decoded(packing, encoded(packing, kept[taken]))
    return kept


def outside(packing: Packing, cells: np.ndarray) -> np.ndarray:
    """Which cells are not valid, by `valid_min`, `valid_max` or `valid_range`."""
    low, high = packing.valid
    # what is at an end but for the rounding of short floats is valid
    slack = abs(packing.scale) / 2 if packing.read_as.kind != "f" else 0.0
    return (cells < low - slack) | (cells > high + slack)


_ANY = (-np.inf, np.inf)


def _codes(packing: Packing) -> tuple[float, float]:
    """The least and greatest code that may be written."""
    low, high = _every_code(packing)
    whole = packing.read_as.kind != "f"
    ends = sorted((end - packing.offset) / packing.scale for end in packing.valid)
    if whole:  # an end that is a code but for rounding is one
        ends = [float(np.ceil(ends[0] - 1e-6)), float(np.floor(ends[1] + 1e-6))]
    inner = (max(low, ends[0]), min(high, ends[1]))
    if inner[0] <= inner[1]:
        low, high = inner
    while low in packing.absent:
        low = _next(packing, low, 1)
    while high in packing.absent:
        high = _next(packing, high, -1)
    return low, high


def _beside(packing: Packing, code: float, low: float, high: float) -> float:
    """The nearest code that does not mean missing."""
    above = below = code
    while above in packing.absent:
        above = _next(packing, above, 1)
    while below in packing.absent:
        below = _next(packing, below, -1)
    return above if above <= high else max(below, low)


def _every_code(packing: Packing) -> tuple[float, float]:
    if packing.read_as.kind == "f":
        size = float(np.finfo(packing.read_as).max)
        return -size, size
    info = np.iinfo(packing.read_as)
    # of 64 bits the last one that a float can hold
    high = float(info.max) if info.bits < 64 else float(np.nextafter(float(info.max), 0))
    return float(info.min), high


def _next(packing: Packing, code: float, way: int) -> float:
    """The code above (1) or below (-1) another one."""
    if packing.read_as.kind != "f":
        # of 64 bits a float does not hold every one
        return code + way if abs(code) < 2**53 else float(np.nextafter(code, way * np.inf))
    of = packing.read_as.type
    return float(np.nextafter(of(code), of(way * np.inf)))


def _valid(about: Mapping[Any, Any], packing: Packing) -> tuple[float, float]:
    """The range that the attributes give, as decoded cells.

    Ends of the type of the codes are codes, others are cells (NetCDF User's Guide, appendix A).
    """
    both = about.get("valid_range")
    pair = list(both) if both is not None and np.size(both) == 2 else [None, None]
    ends = [-np.inf, np.inf]
    for i, name in enumerate(("valid_min", "valid_max")):
        given = pair[i] if pair[i] is not None else about.get(name)
        value = np.asarray(np.nan if given is None else given)
        if value.size != 1 or value.dtype.kind not in "iuf" or np.isnan(value).any():
            continue
        if value.dtype.kind in "iu" and packing.dtype.kind in "iu":
            # texts, as the attributes of Zarr are, have whole numbers of one type only
            is_code = value.dtype.itemsize == packing.dtype.itemsize or type(given) is int
        else:
            is_code = value.dtype == packing.dtype
        if not is_code:
            ends[i] = float(value.ravel()[0])
            continue
        (code,) = _read_codes(value, packing.read_as)
        # a negative scale turns them round
        ends[i if packing.scale > 0 else 1 - i] = packing.scale * code + packing.offset
    return ends[0], ends[1]


def _read_codes(codes: Any, read_as: np.dtype) -> list[float]:
    """Codes from attributes, with the sign that `_Unsigned` gives them."""
    flat = np.ravel(np.asarray(codes))
    if flat.dtype.kind not in "iuf":
        return []
    if read_as.kind in "iu" and flat.dtype.kind in "iu":
        flat = flat.astype(np.int64) if flat.dtype != np.uint64 else flat
        # to as many bits as the codes have
        flat = flat.astype(f"i{read_as.itemsize}").view(read_as)
    elif read_as.kind == "f":
        flat = flat.astype(read_as)
    return [float(code) for code in flat if not np.isnan(code)]


def _number(value: Any, otherwise: float) -> float:
    found = np.ravel(np.asarray(otherwise if value is None else value))
    return float(found[0]) if found.size == 1 and found.dtype.kind in "iuf" else otherwise

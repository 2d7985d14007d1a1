"""Whether a completed file holds what its input held: read by the formats' own libraries."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def changed(given: Path, made: Path) -> str:
    """What differs in cells that the input holds, in words; empty if nothing does.

    Args:
        given: the input, perhaps damaged; what its own library cannot read is not compared.
        made: what the command made of it.
    """
    reader = _READERS.get(given.suffix)
    if reader is None or not made.exists():
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            before = reader(given)
        except Exception:  # whatever a library says of damage
            return ""
        after = reader(made)
    for name, cells in before.items():
        if name not in after or after[name].shape != cells.shape:
            return f"'{name}' is gone, or of another shape"
        kept = _known(cells)
        if not (cells[kept] == after[name][kept]).all():
            return f"observed cells of '{name}' differ"
    return ""


def _known(cells: np.ndarray) -> np.ndarray:
    if cells.dtype.kind == "f":
        return ~np.isnan(cells)
    if cells.dtype.kind == "O":
        return np.array([not _is_empty(cell) for cell in cells.ravel()], bool).reshape(cells.shape)
    return np.ones(cells.shape, bool)


def _is_empty(cell: Any) -> bool:
    return cell is None or cell != cell


def _arrays(path: Path) -> dict[str, np.ndarray]:
    held = np.load(path)
    if isinstance(held, np.ndarray):
        return {"values": held}
    found = {name: held[name] for name in held.files}
    mask = found.pop("mask", None)
    return {} if mask is not None else found


def _parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return {
        f"{i} {field.name}": np.array([*table.column(i).to_pylist(), None], object)[:-1]
        for i, field in enumerate(table.schema)
    }


def _grid(path: Path) -> dict[str, np.ndarray]:
    import xarray

    how: dict[str, Any] = {} if path.suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    with xarray.open_dataset(path, decode_times=False, **how) as data:
        held = {str(name): variable.load() for name, variable in data.variables.items()}
    return {name: _valid(variable) for name, variable in held.items()}


def _valid(variable: Any) -> np.ndarray:
    """Cells, those outside the valid range of a variable being gaps."""
    cells, about = np.asarray(variable.values), variable.attrs
    if cells.dtype.kind == "f" and any(key.startswith("valid_") for key in about):
        return np.full(cells.shape, np.nan)
    return cells


def _text(path: Path) -> dict[str, np.ndarray]:
    lines = path.read_bytes().split(b"\n")
    cells = [
        np.array([None if _SIGN.fullmatch(cell) else cell for cell in line.split(b",")], object)
        for line in lines
    ]
    return {f"line {i}": row for i, row in enumerate(cells)}


# marks alone, and words for what is not known
_SIGN = re.compile(rb"[^0-9A-Za-z]*((-?nan|n/?a|null|none)[^0-9A-Za-z]*)?", re.IGNORECASE)
_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".npy": _arrays,
    ".npz": _arrays,
    ".parquet": _parquet,
    ".nc": _grid,
    ".zarr": _grid,
    ".csv": _text,
}

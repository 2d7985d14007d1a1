"""Files larger than memory: rows, or steps of time, read block by block."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaximpute._errors import DataError, OptionError
from jaximpute.data import npyrows
from jaximpute.data.columns import Column
from jaximpute.files import grids
from jaximpute.streaming.types import PARQUET, Source
from jaximpute.types import Kind

# cells of an array that are read for some of their rows: a part of a pool comes from each of many
# places, and what is read besides is thrown away
_SPAN = 2**13

SUFFIXES = (".npy", *PARQUET, *grids.SUFFIXES)


def open_source(
    path: str,
    dims: Sequence[str] | None = None,
    time: str | None = None,
    group: Sequence[str] = (),
) -> Source:
    """Open a file that is to be read block by block.

    Args:
        path: `.npy` of 2 to 5 axes; `.parquet`; `.zarr`; `.nc`.
        dims: of Zarr and NetCDF: see `jaximpute.data.fields.read_grid`.
        time: of Parquet: the column of time stamps, in order and with none absent, which makes it
            a series.
        group: of Parquet with `time`: the columns that tell series below one another apart. The
            rows of each lie together; their stamps and lengths may differ.

    Returns:
        The source. Arrays of `(rows, columns)` and Parquet are tables; of three, four and five axes
        series, images and fields, one a row. Zarr and NetCDF go along their time, or without one
        along their one further dimension; so does Parquet with `time`. With `group` each series is
        a row.

    Raises:
        DataError: no such file, of no such format, no rows, or cells that are no numbers.
        TimeError: `time` is no column, or its stamps are not in order on a regular grid.
        OptionError: `dims` is wrong, or `dims` or `time` is for another format.
        MissingExtraError: the format's library is not installed.

    Example:
        >>> import tempfile, numpy as np
        >>> path = tempfile.mkdtemp() + "/x.npy"
        >>> np.save(path, np.array([[1, 2], [3, np.nan], [5, 6]]))
        >>> source = open_source(path)
        >>> source.length, source.read(1, 3).tolist()
        (3, [[3.0, nan], [5.0, 6.0]])
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path} cannot be read block by block; expected one of {', '.join(SUFFIXES)}. "
            "Convert CSV to Parquet, for instance"
        )
    if not Path(path).exists():
        raise DataError(f"cannot read {path}: No such file or directory")
    if time is not None and suffix not in PARQUET:
        raise OptionError(f"time names a column of a Parquet file, and {path} has none")
    if group and suffix not in PARQUET:
        raise OptionError(
            f"group names columns of a Parquet file, and {path} has none; what arrays hold along "
            "their first axis are series by themselves"
        )
    if grids.is_grid_file(path):
        from jaximpute.streaming.grids import open_grid

        return open_grid(path, dims)
    if dims is not None:
        raise OptionError(f"dims names the dimensions of Zarr and NetCDF files, not of {path}")
    if suffix in PARQUET:
        from jaximpute.streaming.parquet import open_parquet

        return open_parquet(path, time, group)
    return _open_npy(path)


def _open_npy(path: str) -> Source:
    array = npyrows.open_rows(path)
    kinds: dict[int, Kind] = {2: "table", 3: "series", 4: "image", 5: "field"}
    if len(array.shape) not in kinds or 0 in array.shape:
        raise DataError(
            f"the array in {path} has shape {array.shape}; expected (rows, columns), "
            "(n, time, channels), (n, y, x, channels) or (n, time, y, x, channels), all at least 1"
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path} holds {array.dtype}; expected numbers")

    def read(start: int, stop: int) -> np.ndarray:
        return array.read(start, stop).astype(np.float64)

    kind = "number" if array.dtype.kind == "f" else "integer"
    return Source(
        path,
        kinds[len(array.shape)],
        "rows",
        array.shape[0],
        array.shape[1:],
        tuple(Column(str(i), kind) for i in range(array.shape[-1])),  # type: ignore[arg-type]
        unit=max(1, min(array.shape[0], _SPAN // int(np.prod(array.shape[1:])))),
        align=1,
        read=read,
        native=array,
    )

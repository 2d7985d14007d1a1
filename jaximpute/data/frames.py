"""Any container in, the same container out: only missing cells are ever written, into a copy."""

import importlib
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.dependencies import is_pyarrow_table

from jaximpute._errors import DataError, OptionError, TimeError
from jaximpute.data import gridseries, looks, panels
from jaximpute.data.columns import Column, is_arrow_decimal, native_values, read_objects
from jaximpute.data.fields import Grid, array_grid, is_gridded, read_grid
from jaximpute.data.gridseries import Strand
from jaximpute.data.gridwriting import write_grid
from jaximpute.data.series import Stamps, parse_stamps
from jaximpute.data.tables import read_table, stack
from jaximpute.types import Kind

# NumPy and JAX arrays; pandas, polars and pyarrow frames; their series; xarray's two
Container: TypeAlias = Any


_IN_ARRAYS = "replace it by nan (on the command line, --missing '{name}={value:.10g}')"


class Frame(NamedTuple):
    """A container as numbers with holes.

    Attributes:
        values: `(rows, columns)` float64, NaN where missing; booleans, categories and text as codes
            of their column's levels. Windows `(n, T, D)` are flattened to `n * T` rows.
        columns: what each column holds.
        shape: `(rows, columns)` for a table, `(1, T, D)` for one series, `(n, T, D)` for windows,
            `(n, y, x, D)` for images and `(n, T, y, x, D)` for fields; of series with stamps of
            their own, T is how many different ones there are.
        kind: `table`, `series`, `image` or `field`.
        stamps: the time axis as given, `None` where there is none.
        native: the container itself, never changed.
        grid: how images and fields lie; None for the rest.
        strand: how the variables of an xarray object lie along its time; None for the rest.
        notes: what a user should know of the columns, as texts for warnings.
        static: the columns with one value for each of several series, see `panels.static_columns`.
    """

    values: np.ndarray
    columns: tuple[Column, ...]
    shape: tuple[int, ...]
    kind: Kind
    stamps: Stamps | None
    native: Container
    grid: Grid | None = None
    notes: tuple[str, ...] = ()
    strand: Strand | None = None
    static: tuple[int, ...] = ()

    @property
    def group(self) -> np.ndarray | None:
        """The number of the series that each row belongs to; None if they are not several."""
        if self.kind != "series":
            return None
        given = None if self.stamps is None else self.stamps.group
        return panels.numbers_of(self.shape, given)

    @property
    def mask(self) -> np.ndarray:
        """`(rows, columns)`, True = observed."""
        return ~np.isnan(self.values)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)


def read(
    data: Container, time: Any = None, dims: Sequence[str] | None = None, group: Any = None
) -> Frame:
    """A container as numbers with holes, and everything needed to write it back.

    A frame with a `DatetimeIndex`, `PeriodIndex` or `TimedeltaIndex`, anything with `time`, and
    3-D arrays are series; 4-D arrays are images and 5-D arrays fields; what xarray holds is one of
    the three by its dimensions; the rest are tables.

    Args:
        data: a 2-D array (rows, columns), a 3-D array of windows (n, time, channels), a 4-D array
            of images (n, y, x, channels), a 5-D array of fields (n, time, y, x, channels), a
            pandas, polars or pyarrow frame, or one of their series, an xarray `DataArray` or
            `Dataset`. NaN, None, NA, null and blank texts are missing.
        time: name of the column that holds the time stamps, or `"A+B"` for a date and a time of day
            in two columns, or an array of stamps, one a row (one a step for windows): dates, texts,
            numbers, or whole numbers such as 20240131.
        dims: of xarray's objects, see `jaximpute.data.fields.read_grid`.
        group: of frames, the column or columns that tell series below one another apart. Their
            stamps and lengths may differ. The levels beside the dates of an index are groups, too.

    Returns:
        The frame.

    Raises:
        DataError: not a container that is known, no rows or columns, cells of mixed types, infinite
            values.
        TimeError: `time` is no column, or not one clean stamp for each row.
        OptionError: `dims` is wrong, or `time` or `dims` is given for data that has no use for it.

    Example:
        >>> import numpy as np
        >>> frame = read(np.array([[1.0, np.nan], [2.0, 3.0]]))
        >>> frame.kind, frame.mask.tolist()
        ('table', [[True, False], [True, True]])
    """
    array = isinstance(data, np.ndarray | jax.Array)
    if group is not None and (array or is_gridded(data)):
        raise OptionError(
            "group= names columns of a frame; arrays of series are (n, time, channels)"
        )
    if is_gridded(data):
        _refuse_time(time)
        frame = _read_gridded(data, dims)
    elif dims is not None:
        raise OptionError("dims names the dimensions of xarray's objects, and this is none")
    elif array:
        frame = _read_array(data, time)
    else:
        cells = read_table(data, time, group)
        kind: Kind = "table" if cells.stamps is None else "series"
        frame = Frame(cells.values, cells.columns, cells.shape, kind, cells.stamps, data)
    _refuse_infinite(frame)
    frame = frame._replace(static=_static(frame))
    if array or is_gridded(data):
        what = "variable" if is_gridded(data) else "column"
        notes = looks.extremes(frame.columns, frame.values, what, _IN_ARRAYS)
        return frame._replace(notes=(*(frame.strand.notes if frame.strand else ()), *notes))
    notes = [*_unordered(frame), *looks.remarks(frame.columns, frame.values)]
    return frame._replace(notes=tuple(notes))


def write(frame: Frame, values: np.ndarray) -> Container:
    """The frame's container with its missing cells filled.

    Args:
        frame: what `read` returned.
        values: `(rows, columns)`, coded like `frame.values`; NaN leaves a cell empty.

    Returns:
        A copy of the container, of the same type, schema, index and column order, in which only
        cells that were missing differ.
    """
    values = settled(frame, values)
    fill = ~frame.mask & ~np.isnan(values)
    lies = frame.strand or frame.grid
    if lies is not None and is_gridded(frame.native):
        return write_grid(frame.native, lies, values, fill)
    if isinstance(frame.native, jax.Array):
        fill, values = fill.reshape(frame.native.shape), values.reshape(frame.native.shape)
        return jnp.where(fill, jnp.asarray(values, frame.native.dtype), frame.native)
    if isinstance(frame.native, np.ndarray):
        return _write_array(frame, values, fill)
    changes = {
        i: (rows, native_values(column, values[rows, i]))
        for i, column in enumerate(frame.columns)
        if (rows := np.flatnonzero(fill[:, i])).size
    }
    if isinstance(frame.native, pd.DataFrame):
        return _write_pandas(frame.native, changes)
    if isinstance(frame.native, pd.Series):
        return _write_pandas(frame.native.to_frame(), changes).iloc[:, 0].rename(frame.native.name)
    return _write_narwhals(frame.native, changes)


def settled(frame: Frame, values: np.ndarray) -> np.ndarray:
    """Cells completed, those of static columns bit for bit as elsewhere in their series."""
    if not frame.static:
        return values
    group = np.zeros(len(values), int) if frame.group is None else frame.group
    return panels.settled(frame.values, values, group, frame.static)


def _static(frame: Frame) -> tuple[int, ...]:
    group = frame.group
    if group is None:
        return ()
    found = panels.static_columns(frame.values, group)
    return tuple(i for i in found if frame.columns[i].holds_values)


def _read_gridded(data: Any, dims: Sequence[str] | None) -> Frame:
    if gridseries.is_series(data, dims):
        values, columns, strand = gridseries.read_series(data, dims)
        stamps, shape = strand.stamps, strand.shape
        return Frame(values, columns, shape, "series", stamps, data, strand=strand)
    values, columns, grid = read_grid(data, dims)
    return Frame(values, columns, grid.shape, grid.kind, None, data, grid)


def _read_array(data: np.ndarray | jax.Array, time: Any) -> Frame:
    if isinstance(data, np.ma.MaskedArray):
        raise DataError("masked arrays are not read; pass data.filled(np.nan)")
    if data.ndim not in (2, 3, 4, 5) or 0 in data.shape:
        raise DataError(
            f"the array has shape {data.shape}; expected (rows, columns), (n, time, channels), "
            "(n, y, x, channels) or (n, time, y, x, channels), all at least 1. A single series is "
            "a column: x[:, None] with time="
        )
    if data.ndim > 3:
        _refuse_time(time)
    if isinstance(time, str):
        raise TimeError(f"time is {time!r}, and arrays have no column names; pass the stamps")
    rows = data.reshape(-1, data.shape[-1])
    if data.dtype == object:
        read_cells = [
            read_objects(list(column), str(i), np.asarray(pd.isna(column)))
            for i, column in enumerate(rows.T)
        ]
        columns, values = stack(read_cells)
    else:
        values, columns = _read_numbers(rows)
    stamps = None if time is None else parse_stamps(time, data.shape[-2])
    if data.ndim > 3:
        grid = array_grid(data.shape)
        return Frame(values, columns, data.shape, grid.kind, None, data, grid)
    if data.ndim == 3:
        return Frame(values, columns, data.shape, "series", stamps, data)
    if stamps is not None:
        return Frame(values, columns, (1, *data.shape), "series", stamps, data)
    return Frame(values, columns, data.shape, "table", None, data)


def _refuse_time(time: Any) -> None:
    if time is not None:
        raise OptionError(
            "time= gives the stamps of tables and series; the frames of a field are one step "
            "apart, and what xarray holds has its stamps as coordinates (dims=('time',))"
        )


def _read_numbers(rows: np.ndarray | jax.Array) -> tuple[np.ndarray, tuple[Column, ...]]:
    dtype = rows.dtype
    names = [str(i) for i in range(rows.shape[1])]
    if dtype == np.bool_:
        columns = tuple(Column(name, "boolean", (False, True)) for name in names)
    elif jnp.issubdtype(dtype, jnp.integer):
        columns = tuple(Column(name, "integer") for name in names)
    elif jnp.issubdtype(dtype, jnp.floating):
        columns = tuple(Column(name, "number") for name in names)
    else:
        raise DataError(
            f"the array has dtype {dtype}; expected numbers with NaN where missing, or "
            "dtype=object with None where missing for texts and mixed columns"
        )
    return np.asarray(rows).astype(np.float64), columns


def _unordered(frame: Frame) -> list[str]:
    """What to say of a series of one kind of value that came without its times."""
    native = frame.native
    alone = type(native).__name__ in ("Series", "ChunkedArray") and frame.values.shape[1] == 1
    if frame.kind != "table" or not alone:
        return []
    return [
        "a series without times is taken for a table of one column, whose rows have no order; "
        "time= with a stamp for each row makes it a series"
    ]


def _refuse_infinite(frame: Frame) -> None:
    infinite = np.isinf(frame.values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        where = f"in row {row}"
        if frame.grid is not None:
            place = map(int, np.unravel_index(row, frame.shape[:-1]))
            where = f"at place {tuple(place)}"
        raise DataError(
            f"{frame.columns[column].called} holds {frame.values[row, column]} {where} "
            f"({infinite.sum()} infinite cells in all); expected finite numbers. Make them missing "
            "(NaN) to have them imputed"
        )


def _write_array(frame: Frame, values: np.ndarray, fill: np.ndarray) -> np.ndarray:
    result = np.array(frame.native)
    if result.dtype == object:
        flat = result.reshape(fill.shape)
        for i, column in enumerate(frame.columns):
            rows = np.flatnonzero(fill[:, i])
            flat[rows, i] = native_values(column, values[rows, i])
        return flat.reshape(result.shape)
    result[fill.reshape(result.shape)] = values[fill].astype(result.dtype)
    return result


def _write_pandas(native: pd.DataFrame, changes: dict) -> pd.DataFrame:
    result = native.copy()
    for i, (rows, cells) in changes.items():
        column = native.iloc[:, i]
        # same type into same type: pandas gets no occasion to infer another one
        filled = column.array.copy()
        filled[rows] = pd.Series(cells, dtype=column.dtype).array
        result.isetitem(i, pd.Series(filled, native.index, column.dtype, copy=False))
    return result


def _write_narwhals(native: Any, changes: dict) -> Any:
    read_as = nw.from_native(native, eager_only=True, allow_series=True)
    table = read_as.to_frame() if isinstance(read_as, nw.Series) else read_as
    read_columns, filled = list(table.iter_columns()), []
    for i, (rows, cells) in changes.items():
        series = read_columns[i]
        # a column of the fill's own type, of which only the cells in `rows` are used
        padded, where = np.full(len(series), cells[0], object), np.zeros(len(series), bool)
        padded[rows], where[rows] = cells, True
        backend = series.implementation
        fills = padded.tolist()
        if is_arrow_decimal(series):
            other = _decimals(series, fills)
        else:
            other = nw.new_series(series.name, fills, series.dtype, backend=backend)
        missing = nw.new_series("missing", where, nw.Boolean, backend=backend)
        filled.append(other.zip_with(missing, series))
    result = table.with_columns(*filled)
    if isinstance(read_as, nw.Series):
        return next(result.iter_columns()).to_native()
    completed = result.to_native()
    # narwhals gives dictionary columns of pyarrow back as texts
    return completed.cast(native.schema) if is_pyarrow_table(native) else completed


def _decimals(series: nw.Series, cells: Sequence[float]) -> nw.Series:
    """Floats as decimals of the column's own type, at its digits and within its range."""
    arrow = importlib.import_module("pyarrow")
    kind = series.to_native().type
    step = Decimal(1).scaleb(-kind.scale)
    most = Decimal(10) ** (kind.precision - kind.scale) - step
    with localcontext() as context:
        context.prec = max(kind.precision + 20, 40)
        fills = [min(max(Decimal(cell), -most), most).quantize(step) for cell in cells]
    made = arrow.chunked_array([arrow.array(fills, kind)])
    return nw.from_native(made, series_only=True).alias(series.name)

"""Containers: read and written back with nothing changed but the gaps."""

import datetime
from decimal import Decimal

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaximpute import DataError, TimeError
from jaximpute.data.frames import read, write

pytestmark = pytest.mark.fast

PANDAS = {
    "float64": ([1.5, None, 2.5], "float64", 2.0, 2.0),
    "float32": ([1.5, None, 2.5], "float32", 0.1, np.float32(0.1)),
    "Float32": ([1.5, None, 2.5], "Float32", 0.1, np.float32(0.1)),
    "Int64": ([1, None, 3], "Int64", 2.0, 2),
    "UInt8": ([1, None, 3], "UInt8", 900.0, 255),
    "int64[pyarrow]": ([1, None, 3], "int64[pyarrow]", 2.0, 2),
    "boolean": ([True, None, False], "boolean", 1.0, True),
    "str": (["x", None, "y"], "str", 1.0, "y"),
    "string[pyarrow]": (["x", None, "y"], "string[pyarrow]", 1.0, "y"),
    "category": (["x", None, "y"], "category", 0.0, "x"),
    "ordered": ([3, None, 1], pd.CategoricalDtype([3, 2, 1], ordered=True), 1.0, 2),
    "object text": (["x", None, "y"], object, 1.0, "y"),
    "object number": ([1, None, 2.5], object, 0.5, 0.5),
    "object integer": ([1, None, 2], object, 7.0, 7),
    "object boolean": ([True, None, False], object, 0.0, False),
}

POLARS = {
    "Float64": ([1.5, None, 2.5], pl.Float64, 2.0, 2.0),
    "Float32": ([1.5, None, 2.5], pl.Float32, 0.5, 0.5),
    "NaN": ([1.5, float("nan"), 2.5], pl.Float64, 2.0, 2.0),
    "Int16": ([1, None, 3], pl.Int16, -1e9, -(2**15)),
    "UInt64": ([1, None, 3], pl.UInt64, 5.0, 5),
    "Int128": ([1, None, 3], pl.Int128, 5.0, 5),
    "Decimal": ([Decimal("1.5"), None, Decimal("2.5")], pl.Decimal(9, 2), 2.25, Decimal("2.25")),
    "Boolean": ([True, None, False], pl.Boolean, 1.0, True),
    "String": (["x", None, "y"], pl.String, 1.0, "y"),
    "Categorical": (["x", None, "y"], pl.Categorical, 1.0, "y"),
    "Enum": (["x", None, "y"], pl.Enum(["y", "z", "x"]), 1.0, "z"),
}


def fill_with(frame, value):
    """Write one coded value into every missing cell."""
    return write(frame, np.where(frame.mask, frame.values, value))


@pytest.mark.parametrize("case", PANDAS)
def test_pandas_types_come_back(case):
    cells, dtype, coded, expected = PANDAS[case]
    data = pd.DataFrame({"a": pd.Series(cells, dtype=dtype, index=[9, 4, 9]), "z": 0})
    data.attrs["unit"] = "m"
    before = data.copy()
    frame = read(data)
    assert frame.mask[:, 0].tolist() == [True, False, True]
    result = fill_with(frame, coded)
    pd.testing.assert_frame_equal(data, before)
    assert (result.dtypes == data.dtypes).all()
    assert result.index.equals(data.index)
    assert result.attrs == {"unit": "m"}
    assert result["a"].iloc[1] == expected
    assert type(result["a"].iloc[1]) is type(result["a"].iloc[0]) or dtype is object
    pd.testing.assert_frame_equal(result.iloc[[0, 2]], data.iloc[[0, 2]])


@pytest.mark.parametrize("case", POLARS)
def test_polars_types_come_back(case):
    cells, dtype, coded, expected = POLARS[case]
    data = pl.DataFrame({"a": pl.Series(cells, dtype=dtype), "z": [0, 0, 0]})
    frame = read(data)
    assert frame.mask[:, 0].tolist() == [True, False, True]
    result = fill_with(frame, coded)
    assert result.schema == data.schema
    assert result["a"][1] == expected
    assert result[[0, 2]].equals(data[[0, 2]])


def test_pyarrow_types_come_back():
    data = pa.table(
        {"x": [1.0, None], "s": pa.array(["a", None]).dictionary_encode(), "b": [True, None]},
        metadata={"k": "v"},
    )
    result = fill_with(read(data), 0.0)
    assert result.schema.equals(data.schema, check_metadata=True)
    assert result.to_pydict() == {"x": [1.0, 0.0], "s": ["a", "a"], "b": [True, False]}


@pytest.mark.parametrize("library", [pd, pl])
def test_series_come_back(library):
    data = (
        library.Series([1.0, None, 3.0], name="q")
        if library is pd
        else pl.Series("q", [1.0, None, 3])
    )
    result = fill_with(read(data), 2.0)
    assert isinstance(result, library.Series)
    assert (result.name, list(result)) == ("q", [1.0, 2.0, 3.0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_numpy_floats_come_back(dtype, shape):
    data = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    data[..., 1, 2] = np.nan
    frame = read(data)
    assert frame.kind == ("table" if len(shape) == 2 else "series")
    result = fill_with(frame, 0.5)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.where(np.isnan(data), dtype(0.5), data))
    assert np.isnan(data).any()


def test_observed_bits_survive():
    data = np.array([[-0.0, np.nan], [5e-324, 1 / 3], [np.nextafter(1, 2), -np.pi]])
    data = np.concatenate([data, np.full((1, 2), np.nan)])
    for native in (data, pd.DataFrame(data), pl.DataFrame(data)):
        result = np.asarray(fill_with(read(native), 0.0))
        seen = ~np.isnan(data)
        assert result[seen].tobytes() == data[seen].tobytes()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_jax_arrays_come_back(dtype):
    data = jnp.array([[1.0, jnp.nan], [3.0, 4.0]], dtype)
    result = fill_with(read(data), 2.0)
    assert isinstance(result, type(data))
    assert (result.dtype, result.tolist()) == (dtype, [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_whole_number_arrays_have_no_holes(dtype):
    for data in (np.ones((2, 2), dtype), jnp.ones((2, 2), dtype)):
        frame = read(data)
        assert frame.mask.all()
        result = write(frame, frame.values)
        assert result.dtype == data.dtype
        assert (result == data).all()


def test_object_arrays_hold_any_columns():
    data = np.array([["a", 1, True], [None, None, None], ["b", 2, False]], dtype=object)
    frame = read(data)
    assert [column.kind for column in frame.columns] == ["text", "integer", "boolean"]
    assert fill_with(frame, 1.0)[1].tolist() == ["b", 1, True]


def test_columns_that_are_never_learned_are_still_there():
    data = pd.DataFrame(
        {
            "when": pd.to_datetime(["2024-01-01", None]),
            "day": [datetime.date(2024, 1, 1), None],
            "list": [[1], None],
            "z": [1j, 2j],
        }
    )
    frame = read(data)
    assert [column.kind for column in frame.columns] == ["time", "time", "other", "other"]
    assert all(column.reason for column in frame.columns)
    assert frame.mask[1].tolist() == [False, False, False, True]
    pd.testing.assert_frame_equal(write(frame, frame.values), data)


def test_column_names_may_be_numbers_or_tuples():
    for columns in ([0, 1], pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])):
        data = pd.DataFrame([[1.0, None], [2.0, 3.0]], columns=columns)
        result = fill_with(read(data), 9.0)
        assert result.columns.equals(data.columns)
        assert result.iloc[0, 1] == 9.0


def test_what_is_a_series():
    stamps = pd.date_range("2024", periods=3)
    table = pd.DataFrame({"t": stamps, "x": [1.0, None, 3.0]})
    assert read(table).kind == "table"
    assert read(table.set_index("t")).shape == (1, 3, 1)
    assert read(table.set_index(pd.PeriodIndex(stamps, freq="D"))).kind == "series"
    assert read(table, time=stamps).kind == "series"
    assert read(table[["x"]].to_numpy(), time=[0, 1, 2]).shape == (1, 3, 1)
    assert read(np.zeros((2, 3, 4)), time=[0, 1, 2]).shape == (2, 3, 4)
    for native in (table, pl.from_pandas(table)):
        frame = read(native, time="t")
        assert (frame.kind, frame.shape) == ("series", (1, 3, 2))
        assert (frame.columns[0].kind, frame.columns[0].reason) == ("time", "")
        assert frame.stamps.seconds is not None


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([[1.0]], "builtins.list"),
        (pl.LazyFrame({"a": [1.0]}), "collect"),
        (np.zeros(3), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([["a"]]), "dtype=object"),
        (np.ma.array([[1.0]], mask=[[True]]), "filled"),
        (pd.DataFrame(), "0 rows and 0 columns"),
        (pl.DataFrame({"a": [], "b": []}), "0 rows and 2 columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "unique"),
        (pd.DataFrame({"x": [1.0], "y": [np.inf]}), "'y' holds inf in row 0"),
        (np.array([[1.0], [-np.inf]]), "'0' holds -inf in row 1"),
        (
            pd.DataFrame({"o": ["a", "b", 3]}, dtype=object),
            "'o' mixes number and text: row 2 holds 3",
        ),
        (pd.DataFrame({"o": [True, 2, 3]}, dtype=object), "'o' mixes boolean and number: row 0"),
        (np.array([["a"], [1.5], ["b"]], object), "'0' mixes number and text: row 1"),
    ],
)
def test_bad_data_is_named(data, match):
    with pytest.raises(DataError, match=match):
        read(data)


@pytest.mark.parametrize(
    ("data", "time", "match"),
    [
        (pd.DataFrame({"date": [1], "x": [1.0]}), "dat", "'dat'; did you mean 'date'"),
        (np.zeros((2, 2)), "t", "arrays have no column names"),
        (np.zeros((2, 2)), [1, 2, 3], "3 stamps for 2 rows"),
        (pl.DataFrame({"t": [1, None], "x": [1.0, 2.0]}), "t", "column 't' is missing in row 1"),
        (pd.DataFrame({"t": ["2024-01-01", "x"]}), "t", "column 't' is 'x' in row 1"),
    ],
)
def test_bad_time_is_named(data, time, match):
    with pytest.raises(TimeError, match=match):
        read(data, time)


CELLS = {
    "number": (st.floats(-1e9, 1e9, width=32), "float64", pl.Float64),
    "single": (st.floats(-1e9, 1e9, width=32), "float32", pl.Float32),
    "integer": (st.integers(-(2**31), 2**31 - 1), "Int32", pl.Int32),
    "boolean": (st.booleans(), "boolean", pl.Boolean),
    "text": (st.text(max_size=3), "str", pl.String),
    "category": (st.sampled_from("abc"), "category", pl.Enum(["a", "b", "c", "d"])),
    "date": (st.datetimes(datetime.datetime(1990, 1, 1)), "datetime64[us]", pl.Datetime("us")),
}


@st.composite
def tables(draw):
    """Columns of cells with holes: all of one kind, or of any."""
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))
    if draw(st.booleans()):
        kinds = kinds[:1] * len(kinds)
    rows = draw(st.integers(1, 8))
    return [
        (kind, draw(st.lists(st.none() | CELLS[kind][0], min_size=rows, max_size=rows)))
        for kind in kinds
    ]


@settings(max_examples=40, deadline=None)
@given(tables(), st.sampled_from(["pandas", "polars"]))
def test_any_mix_comes_back(columns, library):
    if library == "pandas":
        data = pd.DataFrame(
            {f"c{i}": pd.Series(cells, dtype=CELLS[k][1]) for i, (k, cells) in enumerate(columns)}
        )
    else:
        data = pl.DataFrame(
            {f"c{i}": pl.Series(cells, dtype=CELLS[k][2]) for i, (k, cells) in enumerate(columns)}
        )
    frame = read(data)
    blank = [[isinstance(cell, str) and not cell.strip() for cell in cells] for _, cells in columns]
    expected = np.array([[cell is not None for cell in cells] for _, cells in columns]).T
    expected &= ~np.array(blank).T
    np.testing.assert_array_equal(frame.mask, expected)
    learnable = [
        column.kind != "time" and expected[:, i].any() for i, column in enumerate(frame.columns)
    ]
    result = fill_with(frame, np.where(learnable, 0.0, np.nan))
    again = read(result)
    np.testing.assert_array_equal(again.mask, expected | np.array(learnable)[None])
    if library == "pandas":
        assert (result.dtypes == data.dtypes).all()
        kept = result.mask(pd.DataFrame(~expected, columns=data.columns))
        pd.testing.assert_frame_equal(kept, data.where(expected), check_dtype=False)
    else:
        assert result.schema == data.schema
        kept = result.with_columns(
            pl.when(pl.Series(expected[:, i])).then(pl.col(name)).alias(name)
            for i, name in enumerate(data.columns)
        )
        emptied = data.with_columns(
            pl.when(pl.Series(expected[:, i])).then(pl.col(name)).alias(name)
            for i, name in enumerate(data.columns)
        )
        assert kept.equals(emptied)

"""Right to the last digit: copies are copies, means are means, whatever else a column holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import jaximpute as ji
from jaximpute.streaming import impute_file

AWKWARD = {
    "decimals": [12.34, np.nan, 15.71, 21.1, np.nan, 0.1],
    "large": [1000000001.0, np.nan, 1234567891.0, 1999999999.0, np.nan, 3999999999.0],
    "one huge cell": [20.9, np.nan, 21.1, 2.1e9, np.nan, 20.5],
    "one enormous cell": [20.9, np.nan, 21.1, 1e20, np.nan, 20.5],
    "narrow on a level": [1e9 + 0.001, np.nan, 1e9 + 0.003, 1e9, np.nan, 1e9 + 0.002],
    "tiny": [1e-300, np.nan, 3e-300, 2e-300, np.nan, 1e-300],
    "great": [1e300, np.nan, 1.5e308, -1.6e308, np.nan, 1e300],
    "zeros": [0.0, np.nan, 0.0, 1.2, np.nan, 0.0],
}
DAYS = pd.date_range("2020-01-01", periods=6)


def _column(name: str) -> pd.DataFrame:
    return pd.DataFrame({"x": AWKWARD[name]}, index=DAYS)


@pytest.mark.parametrize("name", AWKWARD)
def test_methods_that_copy_return_observed_values(name):
    holed = _column(name)
    x = holed.x.to_numpy()
    np.testing.assert_array_equal(ji.impute(holed, "locf").x, pd.Series(x).ffill())
    np.testing.assert_array_equal(ji.impute(holed, "nocb").x, pd.Series(x).bfill())
    filled = ji.impute(holed.reset_index(drop=True), "mode").x.to_numpy()
    assert np.isin(filled, x[~np.isnan(x)]).all()


@pytest.mark.parametrize("name", AWKWARD)
def test_lines_lie_between_their_neighbours_and_means_are_those_of_double_precision(name):
    holed = _column(name)
    x = holed.x.to_numpy()
    filled = ji.impute(holed, "linear").x.to_numpy()
    for i in (1, 4):
        low, high = sorted((x[i - 1], x[i + 1]))
        assert low <= filled[i] <= high
        np.testing.assert_allclose(filled[i], low / 2 + high / 2, rtol=4e-16)
    for method in ("pchip", "moving_average"):
        between = ji.impute(holed, method).x.to_numpy()
        assert (between >= np.nanmin(x)).all()
        assert (between <= np.nanmax(x)).all()
    seen = np.sort(x[~np.isnan(x)])
    table = holed.reset_index(drop=True)
    if name != "great":  # whose sum is no float
        np.testing.assert_allclose(ji.impute(table, "mean").x[1], seen.mean(), rtol=1e-15)
    np.testing.assert_allclose(ji.impute(table, "median").x[1], seen[1] / 2 + seen[2] / 2)


def test_the_nearest_rows_give_their_own_cells():
    x = np.random.default_rng(0).normal(size=(40, 3)) * [1.0, 1e6, 1e-6] + [0.0, 1e9, 0.0]
    holed = x.copy()
    holed[::5, 1] = np.nan
    holed[1::5, 2] = np.nan
    filled = ji.impute(holed, "knn", k=1)
    for j in range(3):
        assert np.isin(filled[:, j], x[:, j]).all()


def test_frames_before_and_after_are_copied():
    field = np.random.default_rng(0).normal(1e5, 1.0, (1, 4, 5, 6, 1))
    holed = field.copy()
    holed[0, 2, 1:3, 2:4] = np.nan
    filled = ji.impute(holed, "window_average")
    np.testing.assert_array_equal(filled[0, 2, 1:3, 2:4], field[0, 1, 1:3, 2:4])


@pytest.mark.parametrize(
    ("cells", "dtype", "answer"),
    [
        ([2**53 + 1, None, 2**53 + 1, 2**53 + 3], "Int64", 2**53 + 1),
        ([123456789012345678, None, 123456789012345678], "Int64", 123456789012345678),
        ([-(2**62) - 1, None, -(2**62) - 1, 5], "Int64", -(2**62) - 1),
        ([2**64 - 1, None, 2**64 - 1, 2**64 - 3], "UInt64", 2**64 - 1),
        ([16777217, None, 16777217, 16777219], "Int64", 16777217),
    ],
)
@pytest.mark.parametrize("method", ["locf", "mean", "mode"])
def test_long_integers_are_never_changed(cells, dtype, answer, method):
    column = pd.DataFrame({"id": pd.array(cells, dtype=dtype)}, index=DAYS[: len(cells)])
    if method == "mean" and abs(answer) < 2**53 and len(set(cells)) > 2:
        answer = round(sum(cell for cell in cells if cell) / (len(cells) - 1))
    filled = ji.impute(column if method == "locf" else column.reset_index(drop=True), method)
    assert filled.id.dtype == dtype
    assert filled.id.tolist() == [answer if cell is None else cell for cell in cells]


@pytest.mark.parametrize("convert", [pl.from_pandas, lambda x: pa.Table.from_pandas(x)])
def test_long_integers_of_other_frames_stay_too(convert):
    ids = pd.array([2**60 + 1, None, 2**60 + 1, 2**60 + 3], dtype="Int64")
    filled = ji.impute(convert(pd.DataFrame({"id": ids})), "mean")
    assert pd.Series(filled["id"].to_numpy()).tolist() == [2**60 + 1] * 3 + [2**60 + 3]


def test_long_integers_that_all_differ_are_ids_and_left_empty():
    ids = pd.array([1577134800018226900 + i for i in range(5)] + [None], dtype="Int64")
    rows = pd.DataFrame({"id": ids, "x": [1.0, 2.0, None, 3.0, 4.0, 5.0]})
    with pytest.warns(ji.ImputationWarning, match="'id'.*long values are all different"):
        filled = ji.impute(rows, "mean")
    assert filled.id.isna().tolist() == [False] * 5 + [True]
    assert filled.x[2] == 3.0


def test_arrays_of_single_precision_stay_so():
    x = np.array([[1.5], [np.nan], [3.25]], np.float32)
    for given in (x, jnp.asarray(x)):
        filled = ji.impute(given, "mean")
        assert filled.dtype == np.float32
        assert float(filled[1, 0]) == 2.375
    assert jnp.asarray(0.1).dtype == np.float32  # double precision stays inside
    assert not jax.config.values["jax_enable_x64"]


def test_one_huge_cell_does_not_hide_the_others_from_a_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    x[:, 1] = 20 + x[:, 0] + 0.1 * x[:, 1]
    truth = x.copy()
    x[3, 1], x[10:40, 1] = 2.1e9, np.nan
    found = ji.impute(x, "knn", k=3)
    assert np.median(np.abs(found[10:40, 1] - truth[10:40, 1])) < 0.2
    for method in ("gaussian", "ice"):
        found = ji.impute(x, method)
        assert np.isfinite(found).all()
        # in single precision next to 2.1e9 the others are all one value, tens away
        assert np.abs(found[10:40, 1] - 20).max() < 200


def test_blocks_copy_as_the_whole_does(tmp_path):
    x = np.array(AWKWARD["decimals"] * 4).reshape(1, -1, 1)
    np.save(tmp_path / "x.npy", np.concatenate([x, x + 0.7, 3 * x]))
    impute_file.impute_file(str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), "locf", block_rows=1)
    filled = np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(filled[0, :, 0], pd.Series(x[0, :, 0]).ffill())
    np.testing.assert_array_equal(filled[1, :, 0], pd.Series(x[0, :, 0] + 0.7).ffill())


@pytest.mark.parametrize("method", ["mean", "knn"])
def test_a_fitted_imputer_keeps_double_precision_when_it_is_saved(method, tmp_path):
    x = np.random.default_rng(0).normal(1e9, 1.0, (30, 2))
    holed = x.copy()
    holed[3, 1] = np.nan
    imputer = ji.Imputer(method, options={"k": 1} if method == "knn" else None).fit(holed)
    filled = imputer.transform(holed)
    if method == "knn":
        assert filled[3, 1] in x[:, 1]
    else:
        np.testing.assert_allclose(filled[3, 1], np.nanmean(holed[:, 1]), rtol=1e-15)
    imputer.save(tmp_path / "model")
    np.testing.assert_array_equal(ji.Imputer.load(tmp_path / "model").transform(holed), filled)

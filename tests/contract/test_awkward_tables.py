"""Tables that break naive code: few rows, many columns, columns twice, categories seen once."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute import DataError, Imputer, registry
from tests.contract.cases import SMALL


def wide():
    """5 rows of 9 columns, one of which is there twice; the category `rare` is seen once."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(5, 7)), columns=list("abcdefg"))
    table["a again"] = table["a"]
    table["kind"] = ["usual", "usual", "rare", "usual", None]
    for row, column in enumerate(["b", "c", "d", "a again"]):
        table.loc[row, column] = np.nan
    return table


@pytest.mark.parametrize("name", registry.names("table"))
def test_fewer_rows_than_columns_and_than_a_batch(name):
    table = wide()
    options = {"k": 2} if name == "knn" else SMALL.get(name, {})
    filled = ji.impute(table, name, **options)
    pd.testing.assert_frame_equal(filled.where(table.notna()), table, check_dtype=False)
    assert filled.notna().all(axis=None)
    assert filled["kind"].isin(["usual", "rare"]).all()
    numbers = filled.drop(columns="kind").to_numpy(float)
    # within a few deviations of what there is, not merely finite
    assert np.abs(numbers).max() < 50


@pytest.mark.parametrize("name", ["mean", "knn", "ice"])
def test_imputers_take_one_row_and_more_columns_than_rows(name):
    table = wide().drop(columns="kind").to_numpy()
    options = {"k": 2} if name == "knn" else SMALL.get(name, {})
    filled = Imputer(name, options=options).fit(table).transform(table[3:4])
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[0, :7], table[3, :7])


def test_a_column_that_is_there_twice_tells_its_copy():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3))
    x[:, 2] = x[:, 0]
    lost = np.argsort(np.abs(x[:, 0]))[:10]  # fills stay within the range observed
    holed = x.copy()
    holed[lost, 0] = np.nan
    filled = ji.impute(holed, "ice", **SMALL["ice"])
    np.testing.assert_allclose(filled[lost, 0], x[lost, 0], atol=0.02)


def test_two_columns_of_one_name_are_refused():
    table = pd.DataFrame([[1.0, 2.0, np.nan], [3.0, np.nan, 4.0]], columns=["a", "b", "a"])
    with pytest.raises(DataError, match=r"column names must be unique.*a"):
        ji.impute(table, "mean")


def test_a_category_seen_once_is_kept_where_it_is():
    table = pd.DataFrame(
        {"x": [1.0, 2.0, np.nan, 4.0], "kind": pd.Categorical(["a", "a", "once", None])}
    )
    filled = ji.impute(table, "mode")
    assert filled["kind"].tolist() == ["a", "a", "once", "a"]
    assert list(filled["kind"].cat.categories) == ["a", "once"]


def test_images_of_different_sizes_and_masks_of_another_shape_are_refused():
    ragged = np.empty(2, object)
    ragged[:] = [np.zeros((4, 4, 1)), np.zeros((5, 4, 1))]
    with pytest.raises(DataError, match=r"shape \(2,\); expected"):
        ji.impute(ragged, "mean")
    with pytest.raises(DataError, match="list"):
        ji.impute([np.zeros((4, 4, 1)), np.zeros((5, 4, 1))], "mean")

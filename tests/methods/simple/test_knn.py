"""Nearest neighbours against scikit-learn."""

import numpy as np
import pytest
from sklearn.impute import KNNImputer

import jaximpute as ji
from tests.helpers.running import complete, punch


def _table(n=60):
    rng = np.random.default_rng(8)
    x = punch(rng.normal(size=(n, 5)), 0.4)
    x[3] = np.nan  # shares no column with any row
    x[5] = np.where(np.isnan(x[4]), 0.0, x[4])  # at distance 0 from row 4
    return x


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 4, 100])
def test_equals_scikit_learn(weights, k):
    x = _table()
    expected = KNNImputer(n_neighbors=k, weights=weights).fit_transform(x)
    np.testing.assert_allclose(
        complete(ji.methods.knn(k=k, weights=weights), x), expected, atol=1e-5
    )


@pytest.mark.fast
def test_new_rows_find_their_neighbours_among_the_old():
    x, new = _table(), _table(90)[60:]
    expected = KNNImputer(n_neighbors=3).fit(x).transform(new)
    np.testing.assert_allclose(complete(ji.methods.knn(k=3), x, new=new), expected, atol=1e-5)


@pytest.mark.fast
def test_padding_rows_are_nobodys_neighbours():
    x = _table()
    padded = np.vstack([x, np.nan_to_num(x[:7], nan=9.0)])
    weight = np.r_[np.ones(60), np.zeros(7)].astype(np.float32)
    got = complete(ji.methods.knn(), padded, weight)[:60]
    np.testing.assert_allclose(got, complete(ji.methods.knn(), x), atol=1e-6)


@pytest.mark.fast
def test_bad_options_and_series_are_refused():
    with pytest.raises(ji.OptionError, match="k is 0"):
        ji.methods.knn(k=0)
    with pytest.raises(ji.DataError, match="takes a table"):
        complete(ji.methods.knn(), np.ones((2, 3, 4)))

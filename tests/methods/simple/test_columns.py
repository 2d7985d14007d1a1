"""Column statistics against numpy and scikit-learn."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer

import jaximpute as ji
from tests.helpers.running import complete, punch

METHODS = {
    "mean": ji.methods.mean,
    "median": ji.methods.median,
    "most_frequent": ji.methods.mode,
}


def _table():
    x = np.random.default_rng(1).integers(-3, 4, (41, 4)).astype(float)
    return punch(x, 0.4)


@pytest.mark.fast
@pytest.mark.parametrize("strategy", METHODS)
def test_equals_scikit_learn(strategy):
    x = _table()
    expected = SimpleImputer(strategy=strategy).fit_transform(x)
    np.testing.assert_allclose(complete(METHODS[strategy](), x), expected, rtol=1e-6)


@pytest.mark.parametrize("strategy", METHODS)
def test_padding_rows_count_nothing(strategy):
    x = _table()
    padded = np.vstack([x, np.full((5, 4), 100.0)])
    weight = np.r_[np.ones(41), np.zeros(5)].astype(np.float32)
    got = complete(METHODS[strategy](), padded, weight)[:41]
    np.testing.assert_array_equal(got, complete(METHODS[strategy](), x))


@pytest.mark.parametrize("strategy", METHODS)
def test_series_use_one_value_per_channel(strategy):
    x = _table()[:40]
    got = complete(METHODS[strategy](), x.reshape(4, 10, 4))
    np.testing.assert_allclose(got.reshape(40, 4), complete(METHODS[strategy](), x), rtol=1e-6)


@pytest.mark.parametrize("strategy", METHODS)
def test_completes_rows_it_has_not_seen(strategy):
    x, new = _table(), np.full((2, 4), np.nan)
    expected = SimpleImputer(strategy=strategy).fit(x).transform(new)
    np.testing.assert_allclose(complete(METHODS[strategy](), x, new=new), expected, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS.values())
def test_a_column_never_observed_becomes_zero(method):
    assert complete(method(), np.array([[np.nan, 2.0], [np.nan, 4.0]]))[:, 0].tolist() == [0, 0]

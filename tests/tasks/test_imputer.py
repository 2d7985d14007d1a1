"""`Imputer` obeys scikit-learn's contract, for every method that can complete new rows."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import jaximpute as ji
from jaximpute import ImputationWarning, Imputer, OptionError, registry
from jaximpute.masking import clamp
from tests.contract.cases import SMALL

INDUCTIVE = [name for name in registry.names("table") if registry.entry(name).inductive]
QUICK = [name for name in INDUCTIVE if registry.entry(name).recipe is None]
# the checks fit some fifty tables, mostly of shapes of their own, and ask of a method no more than
# tests/contract/test_awkward_tables.py, which runs over all: here one of each sort stands for them
CHECKED = ["mean", "mode", "gaussian", "knn", "mice", "gain"]


def holes(rows=20, columns=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) * [1.0, 10.0, 0.1] + [0.0, 5.0, -3.0]
    return np.where(rng.random(x.shape) < 0.3, np.nan, x).astype(dtype)


@pytest.mark.parametrize("method", CHECKED)
@pytest.mark.filterwarnings("ignore::jaximpute.ImputationWarning")
def test_check_estimator(method):
    imputer = Imputer(method, options=SMALL.get(method))
    results = check_estimator(imputer, on_fail=None, on_skip=None)
    unmet = [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")]
    assert unmet == []
    # array API checks are scikit-learn's own opt-in
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}
    assert len(results) > 40


@pytest.mark.fast
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("indicator", [False, True])
def test_mean_is_scikit_learns(keep, indicator):
    x, new = holes(), holes(seed=1)
    ours = Imputer("mean", keep_empty_features=keep, add_indicator=indicator).fit(x)
    theirs = SimpleImputer(keep_empty_features=keep, add_indicator=indicator).fit(x)
    np.testing.assert_allclose(ours.transform(new), theirs.transform(new), rtol=1e-5)
    names = list(ours.get_feature_names_out(["a", "b", "c"]))
    assert names == list(theirs.get_feature_names_out(["a", "b", "c"]))


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_observed_cells_and_types_survive(dtype):
    x = holes(dtype=dtype)
    result = Imputer("mean").fit_transform(x)
    assert result.dtype == dtype
    seen = ~np.isnan(x)
    assert result[seen].tobytes() == x[seen].tobytes()
    assert np.isfinite(result).all()


@pytest.mark.fast
def test_empty_columns_are_dropped_by_name_or_kept():
    data = pd.DataFrame(holes(), columns=["a", "b", "c"]).assign(b=np.nan)
    with pytest.warns(ImputationWarning, match="'b'.*keep_empty_features"):
        dropped = Imputer("mean").set_output(transform="pandas").fit(data)
    assert list(dropped.transform(data).columns) == ["a", "c"]
    kept = Imputer("mean", keep_empty_features=True).set_output(transform="pandas").fit(data)
    result = kept.transform(data.assign(b=data["a"]))
    assert list(result.columns) == ["a", "b", "c"]
    assert result["b"].equals(data["a"])


@pytest.mark.fast
def test_output_frames_and_pipelines():
    data = pd.DataFrame(holes(), columns=["a", "b", "c"], index=range(5, 25))
    imputer = Imputer("mean", add_indicator=True)
    result = imputer.set_output(transform="pandas").fit_transform(data)
    assert result.index.equals(data.index)
    assert list(result.columns) == [*"abc", *(f"missingindicator_{name}" for name in "abc")]
    result = imputer.set_output(transform="polars").fit_transform(data)
    assert isinstance(result, pl.DataFrame)
    model = make_pipeline(Imputer("mean"), LinearRegression()).fit(data, np.arange(20.0))
    assert model.predict(data).shape == (20,)


@pytest.mark.fast
def test_other_marks_of_missing():
    x = holes()
    marked = np.where(np.isnan(x), -999.0, x)
    result = Imputer("mean", missing_values=-999.0).fit_transform(marked)
    np.testing.assert_array_equal(result, Imputer("mean").fit_transform(x))
    with pytest.raises(ValueError, match="NaN"):
        Imputer("mean", missing_values=-999.0).fit(x)


def drawing():
    """A random method: a normal draw for each missing cell."""

    def sample(key, state, data):
        return clamp(state["sd"] * jax.random.normal(key, data.values.shape), data)

    return ji.Method(
        lambda key, data: {"sd": jnp.ones(())},
        lambda key, state, data: (state, ji.Info(jnp.zeros(()), {})),
        estimate=sample,
        sample=sample,
    )


@pytest.fixture
def drawing_registered(monkeypatch):
    entry = registry.Entry("for a test", ("table",), ".simple.columns:mean", draws=True)
    monkeypatch.setitem(registry.METHODS, "drawing", entry)
    monkeypatch.setattr(registry, "build", lambda *given, **options: registry.Plan(drawing()))


def test_a_random_row_does_not_depend_on_its_company(drawing_registered):
    x = holes(rows=37)
    imputer = Imputer("drawing", random_state=0).fit(x)
    together = imputer.transform(x)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(imputer.transform(x[order]), together[order])
    one_by_one = np.concatenate([imputer.transform(row[None]) for row in x])
    np.testing.assert_allclose(one_by_one, together, rtol=1e-6)
    again = pickle.loads(pickle.dumps(imputer)).transform(x)
    np.testing.assert_array_equal(again, together)
    other = Imputer("drawing", random_state=1).fit(x).transform(x)
    assert (other != together)[np.isnan(x)].all()
    first_column = together[np.isnan(x[:, 0]), 0]
    assert len(np.unique(first_column)) == len(first_column)


@pytest.mark.parametrize("method", QUICK)
def test_fit_once_transform_later(method):
    x, new = holes(), holes(seed=1, rows=9)
    imputer = Imputer(method, random_state=0).fit(x)
    together = imputer.transform(new)
    assert np.isfinite(together).all()
    np.testing.assert_allclose(imputer.transform(new[::-1])[::-1], together, rtol=1e-5)
    np.testing.assert_allclose(imputer.transform(new[4:5]), together[4:5], rtol=1e-5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(imputer)).transform(new), together)
    fitted_twice = clone(imputer).fit_transform(x)
    np.testing.assert_allclose(fitted_twice, imputer.transform(x), rtol=1e-5)


@pytest.mark.fast
def test_more_rows_than_a_batch():
    x = np.tile(holes(), (30, 1))
    result = Imputer("mean").fit_transform(x)
    np.testing.assert_allclose(result[:20], result[-20:], rtol=1e-6)
    assert np.isfinite(result).all()


@pytest.mark.fast
def test_transductive_methods_are_refused_by_name(monkeypatch):
    entry = registry.Entry("for a test", ("table",), "", inductive=False)
    monkeypatch.setitem(registry.METHODS, "rowbound", entry)
    with pytest.raises(OptionError, match=r"'rowbound' only completes.*mean"):
        Imputer("rowbound").fit(holes())
    with pytest.raises(OptionError, match="no method"):
        Imputer("nothing").fit(holes())
    with pytest.raises(OptionError, match="no option 'depth'"):
        Imputer("mean", options={"depth": 3}).fit(holes())


@pytest.mark.fast
def test_unfitted_imputers_pickle():
    assert pickle.loads(pickle.dumps(Imputer("mean", random_state=3))).random_state == 3


@pytest.mark.fast
def test_constant_columns_only():
    x = np.array([[1.0, np.nan], [np.nan, 2.0]])
    imputer = Imputer("mean").fit(x)
    np.testing.assert_array_equal(imputer.transform(x), [[1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(imputer)).transform([[5.0, np.nan]]), [[5.0, 2.0]]
    )


def test_draws_are_many_and_quantiles_are_of_them():
    X = np.random.default_rng(1).normal(size=(30, 2))
    X[::5, 1] = np.nan
    options = {"score_steps": 5, "sde_steps": 5, "steps": 1, "width": 16, "start": "mean"}
    imputer = ji.Imputer("diffusion", random_state=0, options=options).fit(X)
    draws = imputer.sample(X, 3)
    assert draws.shape == (3, 30, 2)
    seen = ~np.isnan(X)
    np.testing.assert_array_equal(draws[:, seen], np.stack([X[seen]] * 3))
    assert (np.ptp(draws[:, ~seen], axis=0) > 0).all()
    np.testing.assert_allclose(imputer.sample(X[:6], 3), draws[:, :6], rtol=1e-5)
    low, high = imputer.quantiles(X, (0.0, 1.0), n=3)
    np.testing.assert_array_equal(low, draws.min(axis=0))
    np.testing.assert_array_equal(high, draws.max(axis=0))
    with pytest.raises(ji.OptionError, match="not random draws"):
        ji.Imputer("mean").fit(X).sample(X)

"""`impute`: any container, any column mix; what it reports and what it warns of."""

import inspect
import json
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaximpute as ji
from jaximpute import ImputationWarning, OptionError, TimeError, registry
from jaximpute.data.frames import read
from jaximpute.methods import mean
from jaximpute.tasks import advice
from jaximpute.tasks.choose import choose
from jaximpute.tasks.filling import fill
from jaximpute.tasks.impute import impute_with_report
from jaximpute.types import Info


def people(n=30):
    rng = np.random.default_rng(1)
    whole = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n).round(1),
            "children": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "smoker": pd.array(rng.random(n) < 0.3, dtype="boolean"),
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], n),
            "size": pd.Categorical(rng.choice(["S", "M", "L"], n), ["S", "M", "L"], ordered=True),
            "weight": rng.normal(70, 5, n).astype(np.float32),
        },
        index=[f"p{i}" for i in range(n)],
    )
    return whole.mask(pd.DataFrame(rng.random(whole.shape) < 0.25, whole.index, whole.columns))


def same_where_observed(result, data):
    seen = data.notna()
    assert (result.dtypes == data.dtypes).all()
    assert result.index.equals(data.index)
    pd.testing.assert_frame_equal(result.where(seen), data.where(seen))


def test_a_mixed_table_is_completed_by_means_and_modes():
    data = people()
    result = ji.impute(data, "mean")
    same_where_observed(result, data)
    assert result.notna().all(axis=None)
    hole = data.isna()
    age = result["age"][hole["age"]]
    np.testing.assert_allclose(age, data["age"].mean(), rtol=1e-6)
    children = result["children"][hole["children"]]
    assert (children == round(data["children"].mean())).all()
    for name in ("smoker", "town", "size"):
        counts = data[name].value_counts()
        assert result[name][hole[name]].map(counts).eq(counts.max()).all()


@pytest.mark.fast
def test_polars_gives_what_pandas_gives():
    data = people()
    table = pl.from_pandas(data)
    result = ji.impute(table, "mean")
    assert result.schema == table.schema
    assert result.equals(pl.from_pandas(ji.impute(data, "mean")))


@pytest.mark.fast
def test_arrays_of_every_library_agree():
    rng = np.random.default_rng(0)
    x = np.where(rng.random((12, 3)) < 0.3, np.nan, rng.normal(size=(12, 3))).astype(np.float32)
    result = ji.impute(x, "mean")
    expected = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert result.dtype == np.float32
    through_jax = ji.impute(jnp.asarray(x), "mean")
    assert isinstance(through_jax, jax.Array)
    np.testing.assert_array_equal(through_jax, result)
    np.testing.assert_array_equal(ji.impute(x[None].repeat(2, 0), "mean")[1], result)


@pytest.mark.fast
def test_nothing_missing_is_returned_as_an_equal_copy():
    data = people().dropna()
    result = ji.impute(data, "mean")
    pd.testing.assert_frame_equal(result, data)
    result.iloc[0, 0] = -1
    assert data.iloc[0, 0] != -1
    x = np.ones((3, 2))
    assert ji.impute(x, "mean") is not x
    np.testing.assert_array_equal(ji.impute(x, "mean"), x)


@pytest.mark.fast
def test_methods_and_options_are_checked_even_if_nothing_is_missing():
    x = np.arange(6.0).reshape(3, 2)
    with pytest.raises(OptionError, match="did you mean 'mean'"):
        ji.impute(x, "maen")
    with pytest.raises(OptionError, match="no option 'depth'"):
        ji.impute(x, "mean", depth=3)
    with pytest.raises(OptionError, match="no preset"):
        ji.impute(x, "mean", preset="quick")
    with pytest.raises(OptionError, match="no gaps in time"):
        ji.impute(x, "mean", max_gap=2)


@pytest.mark.fast
def test_columns_left_empty_are_named():
    data = people().assign(void=None, name=[f"name {i}" if i % 3 else None for i in range(30)])
    data["born"] = pd.to_datetime(["2000-01-01", None] * 15)
    with pytest.warns(ImputationWarning) as caught:
        result = ji.impute(data, "mean")
    texts = " ".join(str(warning.message) for warning in caught)
    for name in ("'void'", "'name'", "'born'", "too many", "dates and times", "nothing in it"):
        assert name in texts
    same_where_observed(result, data)
    assert result[["void", "name", "born"]].isna().equals(data[["void", "name", "born"]].isna())


def test_warnings_point_at_the_line_of_the_caller(tmp_path):
    # in a process of its own, for the type checks of the tests wrap every function in another
    script = tmp_path / "caller.py"
    script.write_text(
        "import warnings, numpy as np, jaximpute as ji\n"
        "from jaximpute.tasks.impute import impute_with_report\n"
        "x = np.array([[1.0, np.nan]])\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    ji.impute(x, 'mean')\n"
        "    impute_with_report(x, 'mean')\n"
        "    ji.Imputer('mean').fit(x)\n"
        "print([w.lineno for w in caught if w.filename == __file__])\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[6, 7, 8]"


@pytest.mark.fast
def test_many_columns_share_one_warning():
    x = np.full((2, 40), np.nan)
    with pytest.warns(ImputationWarning) as caught:
        result = ji.impute(x, "mean")
    assert len(caught) == 1
    assert "and 30 more" in str(caught[0].message)
    assert np.isnan(result).all()


@pytest.mark.fast
@pytest.mark.parametrize(
    "x", [[[1.0, np.nan], [np.nan, np.nan], [3.0, 5.0]], [[1.0, 2.0]], [[1.0], [np.nan]]]
)
def test_small_shapes(x):
    result = ji.impute(np.array(x), "mean")
    expected = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    np.testing.assert_allclose(result, expected)


def test_ten_thousand_columns():
    rng = np.random.default_rng(0)
    x = np.where(rng.random((50, 10_000)) < 0.2, np.nan, rng.normal(size=(50, 10_000)))
    result = ji.impute(x, "mean")
    np.testing.assert_allclose(result, np.where(np.isnan(x), np.nanmean(x, axis=0), x), atol=1e-5)


@pytest.mark.fast
def test_stamps_may_come_in_any_order():
    stamps = pd.date_range("2024", periods=6, freq="h")
    whole = pd.DataFrame({"x": np.arange(6.0)}, index=stamps)
    whole.iloc[[1, 4]] = np.nan
    shuffled = whole.iloc[[3, 0, 5, 1, 4, 2]]
    with pytest.warns(ImputationWarning, match="not in order of time"):
        result = ji.impute(shuffled, "mean")
    assert result.index.equals(shuffled.index)
    pd.testing.assert_frame_equal(result.sort_index(), ji.impute(whole, "mean"), check_freq=False)


@pytest.mark.fast
def test_time_column_is_kept_as_it_is():
    data = pl.DataFrame({"t": ["2024-01-01", "2024-01-02", "2024-01-05"], "x": [1.0, None, 3.0]})
    result = ji.impute(data, "mean", time="t")
    assert result["t"].equals(data["t"])
    assert result["x"].to_list() == [1.0, 2.0, 3.0]
    with pytest.raises(TimeError, match="duplicate"):
        ji.impute(data.with_columns(t=pl.lit("2024-01-01")), "mean", time="t")


@pytest.mark.fast
def test_long_gaps_stay_empty():
    x = np.array([1.0, np.nan, 3, np.nan, np.nan, np.nan, 7])[:, None]
    with pytest.warns(ImputationWarning, match="longer than max_gap"):
        result = ji.impute(x, "mean", time=np.arange(7), max_gap=2)
    assert np.flatnonzero(np.isnan(result[:, 0])).tolist() == [3, 4, 5]
    filled = ji.impute(x, "mean", time=np.arange(7), max_gap=3)
    np.testing.assert_allclose(filled[3:6], 11 / 3, rtol=1e-6)


@pytest.mark.fast
def test_report_is_json_and_tells_the_story():
    data = people().assign(void=np.nan)
    with pytest.warns(ImputationWarning):
        result = impute_with_report(data, "mean", seed=7)
    report = json.loads(json.dumps(result.report, allow_nan=False))
    assert report["method"] == "mean"
    assert (report["seed"], report["preset"], report["kind"], report["answer"]) == (
        7,
        "balanced",
        "table",
        "estimate",
    )
    assert (report["rows"], report["columns"]) == data.shape
    assert report["missing"] == {k: int(v) for k, v in data.isna().sum().items() if v}
    assert report["filled"] == int(data.isna().sum().sum()) - 30
    assert report["left_empty"] == {"void": {"cells": 30, "reason": "nothing in it is observed"}}
    assert report["versions"]["jaximpute"] == ji.__version__
    assert report["seconds"] >= 0
    assert len(report["warnings"]) == 1
    np.testing.assert_array_equal(result.mask, data.notna())


@pytest.mark.fast
def test_report_of_a_time_axis():
    data = pd.DataFrame({"x": [1.0, None, 3.0]}, index=pd.to_datetime(["2024", "2025", "2027"]))
    report = impute_with_report(data, "mean").report
    assert report["time"]["steps"] == 4
    assert report["time"]["absent_rows"] == 1
    assert report["time"]["regular"]


def restless(**metrics):
    """A mean that says how it went."""
    still = mean()

    def step(key, state, data):
        said = {name: jnp.asarray(value) for name, value in metrics.items()}
        return state, Info(jnp.asarray(0.5), said)

    return still._replace(step=step)


@pytest.fixture
def registered(monkeypatch):
    """Register a method for one test."""

    def register(method, steps=3, kinds=("table",), inductive=True):
        factory = (
            "jaximpute.methods.simple.columns:mean"  # for its options, of which there are none
        )
        entry = registry.Entry("for a test", kinds, factory, inductive=inductive)
        monkeypatch.setitem(registry.METHODS, "restless", entry)
        built = registry.Plan(method, steps, 2)
        monkeypatch.setattr(registry, "build", lambda name, data, **_: built)

    return register


@pytest.mark.fast
def test_worse_than_the_start_is_said_with_both_numbers(registered):
    x = np.array([[1.0, np.nan], [3.0, 4.0], [0.0, 1.0]])
    registered(restless(start_error=1.0, error=2.5))
    with pytest.warns(ImputationWarning, match=r"error 2\.5 .*from 1\. ") as caught:
        result = impute_with_report(x, "restless")
    assert len(caught) == 1
    assert result.report["losses"] == [0.5, 0.5, 0.5]
    assert result.report["metrics"] == {"start_error": 1.0, "error": 2.5}


@pytest.mark.fast
@pytest.mark.parametrize(
    "metrics",
    [
        {"start_error": 1.0, "error": 0.5},
        {"start_error": 1.0, "error": 1.5, "best_error": 0.5},  # the best iterate is returned
        {"error": 1.5},
        {"start_error": 1.0, "error": float("nan")},
    ],
)
def test_better_than_the_start_is_no_warning(registered, metrics):
    registered(restless(**metrics))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = impute_with_report(np.array([[1.0, np.nan], [3.0, 4.0], [0.0, 1.0]]), "restless")
    json.dumps(result.report, allow_nan=False)


@pytest.mark.fast
def test_divergence_is_an_error(registered):
    still, x = mean(), np.array([[1.0, np.nan], [3.0, 4.0], [0.0, 1.0]])
    registered(still._replace(estimate=lambda key, state, data: data.values * jnp.inf), steps=0)
    with pytest.raises(ji.DivergenceError, match=r"'restless' diverged: .* are not finite"):
        ji.impute(x, "restless")

    def step(key, state, data):
        return state, Info(jnp.asarray(jnp.nan), {})

    registered(still._replace(step=step))
    with pytest.raises(ji.DivergenceError, match=r"'restless' diverged in step 1 of 3: .* Take an"):
        ji.impute(x, "restless")


@pytest.mark.fast
def test_advice_names_the_rates_with_the_values_they_have():
    text = advice.on_divergence("csbi", "fast", {"lr": 0.5})
    assert "Lower lr (now 0.5) or warmup_lr (now 0.002) or lr_forward (now 0.0001)" in text
    assert "fewer steps" in text
    assert advice.on_divergence("mean") == "Take another preset or another method"


@pytest.mark.fast
def test_irregular_times_reach_the_method(registered, monkeypatch):
    registered(restless(error=0.5), kinds=("series",))
    seen = {}
    plan = registry.build("restless", None)
    monkeypatch.setattr(registry, "build", lambda name, data, **given: seen.update(given) or plan)
    x = np.array([[1.0], [np.nan], [2.0], [4.0]])
    ji.impute(x, "restless", time=[0.0, 1.0, 2.0, 3.4])
    np.testing.assert_allclose(seen["times"], [0, 1, 2, 3.4])
    ji.impute(x, "restless", time=[0.0, 1.0, 2.0, 3.0])
    assert seen["times"] is None


@pytest.mark.fast
def test_same_seed_same_answer_and_no_global_seed_is_touched():
    x = people().to_numpy(dtype=object)
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (ji.impute(x, "mean", seed=5) for _ in range(2))
    assert (first == second).all()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.fast
def test_fill_is_impute_between_reading_and_writing():
    data = people()
    frame = read(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filled = fill(frame._replace(columns=frame.columns), "mean")
    again = read(ji.impute(data, "mean"))
    np.testing.assert_allclose(filled.values, again.values, rtol=1e-6)


@pytest.mark.fast
def test_auto_is_a_method_of_the_kind():
    for kind in ("table", "series", "image", "field"):
        assert choose(kind) in registry.names(kind)
        assert registry.entry(choose(kind)).inductive
        assert registry.entry(choose(kind, draws=True)).draws


@pytest.mark.fast
def test_the_two_calls_take_the_same_arguments():
    plain, told = (dict(inspect.signature(f).parameters) for f in (ji.impute, impute_with_report))
    del told["interval"]  # its ends have no place in a completed container
    assert list(plain.items()) == list(told.items())


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_column_mix_is_completed(data):
    """Rows are always six, so that few programs are compiled."""
    pool = {
        "number": st.floats(-1e6, 1e6, width=32),
        "whole": st.integers(-1000, 1000),
        "flag": st.booleans(),
        "letter": st.sampled_from("ab"),
    }
    dtypes = {"number": "float32", "whole": "Int16", "flag": "boolean", "letter": "category"}
    kinds = data.draw(st.lists(st.sampled_from(sorted(pool)), min_size=1, max_size=3))
    cells = {
        f"{kind}{i}": pd.Series(
            data.draw(st.lists(st.none() | pool[kind], min_size=6, max_size=6)), dtype=dtypes[kind]
        )
        for i, kind in enumerate(kinds)
    }
    table = pd.DataFrame(cells)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImputationWarning)
        result = ji.impute(table, "mean")
    same_where_observed(result, table)
    empty = table.isna().all()
    assert result.loc[:, ~empty].notna().all(axis=None)
    assert result.loc[:, empty].isna().all(axis=None)


@pytest.mark.fast
@pytest.mark.fast
def test_options_are_checked_even_if_nothing_is_missing():
    complete = np.ones((3, 2))
    with pytest.raises(ji.OptionError, match="did you mean 'sigma'"):
        ji.impute(complete, "spirit", sigmaa=1.0)
    with pytest.raises(ji.OptionError, match="no preset"):
        ji.impute(complete, "mean", preset="quick")

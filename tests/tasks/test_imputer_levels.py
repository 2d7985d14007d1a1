"""`Imputer` takes frames with texts, categories and booleans, and gives frames back."""

import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import jaximpute as ji
from jaximpute import DataError, ImputationWarning, Imputer, OptionError


def people(rows=60, seed=0):
    """Whoever is tall is of kind b and bold; every column has holes."""
    rng = np.random.default_rng(seed)
    tall = rng.random(rows) < 0.5
    table = pd.DataFrame(
        {
            "height": np.where(tall, 190.0, 160.0) + rng.normal(size=rows),
            "kind": pd.Series(np.where(tall, "b", "a"), dtype=object),
            "bold": pd.Series(tall, dtype="boolean"),
            "town": pd.Categorical(np.where(tall, "Rom", "Ulm"), ["Bonn", "Rom", "Ulm"]),
            "age": pd.array(np.where(tall, 40, 20), "Int64"),
        }
    )
    holed = table.copy()
    for j, name in enumerate(holed):
        holed.loc[rng.permutation(rows)[: 6 + j], name] = None if name == "kind" else pd.NA
    holed.iloc[0] = table.iloc[0]
    return table, holed.astype(table.dtypes)


@pytest.mark.parametrize("method", ["gaussian", "knn", "trees"])
def test_cells_come_out_right_and_types_stay(method):
    truth, holed = people()
    options = {"k": 3} if method == "knn" else None
    filled = Imputer(method, options=options).fit(holed).transform(holed)
    assert isinstance(filled, pd.DataFrame)
    assert filled.dtypes.equals(holed.dtypes)
    for name in holed:
        seen = holed[name].notna()
        pd.testing.assert_series_equal(filled[name][seen], holed[name][seen])
    for name in ("kind", "bold", "town"):
        told = holed.notna().sum(axis=1) > 2  # enough is known of the row
        assert (filled[name] == truth[name])[told].all()


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas, lambda x: x])
def test_other_frames_and_other_orders_of_rows_answer_alike(make):
    _, holed = people()
    imputer = Imputer("gaussian", random_state=0).fit(make(holed))
    whole = imputer.transform(make(holed))
    assert type(whole) is type(make(holed))
    rows = [5, 3, 40]
    part = imputer.transform(make(holed.iloc[rows].reset_index(drop=True)))
    as_pandas = pd.DataFrame({name: list(whole[name].to_numpy()) for name in holed})
    expected = as_pandas.iloc[rows].reset_index(drop=True)
    for name in holed:
        assert list(part[name].to_numpy()) == list(expected[name])


def test_levels_that_fit_has_not_seen_stay_and_levels_of_fit_have_room():
    _, holed = people()
    imputer = Imputer("gaussian").fit(holed)
    new = holed.iloc[:4].copy()
    new["kind"] = ["z", None, "a", "b"]
    new["town"] = pd.Categorical([None, "Oslo", None, None], ["Oslo"])
    new["bold"] = [None] * 4  # nothing says what it holds
    filled = imputer.transform(new)
    assert filled["kind"][0] == "z"
    assert filled["kind"][1] in ("a", "b")
    assert filled["town"][1] == "Oslo"
    assert set(filled["town"].drop(1)) <= {"Rom", "Ulm"}
    assert set(filled["bold"]) <= {True, False}
    # a level not seen tells nothing
    same = imputer.transform(new.assign(kind=[None, None, "a", "b"]))
    assert filled.loc[0, "height"] == same.loc[0, "height"]


def test_what_is_saved_or_pickled_answers_the_same(tmp_path):
    _, holed = people()
    imputer = Imputer("trees", random_state=1, options={"trees": 5}, add_indicator=True).fit(holed)
    filled = imputer.transform(holed)
    assert list(filled)[5:] == [f"missingindicator_{name}" for name in holed]
    assert (filled["missingindicator_kind"] == holed["kind"].isna()).all()
    imputer.save(tmp_path / "model")
    for again in (Imputer.load(tmp_path / "model"), pickle.loads(pickle.dumps(imputer))):
        pd.testing.assert_frame_equal(again.transform(holed), filled)
    about = json.loads((tmp_path / "model" / "imputer.json").read_text())
    about["columns"][1]["levels"] = ["a"]
    (tmp_path / "model" / "imputer.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match="column 1 has codes without a level"):
        Imputer.load(tmp_path / "model")


def test_draws_are_frames():
    _, holed = people()
    imputer = Imputer("gaussian", random_state=0).fit(holed)
    draws = imputer.sample(holed, 4)
    assert len(draws) == 4
    unlike = [draws[0]["height"].to_numpy() != one["height"].to_numpy() for one in draws[1:]]
    np.testing.assert_array_equal(np.any(unlike, axis=0), holed["height"].isna())
    with pytest.raises(OptionError, match="levels have no quantiles"):
        imputer.quantiles(holed)


def test_a_pipeline_and_an_index_of_days():
    _, holed = people()
    holed.index = pd.date_range("2020-01-01", periods=len(holed))  # rows all the same
    pipe = make_pipeline(Imputer("mode"), FunctionTransformer())
    filled = pipe.fit_transform(holed)
    assert filled.index.equals(holed.index)
    assert filled.notna().all(axis=None)


def test_days_stay_empty_columns_go_and_a_number_marks_holes():
    _, holed = people()
    table = holed.assign(day=pd.date_range("2020-01-01", periods=len(holed)), none=np.nan)
    table["height"] = table["height"].fillna(-9.0)
    with pytest.warns(ImputationWarning) as said:
        imputer = Imputer("mean", missing_values=-9).fit(table)
    told = " ".join(str(one.message) for one in said)
    assert "'day': dates and times are not learned; transform returns it as it is" in told
    assert "columns 'none' are entirely missing" in told
    filled = imputer.transform(table)
    assert list(filled) == [*holed, "day"]
    assert (filled["height"] > 0).all()
    assert filled["day"].equals(table["day"])


def test_other_columns_and_other_kinds_are_refused_by_name():
    _, holed = people()
    imputer = Imputer("mean").fit(holed)
    with pytest.raises(DataError, match=r"column 'kind' is of kind 'integer'.*convert it"):
        imputer.transform(holed.assign(kind=1))
    with pytest.raises(DataError, match=r"column 'age' is of kind 'text'.*are numbers"):
        imputer.transform(holed.assign(age="old"))
    with pytest.raises(ValueError, match="feature names"):
        imputer.transform(holed[list(holed)[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        imputer.transform(holed.drop(columns="kind"))
    with pytest.raises(DataError, match="this is ndarray; expected a frame"):
        imputer.transform(np.zeros((2, 5)))
    with pytest.raises(DataError, match="mixes"):
        Imputer("mean").fit(holed.assign(kind=[1, "a"] * 30))
    assert ji.impute(holed, "mean").notna().all(axis=None)

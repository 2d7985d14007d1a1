"""Diagnostics of holes by the columns' names, and the command that prints them."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from tests.helpers.commands import call

pytestmark = pytest.mark.fast


def survey():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)) @ [[1, 0.5], [0, 1]]
    frame = pd.DataFrame({"[b]age": x[:, 0] + 40, "income": x[:, 1], "sex": "f"})
    frame.loc[frame["[b]age"] > 40.5, ["income", "sex"]] = None
    frame.loc[:9, "[b]age"] = np.nan
    return frame


def test_who_is_missing_together_is_told_by_name():
    frame = survey()
    found = ji.missingness(frame)
    assert found.patterns["rows"].sum() == 200
    assert list(found.patterns.columns) == ["[b]age", "income", "sex", "rows", "missing"]
    assert found.together.loc["income", "sex"] == 1
    lacks = frame["income"].isna()
    assert found.together.loc["income", "[b]age"] == frame.loc[lacks, "[b]age"].isna().mean()
    assert found.flux.loc["income", "observed"] == 1 - lacks.mean()
    assert found.flux.loc["[b]age", "outflux"] > found.flux.loc["income", "outflux"]
    assert found.little.p_value < 0.01
    assert ji.missingness(frame[["sex"]]).little is None
    assert ji.missingness(frame.dropna()).why == (
        "all rows lack the same cells, so there is nothing to compare"
    )


def test_series_and_fields_have_patterns_too():
    x = np.ones((1, 3, 2, 2, 2)) * np.arange(12.0).reshape(1, 3, 2, 2, 1)
    x[0, 0, 0, 0, 1] = np.nan
    assert ji.missingness(x).patterns["rows"].tolist() == [11, 1]
    frame = survey().assign(when=pd.date_range("2024-01-01", periods=200))
    assert "when" not in ji.missingness(frame, time="when").flux.index


def test_the_command_prints_them(tmp_path):
    survey().to_csv(tmp_path / "in.csv", index=False)
    plain = call("inspect", tmp_path / "in.csv")
    done = call("inspect", tmp_path / "in.csv", "--patterns")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(plain.stdout)
    assert "missing together" in done.stdout
    assert "income, sex" in done.stdout
    assert "[b]age" in done.stdout.split("outflux")[-1]
    assert "Little's test of missing completely at random: p = " in done.stdout

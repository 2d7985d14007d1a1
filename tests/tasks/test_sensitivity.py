"""Shifts of what was filled: the closed form of a mean, tipping points, bad input."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.data.frames import read
from jaximpute.plots.sensitivity import plot_sensitivity
from jaximpute.tasks.multiple import Multiple, Source
from jaximpute.tasks.sensitivity import sensitivity

pytestmark = pytest.mark.fast


def survey(rows=200, share=0.3):
    """Completions by hand, with known draws."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "drinks": rng.poisson(4, rows).astype(float),
            "weight": 70 + 10 * rng.normal(size=rows),
            "sex": rng.choice(["f", "m"], rows),
            "arm": rng.integers(0, 2, rows),
        }
    )
    holed = frame.copy()
    for name in ("drinks", "weight", "sex"):
        holed.loc[rng.random(rows) < share, name] = None
    draws = []
    for _ in range(5):
        one = holed.copy()
        for name in ("drinks", "weight", "sex"):
            gap = one[name].isna()
            one.loc[gap, name] = rng.choice(holed[name].dropna().to_numpy(), gap.sum())
        draws.append(one)
    source = Source(read(holed), None, None)
    return holed, Multiple(draws, draws[0], draws[0], draws[0], {}, None, source)


def mean(name):
    def fit(frame):
        x = frame[name]
        return np.array([x.mean()]), np.array([x.var() / len(x)])

    return fit


def test_the_mean_moves_by_the_share_that_is_missing():
    holed, many = survey()
    found = sensitivity(many, delta=[1, -0.5], columns=["weight"], fit=mean("weight"))
    assert found.delta.tolist() == [-0.5, 0.0, 1.0]
    deviation = np.sqrt(np.nanmean((holed["weight"] - holed["weight"].mean()) ** 2))
    share = holed["weight"].isna().mean()
    estimate = np.array([one.estimate[0] for one in found.pooled])
    np.testing.assert_allclose(estimate - estimate[1], share * deviation * found.delta, rtol=1e-5)
    np.testing.assert_allclose(found.shift[:, 0], deviation * found.delta, rtol=1e-5)
    plain = many.analyse(mean("weight"))
    assert found.pooled[1].error[0] == plain.error[0]
    table = found.to_frame()
    assert table.index.names == ["delta", "parameter"]
    assert table.loc[(1.0, "0"), "estimate"] == estimate[2]


def test_only_filled_cells_of_the_rows_and_columns_asked_for_move():
    holed, many = survey()
    arm = holed["arm"].to_numpy() == 1
    seen = []

    def fit(frame):
        seen.append(frame)
        return mean("weight")(frame)

    how = {"columns": ["weight"], "rows": arm, "fit": fit}
    sensitivity(many, delta=[2.0], **how)
    for before, after in zip(many.draws, seen[len(many.draws) :], strict=True):
        moved = before["weight"] != after["weight"]
        np.testing.assert_array_equal(moved, holed["weight"].isna() & arm)
        pd.testing.assert_frame_equal(before.drop(columns="weight"), after.drop(columns="weight"))


def test_shifted_counts_stay_counts():
    _, many = survey()
    seen = []

    def fit(frame):
        seen.append(frame["drinks"])
        return mean("drinks")(frame)

    found = sensitivity(many, delta=[-3.0], columns=["drinks"], fit=fit)
    assert min(x.min() for x in seen) == 0
    assert abs(found.shift[0, 0]) < 3 * many.draws[0]["drinks"].std()


def test_the_conclusion_tips_where_the_estimate_crosses():
    _, many = survey()

    def fit(frame):
        x = frame["weight"] - 68.0
        return np.array([x.mean()]), np.array([x.var() / len(x)])

    grid = np.linspace(-3, 3, 25)
    found = sensitivity(many, delta=grid, columns=["weight"], fit=fit, names=["above"])
    below, above = found.tipping("above")
    assert above is None
    at = found.delta.tolist().index(below)
    kept = found.pooled[at + 1]
    assert found.pooled[at].p_value[0] >= 0.05 > kept.p_value[0]
    own = found.tipping(concludes=lambda one: one.estimate[0] > 0)
    assert own[0] is not None
    assert own[0] < below
    axes = plot_sensitivity(found, "above").axes[0]
    assert axes.get_title(loc="left") == "above"
    with pytest.raises(ji.OptionError, match="no parameter is called 'slope'"):
        found.tipping("slope")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": ["sex"]}, "column 'sex' holds text that cannot be shifted"),
        ({"columns": ["wieght"]}, "no column is called 'wieght'; did you mean 'weight'"),
        ({"columns": ["arm"]}, "column 'arm' lacks nothing"),
        ({"columns": []}, "columns is empty"),
        ({"delta": []}, "expected finite shifts"),
        ({"delta": [np.nan]}, "expected finite shifts"),
        ({"rows": [True]}, "expected booleans, one for each of the 200 rows"),
    ],
)
def test_what_cannot_be_shifted_is_named(change, message):
    _, many = survey()
    how = {"delta": [1.0], "columns": ["weight"], "fit": mean("weight"), **change}
    with pytest.raises(ji.OptionError, match=message):
        sensitivity(many, **how)


def test_one_completion_is_not_enough_and_a_fit_that_fails_is_named():
    _, many = survey()
    how = {"delta": [1.0], "columns": ["weight"], "fit": mean("weight")}
    with pytest.raises(ji.OptionError, match="there are 1 completions"):
        sensitivity(many._replace(draws=many.draws[:1]), **how)
    with pytest.raises(ji.OptionError, match="completions of impute_many"):
        sensitivity(many._replace(source=None), **how)
    with pytest.raises(ji.DataError, match="the analysis of completion 0 failed"):
        sensitivity(many, **{**how, "fit": lambda frame: 1 / 0})

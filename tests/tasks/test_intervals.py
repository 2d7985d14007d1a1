"""Intervals of any method: do they hold what they say, and are their ends possible values."""

import json

import jax
import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.data.codec import learn
from jaximpute.data.difficulty import difficulty
from jaximpute.data.frames import read
from jaximpute.tasks import intervals, levelsets, trials
from tests.helpers.commands import call

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def begin_anew():
    """Numbers do not depend on which tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def table(rows=500, share=0.25):
    x = RNG.normal(size=(rows, 4)) @ RNG.normal(size=(4, 4)) + [0, 5, 10, 0]
    x[:, 3] = np.exp(x[:, 3] / 2)
    return x, RNG.uniform(size=x.shape) > share


def coverage(result, truth, mask):
    inside = (result.low <= truth) & (truth <= result.high)
    assert inside[mask].all()
    return inside[~mask].mean()


@pytest.mark.parametrize("method", ["mean", "ice", "gaussian"])
def test_they_hold_as_many_hidden_cells_of_a_table_as_they_say(method):
    x, mask = table()
    found = ji.impute_with_report(np.where(mask, x, np.nan), method, interval=0.8)
    assert abs(coverage(found, x, mask) - 0.8) < 0.06
    told = found.report["interval"]
    assert abs(told["coverage"] - 0.8) < 0.06
    assert told["level"] == 0.8
    assert told["cells"] > 300
    assert set(told["by_column"]) == {"0", "1", "2", "3"}
    assert told["from"] == ("50 draws, and errors" if method == "gaussian" else "errors")
    assert json.loads(json.dumps(told)) == told
    assert (found.low <= found.data).all()
    assert (found.data <= found.high).all()


def test_the_completion_is_the_one_without_intervals():
    x, mask = table(100)
    holed = np.where(mask, x, np.nan)
    plain = ji.impute_with_report(holed, "ice")
    found = ji.impute_with_report(holed, "ice", interval=0.9)
    np.testing.assert_array_equal(found.data, plain.data)
    assert plain.low is None
    assert plain.high is None
    whole = ji.impute_with_report(x, "ice", interval=0.9)
    np.testing.assert_array_equal(whole.low, x)


def test_the_middle_of_a_gap_of_a_series_is_less_sure_than_its_ends():
    walk = np.cumsum(RNG.normal(size=(3000, 1)), axis=0)
    mask = np.ones((3000, 1), bool)
    for start in range(50, 2900, 60):
        mask[start : start + RNG.integers(3, 25)] = False
    found = ji.impute_with_report(np.where(mask, walk, np.nan)[None], "linear", interval=0.9)
    assert abs(coverage(found, walk[None], mask[None]) - 0.9) < 0.05
    width = (found.high - found.low)[0, :, 0]
    first = ~mask[:, 0] & np.roll(mask[:, 0], 1)
    long = np.flatnonzero(first & ~np.roll(mask[:, 0], -14))
    assert width[long + 8].mean() > 1.5 * width[long].mean()


def test_cells_far_from_observed_ones_of_a_field_are_less_sure():
    y, x = np.mgrid[:32, :32] / 32
    film = [np.sin(6 * x + 2 * t) * np.cos(5 * y - t) for t in range(8)]
    field = np.stack(film)[None, ..., None] + 0.02 * RNG.normal(size=(1, 8, 32, 32, 1))
    mask = np.ones(field.shape, bool)
    for t in range(8):
        for a in range(1, 30, 10):
            b = RNG.integers(0, 26)
            mask[0, t, a : a + 6, b : b + 6] = False
    holed = np.where(mask, field, np.nan)
    found = ji.impute_with_report(holed, "harmonic", interval=0.9, never_impute=False)
    assert abs(coverage(found, field, mask) - 0.9) < 0.07
    width = (found.high - found.low)[0, ..., 0]
    hard = difficulty(read(holed), mask.reshape(-1, 1)).reshape(width.shape)
    gap = ~mask[0, ..., 0]
    assert width[gap & (hard > 2.5)].mean() > 1.3 * width[gap & (hard < 2)].mean()


def test_ends_are_values_that_columns_may_hold():
    n = 400
    level = RNG.normal(size=n)
    frame = pd.DataFrame(
        {
            "count": pd.array(RNG.poisson(np.exp(level / 2)), dtype="Int64"),
            "share": 1 / (1 + np.exp(-level - RNG.normal(size=n))),
            "flag": (level + RNG.normal(size=n) > 0).astype(float),
            "wind": (180 + 60 * level + 40 * RNG.normal(size=n)) % 360,
            "word": np.where(level > 0, "up", "down"),
            "level": level,
        }
    )
    holed = frame.mask(RNG.uniform(size=frame.shape) < 0.2)
    how = {"bounds": {"share": (0, 1)}, "circular": ["wind"]}
    found = ji.impute_with_report(holed, "gaussian", interval=0.9, **how)
    for end in (found.low, found.high):
        pd.testing.assert_frame_equal(end[holed.notna()], holed)
        assert list(end.columns) == list(frame.columns)
        assert not end.isna().any().any()
        assert (end["count"] == end["count"].round()).all()
        assert (end["count"] >= 0).all()
        assert end["share"].between(0, 1).all()
        assert end["flag"].isin([0, 1]).all() or (end["flag"] == found.data["flag"]).any()
        assert end["wind"].between(0, 360).all()
        pd.testing.assert_series_equal(end["word"], found.data["word"])
    gap = holed["wind"].isna()
    ahead = (frame["wind"] - found.low["wind"]) % 360
    assert (ahead[gap] <= ((found.high["wind"] - found.low["wind"]) % 360)[gap]).mean() > 0.8
    told = found.report["interval"]
    assert told["without"] == {}
    assert set(told["sets"]) == set(found.sets) == {"word"}
    for row, levels in enumerate(found.sets["word"]):
        assert found.data["word"][row] in levels
        assert len(levels) == 1 or holed["word"].isna()[row]


def test_sets_of_levels_hold_as_many_as_they_say():
    n, rng = 1200, np.random.default_rng(0)
    level = rng.normal(size=n)
    names = np.array(["low", "mid", "top", "odd"])
    # the three most frequent of the four are well above a share of 0.8
    kind = np.digitize(level + 0.7 * rng.normal(size=n), [-0.7, 0.3, 1.5])
    frame = pd.DataFrame({"kind": names[kind], "level": level, "other": -level})
    holed = frame.copy()
    holed.loc[rng.random(n) < 0.3, "kind"] = None
    for method in ("gaussian", "mode"):
        found = ji.impute_with_report(holed, method, interval=0.8)
        gap = holed["kind"].isna()
        sets = found.sets["kind"]
        inside = [frame["kind"][i] in sets[i] for i in np.flatnonzero(gap)]
        assert 0.75 < np.mean(inside) < 0.93
        told = found.report["interval"]["sets"]["kind"]
        size = np.mean([len(sets[i]) for i in np.flatnonzero(gap)])
        assert size < (2.5 if method == "gaussian" else 3.1)
        if method == "gaussian":  # of one answer alone a level is in all sets or in none
            assert abs(told["coverage"] - np.mean(inside)) < 0.08
            assert abs(told["levels"] - size) < 0.4
        pd.testing.assert_frame_equal(found.low, found.data)


def test_sets_are_the_levels_that_are_likely_enough():
    """Answers that are right nine times of ten, and wrong in one way alone."""
    frame = read(pd.DataFrame({"a": ["x", "y", "z", None] * 25}))
    codec = learn(frame)
    answer = np.tile([0, 1, 2], 300)
    truth = np.where(np.arange(900) % 30 == 0, 1, answer)
    none, part = np.empty((0, 900), int), np.arange(900) % 2
    found = levelsets.Named(np.zeros(900, int), truth, answer, none, part)
    values = np.where(frame.mask, frame.values, 0.0)
    cells = (frame, codec, values, np.empty((0, *values.shape)), found)
    gap = ~frame.mask[:, 0]
    assert levelsets.level_sets(*cells, 0.8)[0][gap].tolist() == [[True, False, False]] * 25
    assert levelsets.level_sets(*cells, 0.99)[0][gap].tolist() == [[True, True, False]] * 25
    inside, size = levelsets.contained(frame, found, 0.8)
    assert inside.mean() > 0.95
    assert size.max() == 1


def test_gaps_left_empty_have_no_ends():
    x = np.cumsum(RNG.normal(size=(300, 1)), axis=0)
    x[50:80], x[::7] = np.nan, np.nan
    with pytest.warns(ji.ImputationWarning, match="longer than max_gap"):
        found = ji.impute_with_report(x[None], "linear", interval=0.8, max_gap=5)
    np.testing.assert_array_equal(np.isnan(found.low), np.isnan(found.data))
    assert np.isnan(found.high[0, 55, 0])


def test_what_learned_from_a_cell_does_not_judge_itself():
    """Nearest neighbours of one row remember what they saw; the errors of hidden cells do not."""
    x, mask = table(200)
    frame = read(np.where(mask, x, np.nan))
    found = trials.trials(frame, "knn", options={"k": 1})
    assert np.abs(found.truth).min() >= 0
    assert np.median(np.abs(found.truth)) > 0.1
    assert found.times == 4
    assert len(found.truth) > 100
    assert np.isnan(intervals.coverage(frame, found, 0.999)).all()


def test_a_few_holes_are_lent_to_many_rows_and_gaps_stay_shared():
    x, _ = table(1000)
    x[:5, [1, 2]] = np.nan
    frame = read(x)
    hidden = trials._hide(jax.random.key(0), frame, 0.9)
    assert 80 < hidden[:, 1].sum() <= 100
    np.testing.assert_array_equal(hidden[:, 1], hidden[:, 2])
    assert not hidden[:, [0, 3]].any()
    series = np.cumsum(RNG.normal(size=(1, 2000, 3)), axis=1)
    for start in range(40, 1900, 150):
        series[0, start : start + 12] = np.nan
    hidden = trials._hide(jax.random.key(0), read(series), 0.9)
    assert hidden.any(axis=1).sum() > 60
    assert hidden.sum(axis=1)[hidden.any(axis=1)].mean() > 2.5


def test_too_little_data_and_what_makes_no_sense_are_named(tmp_path):
    three = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 5.0]])
    with pytest.raises(ji.DataError, match=r"interval at level 0.9 .* takes 9 or more"):
        ji.impute_with_report(three, "mean", interval=0.9)
    with pytest.raises(ji.OptionError, match=r"level is 1\.5"):
        ji.impute_with_report(three, "mean", interval=1.5)
    with pytest.raises(ji.OptionError, match="interval goes with answer='estimate'"):
        ji.impute_with_report(three, "gaussian", interval=0.5, answer="draw")


def test_the_command_writes_them_beside_their_columns(tmp_path):
    x, mask = table(120)
    frame = pd.DataFrame(np.where(mask, x, np.nan), columns=list("abcd")).round(3)
    frame.to_csv(tmp_path / "in.csv", index=False)
    out, report = tmp_path / "out.csv", tmp_path / "report.json"
    run = ("impute", tmp_path / "in.csv", "-m", "ice", "--interval", 0.8)
    done = call(*run, "-o", out, "--report", report)
    assert done.exit_code == 0, done.stderr
    assert "intervals of 80% from" in done.stderr
    wide = pd.read_csv(out)
    assert list(wide.columns)[4:6] == ["a_low", "a_high"]
    assert (wide["a_low"] <= wide["a"]).all()
    assert (wide["a"] <= wide["a_high"]).all()
    assert 0.6 < json.loads(report.read_text())["interval"]["coverage"] < 1

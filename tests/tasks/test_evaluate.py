"""Evaluation: scores against their formulas, holes where they may be, the ranking that is true."""

import math

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

import jaximpute as ji
from jaximpute.data import holes
from jaximpute.data.frames import read
from jaximpute.engine import memory
from jaximpute.tasks import evaluate as evaluation
from jaximpute.tasks import filling
from jaximpute.tasks.evaluate import evaluate
from jaximpute.tasks.score import OVERALL, score, score_draws


def wave(rows: int = 300, noise: float = 0.1) -> np.ndarray:
    """Two smooth channels: straight lines beat carrying forward, which beats the mean."""
    t = np.arange(rows)
    clean = np.column_stack([np.sin(t / 6), np.cos(t / 9) * 100])
    return clean + noise * np.array([1, 100]) * np.random.default_rng(0).normal(size=(rows, 2))


def runs(hidden: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hidden.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def overall(scores: pd.DataFrame, metric: str = "score") -> pd.Series:
    chosen = scores[(scores["column"] == OVERALL) & (scores["metric"] == metric)]
    return chosen.set_index("method")["mean"]


@pytest.mark.fast
def test_scores_follow_their_formulas():
    table = pd.DataFrame(
        {
            "x": [0.0, 2.0, 4.0, 6.0],
            "y": [10.0, 20.0, 30.0, 40.0],
            "w": ["a", "b", "b", "c"],
        }
    )
    frame = read(table)
    hidden = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 0, 0]], bool)
    answer = frame.values.copy()
    answer[0, 0], answer[1, 0], answer[2, 1] = 1.0, 5.0, 25.0  # off by 1, 3 and -5
    answer[:3, 2] = [1, 1, 0]  # b, b, a for a, b, b
    found = score(frame, hidden, answer)
    x_std, y_std = math.sqrt(5), math.sqrt(125)
    assert found["x", "mae"] == pytest.approx(2)
    assert found["x", "rmse"] == pytest.approx(math.sqrt(5))
    assert found["x", "mae_std"] == pytest.approx(2 / x_std)
    assert found["y", "rmse_std"] == pytest.approx(5 / y_std)
    assert found["w", "error"] == pytest.approx(2 / 3)
    assert found["w", "wasserstein"] == pytest.approx(0)  # the same letters, in other places
    assert found["x", "wasserstein"] == pytest.approx(wasserstein_distance([0, 2], [1, 5]) / x_std)
    assert found[OVERALL, "mae"] == pytest.approx((1 + 3 + 5) / 3)
    assert found[OVERALL, "rmse_std"] == pytest.approx(math.sqrt((1 / 5 + 9 / 5 + 25 / 125) / 3))
    assert found[OVERALL, "score"] == pytest.approx((4 / x_std + 5 / y_std + 2) / 6)


@pytest.mark.fast
def test_levels_are_as_far_apart_as_total_variation_says():
    frame = read(pd.DataFrame({"w": list("aabbcc")}))
    hidden = np.ones((6, 1), bool)
    found = score(frame, hidden, np.zeros((6, 1)))
    assert found["w", "wasserstein"] == pytest.approx(2 / 3)


@pytest.mark.fast
def test_cells_left_empty_are_no_score():
    frame = read(np.arange(6.0).reshape(3, 2))
    hidden = np.zeros((3, 2), bool)
    hidden[0, 0] = True
    with pytest.raises(ji.JaximputeError, match="left 1 of 1 hidden cells empty"):
        score(frame, hidden, np.where(hidden, np.nan, frame.values))


@pytest.mark.parametrize("pattern", holes.PATTERNS)
def test_only_observed_cells_are_hidden_about_as_many_as_asked(key, pattern):
    x = wave(2000)
    x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    frame = read(x, time=np.arange(2000))
    hidden = holes.hide(key, frame, 0.2, pattern)
    assert not (hidden & np.isnan(x)).any()
    # mar leaves one of the two columns alone
    share = hidden[~np.isnan(x)].mean() * (2 if pattern == "mar" else 1)
    assert 0.13 < share < 0.27


def test_blocks_are_stretches_of_time_whatever_the_order_of_rows(key):
    order = np.random.default_rng(2).permutation(1000)
    x = wave(1000)
    hidden = holes.hide(key, read(x[order], time=order), 0.2, "block")
    in_time = np.empty_like(hidden)
    in_time[order] = hidden
    assert 5 < runs(in_time[:, 0]).mean() < 12  # 8 steps on average
    assert runs(hidden[:, 0]).mean() < 2
    table = holes.hide(jax.random.key(1), read(x), 0.2, "block")
    assert 5 < runs(table[:, 0]).mean() < 12  # stretches of rows


def test_own_holes_have_the_lengths_of_the_holes_there_are(key):
    x = wave(1000)
    for start in range(20, 1000, 50):
        x[start : start + 5] = np.nan
    hidden = holes.hide(key, read(x, time=np.arange(1000)), 0.5, "own")
    lengths = runs(hidden[:, 0])
    assert (lengths == 5).mean() > 0.5
    assert lengths.max() == 5


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("kind", ["table", "series", "field"])
def test_own_holes_leave_data_about_as_dense_as_they_are(kind, share, key):
    """Where little is observed, another row's holes would leave next to nothing."""
    rng = np.random.default_rng(0)
    if kind == "field":
        x = rng.normal(size=(1, 12, 16, 16, 1))
        x = np.where(rng.random((1, 1, 16, 16, 1)) < share, x, np.nan)
        frame = read(x)
    else:
        x = rng.normal(size=(600, 8))
        gone = rng.random((600, 8)) > share
        if kind == "series":  # in gaps of four
            gone = np.repeat(gone[::4], 4, axis=0)
        time = np.arange(600) if kind == "series" else None
        frame = read(np.where(gone, np.nan, x), time=time)
    tries = [holes.hide(k, frame, 0.1, "own") for k in jax.random.split(key, 6)]
    shares = [hidden.sum() / frame.mask.sum() for hidden in tries]
    assert 0.05 < np.mean(shares) < 0.18
    assert max(shares) < 0.5
    hidden = tries[0]
    if kind == "table":  # no row is left with much less than it had
        left = (frame.mask & ~hidden).sum(1) / np.maximum(frame.mask.sum(1), 1)
        several = frame.mask.sum(1) > 2  # of two cells or one, all may be hidden
        assert several.sum() < 20 or (left[several] >= 0.5).mean() > 0.95
    if kind == "field":  # places that are observed at all times are hidden at all times
        films = hidden.reshape(12, -1)
        assert (films == films[0]).all()


@pytest.mark.fast
def test_what_cannot_be_scored_is_not_hidden(key):
    table = pd.DataFrame(
        {
            "x": np.arange(50.0),
            "same": 1.0,
            "twice": [1.0, 2.0, *[None] * 48],
            "day": pd.date_range("2024", periods=50),
            "kept": np.arange(50.0),
        }
    )
    hidden = holes.hide(key, read(table), 0.5, "mcar", keep=["kept"])
    assert hidden.any(axis=0).tolist() == [True, False, False, False, False]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("data", "pattern", "keep", "message"),
    [
        (np.ones((5, 2)), "mcar", [], "nothing to hide"),
        (wave(9), "mcra", [], "no pattern is called 'mcra'; valid: mcar, mar"),
        (wave(9), "mcar", ["z"], "no column is called 'z'"),
        (wave(9), "own", [], "there are none"),
    ],
)
def test_what_cannot_be_hidden_is_said(key, data, pattern, keep, message):
    with pytest.raises((ji.DataError, ji.OptionError), match=message):
        holes.hide(key, read(data), 0.5, pattern, keep=keep)


def test_the_ranking_is_that_of_the_true_errors():
    truth = wave()
    missing = np.random.default_rng(3).random(truth.shape) < 0.2
    holed = np.where(missing, np.nan, truth)
    frame = read(holed, time=np.arange(len(truth)))
    methods = ["mean", "linear", "locf"]
    true = {
        name: float(
            np.abs((filling.fill(frame, name).values - truth) / truth.std(axis=0))[missing].mean()
        )
        for name in methods
    }
    scores = evaluate(
        holed, methods, time=np.arange(len(truth)), holdout=0.2, repeats=2, verbose=False
    )
    estimated = overall(scores)
    assert estimated.index.tolist() == sorted(true, key=true.get) == ["linear", "locf", "mean"]
    for name in methods:
        assert estimated[name] == pytest.approx(true[name], rel=0.35)
    assert (overall(scores, "seconds") > 0).all()
    assert (overall(scores, "memory_mb") >= 0).all()


def test_the_same_seed_makes_the_same_scores_and_the_data_are_not_touched():
    x = wave(100)
    x[3, 0] = np.nan
    before = x.copy()
    first, second, other = (
        overall(evaluate(x, "mean", seed=seed, repeats=2, verbose=False)) for seed in (1, 1, 2)
    )
    assert first["mean"] == second["mean"] != other["mean"]
    np.testing.assert_array_equal(x, before)


@pytest.mark.fast
def test_a_method_that_fails_is_a_row_and_comes_last():
    methods = {"lines": ("linear", {}), "flat": ("mean", {}), "own": ("mean", {"level": 3})}
    scores = evaluate(wave(60), methods, repeats=2, verbose=False)  # a table: lines need time
    failed = scores[scores["failure"] != ""].set_index("method")["failure"]
    assert "takes series data" in failed["lines"]
    assert "no option 'level'" in failed["own"]
    assert scores["method"].iloc[0] == "flat"
    assert len(scores[scores["method"] == "lines"]) == 1
    assert np.isnan(overall(scores)["lines"])


def test_options_go_to_their_method_and_mixed_tables_are_scored():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(600, 2)), columns=["x", "y"])
    table["w"] = rng.choice(["a", "b"], 600)
    methods = {"near": ("knn", {"k": 1}), "far": ("knn", {})}
    scores = evaluate(table, methods, options={"far": {"k": 50}}, repeats=1, verbose=False)
    by = scores.set_index(["method", "column", "metric"])["mean"]
    assert set(scores["metric"]) >= {"mae", "mae_std", "error", "wasserstein", "score"}
    assert 0 <= by["far", "w", "error"] <= 1
    assert by["far", "y", "mae"] < by["near", "y", "mae"]  # of noise, the mean is the best guess
    with pytest.raises(ji.OptionError, match="options for 'knm'"):
        evaluate(table, ["knn"], options={"knm": {}}, verbose=False)


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [{"holdout": 0.0}, {"holdout": 1.0}, {"repeats": 0}, {"methods": []}, {"methods": "no"}],
)
def test_numbers_and_names_are_checked_first(wrong):
    with pytest.raises(ji.OptionError):
        evaluate(wave(20), **{"methods": "mean", "verbose": False, **wrong})


def test_the_table_is_printed_best_first(capsys):
    evaluate(wave(100), {"flat": ("mean", {}), "lines": ("linear", {})}, time=np.arange(100))
    printed = capsys.readouterr().out
    assert printed.index("lines") < printed.index("flat")
    assert "10% of the observed cells hidden (mcar), 3 times" in printed
    assert "new rows" in printed


@pytest.mark.fast
def test_memory_is_seen_as_the_system_sees_it():
    grown = memory.watch()
    array = np.ones(8_000_000)  # 64 MB
    assert grown() > 50
    del array


def test_all_means_every_method_that_takes_the_kind(monkeypatch):
    entries = {name: ji.registry.METHODS[name] for name in ("mean", "linear", "knn")}
    monkeypatch.setattr(ji.registry, "METHODS", entries)
    scores = evaluate(wave(40), repeats=1, verbose=False)
    assert set(scores["method"]) == {"mean", "knn"}
    scores = evaluate(wave(40), "all", time=np.arange(40), repeats=1, verbose=False)
    assert set(scores["method"]) == {"mean", "linear"}


def test_draws_have_the_score_of_their_distribution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) * [1.0, 10.0]
    scores = evaluate(x, ["gaussian", "mean"], repeats=1, draws=60, verbose=False)
    found = scores.set_index(["method", "column", "metric"])["mean"]
    # unrelated columns: draws are those of the column, whose score is sd / sqrt(pi)
    np.testing.assert_allclose(found["gaussian", "(overall)", "crps_std"], np.pi**-0.5, rtol=0.15)
    assert found["gaussian", "1", "crps"] > 5 * found["gaussian", "0", "crps"]
    assert 0.65 < found["gaussian", "(overall)", "cover80"] < 0.92
    assert not (scores[scores["method"] == "mean"]["metric"] == "crps_std").any()
    with pytest.raises(ji.OptionError, match="expected 0, or 2 and more"):
        evaluate(x, ["gaussian"], draws=1)


def test_the_score_of_draws_is_that_of_its_definition():
    rng = np.random.default_rng(1)
    frame = read(rng.normal(size=(30, 2)))
    hidden = rng.random((30, 2)) < 0.3
    draws = rng.normal(size=(7, 30, 2))
    found = score_draws(frame, hidden, draws)
    for i, name in enumerate("01"):
        truth, many = frame.values[hidden[:, i], i], draws[:, hidden[:, i], i]
        near = np.abs(many - truth).mean(axis=0)
        pairs = [np.abs(many[a] - many[b]) for a in range(7) for b in range(7) if a != b]
        np.testing.assert_allclose(found[name, "crps"], (near - np.mean(pairs, axis=0) / 2).mean())


def test_all_methods_stay_within_the_seconds_given(monkeypatch):
    now = iter(range(0, 10**6, 10))
    monkeypatch.setattr(evaluation.clock, "perf_counter", lambda: float(next(now)))
    monkeypatch.setattr(evaluation.registry, "names", lambda kind=None: ["sinkhorn", "mean", "knn"])
    x = np.random.default_rng(0).normal(size=(40, 2))
    found = evaluate(x, budget=60.0, repeats=2, verbose=False)
    # each reading of the clock is ten seconds: the first method is begun within half of them, for
    # there are two repeats, and no other. Simple ones come first, wherever they are listed
    run = found[found["metric"] == "score"].set_index("method")["failure"]
    assert run["mean"] == ""
    assert run["sinkhorn"] == "not run, to stay within 60 s"
    text = "".join(str(part) for part in evaluation.as_table(found).caption)
    assert "sinkhorn" in text


def test_named_methods_always_run(monkeypatch):
    now = iter(range(0, 10**6, 10))
    monkeypatch.setattr(evaluation.clock, "perf_counter", lambda: float(next(now)))
    x = np.random.default_rng(0).normal(size=(40, 2))
    found = evaluate(x, ["mean", "median"], budget=1.0, repeats=1, verbose=False)
    assert not found["failure"].any()
    with pytest.raises(ji.OptionError, match="budget is 0"):
        evaluate(x, "mean", budget=0.0)


def test_a_field_is_told_by_its_dimensions():
    xr = pytest.importorskip("xarray")
    x = np.random.default_rng(0).normal(size=(3, 8, 9))
    data = xr.DataArray(x, dims=("when", "row", "col"))
    found = evaluate(
        data, "mean", dims=("when", "row", "col"), holdout=0.2, repeats=1, verbose=False
    )
    assert not found["failure"].any()

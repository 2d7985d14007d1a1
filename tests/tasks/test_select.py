"""`auto` at its best: the choice is by the data's own cells, and is told."""

import numpy as np
import pytest

import jaximpute as ji
from jaximpute.data.frames import read
from jaximpute.tasks import select
from jaximpute.tasks.filling import fill


def waves(rows=400):
    """A table that neighbours know and no straight line does."""
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 6, rows)
    x = np.stack([np.sin(t), np.cos(t), np.sin(2 * t)], axis=1)
    x[rng.random(x.shape) < 0.15] = np.nan
    return x


def test_the_choice_is_the_least_score():
    name, scores = select.best_of(read(waves()), 0, ("mean", "knn", "gaussian"))
    assert name == min(scores, key=scores.get) == "knn"
    assert scores["knn"] < 0.9 * scores["mean"]


def test_auto_at_its_best_says_what_it_chose_and_why(monkeypatch):
    scores = {"knn": 0.1, "mean": 0.9}
    monkeypatch.setattr(select, "best_of", lambda frame, seed: ("knn", scores))
    frame = read(waves())
    chosen = select.method_for(frame, "auto", "best", 0)
    filled = fill(frame, chosen, preset="best")
    assert filled.report["method"] == "knn"
    assert filled.report["chosen_by"] == scores
    assert "chosen_by" not in fill(read(waves()), "mean", preset="best").report


@pytest.mark.fast
def test_methods_that_fail_are_left_out():
    x = np.full((30, 2), np.nan)
    x[:, 0] = np.arange(30.0)
    x[0, 1], x[1, 1] = 1.0, 2.0
    name, scores = select.best_of(read(x), 0, ("mean", "no such method"))
    assert name == "mean"
    assert list(scores) == ["mean"]
    with pytest.raises(ji.JaximputeError, match="no method could be chosen"):
        select.best_of(read(x), 0, ("no such method",))

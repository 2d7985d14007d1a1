"""`--max-memory`: every command that completes refuses, before it begins, what would take more."""

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.streaming import blocks, impute_file
from tests.helpers.commands import call


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(40, 3)).round(3)
    x[::4, 1] = np.nan
    np.save("in.npy", x)
    frame = pd.DataFrame(x, columns=list("abc"))
    frame.to_csv("in.csv", index=False)
    frame.assign(t=pd.date_range("2020", periods=40)).to_csv("series.csv", index=False)
    (tmp_path / "t.toml").write_text(
        'data = "in.csv"\nsave = "out"\nmethod = "mean"\nmesh = "data=1"\nmax_memory = "2.5kB"\n'
    )
    return tmp_path


COMMANDS = {
    "fit": ("fit", "in.csv", "-o", "out", "-m", "mean"),
    "forecast": (
        *("forecast", "series.csv", "--time", "t", "--horizon", "2", "--context", "4"),
        *("--draws", "3", "-m", "window_gaussian", "-o", "out.csv"),
    ),
    "report": ("report", "in.csv", "-m", "mean", "-o", "out.html"),
    "blocks": ("impute", "in.npy", "-o", "out.npy", "-m", "mean", "--block-rows", "10"),
    "transductive": (
        "impute",
        "in.npy",
        "-o",
        "out.npy",
        "-m",
        "soft_impute",
        "--block-rows",
        "20",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_would_take_more_is_refused(name, here):
    words = COMMANDS[name]
    for most, why in (("0.1kB", ""), ("2.5kB", "needs about")):
        refused = call(*words, "--max-memory", most)
        assert refused.exit_code == 5, refused.stderr
        assert "(--max-memory)" in refused.stderr
        assert why in refused.stderr
        assert not list(here.glob("*out*"))
    assert call(*words, "--max-memory", "20GB").exit_code == 0


def test_apply_looks_at_what_completes(here):
    assert call("fit", "in.csv", "-o", "model", "-m", "mean").exit_code == 0
    words = ("apply", "model", "in.csv", "-o", "out.csv", "--max-memory")
    assert call(*words, "0.1kB").exit_code == 5  # by the size of the file
    refused = call(*words, "1.5kB")
    assert (refused.exit_code, "'mean' needs about" in refused.stderr) == (5, True)
    assert not (here / "out.csv").exists()
    assert call(*words, "1MB").exit_code == 0


def test_train_takes_it_from_its_settings(here):
    refused = call("train", "t.toml")
    assert (refused.exit_code, "'mean' needs about" in refused.stderr) == (5, True)
    assert not (here / "out").exists()


def test_a_method_that_would_take_more_has_no_score(here):
    words = ("evaluate", "in.csv", "-m", "mean", "--repeats", "1", "-o", "out.csv", "--max-memory")
    assert call(*words, "2.5kB").exit_code == 0
    scores = pd.read_csv("out.csv")
    assert scores["mean"].isna().all()
    assert scores["failure"].str.contains("'mean' needs about .* may take 0.0025 MB").all()
    assert call(*words, "20GB", "--force").exit_code == 0
    assert pd.read_csv("out.csv")["failure"].isna().all()


def test_blocks_are_predicted_by_their_length(here):
    words = ("impute", "in.npy", "-o", "out.npy", "-m", "mean", "--max-memory", "2kB")
    for rows, wrong in ((40, True), (2, False)):
        said = " ".join(call(*words, "--block-rows", rows).stderr.split())
        assert ("Lower block_rows (--block-rows)" in said) == wrong


def test_draws_of_blocks_are_looked_at_before_they_are_made(here, monkeypatch):
    def made(*_, **__):
        raise AssertionError

    monkeypatch.setattr(blocks.completing, "draw", made)
    options = {"block_rows": 10, "completions": 3, "steps": 1, "keep": 2, "max_memory": 0.02}
    with pytest.raises(ji.OutOfMemoryError, match="'mice' needs about"):
        impute_file.impute_file("in.npy", "out/", "mice", **options)

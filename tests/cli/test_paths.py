"""No command writes over its input, its settings or another of its outputs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaximpute import OptionError
from jaximpute.cli import paths
from tests.helpers.commands import call


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x = np.where(random.random((30, 3)) < 0.2, np.nan, random.normal(size=(30, 3)))
    pd.DataFrame(x, columns=list("abc")).to_csv("in.csv", index=False)
    np.save("x.npy", x)
    np.save("mask.npy", np.ones(30, bool))
    Path("run.toml").write_text('method = "mean"\n')
    Path("train.toml").write_text('data = "in.csv"\nsave = "model"\nmethod = "mean"\n')
    Path("link.csv").symlink_to("in.csv")
    shutil.copy("in.csv", "old.csv")
    Path("hard.json").hardlink_to("in.csv")
    Path("links").symlink_to(".")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*.*")}


MEAN = ("--method", "mean", "--force")
IMPUTE = ("impute", "in.csv", "-o", "out.csv", *MEAN)
BLOCKS = ("impute", "x.npy", "-o", "out.npy", "--block-rows", "8", *MEAN)
FIT = ("fit", "in.csv", "--save", "model", *MEAN)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("arguments", "one", "other"),
    [
        ((*IMPUTE, "--report", "in.csv"), "--report", "FILE"),
        ((*IMPUTE, "--report", "./links/in.csv"), "--report", "FILE"),
        ((*IMPUTE, "--report", "link.csv"), "--report", "FILE"),
        ((*IMPUTE, "--report", "hard.json"), "--report", "FILE"),
        ((*IMPUTE, "--report", "out.csv"), "--report", "--output"),
        ((*IMPUTE, "--report", "links/out.csv"), "--report", "--output"),
        ((*IMPUTE, "--plot", "p.png", "--report", "./p.png"), "--plot", "--report"),
        ((*IMPUTE, "--config", "run.toml", "--report", "run.toml"), "--report", "--config"),
        ((*IMPUTE[:3], "out/", *MEAN, "--draws", "2", "--report", "out/draw_1.csv"), "draws", ""),
        ((*IMPUTE, "--checkpoint", "kept", "--report", "kept/r.json"), "--report", "--checkpoint"),
        ((*BLOCKS, "--report", "x.npy"), "--report", "FILE"),
        ((*BLOCKS, "--report", "out.npy"), "--report", "--output"),
        (
            ("impute", "x.npy", "-o", "o.npy", "--mask", "mask.npy", "--plot", "mask.npy"),
            "--mask",
            "",
        ),
        ((*FIT, "--report", "in.csv"), "--report", "FILE"),
        ((*FIT, "--report", "model/r.json"), "--report", "--save"),
        ((*FIT, "--checkpoint", "model"), "--save", "--checkpoint"),
        (("train", "train.toml", "--save", "train.toml", "--force"), "save", "TOML"),
        (("apply", "model", "in.csv", "-o", "out.csv", "--report", "in.csv"), "--report", "FILE"),
        (("apply", "model", "in.csv", "-o", "model/arrays.csv", "--force"), "--output", "MODEL"),
        (("evaluate", "in.csv", "-o", "in.csv", "--force"), "--output", "FILE"),
        (("simulate", "in.csv", "-o", "o.csv", "--mask", "in.csv", "--force"), "--mask", "FILE"),
        (("simulate", "in.csv", "-o", "o.csv", "--mask", "o.csv", "--force"), "--mask", "--output"),
    ],
)
def test_one_path_has_one_name(place, arguments, one, other):
    before = contents(place)
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert one in done.stderr
    assert other in done.stderr
    assert "same file" in done.stderr or "in the folder" in done.stderr
    assert contents(place) == before


def test_a_file_is_completed_in_its_own_place(place):
    done = call("impute", "in.csv", "-o", "in.csv", *MEAN, "--report", "r.json")
    assert done.exit_code == 0, done.stderr
    assert not pd.read_csv("in.csv").isna().any().any()
    done = call("impute", "x.npy", "-o", "x.npy", "--block-rows", "8", *MEAN)
    assert done.exit_code == 0, done.stderr
    assert np.isfinite(np.load("x.npy")).all()
    assert json.loads(Path("r.json").read_text())["method"] == "mean"


@pytest.mark.fast
def test_case_is_minded_where_it_is_told_apart(place, monkeypatch):
    read, written = {"FILE": "in.csv"}, {"--report": "New.json", "--plot": "new.JSON"}
    paths.check_distinct(read, written)
    monkeypatch.setattr(paths, "_folds", lambda folder: True)
    with pytest.raises(OptionError, match="--report and --plot are the same"):
        paths.check_distinct(read, written)


@pytest.mark.fast
@pytest.mark.parametrize("name", ["method", "seed", "force", "output", "block_rows", "source"])
def test_options_override_no_setting(place, name):
    done = call(*BLOCKS, "--set", f"{name}=1")
    assert done.exit_code == 2
    assert f"--set {name}=... sets no option" in done.stderr
    done = call("forecast", "in.csv", "--time", "a", "--horizon", "2", "--set", "time=b")
    assert done.exit_code == 2
    assert "--set time=... sets no option" in done.stderr


@pytest.mark.fast
def test_a_model_is_replaced_only_where_nothing_else_lies(place):
    Path("model").mkdir()
    Path("model/precious").touch()
    done = call(*FIT)
    assert (done.exit_code, "is no folder that an imputer" in done.stderr) == (1, True)
    Path("model/precious").unlink()
    Path("model/imputer.json").write_text("{}")
    assert "is no folder that an imputer" in call(*FIT).stderr
    shutil.rmtree("model")
    assert call(*FIT).exit_code == 0
    for strange in ("notes.txt", ".hidden", "more/notes.txt"):
        file = Path("model", strange)
        file.parent.mkdir(exist_ok=True)
        file.touch()
        for command in (FIT, ("train", "train.toml", "--force")):
            done = call(*command)
            assert done.exit_code == 1
            assert f"holds '{Path(strange).parts[0]}' beside a saved imputer" in done.stderr
        assert file.exists()
        file.unlink()
        if len(Path(strange).parts) > 1:
            file.parent.rmdir()
    assert call(*FIT).exit_code == 0

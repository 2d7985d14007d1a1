"""`fit`, `apply` and `reproduce`: learned once, applied to other files, repeated bit for bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from tests.helpers.commands import call

ROWS = "id,a,n,b\nr1,1.0,2,3.5\nr2,2.0,,\nr3,,4,1.5\nr4,3.5,5,\nr5,2.5,1,2.0\n"


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "in.csv").write_text(ROWS)
    return tmp_path / "in.csv"


@pytest.fixture
def model(path) -> Path:
    arguments = ("--method", "knn", "--save", path.with_name("model"), "--leave", "id")
    done = call("fit", path, *arguments, "--report", path.with_name("fit.json"), "--set", "k=2")
    assert done.exit_code == 0, done.stderr
    assert "learned 3 columns of 5 rows with 'knn'" in done.stderr
    return path.with_name("model")


def test_a_model_completes_other_files_row_by_row(path, model):
    new, out = path.with_name("new.csv"), path.with_name("out.csv")
    # other columns, another order, and columns whose few cells do not tell what they hold
    new.write_text("more,b,a,n\nx,3,,\ny,,1.25,7\n")
    manifest = path.with_name("apply.json")
    done = call("apply", model, new, "-o", out, "--report", manifest)
    assert done.exit_code == 0, done.stderr
    assert "filled 3 of 3 missing cells with 'knn'" in done.stderr
    lines = [line.split(",") for line in out.read_text().splitlines()]
    assert [lines[0], lines[1][:2], lines[2][::2]] == [
        ["more", "b", "a", "n"],
        ["x", "3"],
        ["y", "1.25"],
    ]
    expected = ji.Imputer.load(model).transform(
        pd.DataFrame({"a": [np.nan, 1.25], "n": [np.nan, 7], "b": [3, np.nan]})
    )
    assert float(lines[1][2]) == pytest.approx(expected[0, 0], abs=0.01)
    assert lines[1][3] == str(int(expected[0, 1]))  # whole, as in the file it was learned from
    assert float(lines[2][1]) == pytest.approx(expected[1, 2], rel=1e-5)  # not rounded to whole
    assert call("reproduce", manifest).exit_code == 0


def test_a_manifest_is_repeated_and_compared(path, model):
    manifest = path.with_name("fit.json")
    about = json.loads(manifest.read_text())
    assert about["settings"]["leave"] == ["id"]
    assert about["configuration"]["k"] == 2
    assert {"jax", "jaxlib", "python", "device"} <= about["versions"].keys()
    done = call("reproduce", manifest)
    assert done.exit_code == 0, done.stderr
    assert "identical: 'knn'" in done.stderr
    about["hashes"]["result"] = "0" * 64
    about["versions"]["jax"] = "0.1"
    manifest.write_text(json.dumps(about))
    done = call("reproduce", manifest)
    assert done.exit_code == 4
    assert "not identical" in done.stderr
    assert "jax (was '0.1'" in done.stderr
    path.write_text(ROWS.replace("3.5", "3.6"))
    done = call("reproduce", manifest)
    assert done.exit_code == 3
    assert "is not what it was" in done.stderr


def test_imputing_is_repeated(path):
    manifest = path.with_name("r.json")
    arguments = ("--method", "knn", "--set", "k=2")
    # to stdout: it is the cells that are compared, and not a file
    done = call("impute", path, *arguments, "--report", manifest)
    assert done.exit_code == 0, done.stderr
    assert "identical" in call("reproduce", manifest).stderr
    elsewhere = path.rename(path.with_name("moved.csv"))
    assert call("reproduce", manifest).exit_code == 3
    assert call("reproduce", manifest, "--input", elsewhere).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fit", "IN", "--save", "DIR/m", "--leave", "idd"], 2, "did you mean 'id'"),
        (["fit", "IN", "--save", "DIR/m", "--leave", "id", "--method", "soft_impute"], 2, "only"),
        (["fit", "IN", "--save", "DIR/m", "--resume"], 2, "name their folder"),
        (["fit", "IN", "--save", "DIR/no/m", "--leave", "id"], 1, "there is no folder"),
        (["fit", "IN", "--save", "DIR/in.csv", "--leave", "id"], 2, "are the same file"),
        (["apply", "DIR/none", "IN"], 3, "holds no saved imputer"),
        (["reproduce", "IN"], 3, "is no manifest"),
        (["reproduce", "DIR/none"], 3, "cannot read"),
    ],
)
def test_what_is_wrong_is_said(path, arguments, code, message):
    words = [
        word.replace("DIR", str(path.parent)).replace("IN", str(path)) if word[0] != "-" else word
        for word in arguments
    ]
    done = call(*words)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_a_file_without_the_models_columns_is_refused(path, model):
    path.write_text("id,a,N,b\nr1,1.0,2,3.5\n")
    done = call("apply", model, path)
    assert done.exit_code == 3
    assert "has no column 'n', which the model has learned; columns: id, a, N, b" in done.stderr
    path.write_text("id,a,n,b\nr1,1.0,two,3.5\n")
    done = call("apply", model, path)
    assert done.exit_code == 3
    assert "column 'n' is of kind 'text', and what was learned of it are numbers" in done.stderr


def test_ids_are_left_as_they_are(path):
    ids = [f"r{i}" for i in range(60)]
    rows = [f"{name},{'' if i % 5 == 0 else i}" for i, name in enumerate(ids)]
    path.write_text("\n".join(["id,a", *rows]) + "\n")
    done = call("fit", path, "--save", path.with_name("model"), "--method", "mean")
    assert done.exit_code == 0, done.stderr
    assert "warning: column 'id': " in done.stderr
    out = path.with_name("out.csv")
    assert call("apply", path.with_name("model"), path, "-o", out).exit_code == 0
    assert [line.split(",")[0] for line in out.read_text().split()] == ["id", *ids]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_texts_and_booleans_are_learned_too(tmp_path, suffix):
    rng = np.random.default_rng(0)
    tall = rng.random(80) < 0.5
    table = pd.DataFrame(
        {
            "id": [f"r{i}" for i in range(80)],
            "height": np.where(tall, 190.0, 160.0) + rng.normal(size=80).round(2),
            "kind": np.where(tall, "b", "a"),
            "bold": tall,
            "size": np.where(tall, "44", "38"),
        }
    )
    holed = table.astype({"bold": object, "kind": object, "size": object})
    holed.loc[1:9, "kind"], holed.loc[10:19, "bold"], holed.loc[20:29, "height"] = None, None, None

    def write(rows, name):
        path = tmp_path / f"{name}.{suffix}"
        rows.to_csv(path, index=False) if suffix == "csv" else rows.to_parquet(path)
        return path

    def read(path):
        table = pd.read_csv(path, dtype=str) if suffix == "csv" else pd.read_parquet(path)
        return table.reset_index(drop=True)

    words = ("--save", tmp_path / "model", "--leave", "id", "--method", "trees")
    done = call("fit", write(holed, "in"), *words)
    assert done.exit_code == 0, done.stderr
    assert "learned 4 columns of 80 rows" in done.stderr
    new = holed[["size", "id", "bold", "kind", "height"]].iloc[1:30].copy()
    new.loc[3, "kind"] = "z"  # not seen: it stays
    path, out = write(new, "new"), tmp_path / f"out.{suffix}"
    done = call("apply", tmp_path / "model", path, "-o", out)
    assert done.exit_code == 0, done.stderr
    assert "filled 28 of 28 missing cells with 'trees'" in done.stderr
    before, after = read(path), read(out)
    assert list(after) == list(before)
    for name in before:
        seen = before[name].notna()
        assert (before[name][seen] == after[name][seen]).all()
    told = after["kind"].drop(2)  # row 3 of the first file
    assert (told == table["kind"].iloc[1:30].reset_index(drop=True).drop(2)).all()
    assert after["kind"][2] == "z"


def test_checkpoints_by_flags(path):
    pytest.importorskip("orbax.checkpoint")
    out = path.with_name("out.csv")
    words = ("impute", path, "--method", "mice", "--set", "steps=10", "--set", "keep=2", "-o", out)
    where = ("--checkpoint", path.with_name("kept"))
    assert call(*words).exit_code == 0
    plain = out.read_bytes()
    assert call(*words, *where, "--force").exit_code == 0
    done = call(*words, *where)
    assert (done.exit_code, "exists; pass --force" in done.stderr) == (1, True)
    out.unlink()
    done = call(*words, *where)
    assert (done.exit_code, "(--resume)" in done.stderr) == (2, True)
    done = call(*words, *where, "--resume")
    assert done.exit_code == 0, done.stderr
    assert out.read_bytes() == plain
    out.unlink()
    done = call(*words, *where, "--resume", "--seed", "1")
    assert (done.exit_code, "seed (was 0, is 1)" in done.stderr) == (2, True)


def test_both_reports_say_what_fills_may_be(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    table = pd.DataFrame({"x": x, "y": x + 0.1 * rng.normal(size=60), "dir": 40 + 9 * x})
    table.to_csv(tmp_path / "in.csv", index=False)
    told = ["--bounds", "y=-0.5:0.5", "--circular", "dir", "--report", tmp_path / "fit.json"]
    model = tmp_path / "model"
    done = call("fit", tmp_path / "in.csv", "--method", "gaussian", "--save", model, *told)
    assert done.exit_code == 0, done.stderr
    about = json.loads((tmp_path / "fit.json").read_text())
    assert about["bounds"] == {"y": [-0.5, 0.5]}
    assert about["circular"] == {"dir": 360.0}
    # predictions of 2, 0 and -3, of which the first and the last are out of bounds
    (tmp_path / "new.csv").write_text("x,y,dir\n2.0,,58.0\n0.0,,40.0\n-3.0,,13.0\n")
    manifest, out = tmp_path / "apply.json", tmp_path / "o.csv"
    done = call("apply", model, tmp_path / "new.csv", "-o", out, "--report", manifest)
    assert done.exit_code == 0, done.stderr
    about = json.loads(manifest.read_text())
    assert about["clipped"] == {"y": 2}
    assert about["bounds"] == {"y": [-0.5, 0.5]}
    assert about["circular"] == {"dir": 360.0}
    assert "may hold: 'y' 2 (see --bounds)" in done.stderr
    y = pd.read_csv(out)["y"]
    assert [y[0], y[2]] == [0.5, -0.5]

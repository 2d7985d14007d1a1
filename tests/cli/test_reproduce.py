"""`reproduce`: every kind of manifest is repeated, and what differs is said in words."""

import json
from pathlib import Path

import numpy as np
import pytest

from jaximpute.cli.reproduce import explained
from tests.helpers.commands import call
from tests.helpers.training import CONFIG


def changed(manifest: Path, **parts) -> Path:
    """A manifest beside, of which some parts are other ones."""
    about = json.loads(manifest.read_text())
    for name, part in parts.items():
        about[name] = {**about[name], **part} if isinstance(part, dict) else part
    other = manifest.with_name("changed.json")
    other.write_text(json.dumps(about))
    return other


def check(manifest: Path, source: Path, spoil) -> str:
    """Repeat it, find another hash out, and refuse other data; what is said of the other hash."""
    before = sorted(manifest.parent.rglob("*"))
    done = call("reproduce", manifest)
    assert done.exit_code == 0, done.stderr
    assert "identical" in done.stderr
    assert sorted(manifest.parent.rglob("*")) == before
    done = call("reproduce", changed(manifest, hashes={"result": "0" * 64}))
    assert done.exit_code == 4
    spoil(source)
    other = call("reproduce", manifest)
    assert other.exit_code == 3
    assert f"{source.name} is not what it was" in " ".join(other.stderr.split())
    return " ".join(done.stderr.split())


def test_a_run_in_blocks(tmp_path):
    source, manifest = tmp_path / "x.npy", tmp_path / "run.json"
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.save(source, np.where(x > 1, np.nan, x))
    words = ("impute", source, "-o", tmp_path / "out.npy", "--method", "mean", "--block-rows", "16")
    assert call(*words, "--report", manifest).exit_code == 0
    # what a file too large for memory is given, without being asked for
    unasked = changed(manifest, settings={"block_rows": None})
    assert call("reproduce", unasked).exit_code == 0
    assert "not identical: 'mean'" in check(manifest, source, lambda path: np.save(path, x))


def test_training(tmp_path):
    x = np.random.default_rng(0).normal(size=(13, 3))
    rows = [f"r{i},{a:.3f},{b:.3f},{c:.3f}" for i, (a, b, c) in enumerate(x)]
    source, manifest = tmp_path / "in.csv", tmp_path / "run.json"
    source.write_text("\n".join(["id,a,b,c", *rows, "r13,,0.5,", ""]))
    config = tmp_path / "run.toml"
    config.write_text(f'report = "{manifest}"\n' + CONFIG.replace("DIR", str(tmp_path)))
    done = call("train", config, "--mesh", "data=1")
    assert done.exit_code == 0, done.stderr
    elsewhere = changed(manifest, devices=8, hashes={"result": "0" * 64})
    assert "devices (was 8, is 1)" in " ".join(call("reproduce", elsewhere).stderr.split())
    said = check(manifest, source, lambda path: path.write_text(path.read_text() + "r14,1,1,1\n"))
    assert "the versions are the same" in said


def test_a_folder_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    source, manifest, mask = tmp_path / "in", tmp_path / "run.json", tmp_path / "mask.npy"
    source.mkdir()
    pixels = np.add.outer(20 * np.arange(6), 5 * np.arange(8)).astype(np.uint8)
    image.fromarray(pixels).save(source / "a.png")
    np.save(mask, pixels != pixels[2, 3])
    words = ("impute", source, "-o", tmp_path / "out", "--method", "harmonic", "--mask", mask)
    done = call(*words, "--report", manifest)
    assert done.exit_code == 0, done.stderr
    assert call("reproduce", manifest).exit_code == 0
    np.save(mask, pixels > 30)
    done = call("reproduce", manifest)
    assert done.exit_code == 3
    assert "or its mask" in done.stderr


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"format": 2}, "is in format 2, and this version reads format 1; a newer jaximpute"),
        ({"settings": {"ema": 1}}, "sets ema, which this version does not know; it was written"),
        ({"command": "forecast"}, "is of 'forecast', which is not repeated"),
        ({"input": "no.csv"}, "no.csv, which"),
        ({"input": "-"}, "the data came from stdin"),
        ({"hashes": None}, "is no manifest; --report writes one"),
    ],
)
def test_bad_manifests_are_refused(tmp_path, parts, message):
    source, manifest = tmp_path / "in.csv", tmp_path / "run.json"
    source.write_text("a,b\n1,2\n3,\n")
    about = {"format": 1, "command": "impute", "input": str(source), "method": "mean"}
    manifest.write_text(json.dumps({**about, "settings": {}, "hashes": {}, "versions": {}}))
    done = call("reproduce", changed(manifest, **parts))
    assert done.exit_code == 3
    assert message in " ".join(done.stderr.split())


def test_words_for_where_two_runs_part():
    was = {"versions": {"jax": "1", "device": "cpu"}, "losses": [2.0, 1.0], "filled": 3}
    now = {"versions": {"jax": "2", "device": "cpu"}, "losses": [2.0], "filled": 4}
    assert explained(was, now) == [
        "what differs: jax (was '1', is '2')",
        "it took 2 steps, and takes 1",
        "3 cells were filled, and 4 are",
    ]
    assert "the losses of all steps are the same" in explained(was, was)

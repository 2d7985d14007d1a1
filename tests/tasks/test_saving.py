"""A saved imputer answers as it did, in a fresh process too, and what is wrong is said in words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.files import safe_arrays
from tests.helpers.commands import call

SMALL = {
    "mean": {},
    "knn": {"k": 3},
    "trees": {"trees": 5},
    "spirit": {"steps": 1, "score_steps": 3, "moves": 2, "width": 16, "start": "mean"},
    "diffusion": {"steps": 1, "score_steps": 3, "sde_steps": 3, "width": 16, "start": "mean"},
}
LOAD = """
import sys, numpy as np, pandas as pd, jaximpute as ji
x = pd.read_parquet(sys.argv[2])
np.save(sys.argv[3], ji.Imputer.load(sys.argv[1]).transform(x))
"""


def rows() -> pd.DataFrame:
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[::4, 1] = np.nan
    return pd.DataFrame(x, columns=["a", "b", "c"])


@pytest.fixture
def saved(tmp_path):
    ji.Imputer("mean").fit(rows()).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", SMALL)
def test_answers_are_the_same(name, tmp_path):
    x = rows()
    imputer = ji.Imputer(name, random_state=3, options=SMALL[name], add_indicator=True).fit(x)
    imputer.save(tmp_path / "model")
    again = ji.Imputer.load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(x), imputer.transform(x))
    assert again.get_params() == imputer.get_params() or np.isnan(again.missing_values)
    assert again.get_feature_names_out().tolist() == imputer.get_feature_names_out().tolist()


def test_a_fresh_process_answers_the_same(tmp_path):
    x = rows()
    imputer = ji.Imputer("gaussian", random_state=0).fit(x)
    imputer.save(tmp_path / "model")
    x.to_parquet(tmp_path / "x.parquet")
    paths = [str(tmp_path / name) for name in ("model", "x.parquet", "out.npy")]
    subprocess.run([sys.executable, "-c", LOAD, *paths], check=True, timeout=300)
    np.testing.assert_array_equal(np.load(paths[2]), imputer.transform(x))


@pytest.mark.fast
def test_nothing_is_overwritten_unasked(saved, tmp_path):
    imputer = ji.Imputer("median").fit(rows())
    with pytest.raises(ji.OutputError, match=r"exists; pass .*force=True"):
        imputer.save(saved)
    imputer.save(saved, force=True)
    assert ji.Imputer.load(saved).method_ == "median"
    (tmp_path / "mine").mkdir()
    with pytest.raises(ji.OutputError, match="no folder that an imputer was saved to"):
        imputer.save(tmp_path / "mine", force=True)
    with pytest.raises(ji.OutputError, match="there is no folder"):
        imputer.save(tmp_path / "no" / "model")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.fast
def test_what_cannot_be_read_is_said(saved, tmp_path):
    with pytest.raises(ji.DataError, match="holds no saved imputer"):
        ji.Imputer.load(tmp_path)
    about = json.loads((saved / "imputer.json").read_text())
    (saved / "imputer.json").write_text(json.dumps(about | {"format": 99, "version": "9.0"}))
    with pytest.raises(ji.DataError, match=r"format 99, written by jaximpute 9\.0"):
        ji.Imputer.load(saved)
    (saved / "imputer.json").write_text(json.dumps(about)[:50])
    with pytest.raises(ji.DataError, match="is damaged"):
        ji.Imputer.load(saved)


def test_arrays_of_another_shape_are_refused(tmp_path):
    ji.Imputer("gaussian").fit(rows()).save(tmp_path / "model")
    with np.load(tmp_path / "model" / "arrays.npz") as file:
        arrays = dict(file)
    arrays["state/0"] = arrays["state/0"][:1]
    np.savez(tmp_path / "model" / "arrays.npz", **arrays)
    with pytest.raises(ji.DataError, match="does not fit the 'gaussian'"):
        ji.Imputer.load(tmp_path / "model")


def rewrite(model: Path, **changes) -> None:
    """Arrays of a saved imputer, with some changed; None takes one away."""
    with np.load(model / "arrays.npz") as file:
        arrays = dict(file)
    for name, value in changes.items():
        arrays[name.replace("__", "/")] = value
    np.savez(model / "arrays.npz", **{k: v for k, v in arrays.items() if v is not None})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_refused(tmp_path, bad):
    name, model = "state/0", tmp_path / "model"
    ji.Imputer("gaussian").fit(rows()).save(model)
    with np.load(model / "arrays.npz") as file:
        array = file[name].copy()
    array.flat[-1] = bad
    rewrite(model, **{name.replace("/", "__"): array})
    rows().to_csv(tmp_path / "in.csv", index=False)
    done = call("apply", model, tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    assert done.exit_code == 3
    assert f"the imputer in {model} is damaged: '{name}' holds numbers that are" in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.fast
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["settings"], []),
        (["settings", "method_"], 3),
        (["settings", "method_"], "no_method"),
        (["settings", "options"], {"no_option": 1}),
        (["settings", "n_features_in_"], 10**30),
        (["settings", "n_features_in_"], True),
        (["settings", "_shape_fitted"], [-1]),
        (["settings", "_shape_fitted"], [3, 4]),
        (["settings", "time"], 3),
        (["settings", "group"], [3]),
        (["settings", "max_gap"], []),
        (["along"], {"step": 0.0, "dated": True, "static": []}),
        (["settings", "seed_"], 1e9),
        (["settings", "preset"], None),
        (["feature_names"], ["a", "b"]),
        (["feature_names"], ["a", "a", "b"]),
        (["codec", "levels"], [[1, "x"]]),
        (["codec", "constants"], {"x": 1}),
        (["codec", "constants"], [[7, 1.0]]),
        (["codec", "constants"], [[0, float("nan")]]),
        (["codec", "centre"], [float("nan")] * 3),
        (["codec", "scale"], [float("inf")] * 3),
        (["codec", "scale"], [0.0] * 3),
        (["codec", "low"], [0.0]),
        (["codec", "pair"], [[0.0]] * 3),
        (["codec", "circles"], [[0, 360.0]]),
        (["codec", "exact"], 1),
        (["leaves"], "1"),
        (["leaves"], 99),
        (["codec"], None),
    ],
)
def test_descriptions_are_checked(saved, path, value):
    about = json.loads((saved / "imputer.json").read_text())
    inner = about
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (saved / "imputer.json").write_text(json.dumps(about))
    with pytest.raises(ji.DataError, match=r"imputer in .*model (is damaged|cannot be)"):
        ji.Imputer.load(saved)


@pytest.mark.fast
def test_arrays_are_checked_before_they_are_read(saved):
    def refused(words):
        with pytest.raises(ji.DataError, match=words):
            ji.Imputer.load(saved)

    whole = (saved / "arrays.npz").read_bytes()

    def again():
        (saved / "arrays.npz").unlink()
        (saved / "arrays.npz").write_bytes(whole)

    rewrite(saved, kept=None)
    refused("there is no array 'kept'")
    again()
    rewrite(saved, more=np.ones(2))
    refused("holds 'more', which is not expected")
    again()
    rewrite(saved, kept=np.array([None], object))
    refused("is not of plain numbers|holds object|no array")
    again()
    with np.load(saved / "arrays.npz") as file:
        np.savez_compressed(saved / "arrays.npz", **dict(file))
    refused("is compressed")
    for length in (0, 30, len(whole) // 2, len(whole) - 1):
        (saved / "arrays.npz").write_bytes(whole[:length])
        refused("is damaged")
    (saved / "arrays.npz").unlink()
    refused("holds no saved imputer: there is no")
    if hasattr(os, "mkfifo"):
        for name in ("arrays.npz", "imputer.json"):
            (saved / name).unlink(missing_ok=True)
            os.mkfifo(saved / name)
            refused("is no regular file")
            (saved / name).unlink()
            (saved / name).symlink_to("/dev/zero")
            refused("is a link out of it")
            (saved / name).unlink()
    (saved / "imputer.json").write_text("[" * 100_000)
    refused("is damaged")


def test_arrays_in_any_order_come_back_bit_for_bit(tmp_path):
    given = {
        "c": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.zeros((0, 3), np.float32),
        "one": np.array(3, np.int8),
    }
    np.savez(tmp_path / "a.npz", **given)
    found = safe_arrays.read_arrays(tmp_path / "a.npz", lambda name: True)
    for name, array in given.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].flags.writeable


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("name", ["imputer.json", "arrays.npz"])
def test_no_link_leads_out_of_a_model(saved, tmp_path, name):
    outside, link = tmp_path / name, tmp_path / "link"
    link.symlink_to(saved, target_is_directory=True)
    ji.Imputer.load(link)  # to the whole of it
    (saved / name).rename(outside)
    (saved / name).symlink_to(outside)
    for path in (saved, link):
        with pytest.raises(ji.DataError, match=f"damaged: {name} is a link out of it"):
            ji.Imputer.load(path)
    (saved / name).unlink()
    (saved / name).symlink_to(saved / name)  # in a circle
    with pytest.raises(ji.DataError, match="damaged"):
        ji.Imputer.load(saved)

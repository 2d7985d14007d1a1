"""A saved imputer answers as it did, in a fresh process too, and what is wrong is said in words."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji

SMALL = {
    "mean": {},
    "knn": {"k": 3},
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
    with pytest.raises(ji.OutputError, match="exists; pass force=True"):
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


@pytest.mark.fast
def test_arrays_of_another_shape_are_refused(tmp_path):
    ji.Imputer("gaussian").fit(rows()).save(tmp_path / "model")
    with np.load(tmp_path / "model" / "arrays.npz") as file:
        arrays = dict(file)
    arrays["state/0"] = arrays["state/0"][:1]
    np.savez(tmp_path / "model" / "arrays.npz", **arrays)
    with pytest.raises(ji.DataError, match="does not fit the 'gaussian'"):
        ji.Imputer.load(tmp_path / "model")

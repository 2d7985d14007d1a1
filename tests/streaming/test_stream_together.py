"""Files in blocks by methods that complete only the rows they learn from: a run for each block."""

import jax
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import registry
from jaximpute.data import codec as coding
from jaximpute.engine import loop
from jaximpute.masking import observe
from jaximpute.streaming import formats, impute_file, scan
from jaximpute.streaming.spans import spans_of
from tests.helpers.commands import call
from tests.helpers.streams import rows, run

SMALL = {
    "sinkhorn": {"steps": 2, "moves": 3, "batch": 8},
    "soft_impute": {},
    "tdm": {"steps": 1, "moves": 2, "batch": 8},
    "knewimp": {"steps": 1, "moves": 2, "score_steps": 3, "width": 8},
}


@pytest.mark.parametrize("method", SMALL)
def test_every_hole_is_filled_and_a_stopped_run_goes_on(tmp_path, method):
    x, path = rows(45), tmp_path / "x.npy"
    x[16:32, 1] = np.nan  # a block without any of it
    np.save(path, x)
    whole = run(path, "whole.npy", method, **SMALL[method])
    np.testing.assert_array_equal(whole[~np.isnan(x)], x[~np.isnan(x)])
    assert np.isfinite(whole).all()

    def stop(done, blocks):
        assert blocks == 3
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(path, "parts.npy", method, watch=stop, **SMALL[method])
    np.testing.assert_array_equal(run(path, "parts.npy", method, **SMALL[method]), whole)


def test_blocks_are_problems_of_their_own(tmp_path):
    x, path = rows(45), tmp_path / "x.npy"
    np.save(path, x)
    source = formats.open_source(str(path))
    spans = spans_of(source, 16, None, full=True)
    assert spans.all == [(0, 16, 0, 16), (16, 32, 16, 32), (32, 45, 29, 45)]
    found, codec = run(path, method="soft_impute"), scan.scan(source).codec
    for number, (start, stop, first, last) in enumerate(spans.all):
        data = observe(coding.encode(codec, x[first:last].astype(float)))
        plan = registry.build("soft_impute", data, kind="table")
        _, key = jax.random.split(jax.random.key(0))
        k_fit, k_complete = jax.random.split(jax.random.fold_in(key, number))
        state = ji.fit(plan.method, k_fit, data, plan.steps, chunk=plan.chunk)
        matrix = np.asarray(ji.complete(plan.method, k_complete, state, data))
        expected = coding.decode(codec, matrix, x[first:last].astype(float))[start - first :]
        np.testing.assert_allclose(found[start:stop], expected, rtol=1e-5)


def test_steps_of_time_are_windows_and_the_report_says_so(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    time = pandas.date_range("2024-01-01", periods=80, freq="h")
    x = np.sin(np.arange(80)[:, None] / [3.0, 5.0])
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    source, out = tmp_path / "x.parquet", tmp_path / "out.parquet"
    pandas.DataFrame(x, columns=["a", "b"]).assign(time=time).to_parquet(source)
    small = {"steps": 2, "moves": 2, "window": 8}
    about = impute_file.impute_file(
        str(source), str(out), "psw_i", time="time", block_rows=30, margin=5, **small
    )
    assert about["blocks"] == 3
    assert "from its own rows" in about["warnings"][0]
    filled = pandas.read_parquet(out)[["a", "b"]].to_numpy()
    np.testing.assert_array_equal(filled[~np.isnan(x)], x[~np.isnan(x)])
    assert np.isfinite(filled).all()


def test_nothing_missing_is_nothing_to_do(tmp_path):
    x, path = np.nan_to_num(rows(20)), tmp_path / "x.npy"
    np.save(path, x)
    np.testing.assert_array_equal(run(path, method="sinkhorn"), x)


def test_rows_of_series_and_a_run_that_writes_nothing(tmp_path):
    x, path = np.resize(rows(30), (12, 5, 3)), tmp_path / "x.npy"
    np.save(path, x)
    filled = run(path, method="soft_impute", block_rows=5)
    assert np.isfinite(filled).all()
    kept = {"seed": 3, "block_rows": 5}
    written = impute_file.impute_file(str(path), f"{tmp_path}/y.npy", "soft_impute", **kept)
    nothing = impute_file.impute_file(str(path), None, "soft_impute", **kept)
    assert written["hashes"] == nothing["hashes"]
    assert written["sample_rows"] is None


def test_what_diverges_is_refused(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", rows(20))
    monkeypatch.setattr(loop, "complete", lambda method, key, state, data: data.values * np.nan)
    with pytest.raises(ji.DivergenceError, match="soft_impute"):
        run(tmp_path / "x.npy", method="soft_impute")


def test_the_command_line_repeats_it(tmp_path):
    np.save(tmp_path / "x.npy", rows(40))
    source, out, about = (str(tmp_path / name) for name in ("x.npy", "out.npy", "run.json"))
    given = ["--method", "sinkhorn", "--set", "steps=1", "--set", "moves=2", "--block-rows", "16"]
    assert call("impute", source, "-o", out, "--report", about, *given).exit_code == 0
    assert call("reproduce", about).exit_code == 0

"""Files larger than memory: blocks change nothing, a stopped run goes on, memory stays flat."""

import inspect
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

import jaximpute as ji
from jaximpute import registry
from jaximpute.cli import settings, streaming
from jaximpute.data import codec as coding
from jaximpute.data import codecplain, frames
from jaximpute.masking import clamp
from jaximpute.streaming import (
    completing,
    feeds,
    formats,
    impute_file,
    learning,
    moments,
    outputs,
    resume,
    workfolder,
)
from jaximpute.tasks.fitted import Fitted
from tests.helpers.commands import call
from tests.helpers.streams import ROWS, Stop, rows, run, stop_after


@pytest.mark.parametrize("name", ["x.npy", "y.npy", "z.npy"])
def test_blocks_change_not_one_bit(tmp_path, name):
    # tables; series in Fortran's order; images of half floats
    shape = {"x.npy": (ROWS, 3), "y.npy": (ROWS, 5, 3), "z.npy": (ROWS, 2, 2, 3)}[name]
    x = np.resize(rows(), shape)
    x = {"x.npy": x, "y.npy": np.asfortranarray(x), "z.npy": x.astype(np.float16)}[name]
    path = tmp_path / name
    np.save(path, x)
    method = {"x.npy": "knn", "y.npy": "linear", "z.npy": "harmonic"}[name]
    whole = run(path, method=method, block_rows=ROWS, sample_rows=ROWS)
    assert whole.dtype == x.dtype
    seen = ~np.isnan(x)
    assert (whole[seen] == x[seen]).all()
    assert np.isfinite(whole).all()
    for block in (1, 16, 59):
        parts = run(path, method=method, block_rows=block, sample_rows=ROWS, force=True)
        np.testing.assert_array_equal(parts, whole)
    # learned from all rows in their order, it is what `impute` gives in memory
    options = {"k": 3} if method == "knn" else {}
    inside = ji.impute(np.array(x, order="C"), method, **options)
    np.testing.assert_allclose(whole, inside, rtol=3e-3 if x.itemsize == 2 else 2e-5, atol=2e-5)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_what_is_drawn_does_not_depend_on_blocks_either():
    def sample(key, state, data):
        return clamp(state + jax.random.normal(key, data.values.shape), data)

    x = rows().astype(float)
    codec = coding.learn(frames.read(x))
    plan = registry.Plan(ji.Method(lambda key, data: None, lambda *a: None, estimate=sample))
    one, other = (
        Fitted("mean", "table", "fast", {}, seed, codec, x.shape, "draw", plan, 0.0)
        for seed in range(2)
    )
    whole = completing.complete(one, x).values
    parts = [completing.complete(one, x[start : start + 7]).values for start in range(0, ROWS, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(np.unique(whole[np.isnan(x)])) == np.isnan(x).sum()  # each row has its own key
    assert (completing.complete(other, x).values != whole).any()


@tries(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1e300, 1e300) | st.none(), min_size=2, max_size=2), min_size=1),
    st.integers(1, 9),
)
def test_moments_of_parts_make_those_of_the_whole(cells, block):
    x = np.array(cells, float)
    total = moments.of_block(x[:block])
    for start in range(block, len(x), block):
        total = moments.merged(total, moments.of_block(x[start : start + block]))
    frame = frames.read(x)
    expected = coding.learn(frame)
    found = moments.codec_of(total, moments.count_levels(x, frame.columns), frame.columns, x)
    assert found.numeric.tolist() == expected.numeric.tolist()
    assert found.constants == expected.constants
    assert found.unlearned == expected.unlearned
    size = np.abs(np.nan_to_num(x[:, found.numeric])).max(axis=0, initial=1e-300)
    np.testing.assert_allclose(found.centre / size, expected.centre / size, atol=1e-13)
    np.testing.assert_allclose(found.scale / size, expected.scale / size, atol=1e-7)
    kept = codecplain.from_plain(json.loads(json.dumps(codecplain.to_plain(found))))
    assert repr(kept) == repr(found)


def test_means_far_from_zero_cost_no_digits():
    x = 1e9 + np.random.default_rng(0).normal(size=(1000, 1))
    total = moments.of_block(x[:1])
    for start in range(1, 1000, 37):
        total = moments.merged(total, moments.of_block(x[start : start + 37]))
    spread = np.sqrt(total.squares / total.cells) * total.size
    np.testing.assert_allclose(spread, x.std(axis=0), rtol=1e-6)


def test_a_stopped_run_goes_on_and_learns_nothing_anew(path, monkeypatch):
    whole = run(path)
    with pytest.raises(Stop):
        run(path, "b.npy", watch=stop_after(2))
    assert not path.with_name("b.npy").exists()
    assert workfolder.folder_of(str(path.with_name("b.npy"))).is_dir()
    monkeypatch.setattr(learning, "learn", lambda *a, **k: pytest.fail("learned again"))
    target = path.with_name("b.npy")
    about = impute_file.impute_file(str(path), str(target), "mean", block_rows=16)
    assert (about["blocks"], about["went_on_at"]) == (4, 2)
    assert about["filled"] == int(np.isnan(rows()).sum())
    assert target.read_bytes() == path.with_name("out.npy").read_bytes()
    np.testing.assert_array_equal(np.load(target), whole)
    assert not workfolder.folder_of(str(target)).exists()


def test_a_run_that_differs_is_refused_in_words(path):
    with pytest.raises(Stop):
        run(path, watch=stop_after(1))
    with pytest.raises(ji.OptionError, match=r"differs from this one: seed \(was 0, is 2\)"):
        run(path, seed=2)
    x = rows(seed=1)
    np.save(path, x)
    with pytest.raises(ji.OptionError, match=r"differs.*: source"):
        run(path)
    result = run(path, force=True)  # thrown away
    np.testing.assert_array_equal(result[~np.isnan(x)], x[~np.isnan(x)])


def test_a_run_that_stopped_before_its_first_block_begins_again(path, monkeypatch):
    def fail(*arguments, **keywords):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "open_sink", fail)
        with pytest.raises(Stop):
            run(path)
    assert np.isfinite(run(path)).all()


@pytest.mark.parametrize("keeps", [False, True])
def test_a_method_that_keeps_no_rows_learns_from_pool_after_pool(monkeypatch, keeps):
    def init(key, data):
        return data.values if keeps else jnp.zeros(3)

    def step(key, state, data):
        return (state if keeps else state + data.values.sum(0)), ji.Info(jnp.float32(0), {})

    def sample(key, state, data):
        return clamp(jnp.broadcast_to(jnp.float32(len(state)), data.values.shape), data)

    plan = registry.Plan(ji.Method(init, step, sample=sample), steps=5, chunk=2)
    monkeypatch.setattr(registry, "build", lambda *arguments, **keywords: plan)
    x, sums = rows().astype(float), []
    codec = coding.learn(frames.read(x))

    def pools():
        for start in range(0, ROWS, 20):
            pool = x[start : start + 20]
            sums.append(np.nansum(coding.encode(codec, pool), axis=0))
            yield pool

    fitted = Fitted("gain", "table", "balanced", {}, 0, codec, (20, codec.width))
    learned, number = learning.learn(fitted, pools(), frames.read(x).columns)
    assert (number, len(sums)) == ((1, 1) if keeps else (3, 3))
    if not keeps:  # two steps, two steps and one
        expected = 2 * sums[0] + 2 * sums[1] + sums[2]
        np.testing.assert_allclose(learned.state, expected, rtol=1e-5, atol=1e-5)


def test_pools_come_from_everywhere(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(1000.0)[:, None])
    source = formats.open_source(str(tmp_path / "x.npy"))
    first = next(feeds.pools(source, 64, 0, 1))
    assert first.shape == (64, 1)
    assert len(np.unique(first)) == 64
    assert len(np.unique(first // 100)) >= 7  # of the ten parts of a sorted file
    again, other = (next(feeds.pools(source, 64, seed, 1)) for seed in (0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_what_cannot_be_done_is_said(path, tmp_path, monkeypatch):
    with pytest.raises(ji.OptionError, match=r"draws.*mice"):
        impute_file.impute_file(str(path), f"{tmp_path}/draws/", "sinkhorn", completions=2)
    with pytest.raises(ji.OptionError, match=r"own format: \.npy"):
        run(path, "out.parquet")
    with pytest.raises(ji.OptionError, match="block_rows is 0"):
        run(path, block_rows=0)
    with pytest.raises(ji.DataError, match="cannot be read block by block"):
        impute_file.impute_file(str(tmp_path / "x.csv"), str(tmp_path / "y.csv"))
    run(path)
    with pytest.raises(ji.OutputError, match="exists"):
        run(path)
    for bad, words in (
        (np.zeros((0, 3)), "at least 1"),
        (np.array(["a"]), "shape"),
        (np.full((3, 2), 1j), "expected numbers"),
        (np.array([[1.0], [np.inf], [np.nan]]), "column '0' of .* holds inf in row 1"),
    ):
        np.save(tmp_path / "bad.npy", bad)
        with pytest.raises(ji.DataError, match=words):
            run(tmp_path / "bad.npy", force=True)
    rare = np.where(np.arange(1000)[:, None] < [1000, 2], 1.0, np.nan) * np.arange(1000)[:, None]
    np.save(tmp_path / "rare.npy", rare)
    with pytest.raises(ji.DataError, match=r"column '1' is observed so rarely.*sample_rows"):
        run(tmp_path / "rare.npy", sample_rows=16, seed=3, force=True)
    monkeypatch.setitem(sys.modules, "grain", None)
    with pytest.raises(ji.MissingExtraError, match=r"jaximpute\[train\]"):
        run(path, force=True)


def test_where_nothing_is_missing_nothing_is_learned(path):
    np.save(path, np.nan_to_num(rows()))
    about = impute_file.impute_file(str(path), str(path.with_name("out.npy")), "knn", block_rows=16)
    assert (about["pools"], about["filled"], about["losses"]) == (0, 0, [])
    assert path.read_bytes() == path.with_name("out.npy").read_bytes()


def test_no_method_has_an_option_called_like_a_setting():
    ours = set(inspect.signature(impute_file.impute_file).parameters)
    assert not {name for name in registry.names() if ours & set(registry.options(name))}


def test_a_full_disk_keeps_what_is_done(path, monkeypatch):
    whole = run(path)
    with monkeypatch.context() as patch:
        patch.setattr(resume.shutil, "disk_usage", lambda parent: SimpleNamespace(free=0))
        with pytest.raises(ji.OutputError, match=r"has 0\.0 GB left"):
            run(path, "b.npy")
    to_disk, calls = outputs.to_disk, []

    def full(file):
        calls.append(file)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        to_disk(file)

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "to_disk", full)
        with pytest.raises(ji.OutputError, match="No space left on device; what is done so far"):
            run(path, "b.npy")
    done = impute_file.impute_file(str(path), str(path.with_name("b.npy")), "mean", block_rows=16)
    assert done["went_on_at"] == 2
    np.testing.assert_array_equal(np.load(path.with_name("b.npy")), whole)


CAPPED = """
import sys
from dataclasses import replace
from pathlib import Path
from jaximpute.streaming import impute_file as stream

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) // 1024

def run(name, **keywords):
    source, output = f"{sys.argv[1]}/{name}.npy", f"{sys.argv[1]}/{name}_filled.npy"
    stream.impute_file(source, output, "mean", block_rows=1024, sample_rows=1024, **keywords)

run("small")  # loads and compiles
before, most = anonymous(), [0]

def watch(done, blocks):
    most[0] = max(most[0], anonymous() - before)

run("large", watch=watch)
print(most[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="of Linux")
def test_memory_does_not_grow_with_the_file(tmp_path):
    # files are mapped: only memory that belongs to no file counts, and no limit on addresses would
    for name, megabytes in (("small", 3), ("large", 96)):
        shape = (megabytes * 1024, 256)
        array = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.float32, shape)
        for start in range(0, len(array), 1024):
            array[start : start + 1024] = np.arange(256)
        array[::2] += 1
        array[::500, 2] = np.nan
        array.flush()
    done = subprocess.run(
        [sys.executable, "-c", CAPPED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 96 // 2  # megabytes; a few blocks in double precision
    assert (tmp_path / "large_filled.npy").stat().st_size == (tmp_path / "large.npy").stat().st_size


def test_the_command_line_goes_block_by_block(path, monkeypatch):
    out, told = path.with_name("out.npy"), path.with_name("told.json")
    asked = ("impute", path, "-o", out, "--method", "mean", "--block-rows", "16")
    done = call(*asked, "--report", told)
    assert done.exit_code == 0, done.stderr
    assert "with 'mean'" in done.stderr
    about = json.loads(told.read_text())
    assert (about["blocks"], about["method"]) == (4, "mean")
    np.testing.assert_array_equal(np.load(out), run(path, "b.npy"))
    done = call(*asked, "--force", "--max-gap", "3")
    assert done.exit_code == 2
    assert "--max-gap needs all rows at once" in done.stderr


def test_large_files_are_not_read_whole_even_unasked(path, monkeypatch, capsys):
    asked = settings.ImputeSettings(output="out.npy")
    assert streaming.is_streamed(str(path), replace(asked, block_rows=5))
    assert not streaming.is_streamed(str(path), asked)
    monkeypatch.setattr(streaming.os, "sysconf", lambda name: 20)  # 400 bytes of memory
    assert streaming.is_streamed(str(path), asked)
    assert "takes more than half of the memory" in capsys.readouterr().err
    assert not streaming.is_streamed(str(path), replace(asked, max_gap=3))
    assert streaming.is_streamed(str(path), replace(asked, draws=3))
    assert not streaming.is_streamed(str(path), replace(asked, draws=3, time="date"))
    assert not streaming.is_streamed(str(path.with_name("x.csv")), asked)

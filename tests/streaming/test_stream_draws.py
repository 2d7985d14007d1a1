"""Several completions of a file in blocks: the same for any blocks, formats, and kills."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.data import codec as coding
from jaximpute.engine.runs import keys
from jaximpute.masking import from_nan
from jaximpute.streaming import draws, formats, impute_file, learning, workfolder
from jaximpute.streaming.spans import BLOCK_BYTES, spans_of
from tests.helpers.commands import call
from tests.helpers.streams import ROWS, Stop, rows, stop_after

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
xarray = pytest.importorskip("xarray")

QUICK = {"steps": 2, "updates": 2, "keep": 2}  # of MICE, whose draws differ in little but the key
NAMES = ["draw_1", "draw_2", "draw_3"]


@pytest.fixture
def path(tmp_path) -> Path:
    np.save(tmp_path / "x.npy", rows())
    return tmp_path / "x.npy"


@pytest.fixture
def table(tmp_path) -> Path:
    x = rows().astype(float)
    cells = {name: arrow.array(x[:, i], from_pandas=True) for i, name in enumerate("ab")}
    whole = arrow.array(np.rint(x[:, 2]), from_pandas=True).cast(arrow.int16())
    words = arrow.array([None if i % 5 == 0 else "xy"[i % 2] for i in range(ROWS)])
    full = arrow.array(np.arange(ROWS) % 4)
    made = arrow.table({**cells, "whole": whole, "word": words, "full": full})
    parquet.write_table(made, tmp_path / "x.parquet", row_group_size=25, compression="zstd")
    return tmp_path / "x.parquet"


def draw(path: Path, out: str, **keywords) -> dict:
    target = f"{path.parent}/{out}"  # a slash at the end is kept
    chosen = {"block_rows": 16, "completions": 3, **QUICK, **keywords}
    return impute_file.impute_file(str(path), target, "mice", **chosen)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.*")}


def test_draws_do_not_depend_on_blocks_and_are_those_of_memory(path, tmp_path, monkeypatch):
    learned = []
    learn = learning.learn
    monkeypatch.setattr(
        learning, "learn", lambda *a, **k: learned.append(learn(*a, **k)) or learned[-1]
    )
    about = draw(path, "whole/", block_rows=ROWS)
    assert (about["blocks"], about["answer"]) == (1, "draw")
    for block in (7, 16):
        draw(path, f"{block}/", block_rows=block)
        assert contents(tmp_path / str(block)) == contents(tmp_path / "whole")
    x, ((one, _), *_) = rows(), learned
    found = np.stack([np.load(tmp_path / "whole" / f"{name}.npy") for name in NAMES])
    holes = np.isnan(x)
    assert found.dtype == x.dtype
    assert np.isfinite(found).all()
    assert (found[:, ~holes] == x[~holes]).all()
    assert (found[0] != found[1])[holes].mean() > 0.9
    data = from_nan(jnp.asarray(coding.encode(one.codec, x.astype(float))))
    inside = ji.draw_many(
        one.method, keys(one.seed).complete, one.state, data, 3, rows=np.arange(ROWS)
    )
    for here, there in zip(np.asarray(inside), found, strict=True):
        expected = coding.decode(one.codec, here, x.astype(float)).astype(x.dtype)
        np.testing.assert_allclose(there, expected, rtol=1e-5, atol=1e-5)


def test_rows_alike_are_drawn_apart(tmp_path):
    x = np.resize(rows(20), (60, 3))  # each row three times
    np.save(tmp_path / "x.npy", x)
    draw(tmp_path / "x.npy", "out/", completions=1)
    found = np.load(tmp_path / "out" / "draw_1.npy").reshape(3, 20, 3)
    holes = np.isnan(x[:20])
    assert (found[0] != found[1])[holes].mean() > 0.9
    assert (found[1] != found[2])[holes].mean() > 0.9


def test_parquet_takes_draws_below_one_another_or_as_intervals(table, tmp_path):
    draw(table, "draws/")
    draw(table, "stacked.parquet")
    draw(table, "apart.parquet", block_rows=11)
    given, found = parquet.read_table(table), parquet.read_table(tmp_path / "stacked.parquet")
    assert found.column_names == ["draw", *given.column_names]
    assert found["draw"].to_pylist() == [i for i in (1, 2, 3) for _ in range(ROWS)]
    assert found.to_pydict() == parquet.read_table(tmp_path / "apart.parquet").to_pydict()
    assert found.schema.remove(0).equals(given.schema, check_metadata=True)
    about = parquet.ParquetFile(tmp_path / "stacked.parquet").metadata
    assert about.row_group(0).column(0).compression == "ZSTD"
    singles = [parquet.read_table(tmp_path / "draws" / f"{name}.parquet") for name in NAMES]
    assert arrow.concat_tables(singles).to_pydict() == found.drop_columns("draw").to_pydict()

    draw(table, "wide.parquet", completions=21, interval=0.8)
    draw(table, "narrow.parquet", completions=21, interval=0.8, block_rows=11)
    draw(table, "all/", completions=21)
    wide = parquet.read_table(tmp_path / "wide.parquet")
    assert wide.to_pydict() == parquet.read_table(tmp_path / "narrow.parquet").to_pydict()
    ends = [f"{name}_{end}" for name in ("a", "b", "whole") for end in ("low", "high")]
    assert wide.column_names == [*given.column_names, *ends]
    assert wide["whole_low"].type == arrow.int16()
    singles = [parquet.read_table(file) for file in sorted((tmp_path / "all").iterdir())]
    for name in ("a", "whole"):
        many = np.stack([one[name].to_numpy() for one in singles])
        low, high = np.quantile(many, [0.1, 0.9], axis=0, method="nearest")
        np.testing.assert_array_equal(wide[f"{name}_low"], low)
        np.testing.assert_array_equal(wide[f"{name}_high"], high)
        middle = np.median(many, axis=0)
        np.testing.assert_allclose(wide[name], middle, rtol=1e-6, atol=1e-5)
        seen = given[name].is_valid().to_numpy()
        np.testing.assert_array_equal(wide[name].to_numpy()[seen], low[seen])
    assert wide["word"].null_count == 0


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_images_are_drawn_into_files_of_their_own(tmp_path, suffix, monkeypatch):
    random, path = np.random.default_rng(0), tmp_path / f"x.{suffix}"
    x = random.normal(size=(7, 4, 4)).astype(np.float32)
    x[random.random(x.shape) < 0.3] = np.nan
    data = xarray.Dataset({"v": (("n", "y", "x"), x)}, attrs={"kept": "yes"})
    if suffix == "zarr":
        data.to_zarr(path, consolidated=False, encoding={"v": {"chunks": (1, 4, 4)}})
    else:
        data.to_netcdf(path, engine="h5netcdf")
    options = {"width": 16, "layers": 2, "updates": 2, "steps": 1, "sde_steps": 2, "batch": 4}

    def run(out, block, **keywords):
        chosen = {"block_rows": block, "completions": 2, **options, **keywords}
        impute_file.impute_file(str(path), f"{tmp_path}/{out}/", "missdiff", **chosen)
        files = sorted((tmp_path / out).iterdir())
        assert [file.name for file in files] == [f"draw_1.{suffix}", f"draw_2.{suffix}"]
        opened = [formats.open_source(str(file)) for file in files]
        assert all(one.native.dataset.attrs["kept"] == "yes" for one in opened)
        return np.stack([one.read(0, 7)[..., 0] for one in opened])

    whole = run("whole", 7)
    np.testing.assert_array_equal(run("parts", 2), whole)
    assert np.isfinite(whole).all()
    assert (whole[:, ~np.isnan(x)] == x[~np.isnan(x)]).all()
    assert (whole[0] != whole[1])[np.isnan(x)].all()

    # stopped while the second file is put into its place
    replace, calls = os.replace, []

    def once(*names):
        calls.append(names)
        if len([names for names in calls if Path(names[1]).parent.name == "whole"]) == 2:
            raise Stop
        replace(*names)

    with monkeypatch.context() as patch:
        patch.setattr(draws.os, "replace", once)
        with pytest.raises(Stop):
            run("again", 2)
    assert not (tmp_path / "again").exists()
    np.testing.assert_array_equal(run("again", 2), whole)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_a_stopped_run_goes_on_and_learns_nothing_anew(path, tmp_path, monkeypatch):
    draw(path, "whole/")
    with pytest.raises(Stop):
        draw(path, "out/", watch=stop_after(2))
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(learning, "learn", lambda *a, **k: pytest.fail("learned again"))
    with pytest.raises(ji.OptionError, match=r"completions \(was 3, is 4\)"):
        draw(path, "out/", completions=4)
    assert draw(path, "out/")["went_on_at"] == 2
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert not workfolder.folder_of(f"{tmp_path}/out/").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from jaximpute.streaming import impute_file as stream
from jaximpute.streaming import draws as drawsinks

folder, when, block = sys.argv[1], sys.argv[2], int(sys.argv[3])
replace = os.replace

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def watch(done, blocks):
    if when == "block" and done == block:
        die()

def moved(a, b):
    replace(a, b)
    if when == "end" and Path(b).name == "draw_2.npy":
        die()

drawsinks.os.replace = moved
options = {"steps": 2, "updates": 2, "keep": 2}
about = stream.impute_file(f"{folder}/x.npy", f"{folder}/out/", "mice", block_rows=16,
                           completions=3, watch=watch, **options)
print(about["went_on_at"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
def test_a_killed_run_ends_with_the_same_files(path, tmp_path):
    draw(path, "whole/")

    def attempt(*how: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", KILLED, str(tmp_path), *how]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    assert attempt("block", "1").returncode == -9
    assert attempt("block", "3").returncode == -9
    assert attempt("end", "0").returncode == -9
    assert not (tmp_path / "out").exists()
    done = attempt("never", "0")
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_cannot_be_drawn_is_said(path, table, tmp_path):
    def refused(error, words, source, out, method="mice", **keywords):
        with pytest.raises(error, match=words):
            impute_file.impute_file(
                str(source), f"{tmp_path}/{out}", method, **{"completions": 2, **keywords}
            )

    refused(ji.OptionError, "gives one estimate.*mice", path, "out/", "mean")
    refused(ji.OptionError, r"completions \(--draws\) is 0", path, "out/", completions=0)
    refused(ji.OptionError, "level is 2", table, "out.parquet", interval=2.0)
    refused(ji.OptionError, "written to a folder", path, "out.npy")
    refused(ji.OptionError, "intervals are columns of Parquet", path, "out/", interval=0.8)
    refused(ji.OptionError, "own format", table, "out.csv")
    refused(ji.OutputError, "there is no folder", path, "none/out/")
    stamps = arrow.array(range(ROWS), arrow.timestamp("s"))
    timed = parquet.read_table(table).append_column("t", stamps)
    parquet.write_table(timed, tmp_path / "t.parquet")
    words = "drawn window by window"
    refused(ji.OptionError, words, tmp_path / "t.parquet", "out/", "csdi", time="t")
    xarray.Dataset({"v": (("time", "y", "x"), np.ones((4, 2, 2)))}).to_netcdf(
        tmp_path / "x.nc", engine="h5netcdf"
    )
    refused(ji.OptionError, words, tmp_path / "x.nc", "out/", "context_query")
    for column, keywords in (("draw", {}), ("a_low", {"interval": 0.8})):
        named = parquet.read_table(table).append_column(column, stamps)
        parquet.write_table(named, tmp_path / "n.parquet")
        refused(ji.DataError, f"column '{column}'", tmp_path / "n.parquet", "o.parquet", **keywords)


def test_a_folder_of_draws_is_new_or_holds_nothing_else(path, tmp_path):
    (tmp_path / "out").mkdir()  # empty
    draw(path, "out")
    with pytest.raises(ji.OutputError, match="holds draws; pass --force"):
        draw(path, "out/")
    with pytest.raises(ji.OutputError, match=r"holds 'draw_3\.npy', which this run does not write"):
        draw(path, "out/", force=True, completions=2)
    before = contents(tmp_path / "out")
    draw(path, "out/", force=True, seed=1)
    after = contents(tmp_path / "out")
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(ji.OutputError, match=r"holds 'notes\.txt'"):
        draw(path, "out/", force=True)
    with pytest.raises(ji.OutputError, match="is no folder"):
        draw(path, "x.npy/")


def test_many_draws_make_short_blocks(path):
    wide = formats.open_source(str(path))._replace(length=10**9)
    alone, many = (spans_of(wide, None, None, completions=n).block for n in (1, 100))
    assert alone == BLOCK_BYTES // 24
    assert many == alone // 100


def test_where_nothing_is_missing_draws_are_copies(path, tmp_path):
    np.save(path, np.nan_to_num(rows()))
    assert draw(path, "out/")["filled"] == 0
    assert set(contents(tmp_path / "out").values()) == {path.read_bytes()}


def test_the_command_line_draws_block_by_block(path, table, tmp_path):
    chosen = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
    asked = ("--method", "mice", *chosen, "--block-rows", "16", "--report", tmp_path / "r.json")
    done = call("impute", path, "-o", f"{tmp_path}/out/", "--draws", "3", *asked)
    assert done.exit_code == 0, done.stderr
    draw(path, "same/")
    assert contents(tmp_path / "out") == contents(tmp_path / "same")
    about = json.loads((tmp_path / "r.json").read_text())
    assert about["settings"]["draws"] == 3
    done = call("reproduce", tmp_path / "r.json")
    assert (done.exit_code, "identical" in done.stderr) == (0, True), done.stderr

    done = call("impute", path, "-o", f"{tmp_path}/none/", "--draws", "0", *asked, "--force")
    assert (done.exit_code, "--draws is 0" in done.stderr) == (2, True), done.stderr

    wide = ("impute", table, "-o", tmp_path / "wide.parquet", "--interval", "0.5", "--draws", "5")
    done = call(*wide, *asked, "--force")
    assert done.exit_code == 0, done.stderr
    assert "whole_high" in parquet.read_schema(tmp_path / "wide.parquet").names
    done = call("reproduce", tmp_path / "r.json")
    assert done.exit_code == 0, done.stderr

"""Killed before any change of a file, a command ends with the old or the new result, whole.

For each format the same work is done again after a death at its first change, its second, and so on
to its last: nothing of a mixture may be there before, and nothing but the new result after.
"""

import functools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.cli import manifest, settings
from jaximpute.files import _rename, filesets, pictures, sheets
from jaximpute.files import draws as many
from jaximpute.streaming import impute_file
from tests.helpers.dying import dying

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
xarray = pytest.importorskip("xarray")
pytest.importorskip("zarr")
pytest.importorskip("grain")


class Work(NamedTuple):
    """Something that writes.

    Attributes:
        make: `(folder, version, force)`: writes the result of a version, 0 or 1, to a folder, all
            of it by names that begin with `out`.
        source: `(folder, version)`: writes what it is made of.
    """

    make: Callable[[Path, int, bool], None]
    source: Callable[[Path, int], None] = lambda folder, version: None


def cells(version: int) -> np.ndarray:
    return np.arange(12.0).reshape(4, 3) + 100 * version


def frame(version: int) -> pd.DataFrame:
    return pd.DataFrame(cells(version), columns=list("abc"))


def table(suffix: str) -> Work:
    def make(folder: Path, version: int, force: bool) -> None:
        path = str(folder / f"out{suffix}")
        sheets.check_table(path, force=force)
        if suffix in (".nc", ".zarr"):
            sheet = sheets.Sheet(xarray.Dataset({"v": (("y", "x"), cells(version))}), None)
        elif suffix in (".npy", ".npz"):
            sheet = sheets.Sheet(cells(version), None)
        else:
            sheet = sheets.Sheet(frame(version), None)
        sheets.write_file(sheet, path, force=force)

    return Work(make)


def draws(folder: Path, version: int, force: bool) -> None:
    path = f"{folder}/out/"
    many.check_folder(path, ".csv", 2, force=force)
    many.write_folder([sheets.Sheet(frame(version), None)] * 2, path, ".csv", force=force)


def draws_beside(folder: Path, version: int, force: bool) -> None:
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / "note.txt").write_text("mine")
    draws(folder, version, force)


def stores(folder: Path, version: int, force: bool) -> None:
    path = f"{folder}/out/"
    many.check_folder(path, ".zarr", 1, force=force)
    sheet = sheets.Sheet(xarray.Dataset({"v": (("y", "x"), cells(version))}), None)
    many.write_folder([sheet], path, ".zarr", force=force)


def images(folder: Path, version: int, force: bool) -> None:
    read = pictures.Pictures(("a", "b"), np.zeros((2, 3, 3, 1), np.uint8), None)
    filesets.check(folder / "out", pictures.names(read, 1), force=force)
    with filesets.replacing(folder / "out", force=force) as new:
        for part in (new, new / "draw_1"):
            pictures.write_pictures(read, np.full((2, 3, 3, 1), 50.0 + version), part)
        (new / "montage.png").write_bytes(b"picture %d" % version)


def model(folder: Path, version: int, force: bool) -> None:
    fitted(version).save(folder / "out", force=force)


@functools.cache
def fitted(version: int) -> ji.Imputer:
    return ji.Imputer("mean").fit(frame(version))


def report(folder: Path, version: int, force: bool) -> None:
    out = str(folder / "out.json")
    run = settings.ImputeSettings(report=out, force=force)
    about = {"method": "mean", "preset": "balanced", "options": {}, "version": version}
    sheets.check_output(out, force=force)
    manifest.write("impute", "in.csv", run, about)


WHOLE = {
    "csv": table(".csv"),
    "parquet": table(".parquet"),
    "netcdf": table(".nc"),
    "zarr": table(".zarr"),
    "npy": table(".npy"),
    "npz": table(".npz"),
    "draws": Work(draws),
    "draws beside others": Work(draws_beside),
    "draws as stores": Work(stores),
    "images": Work(images),
    "model": Work(model),
    "report": Work(report),
}


def blocks(suffix: str) -> Work:
    def source(folder: Path, version: int) -> None:
        path, x = folder / f"in{version}{suffix}", cells(version)
        x[1:3, 1] = np.nan
        data = xarray.Dataset({"v": (("n", "y", "x"), x[:, None])})
        if suffix == ".npy":
            np.save(path, x)
        elif suffix == ".parquet":
            columns = {"a": x[:, 0], "b": pyarrow.array(x[:, 1], from_pandas=True)}
            parquet.write_table(pyarrow.table(columns), path)
        elif suffix == ".nc":
            data.to_netcdf(path, engine="h5netcdf")
        else:
            data.to_zarr(path, consolidated=False, encoding={"v": {"chunks": (2, 1, 3)}})

    def make(folder: Path, version: int, force: bool) -> None:
        ends = (str(folder / f"{name}{suffix}") for name in (f"in{version}", "out"))
        method = "mean" if suffix in (".npy", ".parquet") else "harmonic"
        impute_file.impute_file(*ends, method, block_rows=2, sample_rows=4, force=force)

    return Work(make, source)


def drawn_source(folder: Path, version: int) -> None:
    x = np.random.default_rng(version).normal(size=(12, 2)).astype(np.float32)
    np.save(folder / f"in{version}.npy", np.where(np.arange(24).reshape(12, 2) % 5 == 1, np.nan, x))


def drawn_blocks(folder: Path, version: int, force: bool) -> None:
    quick = {"steps": 1, "updates": 1, "keep": 2, "block_rows": 6, "completions": 2}
    impute_file.impute_file(
        f"{folder}/in{version}.npy", f"{folder}/out/", "mice", force=force, **quick
    )


BLOCKS = {
    "npy": blocks(".npy"),
    "parquet": blocks(".parquet"),
    "netcdf": blocks(".nc"),
    "zarr": blocks(".zarr"),
    "draws": Work(drawn_blocks, drawn_source),
}
MIXED = {
    "draws",
    "draws beside others",
    "draws as stores",
    "images",
}  # of files that move one by one


@pytest.mark.parametrize("old", [False, True], ids=["new", "forced"])
@pytest.mark.parametrize("name", WHOLE)
def test_written_whole(name, old, tmp_path, monkeypatch):
    one_by_one = name in MIXED and (old or name == "draws beside others")
    assert walk(WHOLE[name], tmp_path, monkeypatch, old, one_by_one) > 3


@pytest.mark.parametrize("old", [False, True], ids=["new", "forced"])
@pytest.mark.parametrize("name", ["zarr", "model"])
def test_where_folders_cannot_be_exchanged_in_one_step(name, old, tmp_path, monkeypatch):
    monkeypatch.setattr(_rename, "_system_call", lambda: None)
    assert walk(WHOLE[name], tmp_path, monkeypatch, old, old) > 3


@pytest.mark.parametrize("old", [False, True], ids=["new", "forced"])
@pytest.mark.parametrize("name", BLOCKS)
def test_written_by_blocks(name, old, tmp_path, monkeypatch):
    assert walk(BLOCKS[name], tmp_path, monkeypatch, old, False) > 10


def walk(work: Work, tmp_path: Path, patch: pytest.MonkeyPatch, old: bool, one_by_one: bool) -> int:
    """Die before each change, do the same again, and look at all that is there.

    Args:
        work: what is done.
        tmp_path: an empty folder.
        patch: of the test.
        old: whether an older result is there, and replaced by force.
        one_by_one: whether files of both may be there until the same is done again.

    Returns:
        How many changes there are.
    """
    patch.setattr(tempfile, "tempdir", str(tmp_path))

    def fresh(name: str) -> Path:
        place = tmp_path / name
        place.mkdir()
        for version in (0, 1):
            work.source(place, version)
        if old:
            work.make(place, 0, False)
        return place

    before, place = contents(fresh("before")), fresh("after")
    work.make(place, 1, old)
    after = contents(place)
    at, done = 0, False
    while not done:
        place = fresh(f"at{at}")
        with dying(patch, at) as seen:
            work.make(place, 1, old)
            done = True
        words = f"killed after {at} changes, the last of them {seen[-1:]}"
        assert one_by_one or results(contents(place)) in (results(before), results(after)), words
        refused = ""
        try:
            work.make(place, 1, old)
        except ji.OutputError as error:
            refused = str(error)
        # nothing was forced, and the result is there
        assert not refused or (not old and "pass --force" in refused), words
        assert contents(place) == after, words
        at += 1
    return at


def results(held: dict[str, bytes]) -> dict[str, bytes]:
    """Of what lies in a folder, what was to be written."""
    return {name: each for name, each in held.items() if name.startswith("out")}


def contents(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder, however deep; of NetCDF the cells, as such files tell the time."""
    return {
        str(each.relative_to(folder)): _read(each) for each in folder.rglob("*") if each.is_file()
    } | {str(each.relative_to(folder)): b"" for each in folder.glob(".*")}


def _read(file: Path) -> bytes:
    if file.suffix != ".nc":
        place = str(file.parent)  # reports hold it
        return file.read_bytes().replace(place.encode(), b"")
    with xarray.open_dataset(file, engine="h5netcdf") as data:
        return data["v"].to_numpy().tobytes()


KILLED = """
import os, signal, sys
from jaximpute.files import atomic

put = atomic.put

def die(*arguments, **keywords):
    put(*arguments, **keywords)
    os.kill(os.getpid(), signal.SIGKILL)

atomic.put = die
from jaximpute.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "in.csv", "--save", "out", "--method", "mean"),
        ("impute", "in.npy", "-o", "out.npy", "--method", "mean", "--block-rows", "2"),
    ],
    ids=["model", "stream"],
)
def test_a_process_killed_when_the_result_is_in_its_place(arguments, tmp_path):
    x = cells(0)
    x[1, 1] = np.nan
    np.save(tmp_path / "in.npy", x)
    pd.DataFrame(x, columns=list("abc")).to_csv(tmp_path / "in.csv", index=False)

    def command(code: str, *more: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", code, *more],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "PYTHONPATH": str(Path(ji.__file__).parent.parent)},
        )

    killed = command(KILLED, *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = {each.name for each in tmp_path.iterdir()}
    assert len(left) == 4  # the inputs, the result, and where it was made
    again = command("from jaximpute.__main__ import main; main()", *arguments)
    assert again.returncode == 1
    assert "exists; pass --force" in again.stderr
    forced = command("from jaximpute.__main__ import main; main()", *arguments, "--force")
    assert forced.returncode == 0, forced.stderr
    assert {each.name for each in tmp_path.iterdir()} == {"in.npy", "in.csv", arguments[3]}

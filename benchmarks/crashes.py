"""Commands that are killed before the K-th change of a file, for every K, and then given again.

    python -m benchmarks.crashes                    # all commands
    python -m benchmarks.crashes --of csv model     # some
    python -m benchmarks.crashes --quick            # every tenth K

Each command that writes is run in a folder of its own: to a new output, and with --force over that
of other data. A run dies before its first change of a name, of permissions or of contents, its
second, and so on to its last. Of each death three things are asked: is what lies there the old or
the new result, whole (else it is *lost*; files of a folder move one by one, each of them whole)?
Does the same command given again end with the new result, or say that it is there (else it is
*stuck*)? Does nothing else lie there then (else there is a *leftover*)? Runs with checkpoints,
which threads write, are played again from a copy of the folder before each change. A row of
`results/crashes.jsonl` for each command.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from benchmarks.harness import jobs
from tests.helpers.dying import dying
from tests.helpers.snapshots import put_back, snapshots

OUT = jobs.RESULTS / "crashes.jsonl"
FAULTS = ("lost", "stuck", "leftovers")
_COSTS = re.compile(rb"^.*,(seconds|memory_mb),.*\n", re.MULTILINE)  # of an evaluation
_TIMES = re.compile(rb"\d+(\.\d+)? s\b|\d{4}-\d\d-\d\d[ T]\d\d:\d\d[:.\d]*")

Held = dict[str, bytes]


class Command(NamedTuple):
    """A command that writes.

    Attributes:
        words: its arguments; `{in}` stands for its data, outputs begin with `out`.
        suffix: of its data.
        one_by_one: whether files of both results may lie there until it is given again.
        kept: whether it has checkpoints.
    """

    words: tuple[str, ...]
    suffix: str = ".csv"
    one_by_one: bool = False
    kept: bool = False


def _impute(end: str, *more: str, suffix: str = "", **about: Any) -> Command:
    words = ("impute", "{in}", "-o", f"out{end}", "-m", "mean", "-q", *more)
    return Command(words, suffix or end, **about)


_MICE = ("-m", "mice", "--set", "steps=2", "--set", "keep=2")
_KEPT = ("--checkpoint", "kept", "--checkpoint-every", "2")
_BLOCKS = ("--block-rows", "4")
_QUICKLY = ("--set", "steps=6", "--set", "keep=2")
COMMANDS: dict[str, Command] = {
    "csv": _impute(".csv"),
    "csv.gz": _impute(".csv.gz"),
    "parquet": _impute(".parquet"),
    "netcdf": _impute(".nc", "--fill-unseen"),
    "zarr": _impute(".zarr", "--fill-unseen"),
    "npy": _impute(".npy"),
    "npz": _impute(".npz"),
    "images": _impute("", suffix="images", one_by_one=True),
    "plot, report": _impute(".csv", "--plot", "out.png", "--report", "out.json", one_by_one=True),
    "draws": Command(("impute", "{in}", "-o", "out/", "--draws", "2", "-q", *_MICE), ".csv", True),
    "blocks npy": _impute(".npy", *_BLOCKS),
    "blocks parquet": _impute(".parquet", *_BLOCKS),
    "blocks netcdf": _impute(".nc", *_BLOCKS, "--fill-unseen"),
    "blocks zarr": _impute(".zarr", *_BLOCKS, "--fill-unseen"),
    "blocks draws": Command(
        ("impute", "{in}", "-o", "out/", "--draws", "2", "-q", *_MICE, *_BLOCKS), ".npy"
    ),
    "model": Command(("fit", "{in}", "--save", "out", "-m", "mean", "-q")),
    "model, report": Command(
        ("fit", "{in}", "--save", "out", "-m", "mean", "-q", "--report", "out.json"),
        one_by_one=True,
    ),
    "apply": Command(("apply", "model", "{in}", "-o", "out.csv", "-q")),
    "apply, report": Command(
        ("apply", "model", "{in}", "-o", "out.csv", "-q", "--report", "out.json"), one_by_one=True
    ),
    "simulate": Command(
        ("simulate", "{in}", "-o", "out.csv", "--mask", "out_mask.csv", "--rate", "0.2"),
        ".csv",
        True,
    ),
    "forecast": Command(
        (
            "forecast",
            "{in}",
            "-o",
            "out.csv",
            "--time",
            "t",
            "--horizon",
            "2",
            "--context",
            "4",
            "--draws",
            "3",
            "-m",
            "window_gaussian",
            "-q",
        ),
        ".times.csv",
    ),
    "page": Command(
        ("report", "{in}", "-o", "out.html", "-m", "mean", "--no-scores", "-q"), ".long.csv"
    ),
    "scores": Command(
        ("evaluate", "{in}", "-o", "out.csv", "-m", "mean", "-m", "median", "--repeats", "1", "-q"),
        ".long.csv",
    ),
    "picture of holes": Command(("inspect", "{in}", "--plot", "out.png")),
    "fit, checkpoints": Command(
        ("fit", "{in}", "--save", "out", "-m", "mice", "-q", *_QUICKLY, *_KEPT), kept=True
    ),
    "impute, checkpoints": Command(
        ("impute", "{in}", "-o", "out.csv", "-m", "mice", "-q", *_QUICKLY, *_KEPT), kept=True
    ),
    "train, checkpoints": Command(("train", "{in}", "-q"), ".toml", kept=True),
}


def source(path: Path, version: int) -> None:
    """Data of a version, by the suffix."""
    draw = np.random.default_rng(version)
    n = 60 if path.name.endswith(".long.csv") else 12  # enough cells to hide
    x = draw.normal(size=(n, 2)).round(3)
    x[np.arange(2 * n).reshape(n, 2) % 5 == 1] = np.nan
    frame = pd.DataFrame(x, columns=["a", "b"])
    suffix = path.name.removeprefix(f"in{version}")
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".npy":
        np.save(path, x.astype(np.float32))
    elif suffix == ".npz":
        np.savez(path, values=x)
    elif suffix in (".nc", ".zarr"):
        import xarray

        dims = ("time", "lat", "lon")
        times = pd.date_range("2020", periods=12)
        data = xarray.Dataset(
            {"v": (dims, np.stack([x, x + 1], axis=1))},
            {"time": times, "lat": [1, 2], "lon": [1, 2]},
        )
        if suffix == ".nc":
            data.to_netcdf(path, engine="h5netcdf")
        else:
            data.to_zarr(path, consolidated=False, encoding={"v": {"chunks": (4, 2, 2)}})
    elif suffix == "images":
        from PIL import Image

        path.mkdir()
        for i in range(2):
            pixels = draw.integers(0, 255, (6, 6, 4)).astype(np.uint8)
            pixels[2:4, 2:4, 3], pixels[:2, :, 3] = 0, 255
            Image.fromarray(pixels).save(path / f"{i}.png")
    elif suffix == ".times.csv":
        frame.assign(t=pd.date_range("2020", periods=12)).to_csv(path, index=False)
    elif suffix == ".toml":
        frame.to_csv(path.with_suffix(".csv"), index=False)
        path.write_text(
            f'data = "in{version}.csv"\nsave = "out"\nmethod = "mice"\ncheckpoint = "kept"\n'
            'checkpoint_every = 2\nmesh = "data=1"\n[options]\nsteps = 6\nkeep = 2\n'
        )
    else:
        frame.to_csv(path, index=False)


def call(words: Sequence[str]) -> tuple[int, str]:
    """The command line's exit code, and what it says."""
    from typer.testing import CliRunner

    from jaximpute.cli import app

    done = CliRunner().invoke(app, list(words))
    unforeseen = done.exception is not None and not isinstance(done.exception, SystemExit)
    return (-1 if unforeseen else done.exit_code), done.output + repr(done.exception) * unforeseen


def walk(name: str, old: bool, quick: bool = False) -> dict[str, Any]:
    """Die before each change, give the command again, and count what is wrong.

    Args:
        name: of the command.
        old: whether an older result is there, and replaced by force.
        quick: look only at every tenth change.

    Returns:
        The row.
    """
    command, here = COMMANDS[name], Path.cwd()
    counts, changes = dict.fromkeys(FAULTS, 0), 0
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        place, start = Path(folder, "place"), Path(folder, "start")
        place.mkdir()
        os.chdir(place)
        try:
            for version in (0, 1):
                source(Path(f"in{version}{command.suffix}"), version)
            if "model" in command.words:
                _run(command._replace(words=("fit", "{in}", "--save", "model", "-m", "mean")), 0)
            if old:
                _run(command, 0)
                shutil.rmtree("kept", ignore_errors=True)
            before = contents(place)
            os.chdir(here)
            shutil.copytree(place, start)
            os.chdir(place)
            # before any death: a module that dies while it is imported stays broken
            after = _after(command, start, old)
            os.chdir(here)
            for at in _deaths(command, place, start, Path(folder, "copies"), patch, old):
                changes += 1
                if quick and at % 10:
                    continue
                os.chdir(place)
                for fault in _look(command, place, old, before, after):
                    counts[fault] += 1
                    print(f"{name}, {'forced' if old else 'new'}: {fault} at {at}", flush=True)
                os.chdir(here)
        finally:
            os.chdir(here)
    return {"what": "crashes", "of": name, "forced": old, "deaths": changes, **counts}


_ENDS: dict[tuple[Command, bool], Held] = {}


def _after(command: Command, start: Path, old: bool) -> Held:
    """The new result, of a run that nothing ended; run in the place of all others."""
    if (command, old) not in _ENDS:
        place, aside = Path.cwd(), Path.cwd().with_name("aside")
        place.rename(aside)
        shutil.copytree(start, place)
        os.chdir(place)
        _run(command, 1, *["--force"] * old)
        _ENDS[command, old] = contents(place)
        shutil.rmtree(place)
        aside.rename(place)
        os.chdir(place)
    return _ENDS[command, old]


def _deaths(
    command: Command, place: Path, start: Path, copies: Path, patch: pytest.MonkeyPatch, old: bool
) -> Any:
    """The folder as each death leaves it, one after another, each with its number."""
    here = Path.cwd()
    force = ["--force"] * old
    if command.kept:
        with snapshots(patch, place, copies) as taken:
            os.chdir(place)
            _run(command, 1, *force)
            os.chdir(here)
        for at, copy in enumerate(taken):
            put_back(copy, place)
            yield at
        return
    at, done = 0, False
    while not done:
        put_back(start, place)
        os.chdir(place)
        with dying(patch, at):
            _run(command, 1, *force)
            done = True
        os.chdir(here)
        yield at
        at += 1


def _run(command: Command, version: int, *more: str) -> None:
    code, text = call(_arguments(command, version, *more))
    if code:
        raise RuntimeError(f"{' '.join(_arguments(command, version, *more))}: {code}: {text}")


def _arguments(command: Command, version: int, *more: str) -> list[str]:
    data = f"in{version}{command.suffix}"
    return [word.replace("{in}", data) for word in (*command.words, *more)]


def _look(command: Command, place: Path, old: bool, before: Held, after: Held) -> list[str]:
    """What is wrong after a death, and after the same command given again."""
    faults, found = [], results(contents(place))
    if command.one_by_one:
        known = {(name, data) for held in (before, after) for name, data in held.items()}
        lost = not set(found.items()) <= known or (old and found.keys() < results(before).keys())
    else:
        lost = found not in (results(before), results(after))
    again = ["--force"] * old + ["--resume"] * command.kept
    code, text = call(_arguments(command, 1, *again))
    # nothing was forced, and the result, or a part of it, is there
    refused = not old and code in (1, 2) and "; pass --force" in " ".join(text.split())
    whole = results(contents(place)) == results(after)
    if refused and not whole and command.one_by_one:
        code, text = call(_arguments(command, 1, "--force", *again))
        whole, refused = results(contents(place)) == results(after), code == 0
    if lost:
        faults.append("lost")
    if not whole or (code and not refused):
        faults.append("stuck")
        print(text, flush=True)
    ours = {name for name in contents(place) if not name.startswith("kept")}
    strange = ours - after.keys() - before.keys()
    if command.kept:
        strange |= {each.name for each in Path("kept").iterdir() if "tmp" in each.name}
    if strange:
        faults.append("leftovers")
    return faults


def results(held: Held) -> Held:
    """Of what lies in a folder, what was to be written."""
    hidden = {name for name in held if any(part.startswith(".") for part in Path(name).parts)}
    return {name: held[name] for name in held.keys() - hidden if name.startswith("out")}


def contents(folder: Path) -> Held:
    """All that lies in a folder, without what tells the time."""
    files = (each for each in folder.rglob("*") if each.is_file())
    hidden = {str(each.relative_to(folder)): b"" for each in folder.glob(".*")}
    return {str(each.relative_to(folder)): _read(each) for each in files} | hidden


def _read(file: Path) -> bytes:
    if file.suffix == ".nc":
        import xarray

        with xarray.open_dataset(file, engine="h5netcdf") as data:
            return data["v"].to_numpy().tobytes()
    data = file.read_bytes()
    if file.name == "out.json":
        held = json.loads(data)
        held.pop("seconds", None)
        held.get("settings", {}).pop("force", None)
        return json.dumps(held, sort_keys=True).encode()
    if file.suffix == ".html":
        return _TIMES.sub(b"", data)
    return _COSTS.sub(b"", data) if file.name == "out.csv" else data


def main(given: Sequence[str] | None = None, measure: Callable[..., dict[str, Any]] = walk) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--quick", action="store_true", help="every tenth change")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    for name in options.of:
        for old in (False, True):
            row = measure(name, old, options.quick)
            jobs.append(out, row)
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

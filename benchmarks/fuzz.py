"""Damaged inputs of every kind end in an exit code that is documented, and in words.

    python -m benchmarks.fuzz --inputs 10000 [--kinds csv,model] [--seed 0]

Valid files are made, damaged at random (bytes changed, cut, doubled, values of JSON and TOML
replaced by odd ones, files of a folder taken away) and given to the command line within another
process, which is ended if it does not come back. An input fails if the command ends with an exit
code that is not documented, says that something was not foreseen, shows a traceback, takes longer
than two minutes, leaves a folder of its own behind, or changes a cell that the input holds. One row
for each kind goes to `benchmarks/results/fuzz.jsonl`.
"""

import argparse
import functools
import json
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.harness import fuzz_same, fuzz_watch

CODES = {0, 1, 2, 3, 4, 5, 130}
SECONDS = 120
RESULTS = Path(__file__).parent / "results" / "fuzz.jsonl"
ODD = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**20, -(10**30), 0.5, 1e308, -1e-320, "", "x",
    "nan", "-999", "../..", "\0", "a" * 300, "ü\u202e", [], [[1]], ["x"], {}, {"x": 1}, {"": []},
]  # fmt: skip
WORDS = [
    b"", b"nan", b"inf", b"-1.#IND", b"1e999", b"\x00", b"\xff\xfe", b'"', b"'", b",", b";", b"\n",
    b"\r", b"[", b"]", b"{", b"}", b"=", b"9" * 20, b"-0", b"true", b"null", b"2020-13-45", b"\t",
]  # fmt: skip


class Kind(NamedTuple):
    """A kind of input.

    Attributes:
        make: writes a valid one, to a path.
        name: of that.
        command: the arguments for it, and where to write.
    """

    make: Callable[[Path], None]
    name: str
    command: Callable[[Path, Path], list[str]]


class Late(BaseException):
    """Time is over; no error that the command may take for one of its own."""


class Outcome(NamedTuple):
    """What came of one input: its exit code, and what is wrong with that; empty if nothing is."""

    code: int
    wrong: str


def rows() -> pd.DataFrame:
    """A small table with holes."""
    draw = np.random.default_rng(0)
    x = np.where(draw.random((12, 3)) < 0.2, np.nan, draw.normal(size=(12, 3)).round(3))
    return pd.DataFrame(x, columns=["a", "b", "c"])


def fills(suffix: str) -> Callable[[Path, Path], list[str]]:
    """Complete a file of a format, in that format."""
    return lambda path, out: [
        *("impute", str(path), "-o", f"{out}/out{suffix}", "--method", "mean", "-q"),
        *("--report", f"{out}/r.json"),
    ]


def _grid(path: Path) -> None:
    import xarray

    x = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
    x[1, 1, 1] = np.nan
    times = pd.date_range("2020", periods=4)
    data = xarray.Dataset({"v": (("time", "lat", "lon"), x)}, {"time": times, "lat": [1, 2, 3]})
    if path.suffix == ".nc":
        data.to_netcdf(path, engine="h5netcdf")
    else:
        data.to_zarr(path, consolidated=False)


def _stations(path: Path) -> None:
    import xarray

    x = np.random.default_rng(0).normal(size=(6, 2)).round(2)
    x[2, 1] = np.nan
    data = xarray.Dataset(
        {"v": (("time", "station"), x), "w": ("time", x[:, 1])},
        {"time": pd.date_range("2020", periods=6), "station": ["a", "b"]},
    )
    packed = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -999}
    data.to_netcdf(path, engine="h5netcdf", encoding={"v": packed})


def _images(path: Path) -> None:
    from PIL import Image

    path.mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 255, (6, 6, 4)).astype(np.uint8)
        pixels[2:4, 2:4, 3], pixels[:2, :, 3] = 0, 255
        Image.fromarray(pixels).save(path / f"{i}.png")


def _model(path: Path) -> None:
    import jaximpute as ji

    ji.Imputer("gaussian", random_state=0).fit(rows()).save(path)


def _settings(path: Path) -> None:
    path.write_text(
        'method = "mean"\npreset = "fast"\nseed = 3\nmissing = ["-999", "x"]\nforce = true\n'
        "quiet = true\ncheckpoint_every = 2\nresume = false\n[options]\n"
    )


def _training(path: Path) -> None:
    rows().to_csv(path.parent / "in.csv", index=False)
    path.write_text(
        f'data = "{path.parent / "in.csv"}"\nsave = "model"\nmethod = "mean"\n'
        'preset = "fast"\nseed = 1\nleave = ["a"]\naccumulate = 1\nmesh = "all"\n'
    )


def _manifest(path: Path) -> None:
    data = path.parent / "in.csv"
    rows().to_csv(data, index=False)
    out = str(path.parent / "made.csv")
    _call(["impute", str(data), "-o", out, "--method", "mean", "--report", str(path), "--force"])


def _table(path: Path, out: Path, *arguments: str) -> list[str]:
    data = path.parent / "in.csv"
    rows().to_csv(data, index=False)
    return [*arguments, str(data), "-o", f"{out}/out.csv", "-q"]


def _settled(path: Path, out: Path) -> list[str]:
    return _table(path, out, "impute", "--method", "mean", "--config", str(path))


KINDS = {
    "csv": Kind(lambda path: rows().to_csv(path, index=False), "x.csv", fills(".csv")),
    "parquet": Kind(lambda path: rows().to_parquet(path), "x.parquet", fills(".parquet")),
    "netcdf": Kind(_grid, "x.nc", fills(".nc")),
    "zarr": Kind(_grid, "x.zarr", fills(".zarr")),
    "npy": Kind(lambda path: np.save(path, rows().to_numpy()), "x.npy", fills(".npy")),
    "npz": Kind(lambda path: np.savez(path, values=rows().to_numpy()), "x.npz", fills(".npz")),
    "stations": Kind(_stations, "x.nc", fills(".nc")),
    "images": Kind(_images, "pictures", fills("")),
    "settings": Kind(_settings, "x.toml", _settled),
    "training": Kind(
        _training, "t.toml", lambda path, out: ["train", str(path), "--save", f"{out}/m", "-q"]
    ),
    "manifest": Kind(_manifest, "x.json", lambda path, out: ["reproduce", str(path), "-q"]),
    "model": Kind(_model, "model", lambda path, out: _table(path, out, "apply", str(path))),
}


def attempt(kind: str, number: int, seed: int = 0) -> Outcome:
    """Damage one input and give it to the command line.

    Args:
        kind: a name of `KINDS`.
        number: of the input; the same number and seed make the same input.
        seed: of all inputs.

    Returns:
        The outcome.
    """
    draw, chosen = random.Random(f"{seed}/{kind}/{number}"), KINDS[kind]
    with tempfile.TemporaryDirectory() as place:
        given, out = Path(place, "in"), Path(place, "out")
        given.mkdir()
        out.mkdir()
        path = given / chosen.name
        source = _valid(kind)
        shutil.copytree(source, given, dirs_exist_ok=True)
        _damage(draw, path)
        code, text = _call(chosen.command(path, out))
        left = [each.name for each in out.rglob(".*")]
        wrong = _wrong(code, text, left)
        if not wrong and code == 0:
            wrong = fuzz_same.changed(path, out / f"out{path.suffix}")
        return Outcome(code, wrong)


@functools.cache
def _valid(kind: str) -> Path:
    folder = Path(tempfile.mkdtemp())
    KINDS[kind].make(folder / KINDS[kind].name)
    return folder


def _wrong(code: int, text: str, left: list[str]) -> str:
    last = text.strip().splitlines()[-1:] or [""]
    if code not in CODES:
        return f"exit code {code}: {last[0]}"
    for words in ("not foreseen", "Traceback"):
        if words in text:
            return next((line for line in text.splitlines() if "Error" in line), last[0])
    if code and not text.strip():
        return f"exit code {code}, and no word"
    return f"left {left[0]}" if left else ""


def _call(arguments: list[str]) -> tuple[int, str]:
    """The command line's exit code, and all it says."""
    from typer.testing import CliRunner

    from jaximpute.cli import app

    def late(*_: Any) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        done = CliRunner().invoke(app, arguments)
    except Late:
        return -1, f"takes longer than {SECONDS} s"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    unknown = done.exception is not None and not isinstance(done.exception, SystemExit)
    return (-1 if unknown else done.exit_code), done.output + repr(done.exception) * unknown


def _damage(draw: random.Random, path: Path) -> None:
    """Change a file, or one of a folder."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    for _ in range(draw.choice([1, 1, 2, 4])):
        file = draw.choice(files)
        if not file.is_file():
            continue
        if path.is_dir() and draw.random() < 0.1:
            _displace(draw, file)
        elif file.suffix == ".json" and draw.random() < 0.6:
            _in_json(draw, file)
        elif file.suffix == ".toml" and draw.random() < 0.6:
            _in_toml(draw, file)
        else:
            file.write_bytes(_bytes(draw, file.read_bytes()))


def _displace(draw: random.Random, file: Path) -> None:
    """Put something else in a file's place, or nothing."""
    file.unlink()
    how = draw.choice(["gone", "folder", "pipe", "zero", "circle"])
    if how == "folder":
        file.mkdir()
    elif how == "pipe":
        import os

        os.mkfifo(file)
    elif how == "zero":
        file.symlink_to("/dev/zero")
    elif how == "circle":
        file.symlink_to(file)


def _in_json(draw: random.Random, file: Path) -> None:
    """Replace, add or take away a value of JSON, somewhere in it."""
    try:
        held = json.loads(file.read_text())
    except (ValueError, OSError):
        return
    inner = held
    while isinstance(inner, dict | list) and inner:
        key = draw.choice(list(inner)) if isinstance(inner, dict) else draw.randrange(len(inner))
        deeper = inner[key]
        if isinstance(deeper, dict | list) and deeper and draw.random() < 0.7:
            inner = deeper
            continue
        if draw.random() < 0.15:
            del inner[key]
        else:
            inner[key] = draw.choice(ODD)
        break
    file.write_text(json.dumps(held))


def _in_toml(draw: random.Random, file: Path) -> None:
    """Replace the value of a line of TOML, or set something else."""
    from jaximpute.cli import settings

    lines = file.read_text(errors="replace").splitlines()
    if not lines:
        return
    if draw.random() < 0.3:
        lines.insert(0, f"{draw.choice(sorted(settings.names(settings.ImputeSettings)))} = 1")
    i = 0 if draw.random() < 0.3 else draw.randrange(len(lines))
    odd = draw.choice([each for each in ODD if each is not None])
    value = json.dumps(odd) if not isinstance(odd, dict) else "{x = 1}"
    lines[i] = f"{lines[i].partition('=')[0].strip()} = {value}"
    file.write_text("\n".join(lines), errors="replace")


def _bytes(draw: random.Random, data: bytes) -> bytes:
    """Change bytes."""
    place = draw.randrange(len(data) + 1)
    length = min(draw.choice([1, 1, 4, 16, 200]), len(data) - place)
    how = draw.randrange(6)
    if how == 0:  # one bit
        if not data:
            return data
        place = min(place, len(data) - 1)
        return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
    new = {
        1: b"",  # taken away
        2: data[place : place + length] * 2,
        3: draw.randbytes(length),
        4: draw.choice(WORDS),
    }
    if how == 5:
        return data[:place]  # cut
    return data[:place] + new[how] + data[place + length :]


def _most() -> float:
    """Megabytes that the largest of the processes has had; each lives on for all inputs."""
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Fuzz, print what is wrong, and keep a row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="append rows to the results")
    asked = parser.parse_args()
    kinds = asked.kinds.split(",")
    for kind in kinds:
        tried, codes, wrong = asked.inputs // len(kinds), Counter(), Counter()
        inputs = [(kind, number, asked.seed) for number in range(tried)]
        slowest, begun = 0.0, time.monotonic()
        for (_, number, _), outcome, why in fuzz_watch.each(attempt, inputs, SECONDS + 30):
            code, words = outcome or Outcome(-1, why)
            codes[code] += 1
            slowest, begun = max(slowest, time.monotonic() - begun), time.monotonic()
            if words:
                wrong[words.replace("\n", " ")[:150]] += 1
                print(f"{kind} {number}: {words[:200]}", flush=True)
        row = {
            "kind": kind,
            "inputs": tried,
            "seed": asked.seed,
            "codes": {str(code): n for code, n in sorted(codes.items())},
            "failed": sum(wrong.values()),
            "slowest_seconds": round(slowest, 1),  # the first, which compiles, counted
            "most_mb": round(_most(), 1),
        }
        print(json.dumps(row), flush=True)
        if asked.keep:
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()

"""Runs in places that fail: is the result right, or the error named, and nothing lost?

    python -m benchmarks.surroundings                   # all of them
    python -m benchmarks.surroundings --of full --tries 40 --seed 0
    python -m benchmarks.surroundings --quick           # two tries of each

Each try ends well if the command exits with a documented code and, where that is not 0, says in
words of its own why; if the result is bit for bit that of an undisturbed run, or what was there
before is still there; if no file of the program's own is left but what a later run goes on from;
and, where the disturbance can be taken away, if the same command then ends with the right result. A
row of `results/surroundings.jsonl` for each kind, with what went wrong. Linux, as root: a small
disk is mounted to be full; elsewhere files are limited in length instead.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.crashes import call, contents, results
from benchmarks.harness import jobs

OUT = jobs.RESULTS / "surroundings.jsonl"
CODES = {0, 1, 2, 3, 4, 5, 130}
_MAIN = "from jaximpute.__main__ import main; main()"
KEPT = (".unfinished", "kept", "ballast")  # what a later run goes on from, and what fills a disk

# commands with a result `out...`, made of `in...`
COMMANDS: dict[str, tuple[str, ...]] = {
    "csv": ("impute", "{in}.csv", "-o", "{out}.csv", "-m", "mean", "-q"),
    "parquet": ("impute", "{in}.parquet", "-o", "{out}.parquet", "-m", "mean", "-q"),
    "zarr": ("impute", "{in}.zarr", "-o", "{out}.zarr", "-m", "mean", "-q", "--fill-unseen"),
    "model": ("fit", "{in}.csv", "--save", "{out}", "-m", "mean", "-q"),
    "npy": ("impute", "{in}.npy", "-o", "{out}.npy", "-m", "mean", "-q", "--block-rows", "200"),
    "checkpoints": (
        *("impute", "{in}.csv", "-o", "{out}.csv", "-m", "mice", "-q", "--set", "steps=4"),
        *("--set", "keep=2", "--checkpoint", "{kept}", "--resume"),
    ),
}  # fmt: skip

Fault = str
Try = Callable[[Path, random.Random], list[Fault]]


def sources(folder: Path, version: int = 0, rows: int = 800) -> None:
    """Data with holes in several formats: `in.csv` and others."""
    draw = np.random.default_rng(version)
    x = np.where(draw.random((rows, 3)) < 0.2, np.nan, draw.normal(size=(rows, 3)).round(3))
    frame = pd.DataFrame(x, columns=["a", "ü", "c"])
    frame.to_csv(folder / "in.csv", index=False)
    frame.to_parquet(folder / "in.parquet")
    np.save(folder / "in.npy", x)
    import xarray

    data = xarray.Dataset({"v": (("time", "lat", "lon"), x[:90].reshape(30, 3, 3))})
    data.to_zarr(folder / "in.zarr", consolidated=False, mode="w")


def arguments(name: str, into: Path | str, source: str = "in", out: str = "out") -> list[str]:
    """The arguments of a command that writes into a folder."""
    places = {"{in}": source, "{out}": f"{into}/{out}", "{kept}": f"{into}/kept"}
    given = list(COMMANDS[name])
    for i, word in enumerate(given):
        for mark, place in places.items():
            word = word.replace(mark, place)
        given[i] = word
    return given


_RIGHT: dict[str, dict[str, bytes]] = {}


def right(name: str) -> dict[str, bytes]:
    """The result of an undisturbed run."""
    if name not in _RIGHT:
        with tempfile.TemporaryDirectory() as place:
            code, text = call(arguments(name, place))
            if code:
                raise RuntimeError(text)
            _RIGHT[name] = results(contents(Path(place)))
    return _RIGHT[name]


def look(code: int, text: str, into: Path, name: str, before: dict[str, bytes]) -> list[Fault]:
    """What is wrong after a run."""
    faults = [] if code in CODES else [f"{name}: exit code {code}"]
    if "not foreseen" in text or "Traceback" in text or (code and not text.strip()):
        faults.append(f"{name}: {' '.join(text.split())[:160] or 'no word'}")
    held = contents(into)
    if results(held) != (right(name) if code == 0 else before):
        faults.append(f"{name}: another result after exit code {code}")
    left = [each for each in held if not each.startswith("out")]
    faults += [f"{name}: {each} is left" for each in left if not any(kept in each for kept in KEPT)]
    return faults


def full(place: Path, draw: random.Random) -> list[Fault]:
    """The disk is full at a random byte, and then is not."""
    name, old = draw.choice(list(COMMANDS)), draw.random() < 0.5
    sizes = sum(map(len, right(name).values()))
    with small_disk(place, int(sizes * (4 if old else 2)) + 2**17) as resize:
        before = {}
        if old:
            (place / "kept").mkdir(exist_ok=True)
            code, text = call(arguments(name, place))
            if code:
                return [f"{name}: before anything was full: {text}"]
            shutil.rmtree(place / "kept")
            before = results(contents(place))
        room = draw.randrange(max(sizes, 2**14))
        resize(room)
        given = [*arguments(name, place), *["--force"] * old]
        code, text = call(given)
        faults = look(code, text, place, name, before)
        resize(None)
        if code:
            code, text = call(given)
            faults += look(code, text, place, name, before)
            if code:
                faults.append(f"{name}: {code} with room again: {text[:160]}")
        return faults


@contextlib.contextmanager
def small_disk(place: Path, whole: int) -> Iterator[Callable[[int | None], None]]:
    """A disk of its own, of which only so many bytes are free; None gives it all its room."""
    mounted = (
        os.getuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={whole + 2**22}", "tmpfs", str(place)],
            capture_output=True,
        ).returncode
    )

    def resize(room: int | None) -> None:
        if mounted:
            ballast = place / "ballast"
            ballast.unlink(missing_ok=True)
            if room is not None:
                free = shutil.disk_usage(place).free
                with contextlib.suppress(OSError):
                    ballast.write_bytes(b"\0" * max(0, free - room))
        else:
            import resource

            most = resource.RLIM_INFINITY if room is None else room
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    try:
        yield resize
    finally:
        resize(None)
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def read_only(place: Path, draw: random.Random) -> list[Fault]:
    """Nothing can be written where the result is to go, to old or new ones."""
    name, old = draw.choice(list(COMMANDS)), draw.random() < 0.5
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)
    try:
        if old:
            call(arguments(name, place))
            shutil.rmtree(place / "kept", ignore_errors=True)
        before = results(contents(place))
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        code, text = call([*arguments(name, place), *["--force"] * old])
        faults = [] if code == 1 else [f"{name}: exit code {code}: {text[:160]}"]
        return faults + look(code, text, place, name, before)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def together(place: Path, draw: random.Random) -> list[Fault]:
    """Two processes write one output, and use one folder of checkpoints."""
    name = draw.choice(["csv", "npy", "checkpoints", "model"])
    given = [sys.executable, "-c", _MAIN, *arguments(name, place)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = []
    for _ in range(2):
        started.append(subprocess.Popen(given, **pipes))
        time.sleep(draw.random() * 0.3)
    ended = [(one.communicate()[0], one.returncode) for one in started]
    faults = [] if any(code == 0 for _, code in ended) else [f"{name}: none came through"]
    for text, code in ended:
        faults += [
            each for each in look(code, text, place, name, right(name)) if "kept" not in each
        ]
    return faults


def changing(place: Path, draw: random.Random) -> list[Fault]:
    """The source is written anew at a random moment, by another process or by a thread."""
    name = draw.choice(["csv", "npy", "parquet"])
    versions = []
    for version in range(2):
        folder = place / f"source{version}"
        folder.mkdir()
        sources(folder, version)
        call(arguments(name, place, f"{folder}/in"))
        versions.append(results(contents(place)))
        for each in place.glob("out*"):
            each.unlink()
    source = place / "source0" / f"in.{name}"
    new = (place / "source1" / f"in.{name}").read_bytes()
    in_place = draw.random() < 0.5

    def change() -> None:
        time.sleep(draw.random() * 0.3)
        if in_place:
            with source.open("r+b") as file:
                file.write(new)
                file.truncate()
        else:
            source.with_name("beside").write_bytes(new)
            os.replace(source.with_name("beside"), source)

    thread = threading.Thread(target=change)
    thread.start()
    code, text = call(arguments(name, place, f"{place}/source0/in"))
    thread.join()
    found = results(contents(place))
    if code not in CODES or "not foreseen" in text:
        return [f"{name}: {code}: {text[:160]}"]
    if code == 0 and found not in versions:
        return [f"{name}: a mixture"]
    return [f"{name}: a result after exit code {code}"] if code and found else []


def clock(place: Path, draw: random.Random) -> list[Fault]:
    """The clock is set back while a run goes on, and files lie in the future."""
    name, real, started = draw.choice(list(COMMANDS)), time.time, time.time()
    back = draw.choice([3600.0, 86400.0 * 400, started - 1.0])
    when = draw.random() * 0.2

    def late() -> float:
        now = real()
        return now if now < started + when else now - back

    time.time = late
    try:
        code, text = call(arguments(name, place))
        faults = [] if code == 0 else [f"{name}: {code}: {text[:160]}"]
        faults += look(code, text, place, name, {})
        for each in place.rglob("*"):
            os.utime(each, (started + 1e9, started + 1e9))
        more = ["--force"]
        code, text = call([*arguments(name, place), *more])
        faults += [] if code == 0 else [f"{name}: {code}: {text[:160]}"]
        return faults + look(code, text, place, name, {})
    finally:
        time.time = real


LETTERS = [
    "a\nb",
    "\t",
    "-",
    "a b",
    "ü" * 8,
    "\udcff",
    "%s{0}",
    "'\"",
    "$(x)",
    "\x1b[2J",
    "*",
    "x" * 240,
]


def names(place: Path, draw: random.Random) -> list[Fault]:
    """Names with line breaks, escapes, bytes that are no text, and of 255 bytes."""
    name = draw.choice(["csv", "parquet", "zarr", "npy"])
    stem = "".join(draw.sample(LETTERS[:-1], 2)) if draw.random() < 0.7 else LETTERS[-1]
    stem = f"out{stem}"
    if draw.random() < 0.3:
        end = len(name) + 1
        stem = stem[:9] + "y" * (255 - end - len(os.fsencode(stem[:9])))
    code, text = call(arguments(name, place, out=stem))
    if "\x1b" in text:
        return [f"{name}: an escape reaches the terminal"]
    if code:
        return [f"{name}: {stem!r}: {code}: {text[:160]}"]
    made = place / f"{stem}.{name}"
    if not made.exists():
        return [f"{name}: {stem!r} is not there"]
    os.rename(made, place / f"out.{name}")
    faults = look(code, text, place, name, {})
    # and as a source
    os.rename(place / f"out.{name}", made)
    code, text = call(arguments(name, place, os.fsdecode(os.fsencode(str(made)[: -len(name) - 1]))))
    return faults + ([f"{name}: from {stem!r}: {code}: {text[:160]}"] if code else [])


def bare(place: Path, draw: random.Random) -> list[Fault]:
    """No home, no entry among the users, the C locale, closed or full streams."""
    how = draw.choice(["no home", "C locale", "closed stdout", "closed stdin", "full", "no reader"])
    kept = {"PYTHONPATH": str(jobs.ROOT), "PATH": os.environ["PATH"], "JAX_PLATFORMS": "cpu"}
    given = ["impute", "in.csv", "-m", "mean", "-q"]
    command = [sys.executable, "-c", _MAIN, *given]
    plain = next(iter(right("csv").values()))
    about: dict[str, Any] = {"env": kept, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    if how == "no home":
        command[2] = (
            f"import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n{_MAIN}"
        )
    if how == "C locale":
        kept |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shell = {
        "closed stdout": ">&-",
        "closed stdin": "<&-",
        "full": ">/dev/full",
        "no reader": "| true",
    }.get(how)
    if shell is not None:
        line = " ".join(f"'{word}'" for word in command)
        command = ["bash", "-o", "pipefail", "-c", f"{line} {shell}"]
    done = subprocess.run(command, **about)
    text = done.stderr.decode(errors="replace")
    if "Traceback" in text or "not foreseen" in text or "Exception ignored" in text:
        return [f"{how}: {text[:300]}"]
    fine = how in ("no home", "C locale", "closed stdin")
    if fine and (done.returncode or done.stdout != plain):
        return [f"{how}: {done.returncode}: {text[:160]}"]
    if how in ("full", "closed stdout") and done.returncode != 1:
        return [f"{how}: exit code {done.returncode}: {text[:160]}"]
    return []


KINDS: dict[str, tuple[Try, int]] = {
    "full disk": (full, 60),
    "read-only": (read_only, 12),
    "two processes": (together, 8),
    "changing source": (changing, 24),
    "clock set back": (clock, 12),
    "names": (names, 40),
    "bare": (bare, 12),
}


def measure(kind: str, tries: int, seed: int) -> dict[str, Any]:
    """All tries of a kind; the row."""
    here, wrong = Path.cwd(), dict[str, int]()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        os.chdir(folder)
        try:
            sources(Path(folder))
            for number in range(tries):
                place = Path(folder, f"try{number}")
                place.mkdir()
                for fault in KINDS[kind][0](place, random.Random(f"{seed}/{kind}/{number}")):
                    wrong[fault] = wrong.get(fault, 0) + 1
                    print(f"{kind} {number}: {fault}", flush=True)
        finally:
            os.chdir(here)
    return {
        "what": "surroundings",
        "of": kind,
        "tries": tries,
        "seed": seed,
        "failed": sum(wrong.values()),
        "wrong": sorted(wrong),
    }


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--tries", type=int, help="by default of each kind its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two tries of each")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    for kind in options.of:
        tries = 2 if options.quick else options.tries or KINDS[kind][1]
        row = measure(kind, tries, options.seed)
        jobs.append(out, row)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

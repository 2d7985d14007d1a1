"""Jobs and their rows: what is to be measured, what has been, and running the difference."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.problems import series
from jaximpute import __version__, registry

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
# SPIRIT where only the machinery is looked at (`--quick`): the numbers it gives mean nothing
SHORT = {"start": "linear", "steps": 2, "score_steps": 20, "width": 32}

Row = dict[str, Any]


class Job(NamedTuple):
    """One measurement.

    Attributes:
        data: see `problems.series.series`.
        ratio: share of hidden entries.
        seed: of the mask, and of the method.
        method: a name of the registry.
        preset: of the method.
        options: of the method, over the preset's.
        split: whether to time the stages of SPIRIT apart.
        pattern: of the holes in a table; see `problems.tables.PATTERNS`.
    """

    data: str
    ratio: float
    seed: int
    method: str
    preset: str = "balanced"
    options: dict[str, Any] = {}  # noqa: RUF012  (never changed in place)
    split: bool = False
    pattern: str = "mcar"


def settings(job: Job) -> dict[str, Any]:
    """Every option of a job's method with the value it takes, so that new defaults are new rows."""
    values = {name: parameter.default for name, parameter in registry.options(job.method).items()}
    values |= registry.presets(job.method)[job.preset] | job.options
    if values.get("start") in registry.names():  # elsewhere it is a law of first guesses
        start = Job(job.data, job.ratio, job.seed, values["start"])
        values["start_settings"] = settings(start)
    return values


def known_of_series(job: Job) -> Row:
    """The part of a row that is known before the measurement, of a series."""
    return known_of(job, series.label(job.data), series.series(job.data), settings(job))


def known_of(job: Job, label: str, values: np.ndarray, options: dict[str, Any]) -> Row:
    """The part of a row that is known before the measurement.

    Args:
        job: the job.
        label: what the rows call its data.
        values: its data.
        options: every option with its value; see `settings`.
    """
    return {
        "data": label,
        "data_sha": series.fingerprint(values),
        "ratio": job.ratio,
        "seed": job.seed,
        "pattern": job.pattern,
        "method": job.method,
        "preset": job.preset,
        "options": job.options,
        "split": job.split,
        "settings": options,
        "version": __version__,
    }


FORMS = ("noise_on", "base")  # options by which a method is another one
# MissDiff on fields is context-query diffusion under a partition of its own, and nothing beneath it
RIVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "missdiff": ("context_query", {"partition": "missdiff", "surface": "none"}),
    "context_query_draws": ("context_query", {"answer": "draw"}),
}


def name(method: str, preset: str = "balanced") -> str:
    """How a method is called on the command line and in tables: `spirit`, `spirit:paper`."""
    return method if preset == "balanced" else f"{method}:{preset}"


def called(row: Row) -> str:
    """How the method of a row is called in tables: with its form, where it is not the usual one."""
    given = row.get("options", {})
    forms = [f" {key}={given[key]}" for key in FORMS if key in given]
    return name(row["method"], row["preset"]) + "".join(forms)


def variant(row: Row, known: Sequence[str] = ()) -> str:
    """How the method of a row is called with all of its options, without those known anyway."""
    method, options = name(row["method"], row["preset"]), dict(row.get("options") or {})
    for rival, (true, own) in RIVALS.items():
        if method == true and own.items() <= options.items():
            method, options = rival, {k: v for k, v in options.items() if k not in own}
    given = [f"{key}={one}" for key, one in options.items() if key not in known]
    return f"{method}: {', '.join(given)}" if given else method


def identity(row: Row) -> tuple[Any, ...]:
    """What makes two rows measurements of the same thing."""
    options = json.dumps(row["settings"], sort_keys=True, default=str)
    settings_sha = hashlib.sha256(options.encode()).hexdigest()[:12]
    keys = ("data_sha", "ratio", "seed", "method", "preset", "split", "version")
    return (*(row[key] for key in keys), row.get("pattern", "mcar"), settings_sha)


def lines(path: Path) -> list[Row]:
    """The rows of a file, every one of them; none without a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def read(path: Path) -> list[Row]:
    """The rows of a file; of two measurements of the same thing, the later one."""
    return list({identity(row): row for row in lines(path)}.values())


def append(path: Path, row: Row) -> None:
    """Add a row, as one line: a killed run keeps what it has, and files merge line by line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row, default=str) + "\n")


def worker(module: str) -> Callable[[Job], Row]:
    """A job's measurements by a module of this folder, in a fresh process."""

    def measure(job: Job) -> Row:
        return call(
            [sys.executable, "-m", f"benchmarks.harness.{module}"], json.dumps(job._asdict())
        )

    return measure


def call(command: Sequence[str], given: str = "") -> Row:
    """The JSON that a process prints as its last line.

    Raises:
        RuntimeError: the process failed; its last line of error is in the message.
    """
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        # programs compiled by an earlier run must not make this one look faster
        env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    if done.returncode:
        raise RuntimeError(_last_line(done.stderr) or f"exit status {done.returncode}")
    return json.loads(_last_line(done.stdout))


def run(
    jobs: Iterable[Job],
    out: Path,
    *,
    again: bool = False,
    how: Callable[[Job], Row] | None = None,
    known: Callable[[Job], Row] = known_of_series,
) -> int:
    """Measure the jobs that have no row yet, one at a time, and write each as it is done.

    Args:
        jobs: what to measure.
        out: the file of rows.
        again: measure also what has a row.
        how: the measurement; by default of a series.
        known: the part of a row that is known beforehand.

    Returns:
        The number of jobs that failed.
    """
    done = {identity(row) for row in read(out)} if not again else set()
    how = how or worker("worker")
    rows = [(job, known(job)) for job in jobs]
    todo = [(job, row) for job, row in rows if identity(row) not in done]
    print(f"{len(rows) - len(todo)} rows present, {len(todo)} to measure, into {out}", flush=True)
    failed = 0
    for i, (job, row) in enumerate(todo, start=1):
        called = " ".join(
            [name(job.method, job.preset), *(f"{k}={v}" for k, v in job.options.items())]
        )
        what = f"[{i}/{len(todo)}] {row['data']} p={job.ratio} seed={job.seed} {called}"
        try:
            row |= how(job)
        except RuntimeError as error:  # a later run tries again
            failed += 1
            print(f"{what}: failed: {error}", file=sys.stderr, flush=True)
            continue
        append(out, row)
        cost = f"{row['cpu_seconds']:.1f} CPU-s, {row['peak_mb']:.0f} MB"
        print(f"{what}: MAE {row['mae']:.4f} MSE {row['mse']:.4f} ({cost})", flush=True)
    return failed


def parser(
    description: str | None,
    out: str,
    *,
    data: Sequence[str],
    ratios: Sequence[float] = RATIOS,
    seeds: int = 1,
) -> argparse.ArgumentParser:
    """The arguments that all benchmarks share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a small slice, in minutes")
    made.add_argument("--data", nargs="+", default=list(data), help="names, or CSV files")
    made.add_argument("--ratios", nargs="+", type=float, default=list(ratios))
    made.add_argument("--seeds", type=int, default=seeds, help="number of masks per ratio")
    made.add_argument("--out", type=Path, default=None, help=f"default: {out} in results/")
    made.add_argument("--again", action="store_true", help="measure also what has a row")
    made.set_defaults(file=out)
    return made


def arguments(made: argparse.ArgumentParser, given: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, with files as absolute paths and `--quick` put into them."""
    options = made.parse_args(given)
    options.data = [str(Path(d).resolve()) if d.endswith(".csv") else d for d in options.data]
    folder = RESULTS
    if options.quick:
        # quick rows are of cut series, and never mix with the full ones
        folder = RESULTS / "quick"
        options.data = [f"{options.data[0]}:1500"]
        options.ratios, options.seeds = [0.3], 1
    options.out = options.out or folder / options.file
    return options


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""

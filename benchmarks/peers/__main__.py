"""The peer a user would pick today, on the same holes: SAITS, as PyPOTS has it.

    pip install 'jaximpute[peers]'
    python -m benchmarks.peers --quick
    python -m benchmarks.peers --data etth1 --ratios 0.3 0.5

PyPOTS brings torch, which can live in an environment of its own: `--python` is the interpreter
that has it. Rows go to the same file as those of `benchmarks.series`.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import jobs as harness_jobs
from benchmarks.problems import series as series_problems

SCRIPT = Path(__file__).with_name("saits.py")

# Two layers in each block as in TSI-Bench, but half its width (d_model 256), which would cost four
# times as much on a CPU. Windows overlap: on windows side by side SAITS does worse.
SETTINGS: dict[str, Any] = {
    "window": 24,
    "stride": 4,
    "epochs": 40,
    "batch_size": 64,
    "n_layers": 2,
    "d_model": 128,
    "n_heads": 4,
    "d_k": 32,
    "d_v": 32,
    "d_ffn": 128,
    "dropout": 0.1,
    "lr": 1e-3,
}


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "series.jsonl", data=("etth1", "exchange"))
    parser.add_argument("--python", default=sys.executable, help="an interpreter with PyPOTS")
    parser.add_argument("--epochs", type=int, default=None)
    options = harness_jobs.arguments(parser, given)
    epochs = options.epochs or (1 if options.quick else SETTINGS["epochs"])
    jobs = [
        harness_jobs.Job(data, ratio, seed, "saits", options={"epochs": epochs})
        for data in options.data
        for seed in range(options.seeds)
        for ratio in options.ratios
    ]
    how = partial(measure, python=options.python)
    return harness_jobs.run(jobs, options.out, again=options.again, how=how, known=known)


def known(job: harness_jobs.Job) -> harness_jobs.Row:
    """The part of a row that is known before the measurement; the version is the script's own."""
    version = hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]
    series = series_problems.series(job.data)
    row = harness_jobs.known_of(
        job, series_problems.label(job.data), series, SETTINGS | job.options
    )
    return row | {"version": version}


def measure(job: harness_jobs.Job, python: str) -> harness_jobs.Row:
    """The job's row, from a process that knows nothing of this library.

    Raises:
        RuntimeError: the process failed.
    """
    problem = series_problems.punch(job.data, job.ratio, job.seed)
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "holed.npy"), Path(folder, "completed.npy")
        np.save(given, problem.holed.astype(np.float32))
        settings = json.dumps(SETTINGS | job.options | {"seed": job.seed})
        cost = harness_jobs.call([python, str(SCRIPT), str(given), str(made), settings])
        completed = np.load(made)
    return {**series_problems.score(problem, completed), **cost}


if __name__ == "__main__":
    sys.exit(min(main(), 1))

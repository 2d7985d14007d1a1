"""What size costs: rows, hooks, checkpoints and streams.

    python -m benchmarks.scale rows --rows 1000 10000 100000 1000000
    python -m benchmarks.scale overhead
    python -m benchmarks.scale streaming

Each measurement is a line in results/scale.jsonl. Rows are measured in processes of their own, the
compilation included, and without it. The table is correlated noise: its errors mean nothing.
Predictions are measured by benchmarks.plans, kills by benchmarks.kills.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import jobs

OUT = jobs.RESULTS / "scale.jsonl"
COLUMNS = 8
STREAMED = ("gain", "missdiff")  # the cheapest steps, and usual ones
POOL = 8192  # rows that are learned from at a time, as `stream.impute_file` takes them
# fixed work on networks, so that what grows is what rows cost
METHODS = {
    "mean": {},
    "knn": {},
    "spirit": {"start": "mean", "steps": 2, "score_steps": 50, "width": 64, "batch": 256},
    "miri": {"base": "none", "steps": 2, "sgd_steps": 50, "width": 64, "batch": 256},
}


def table(rows: int) -> np.ndarray:
    """Correlated columns, a fifth of the cells missing."""
    random_ = np.random.default_rng(0)
    x = random_.normal(size=(rows, COLUMNS)) @ random_.normal(size=(COLUMNS, COLUMNS))
    return np.where(random_.random(x.shape) < 0.2, np.nan, x)


def one_size(method: str, rows: int) -> dict:
    """A whole imputation, and what `plan` says of it; in this process."""
    from jaximpute.data import frames
    from jaximpute.engine import memory
    from jaximpute.tasks import filling
    from jaximpute.tasks import plan as planning

    frame = frames.read(table(rows))
    grown, cpu, wall = memory.watch(), time.process_time(), time.perf_counter()
    filling.fill(frame, method, options=METHODS[method])
    row = {
        "what": "rows",
        "method": method,
        "rows": rows,
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - wall,
        "peak_mb": grown(),
    }
    cost = planning.measure(frame, method, options=METHODS[method])
    running = cost.seconds - cost.compile_seconds
    return row | {
        "running_seconds": running,
        "microseconds_per_row": 1e6 * running / rows,
        "program_mb": cost.program_mb,
    }


def overhead(repeats: int, steps: int) -> list[dict]:
    """The same compiled steps alone, with hooks, and with checkpoints too, in CPU-seconds."""
    import jax

    from jaximpute import registry
    from jaximpute.engine import hooks
    from jaximpute.engine import runs as training
    from jaximpute.masking import observe
    from jaximpute.tasks import report

    data = observe(table(2_000).astype(np.float32))
    options = METHODS["spirit"] | {"steps": steps}
    plan = registry.build("spirit", data, kind="table", options=options)
    plan = plan._replace(hooks=())  # no early end
    key = jax.random.key(0)

    def run(what: str) -> float:
        curve = report.Curve([], {})
        watching = [] if what == "alone" else [curve.record, hooks.progress(plan.steps)]
        with tempfile.TemporaryDirectory() as folder:
            keeping = hooks.CheckpointPolicy(folder) if what == "checkpoints" else None
            begun = time.process_time()  # of all threads, those that write included
            jax.block_until_ready(training.train(plan, key, data, watching, keeping))
            return time.process_time() - begun

    kinds = ("alone", "hooks", "checkpoints")
    run("checkpoints")  # compiles, and loads Orbax
    return _by_turns({kind: partial(run, kind) for kind in kinds}, repeats, plan.steps)


def _by_turns(runs: dict[str, Callable[[], float]], repeats: int, steps: int) -> list[dict]:
    """CPU-seconds of each kind of run, and over those of the first kind in the same turn."""
    # alternated, for the machine may be shared
    seconds = np.array([[run() for run in runs.values()] for _ in range(repeats)])
    over = seconds / seconds[:, :1] - 1
    low, middle, high = np.quantile(over, (0.25, 0.5, 0.75), axis=0)
    return [
        {
            "what": "overhead",
            "of": kind,
            "cpu_seconds": float(np.median(seconds[:, i])),
            "over_alone": float(middle[i]),
            "spread": [float(low[i]), float(high[i])],
            "steps": steps,
            "repeats": repeats,
        }
        for i, kind in enumerate(runs)
    ]


def streaming(repeats: int, steps: int) -> list[dict]:
    """The same compiled steps on rows in memory, and on others from a file after every chunk."""
    from jaximpute.streaming import feeds, formats, learning, scan
    from jaximpute.tasks.fitted import Fitted

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, table(200_000).astype(np.float32))
        source = formats.open_source(str(path))
        codec = scan.scan(source).codec
        kept = next(feeds.pools(source, POOL, 0, 1))

        def run(method: str, pools) -> float:
            begun = time.process_time()  # of all threads, those that read included
            given = source.kind, "balanced", {"steps": steps}, 0, codec, kept.shape
            learning.learn(Fitted(method, *given), pools, source.columns)
            return time.process_time() - begun

        kinds = {
            "memory": lambda: itertools.repeat(kept),
            "stream": lambda: feeds.pools(source, POOL, 0, 1),
        }

        def turn(method: str, kind: str) -> float:
            return run(method, kinds[kind]())

        rows = []
        for method in STREAMED:
            turn(method, "memory")  # compiles
            runs = {f"{method}, {kind}": partial(turn, method, kind) for kind in kinds}
            rows += _by_turns(runs, repeats, steps)
    return rows


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("rows", "overhead", "streaming", "one"))
    parser.add_argument("--rows", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--methods", nargs="+", default=["mean", "spirit"], choices=METHODS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of a run whose overhead is measured")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(given)
    if options.what == "one":  # for `rows`
        print(json.dumps(one_size(options.methods[0], options.rows[0])))
        return 0
    command = [sys.executable, "-m", "benchmarks.scale"]
    if options.what == "rows":
        found = (
            jobs.call([*command, "one", "--rows", str(rows), "--methods", method])
            for method in options.methods
            for rows in options.rows
        )
    else:
        measured = {"overhead": overhead, "streaming": streaming}[options.what]
        found = iter(measured(options.repeats, options.steps))
    for row in found:
        jobs.append(options.out, row)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

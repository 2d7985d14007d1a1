"""What do 1, 2, 4 and 8 devices change? Simulated ones, on every method that could notice.

    python -m benchmarks.devices                        # all, an hour on one core
    python -m benchmarks.devices --methods gain csdi    # some
    python -m benchmarks.devices --quick                # one, in a minute

Each method that learns by gradients, or whose state holds rows, makes one step of a tiny problem on
each number of devices, from a state that has made one, and completes its rows. Each row of
results/scale.jsonl says how far that is from the same without a mesh: raw gradients, state and
completed rows, relative to the size of each array. Then the share of the arithmetic that one device
does (by the compiler's count), the largest array that is brought together on every device, and how
many times the CPU-seconds of a step it takes, by turns with a step without a mesh, in one process.
Devices have a thread each, and work so little here that their meetings cost more than what they
compute: the ratio of CPU-seconds is what a mesh costs at the least, not what it saves.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import jobs, turns
from tests.helpers import mesh

OUT = jobs.RESULTS / "scale.jsonl"
SIZES = (1, 2, 4, 8)
SECONDS = 0.1  # of the steps that are timed at once
# those that the tests compare, and the rest; `csbi:held` keeps the first of CSBI's networks still,
# for the second learns from paths of the first
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    **mesh.ONE_UPDATE,
    "csbi0": ("series", {"base": None, "sgd_steps": 1, "heads": 1}),
    "tabcsdi": ("table", {"base": None, "sgd_steps": 1, "layers": 1, "heads": 1}),
    "ice": ("table", {}),
    "knn": ("table", {}),
    "soft_impute": ("table", {}),
}
QUICK = ("gain",)


def measure(label: str, sizes: Sequence[int], repeats: int) -> Iterator[dict[str, Any]]:
    """One method on each number of devices; in this process, which simulates them."""
    import jax

    import jaximpute as ji
    from jaximpute.engine import parallel

    def completed(method: ji.Method, state: Any, rows: ji.Observed) -> jax.Array:
        return ji.complete(method, jax.random.key(0), state, rows)

    def after(side: Any, rows: ji.Observed) -> Any:
        return side.step(jax.random.key(mesh.STEP), side.start, rows)[0]

    one = mesh.alone(label, *METHODS[label])
    expected = completed(one.plan.method, after(one, one.data), one.data)
    for size in sizes:
        many = mesh.spread(one, parallel.mesh(size))
        found = mesh.compare(one, many)
        here = completed(many.method, after(many, many.rows), many.rows)
        row = {
            "what": "devices",
            "method": label,
            "devices": size,
            "gradients": found["gradients"],
            "state": found["difference"],
            "completion": mesh.difference(expected, here[: len(expected)]),
            "rows": found["rows"],
            "entries": found["entries"],
        }
        if one.plan.steps:  # else all there is to do is the completion
            row |= {"share": found["share"], "gathered": found["gathered"]}
            row |= turns.alternate(clock(many, many.rows), clock(one, one.data), repeats)
        yield row


def clock(side: Any, rows: Any) -> Callable[[], float]:
    """CPU-seconds of all threads for one step, by as many as take long enough to be timed."""
    import jax

    key = jax.random.key(mesh.STEP)

    def seconds(steps: int) -> float:
        begun = time.process_time()
        for _ in range(steps):
            jax.block_until_ready(side.step(key, side.start, rows))
        return (time.process_time() - begun) / steps

    seconds(1)
    steps = max(1, round(SECONDS / max(seconds(1), 1e-5)))
    return lambda: seconds(steps)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--repeats", type=int, default=7, help="of what is timed")
    parser.add_argument("--quick", action="store_true", help="one method, and two numbers")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    sizes = SIZES[:2] if options.quick else SIZES
    if options.one:  # in a process of its own
        # read when the first program is compiled
        given = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = (
            f"{given} {turns.ONE_THREAD} --xla_force_host_platform_device_count={max(sizes)}"
        )
        print(json.dumps({"rows": list(measure(options.one, sizes, options.repeats))}))
        return 0
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    for label in QUICK if options.quick else options.methods:
        command = [sys.executable, "-m", "benchmarks.devices", "--one", label]
        command += ["--repeats", str(options.repeats), *["--quick"] * options.quick]
        for row in jobs.call(command)["rows"]:
            jobs.append(out, row)
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

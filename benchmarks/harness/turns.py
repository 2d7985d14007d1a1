"""Two programs that take turns on a machine that others use; one may be a twin elsewhere."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import jobs

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
Clock = Callable[[], float]


def alternate(one: Clock, other: Clock, repeats: int) -> dict[str, Any]:
    """Seconds of both, taken by turns, and how many times the second is in the first."""
    turns = [(one(), other()) for _ in range(repeats)]
    ratios = [first / second for first, second in turns]
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return {
        "ratio": round(float(middle), 3),
        "spread": [round(float(low), 3), round(float(high), 3)],
        "seconds": [float(np.median(found)) for found in zip(*turns, strict=True)],
        "repeats": repeats,
    }


class Twin(NamedTuple):
    """The same work in another library.

    Attributes:
        about: what it says of itself at the start.
        seconds: CPU-seconds of one of so many steps.
    """

    about: dict[str, Any]
    seconds: Callable[[int], float]


@contextmanager
def twin(python: str, script: str, *given: str) -> Iterator[Twin]:
    """A script of `benchmarks/peers` in a process of its own, under a Python that has PyTorch.

    It prints a line of JSON about itself, and then, for each number of steps it reads, another
    with the `seconds` of one of them.

    Raises:
        RuntimeError: it did not start.
    """
    command = [python, str(Path(__file__).parents[1] / "peers" / script), *given]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        first = run.stdout.readline()
        if not first:
            raise RuntimeError("no PyTorch there; name a Python that has it by --torch-python")

        def seconds(steps: int) -> float:
            run.stdin.write(f"{steps}\n")
            run.stdin.flush()
            return json.loads(run.stdout.readline())["seconds"]

        yield Twin(json.loads(first), seconds)
        run.stdin.close()


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that benchmarks of speed share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--torch-python", default=sys.executable, help="a Python with PyTorch")
    made.add_argument("--repeats", type=int, default=7)
    made.add_argument("--quick", action="store_true", help="small networks; means little")
    made.add_argument("--out", type=Path, default=None, help="default: a file in results/")
    return made


def write(
    made: argparse.ArgumentParser,
    given: Sequence[str] | None,
    rows: Callable[[argparse.Namespace], Iterable[dict[str, Any]]],
    out: Path,
) -> int:
    """Measure on one thread, and write each row as it is done."""
    options = made.parse_args(given)
    folder = jobs.RESULTS / "quick" if options.quick else jobs.RESULTS
    # read when the first program is compiled
    os.environ["XLA_FLAGS"] = ONE_THREAD
    for row in rows(options):
        jobs.append(options.out or folder / out.name, row)
        print(json.dumps(row), flush=True)
    return 0

"""How long until something appears: help, and the first result with and without kept programs.

    python -m benchmarks.startup

Seconds by the clock of `jaximpute --help`, of `import jaximpute`, and of a short run on a hundred
rows, with an empty cache of compiled programs (*cold*) and with that of the run before (*warm*);
beside a Python that does nothing. All take turns; a row of results/scale.jsonl has the median and
the least of several.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import jobs

OUT = jobs.RESULTS / "scale.jsonl"
ROWS, COLUMNS = 100, 4
METHODS = ("mean", "gaussian", "miri", "spirit")


def table(path: Path) -> None:
    """A small table with holes, as CSV."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 2)) @ random.normal(size=(2, COLUMNS))
    holes = random.random(x.shape) < 0.2
    lines = [",".join("abcd"[:COLUMNS])]
    for values, missing in zip(x, holes, strict=True):
        lines.append(
            ",".join("" if m else f"{v:.4f}" for v, m in zip(values, missing, strict=True))
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def seconds(command: Sequence[str], home: Path) -> float:
    """Of a process, with its caches in a folder.

    Raises:
        RuntimeError: it failed.
    """
    begun = time.perf_counter()
    chosen = ("JAX_COMPILATION_CACHE_DIR", "JAXIMPUTE_NO_CACHE")  # it must not be another
    kept = {name: value for name, value in os.environ.items() if name not in chosen}
    environment = {**kept, "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=jobs.ROOT, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"exit status {done.returncode}")
    return time.perf_counter() - begun


def commands(source: Path, method: str) -> list[str]:
    """A run of a method on a file."""
    run = [sys.executable, "-m", "jaximpute", "impute", str(source), "--method", method]
    return [*run, "--preset", "fast", "-o", str(source.with_name("filled.csv")), "--force"]


def rows(repeats: int, methods: Sequence[str]) -> list[dict]:
    """All measurements."""
    python = [sys.executable]
    quick = {
        "python": [*python, "-c", "pass"],
        "import jaximpute": [*python, "-c", "import jaximpute"],
        "jaximpute --help": [*python, "-m", "jaximpute", "--help"],
    }
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "table.csv"
        table(source)
        for turn in range(-1, repeats):  # the first reads everything from the disk
            for name, command in quick.items():
                found.setdefault(name, []).append(seconds(command, Path(folder)))
            for method in methods:
                home = Path(folder) / f"{method}{turn}"
                for state in ("cold", "warm"):
                    cost = seconds(commands(source, method), home)
                    found.setdefault(f"{method}, {state}", []).append(cost)
    return [
        {
            "what": "startup",
            "of": name,
            "seconds": statistics.median(each[1:]),
            "least": min(each[1:]),
            "repeats": repeats,
        }
        for name, each in found.items()
    ]


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--quick", action="store_true", help="once, and one method")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    found = rows(1, METHODS[:1]) if options.quick else rows(options.repeats, options.methods)
    for row in found:
        jobs.append(out, row)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

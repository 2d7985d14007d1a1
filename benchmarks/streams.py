"""What it costs to complete a file block by block: time, memory, and against all at once.

    python -m benchmarks.streams --megabytes 50
    python -m benchmarks.streams --megabytes 50 --method mice --draws 5
    python -m benchmarks.streams --megabytes 20000 --inside 0 --cap-mb 2000 --folder /large

Makes a table of correlated columns as .npy (float32, a tenth of the rows with holes), completes it
in a process of its own, and with `--inside 1` once more from memory (one block); with `--draws`
several times, into a folder. Each row of
results/streams.jsonl says seconds and CPU-seconds, microseconds per row once learned and compiled,
the largest anonymous memory of the process, looked at every 10 ms (memory of files is the system's
to take back), and whether both results are equal. The rows are noise: errors mean nothing.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import jobs

OUT = jobs.RESULTS / "streams.jsonl"
COLUMNS = 16
SHARE = 0.1  # of rows with holes: what is complete is only copied


def make(path: Path, megabytes: float) -> int:
    """Write the table in parts; its number of rows."""
    rows = int(megabytes * 1e6 / (4 * COLUMNS))
    array = np.lib.format.open_memmap(path, "w+", np.float32, (rows, COLUMNS))
    random = np.random.default_rng(0)
    mixing = random.normal(size=(8, COLUMNS)).astype(np.float32)
    for start in range(0, rows, 2**14):
        length = min(2**14, rows - start)
        part = random.standard_normal((length, 8), np.float32) @ mixing
        part += 0.3 * random.standard_normal(part.shape, np.float32)
        holed = random.random((length, 1)) < SHARE
        array[start : start + length] = np.where(
            holed & (random.random(part.shape) < 0.2), np.nan, part
        )
    array.flush()
    return rows


def anonymous() -> float:
    """Megabytes of this process that belong to no file."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3


def contents(path: Path) -> list[bytes]:
    """Of a file, or of the files in a folder by name."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file.read_bytes() for file in files]


def one(source: Path, output: Path, method: str, block: int, sample: int, draws: int) -> dict:
    """One completion; in this process."""
    from jaximpute.streaming import impute_file

    most, first, over = [0.0], [], threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], anonymous())

    def watch(done: int, blocks: int) -> None:
        if done == 1:
            first.append(time.perf_counter())

    looking = threading.Thread(target=look)
    looking.start()
    cpu, wall = time.process_time(), time.perf_counter()
    about = impute_file.impute_file(
        str(source),
        f"{output}/" if draws else str(output),
        method,
        block_rows=block,
        sample_rows=sample,
        completions=draws or None,
        force=True,
        watch=watch,
    )
    ended = time.process_time(), time.perf_counter()
    over.set()
    looking.join()
    return {
        "what": "streams",
        "method": method,
        "draws": draws,
        "rows": about["rows"],
        "megabytes": source.stat().st_size / 1e6,
        "blocks": about["blocks"],
        "block_rows": about["block_rows"],
        "sample_rows": about["sample_rows"],
        "seconds": ended[1] - wall,
        "cpu_seconds": ended[0] - cpu,
        # the second block on: no pass for moments, no learning, no compilation
        "microseconds_per_row": (
            1e6 * (ended[1] - first[0]) / max(1, about["rows"] - about["block_rows"])
        ),
        "peak_anonymous_mb": most[0],
        "filled": about["filled"],
    }


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=50.0)
    parser.add_argument("--method", default="gaussian")
    parser.add_argument("--block-rows", type=int, default=2**14)
    parser.add_argument("--sample-rows", type=int, default=8192)
    parser.add_argument("--draws", type=int, default=0, help="completions to write; 0: one file")
    parser.add_argument("--inside", type=int, default=1, help="1: compare with one block")
    parser.add_argument("--cap-mb", type=int, help="of the process's own memory (RLIMIT_DATA)")
    parser.add_argument("--folder", type=Path, help="where to make the file; a temporary one")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--one", nargs=2, type=Path, metavar=("FROM", "TO"), help="for itself")
    options = parser.parse_args(given)
    if options.one:
        if options.cap_mb:
            import resource  # not on Windows

            resource.setrlimit(resource.RLIMIT_DATA, (options.cap_mb * 10**6,) * 2)
        source, to = options.one
        rows = options.block_rows, options.sample_rows
        row = one(source, to, options.method, *rows, options.draws)
        print(json.dumps(row))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        suffix = "" if options.draws else ".npy"
        names = ("x.npy", f"parts{suffix}", f"whole{suffix}")
        source, parts, whole = (Path(folder) / name for name in names)
        rows = make(source, options.megabytes)

        def call(output: Path, block: int) -> dict:
            arguments = ["--one", str(source), str(output), "--block-rows", str(block)]
            more = ["--method", options.method, "--sample-rows", str(options.sample_rows)]
            more += ["--draws", str(options.draws)]
            capped = ["--cap-mb", str(options.cap_mb)] if options.cap_mb and output == parts else []
            command = [sys.executable, "-m", "benchmarks.streams", *arguments, *more, *capped]
            return jobs.call(command)

        row = call(parts, options.block_rows)
        row |= {"cap_mb": options.cap_mb}
        if options.inside:
            inside = call(whole, rows)
            row |= {
                "inside_seconds": inside["seconds"],
                "inside_cpu_seconds": inside["cpu_seconds"],
                "inside_anonymous_mb": inside["peak_anonymous_mb"],
                "identical": contents(parts) == contents(whole),
            }
    jobs.append(options.out, row)
    print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

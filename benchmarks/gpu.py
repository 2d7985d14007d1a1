"""The run on an accelerator: is it right, how fast, what does it learn in minutes, how many rows.

    python -m benchmarks.gpu --data FOLDER              # eight minutes
    python -m benchmarks.gpu --sections right fast --seconds 240
    python -m benchmarks.gpu --toy                      # tiny, on a CPU; means nothing

Sections in order of value, each in a process of its own that is ended when its seconds are over;
what one does not use goes on to the next. `right`: the CPU's answers, within a tolerance (see
`harness/gpu_right.py`). `fast`: learning steps beside what the card can do, and beside PyTorch
(`harness/gpu_fast.py`). `full`: CSBI on PM2.5, context-query diffusion on 64 x 64 fields and MIRI
on CIFAR, in the proportion of three, two and one and a half minutes, which `--sections full
--seconds 390` gives (`harness/gpu_full.py`). `many`: rows to ten million, a hundred draws
(`harness/gpu_many.py`).

Each row of results/gpu.jsonl is written when it is known, so that a run that was cut keeps what it
has. What is not there (a package, data, memory, time) leaves a row that says so. Data lie in a
folder under the names of `problems.monitors`, `problems.images` and `problems.systems`, or are
made.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import jobs
from benchmarks.harness.gpu_clock import Section

OUT = jobs.RESULTS / "gpu.jsonl"
# of the seconds
SHARES = {"right": 0.12, "fast": 0.29, "full": 0.49, "many": 0.10}
# a toy means nothing, so that what it runs need not be fast
HASTY = (
    "--xla_backend_optimization_level=0",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)
GRACE = 5.0  # seconds until one that should have ended is killed
TOY = 900.0  # seconds that a toy may take: it is its sizes that make it short


def settings(name: str, options: argparse.Namespace, cache: str) -> dict[str, str]:
    """The environment of a section; it must be there before jax is imported."""
    own = {
        **os.environ,
        "JAX_PLATFORMS": "cpu" if options.toy else options.platforms,
        # the twins in PyTorch need room beside jax
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        # programs compiled by an earlier run must not make this one look faster
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }
    if name == "full":  # which learns twice, the first time to see how fast it is
        own |= {"JAX_ENABLE_COMPILATION_CACHE": "true", "JAX_COMPILATION_CACHE_DIR": cache}
        own |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1"}
    if options.toy:
        own["XLA_FLAGS"] = " ".join([own.get("XLA_FLAGS", ""), *HASTY]).strip()
    if options.data is not None:
        own["JAXIMPUTE_DATA"] = str(options.data.resolve())
    elif not options.toy:
        own.pop("JAXIMPUTE_DATA", None)
    return own


def section(name: str, seconds: float, options: argparse.Namespace, out: Path) -> None:
    """Run one section, for so many seconds at most; a row tells how it ended if not well."""
    given = Section(
        name, seconds, options.toy, str(out), options.torch_python, options.run, options.keep
    )
    command = [sys.executable, "-m", f"benchmarks.harness.gpu_{name}"]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as cache:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            text=True,
            cwd=jobs.ROOT,
            env=settings(name, options, cache),
        )
        try:
            child.communicate(json.dumps(given._asdict()), timeout=seconds + GRACE)
        except subprocess.TimeoutExpired:
            given.write({"what": "cut", "of": name, "why": "ran past its seconds"})
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if child.returncode not in (0, -signal.SIGKILL):
        given.write({"what": "failed", "of": name, "why": f"exit status {child.returncode}"})
    given.write({"what": "ended", "of": name, "seconds": time.monotonic() - begun})


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, help=f"of the whole: 480, or {TOY:.0f} of a toy at most"
    )
    parser.add_argument("--sections", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--data", type=Path, help="folder of measured data; made without it")
    parser.add_argument("--toy", action="store_true", help="tiny, on a CPU; means nothing")
    parser.add_argument("--platforms", default="cuda,cpu", help="of jax, the first is measured")
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with PyTorch")
    parser.add_argument("--keep", default="", help="folder for profiles of steps")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data {options.data} is no folder")
    options.run = time.strftime("%Y-%m-%dT%H:%M:%S")
    out = (options.out or (jobs.RESULTS / "quick" / OUT.name if options.toy else OUT)).resolve()
    until = time.monotonic() + (options.seconds or (TOY if options.toy else 480.0))
    chosen = [name for name in SHARES if name in options.sections]
    for i, name in enumerate(chosen):
        share = SHARES[name] / sum(SHARES[later] for later in chosen[i:])
        section(name, max(share * (until - time.monotonic()), 1.0), options, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

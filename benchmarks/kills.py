"""Runs that are killed (SIGKILL) at random moments, again and again: is the end the same?

    python -m benchmarks.kills --of run --kills 30       # checkpoints by Orbax
    python -m benchmarks.kills --of stream --kills 30    # a file block by block
    python -m benchmarks.kills --of draws --kills 30     # so, three times over
    python -m benchmarks.kills --quick                   # two kills of each

A run is killed a random time after each sign of progress and started anew, until it may end; where
it ends too soon, another is killed, up to the number of kills. Each end is compared with that of a
run in one piece, bit for bit: of `run` every array of the state and a completion drawn from it, of
`stream` the bytes of the file, and of `draws` those of three files. A row of results/scale.jsonl.
Work is slowed down, so that there is time to kill; processes are forked from one that has loaded
everything.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import jobs
from benchmarks.streams import contents

OUT = jobs.RESULTS / "scale.jsonl"
STEPS, BLOCKS = 150, 150
PAUSE = 0.02  # seconds between chunks, and between blocks
MEAN = 0.1  # seconds from a sign of progress to a kill


def table(rows: int) -> np.ndarray:
    random_ = np.random.default_rng(0)
    x = random_.normal(size=(rows, 3)) @ random_.normal(size=(3, 3))
    return np.where(random_.random(x.shape) < 0.2, np.nan, x).astype(np.float32)


def learn(place: Path) -> None:
    """MICE with a checkpoint after every step, from where it was."""
    import jax

    from jaximpute import registry
    from jaximpute.engine import hooks, runs
    from jaximpute.masking import observe

    _keep_compiled(place)
    data = observe(table(40))
    plan = registry.build("mice", data, kind="table", options={"keep": 5})
    plan = plan._replace(steps=STEPS, chunk=1)
    keeping = hooks.CheckpointPolicy(str(place / "kept"), resume=True, share=1.0, most=2)
    state = runs.train(plan, jax.random.key(0), data, [_slowly], keeping)
    drawn = plan.method.sample(jax.random.key(1), state, data)
    leaves = [np.asarray(leaf) for leaf in [*jax.tree.leaves(state), drawn]]
    beside = place / "end.part"
    beside.write_bytes(b"".join(leaf.tobytes() for leaf in leaves))
    os.replace(beside, place / "end.npy")


def complete(place: Path) -> None:
    """A file block by block, from where it was."""
    _in_blocks(place, "end.npy", "knn", k=3)


def draw(place: Path) -> None:
    """Draws of a file block by block, from where they were."""
    _in_blocks(place, "end/", "mice", completions=3, steps=2)


def _in_blocks(place: Path, end: str, method: str, **options: Any) -> None:
    from jaximpute.streaming import impute_file

    _keep_compiled(place)
    source, rows = place / "x.npy", 8 * BLOCKS
    if not source.exists():
        np.save(place / "made.npy", table(rows))
        os.replace(place / "made.npy", source)
    shared = {"block_rows": 8, "sample_rows": 64, "watch": lambda *_: _slowly()}
    impute_file.impute_file(str(source), f"{place}/{end}", method, **shared, **options)


def saved(place: Path) -> int:
    """Steps of the newest checkpoint."""
    names = [path.name for path in (place / "kept").glob("*")]
    return max((int(name) for name in names if name.isdecimal()), default=0)


def done(end: str, place: Path) -> int:
    """Blocks that are done."""
    try:
        return json.loads((place / f".{end}.unfinished" / "progress.json").read_text())["progress"][
            "done"
        ]
    except (FileNotFoundError, NotADirectoryError):
        return 0


class Kind(NamedTuple):
    """What is killed, how far it came, where it ends, and what lies there inside a save."""

    work: Callable[[Path], None]
    progress: Callable[[Path], int]
    end: str
    halfway: str


KINDS = {
    "run": Kind(learn, saved, "end.npy", "kept/*tmp*"),
    "stream": Kind(complete, partial(done, "end.npy"), "end.npy", ".end.npy.unfinished/*.part"),
    "draws": Kind(draw, partial(done, "end"), "end", ".end.unfinished/*.part"),
}


def kills(of: str, number: int, seed: int) -> dict[str, Any]:
    """Kill and start anew; what came of it."""
    kind = KINDS[of]
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["jaximpute.streaming.impute_file", "orbax.checkpoint", "grain"])
    moments, killed, inside, ends = random.Random(seed), 0, 0, []

    def start(place: Path) -> Any:
        place.mkdir(exist_ok=True)
        process = forking.Process(target=kind.work, args=(place,))
        process.start()
        return process

    def finish(place: Path) -> list[bytes]:
        process = start(place)
        process.join()
        if process.exitcode:
            raise RuntimeError(f"the run in {place} failed")
        return contents(place / kind.end)

    with tempfile.TemporaryDirectory() as folder:
        whole = finish(Path(folder) / "whole")
        begun = time.process_time(), time.perf_counter()
        while killed < number:
            place = Path(folder) / f"run{len(ends)}"
            while killed < number and not (place / kind.end).exists():
                process, before = start(place), kind.progress(place)
                while process.is_alive() and kind.progress(place) <= before:
                    time.sleep(0.005)
                time.sleep(moments.expovariate(1 / MEAN))
                process.kill()
                process.join()
                if process.exitcode not in (0, -9):
                    raise RuntimeError(f"a run failed with exit status {process.exitcode}")
                if process.exitcode:
                    killed += 1
                    inside += any(place.glob(kind.halfway))
            ends.append(finish(place))
    return {
        "what": "kills",
        "of": of,
        "seed": seed,
        "kills": killed,
        "inside_a_save": inside,
        "runs": len(ends),
        "seconds": time.perf_counter() - begun[1],
        "identical": all(end == whole for end in ends),
    }


def _slowly(*_: Any) -> bool:
    time.sleep(PAUSE)
    return False


def _keep_compiled(place: Path) -> None:
    import jax

    jax.config.update("jax_compilation_cache_dir", str(place.parent / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--of", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two kills of each")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(given)
    out = options.out or (jobs.RESULTS / "quick" / OUT.name if options.quick else OUT)
    for of in options.of:
        row = kills(of, 2 if options.quick else options.kills, options.seed)
        jobs.append(out, row)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One of several processes of a run: `python -m tests.helpers.processes NUMBER COUNT PORT FOLDER`.

Trains, checkpoints in FOLDER/many, and is stopped there by a signal to process 0; goes on from the
checkpoint that lies in FOLDER/one, and writes parameters and completed rows of its own to
FOLDER/NUMBER.npz.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # one device each: more of them starve one another's collectives of threads
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=1"
    )

import jax
import numpy as np

import jaximpute as ji
from jaximpute import registry
from jaximpute.engine import hooks, parallel, runs
from jaximpute.engine.hooks._sums import check_sums
from jaximpute.types import Hook

STEPS, ROWS = 6, 12


def rows(which: slice = slice(None)) -> ji.Observed:
    x = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    return ji.from_nan(jax.numpy.asarray(x[which]))


def small() -> ji.Method:
    nets = [ji.nets.mlp((3,), conds=1, widths=(8,), timed=False) for _ in range(2)]
    return ji.methods.gain(*nets, updates=2, batch=8)


def train(method: ji.Method, data: ji.Observed, folder: Path, *watching: Hook):
    keeping = hooks.CheckpointPolicy(str(folder), resume=True, share=1.0, tell=lambda text: None)
    plan = registry.Plan(method, STEPS, chunk=2)
    return runs.train(plan, jax.random.key(0), data, watching, keeping)


def interrupting(t: int, state, info) -> bool:
    if t == 4 and jax.process_index() == 0:
        os.kill(os.getpid(), signal.SIGTERM)
    return False


def main() -> None:
    number, count, port, folder = *map(int, sys.argv[1:4]), Path(sys.argv[4])
    jax.distributed.initialize(
        f"127.0.0.1:{port}", count, number, initialization_timeout=60, heartbeat_timeout_seconds=60
    )
    on = parallel.mesh()
    # parts of unequal length: the shorter ones are padded
    cut = [0, ROWS // count + 1, ROWS]
    data = parallel.put(rows(slice(cut[number], cut[number + 1])), on)
    method = parallel.spread(small(), data, on)
    with contextlib.suppress(KeyboardInterrupt):
        train(method, data, folder / "many", interrupting)
    state = train(method, data, folder / "one")
    filled = ji.complete(method, jax.random.key(1), state, data)
    real = parallel.local_rows(data.weight) > 0
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
    here = {
        "filled": parallel.local_rows(filled)[real],
        "spread": parallel.local_rows(data.values),
        "seen": parallel.local_rows(data.mask),
        "sums": np.array(check_sums([*data[:2], *jax.tree.leaves(state)]), np.uint64),
    }
    np.savez(folder / f"{number}.npz", *leaves, **here)
    jax.distributed.shutdown()


if __name__ == "__main__":
    main()

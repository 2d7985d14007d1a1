"""What a learning step of MIRI costs beside a loop in PyTorch, and its compilation.

    python -m benchmarks.flow_speed --quick
    python -m benchmarks.flow_speed --torch-python /with/torch/bin/python

CPU-seconds of one thread; the two take turns. The twin (`peers/torch_flow.py`) is a plain loop as
the public code's, of as many parameters. Ours is a whole round, the number of whose steps is an
argument: a step costs the difference between a long round and a short one, divided, both by one
compiled program. Lines go to results/flow_speed.jsonl.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.harness import jobs, turns
from benchmarks.harness.turns import alternate, twin
from benchmarks.problems import tables
from jaximpute import __version__
from jaximpute.masking import from_nan
from jaximpute.methods import miri
from jaximpute.nets import velocity_mlp

OUT = jobs.RESULTS / "flow_speed.jsonl"
TARGET, COMPILE = 2.0, 5.0  # times as fast, and CPU-seconds
# the default network and batch, and those of the public code's demonstrations
FULL = ({"columns": 11, "width": 256, "batch": 128}, {"columns": 11, "width": 1001, "batch": 50})
QUICK = ({"columns": 4, "width": 16, "batch": 16},)
ROWS = 1000


def beside(sizes: dict[str, int], steps: int, repeats: int, python: str) -> dict[str, Any]:
    """One row: seconds of a step there and here."""
    columns, width, batch = sizes["columns"], sizes["width"], sizes["batch"]
    values = jnp.asarray(tables.table(f"synthetic:{ROWS}x{columns}"), jnp.float32)
    hidden = jax.random.uniform(jax.random.key(0), values.shape) < 0.4
    data = from_nan(jnp.where(hidden, jnp.nan, values))
    method = miri(velocity_mlp((columns,), width=width), batch=batch, solver="euler", ode_steps=1)
    key = jax.random.key(1)
    state = jax.jit(method.init)(key, data)
    begun = time.process_time()
    program = jax.jit(method.step).lower(key, state, data).compile()
    compiled = time.process_time() - begun

    def round_of(number: int) -> float:
        begin = state._replace(sgd_steps=jnp.asarray(number, jnp.int32))
        begun = time.process_time()
        jax.block_until_ready(program(key, begin, data))
        return time.process_time() - begun

    def ours() -> float:
        short = round_of(1)
        return (round_of(steps + 1) - short) / steps

    with twin(python, "torch_flow.py", str(ROWS), *map(str, sizes.values())) as theirs:
        params = jax.tree.map(lambda leaf: leaf[0], state.fields)
        size = sum(leaf.size for leaf in jax.tree.leaves(params))
        if size != theirs.about["parameters"]:
            raise RuntimeError(f"the twin is another network: {theirs.about}, here {size}")
        theirs.seconds(steps)  # what a first step sets up
        ours()
        found = alternate(partial(theirs.seconds, steps), ours, repeats)
    return found | theirs.about | {"compile": compiled, "steps": steps}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All sizes."""
    versions = {"jaximpute": __version__, "jax": jax.__version__}
    for sizes in QUICK if options.quick else FULL:
        steps = 20 if options.quick else 200
        row = beside(sizes, steps, options.repeats, options.torch_python)
        about = {"what": "flow", "sizes": sizes, "versions": versions, "threads": 1}
        yield about | row | {"target": TARGET, "most": COMPILE, "quick": options.quick}


def main(given: Sequence[str] | None = None) -> int:
    made = turns.parser(__doc__)
    return turns.write(made, given, rows, OUT)


if __name__ == "__main__":
    sys.exit(main())

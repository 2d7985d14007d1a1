"""How many rows does one card take, and what do a hundred draws cost?

Run by `benchmarks.gpu`. `rows`: a table of 8 columns is learned from and completed, with fixed work
on networks; ten times the rows from ten thousand on, then twice, up to ten million or until memory
or time ends. `draws`: a hundred draws of CSBI's default network beside one, in batches.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import scale
from benchmarks.harness import gpu_clock
from benchmarks.harness.gpu_clock import Clock, Row, Section
from benchmarks.harness.gpu_fast import memory
from jaximpute import registry
from jaximpute.engine import draws
from jaximpute.masking import from_nan
from jaximpute.maths import processes
from jaximpute.methods import csbi0
from jaximpute.nets import csdi_transformer
from jaximpute.types import Observed

ROWS = (10_000, 100_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 10_000_000)
METHOD = "miri"
DRAWS = 100


class Table(NamedTuple):
    """A table and the compiled programs that complete it."""

    data: Observed
    plan: registry.Plan
    init: Any
    step: Any
    fill: Any
    seconds: float


def prepare(number: int) -> Table:
    """Compile for so many rows."""
    begun, key = time.monotonic(), jax.random.key(0)
    holed = scale.table(number).astype(np.float32)
    data = Observed(np.nan_to_num(holed), ~np.isnan(holed), np.ones(number, np.float32))
    options = scale.METHODS["miri"]
    plan = registry.build(METHOD, from_nan(jnp.asarray(holed[:64])), kind="table", options=options)
    init = jax.jit(plan.method.init).lower(key, data).compile()
    state = jax.eval_shape(plan.method.init, key, data)
    step = jax.jit(plan.method.step).lower(key, state, data).compile()
    fill = jax.jit(plan.method.estimate).lower(key, state, data).compile()
    return Table(data, plan, init, step, fill, time.monotonic() - begun)


def rows(section: Section, clock: Clock) -> Iterator[Row]:
    """A row for each number of rows; programs are compiled side by side."""
    numbers, took = (64,) if section.toy else ROWS, 0.0
    with ThreadPoolExecutor(len(numbers)) as pool:
        for number, asked in [(number, pool.submit(prepare, number)) for number in numbers]:
            made = clock.wait(asked)
            clock.check(2 * took)  # what twice the rows would take
            begun, key = time.monotonic(), jax.random.key(0)
            data = jax.device_put(made.data)
            state = made.init(key, data)
            for t in range(made.plan.steps):
                state, _ = made.step(jax.random.fold_in(key, t), state, data)
            filled = np.asarray(made.fill(key, state, data))
            took = time.monotonic() - begun
            yield {
                "what": "rows",
                "method": METHOD,
                "rows": number,
                "seconds": took,
                "setup_seconds": made.seconds,
                "microseconds_per_row": 1e6 * took / number,
                "finite": bool(np.isfinite(filled).all()),
                **memory(made.step),
            }


def drawing(section: Section, clock: Clock) -> Iterator[Row]:
    """A hundred draws over one, so many at a time."""
    n, length, d = (2, 4, 2) if section.toy else (64, 24, 8)
    shape = {"width": 8, "layers": 1, "heads": 1} if section.toy else {"heads": 4}
    many = 4 if section.toy else DRAWS
    phase = jax.random.uniform(jax.random.key(0), (n, 1, d), maxval=6.3)
    x = jnp.sin(jnp.arange(length)[None, :, None] / 4 + phase)
    data = from_nan(jnp.where(jax.random.uniform(jax.random.key(1), x.shape) < 0.3, jnp.nan, x))
    method = csbi0(csdi_transformer((length, d), **shape), processes.ve(), warmup=1)
    state, key = jax.jit(method.init)(jax.random.key(2), data), jax.random.key(3)

    def taken(number: int, batch: int) -> float:
        times = []
        for _ in range(4):
            begun = time.perf_counter()
            jax.block_until_ready(draws.draw_many(method, key, state, data, number, batch=batch))
            times.append(time.perf_counter() - begun)
        return float(np.median(times[1:]))  # the first one compiles

    one = taken(1, 1)
    for batch in (many,) if section.toy else (1, 10, DRAWS):
        clock.check()
        seconds = taken(many, batch)
        about = {"what": "draws", "draws": many, "batch": batch, "windows": [n, length, d]}
        yield about | {"seconds": [seconds, one], "ratio": seconds / one}


if __name__ == "__main__":
    sys.exit(gpu_clock.main({"rows": (2.0, rows), "draws": (1.0, drawing)}))

"""How many threads linear algebra has while a method learns, in a process that just began."""

import os
import subprocess
import sys

import pytest

CODE = """
import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_info

import jaximpute as ji
from jaximpute.engine import runs as training
from jaximpute.registry import Plan


def threads():
    return np.int32(max(pool["num_threads"] for pool in threadpool_info()))


def init(key, data):
    root = jnp.linalg.cholesky(jnp.eye(8) + 0 * data.values[0, 0])  # jax loads its library
    found = jax.pure_callback(lambda _: threads(), jax.ShapeDtypeStruct((), jnp.int32), root)
    return found, data.values


def step(key, state, data):
    return state, ji.Info(jnp.zeros(()), {})


method = ji.Method(init, step, fill=lambda state, data: state[1])
data = ji.from_nan(jnp.ones((4, 2)))
print(int(training.train(Plan(method, 0), jax.random.key(0), data)[0]), threads())
"""


@pytest.mark.skipif(os.cpu_count() == 1, reason="one processor: one thread anyhow")
def test_the_first_call_has_one_thread_and_gives_the_others_back():
    env = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, env=env
    )
    assert done.returncode == 0, done.stderr
    within, after = map(int, done.stdout.split())
    assert within == 1
    assert after > 1

"""A run with checkpoints, slow enough to be killed.

python -m tests.helpers.killed FOLDER OUT [STEPS]
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import jaximpute as ji
from jaximpute import registry
from jaximpute.engine import runs
from jaximpute.engine.hooks import CheckpointPolicy

STEPS = 40


def walk() -> ji.Method:
    """A method whose state is random, and remembers every step."""

    def init(key, data):
        return {"x": jax.random.normal(key, data.values.shape), "empty": jnp.zeros((0, 3))}

    def step(key, state, data):
        x = jnp.sin(3 * state["x"]) + jax.random.normal(key, state["x"].shape)
        return {**state, "x": x}, ji.Info(x.mean(), {"largest": x.max()})

    return ji.Method(init, step, fill=lambda state, data: state["x"])


def rows(seed: int = 0) -> ji.Observed:
    x = np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32)
    return ji.observe(np.where(x > 1, np.nan, x))


def run(checkpoints=None, *, seed=0, data=None, hooks=(), method=None, steps=STEPS, **about):
    plan = registry.Plan(method or walk(), steps, chunk=2)
    return runs.train(
        plan, jax.random.key(seed), data or rows(), hooks, checkpoints, {"seed": seed, **about}
    )


def main() -> None:
    folder, out, *steps = sys.argv[1:]

    def slowly(t, state, info):
        time.sleep(0.05)
        return False

    policy = CheckpointPolicy(folder, resume=True, share=1.0, most=2)
    np.save(out, run(policy, hooks=[slowly], steps=int((steps or [STEPS])[0]))["x"])


if __name__ == "__main__":
    main()

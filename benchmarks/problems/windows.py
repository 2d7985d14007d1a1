"""Windows to learn from and windows with targets, and how a method's draws of these are scored."""

import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import metrics, registry
from jaximpute.engine import draws, loop
from jaximpute.types import Observed

BINS = 10


class Problem(NamedTuple):
    """One to be solved.

    Attributes:
        learned: windows to learn from, standardised.
        asked: windows to complete, standardised.
        truth: these whole `(windows, time, channels)`, in units of their own.
        where: the targets among them, on which methods are scored.
        level: of each channel, zero of the standardised units.
        spread: of each channel, one of the standardised units.
    """

    learned: Observed
    asked: Observed
    truth: np.ndarray
    where: np.ndarray
    level: np.ndarray
    spread: np.ndarray


class Answer(NamedTuple):
    """What a method made of a problem: a plan, its state, and the CPU-seconds they took."""

    plan: registry.Plan
    state: Any
    seconds: float


def learn(made: Problem, method: str, given: dict[str, Any], seed: int) -> Answer:
    """A method fitted to the windows to learn from."""
    started = time.process_time()
    plan = registry.build(method, made.learned, kind="series", options=given)
    state = loop.fit(plan.method, jax.random.key(seed), made.learned, plan.steps)
    jax.block_until_ready(state)
    return Answer(plan, state, time.process_time() - started)


def drawn(made: Problem, answer: Answer, n: int, seed: int) -> jax.Array:
    """Draws in the units of the truth; one, of a method that gives a point."""
    key, method = jax.random.key(seed + 1), answer.plan.method
    if method.sample is not None:
        found = draws.draw_many(method, key, answer.state, made.asked, n)
    else:
        found = method.estimate(key, answer.state, made.asked)[None]
    spread, level = (jnp.asarray(part, jnp.float32) for part in (made.spread, made.level))
    return jax.block_until_ready(found * spread + level)


def score(truth: np.ndarray, found: jax.Array, where: np.ndarray) -> dict[str, Any]:
    """What the papers print, over the targets, and how truths lie among their draws."""
    at = jnp.broadcast_to(jnp.asarray(where), truth.shape)
    x, middle = jnp.asarray(truth, found.dtype), jnp.median(found, axis=0)
    scores = {
        "rmse": metrics.rmse(x, middle, at),
        "mae": metrics.mae(x, middle, at),
        "crps": metrics.crps_csdi(x, found, at),
    }
    if len(found) == 1:  # a point has no intervals
        return {name: round(float(value), 4) for name, value in scores.items()}
    for level in (0.5, 0.8, 0.95):
        scores[f"cover{level:.0%}"] = metrics.coverage(x, found, at, level=level)
    rank = np.asarray((found < x[None]).sum(axis=0))[np.asarray(at)]
    # every bin holds as many of the ranks 0, ..., n if n + 1 is a multiple of their number
    counts, _ = np.histogram((rank + 0.5) / (len(found) + 1), bins=BINS, range=(0, 1))
    return {name: round(float(value), 4) for name, value in scores.items()} | {
        "pit": counts.tolist()
    }

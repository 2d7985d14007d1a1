"""Forecasts of the exchange rates: 30 working days ahead, from the 48 before."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems import datasets
from jaximpute import metrics, registry
from jaximpute.engine import draws, loop
from jaximpute.types import Observed

CONTEXT, HORIZON, LEARNED = 48, 30, 6071  # as in table 3 of CSBI's paper
MOST = 50  # windows that the file has after these days


def windows(values: np.ndarray, number: int) -> np.ndarray:
    """`(number, 78, 8)` windows whose ends follow what is learned from, one after another."""
    starts = LEARNED - CONTEXT + HORIZON * np.arange(number)
    return np.stack([values[start : start + CONTEXT + HORIZON] for start in starts])


def random_walk(learned: np.ndarray, test: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Draws that add independent Gaussian steps to the last value, as large as those seen."""
    rng = np.random.default_rng(seed)
    size = np.diff(learned, axis=0).std(axis=0)
    moves = size * rng.normal(size=(n, len(test), HORIZON, learned.shape[1]))
    last = test[:, CONTEXT - 1 : CONTEXT]
    return np.concatenate(
        [np.broadcast_to(test[:, :CONTEXT], (n, *test[:, :CONTEXT].shape)), last + moves.cumsum(2)],
        axis=2,
    )


def measure(
    method: str, *, number: int = 5, n: int = 100, seed: int = 0, options: dict[str, Any]
) -> dict[str, Any]:
    """One row: what the method draws for each window, scored over the 30 days."""
    values = datasets.load("exchange").values
    learned, test = values[:LEARNED], windows(values, number)
    where = np.zeros(test.shape, bool)
    where[:, CONTEXT:] = True
    started = time.process_time()
    if method == "random_walk":
        drawn = random_walk(learned, test, n, seed)
    else:
        drawn = forecast(method, learned, test, where, n, seed, options)
    seconds = time.process_time() - started
    x, drawn, at = (jnp.asarray(a, jnp.float32) for a in (test, drawn, where))
    found = {
        "crps": metrics.crps_csdi(x, drawn, at > 0),
        "mae": metrics.mae(x, jnp.median(drawn, axis=0), at > 0),
    }
    if len(drawn) > 1:
        found |= {
            f"cover{level:.0%}": metrics.coverage(x, drawn, at > 0, level=level)
            for level in (0.5, 0.8, 0.95)
        }
    scores = {name: round(float(value), 5) for name, value in found.items()}
    return {
        "table": "exchange",
        "method": method,
        "windows": number,
        "draws": len(drawn),
        **scores,
        "seconds": round(seconds, 1),
        "options": options,
    }


def forecast(
    method: str,
    learned: np.ndarray,
    test: np.ndarray,
    where: np.ndarray,
    n: int,
    seed: int,
    options: dict[str, Any],
) -> np.ndarray:
    """Draws by a method of the registry; one, for a method that gives a point."""
    level, spread = learned.mean(axis=0), learned.std(axis=0)
    z = jnp.asarray((learned - level) / spread, jnp.float32)[None]
    data = Observed(z, jnp.full(z.shape, True), jnp.ones(1))
    known = registry.options(method)
    own: dict[str, Any] = {
        "window": CONTEXT + HORIZON,
        "split": "forecast",
        "horizon": HORIZON,
        "centred": True,
    }
    given = {name: value for name, value in own.items() if name in known} | options
    plan = registry.build(method, data, kind="series", options=given)
    k_fit, k_draw = jax.random.split(jax.random.key(seed))
    state = loop.fit(plan.method, k_fit, data, plan.steps, chunk=plan.chunk)
    asked = jnp.asarray((test - level) / spread, jnp.float32)
    rows = Observed(jnp.where(where, 0, asked), jnp.asarray(~where), jnp.ones(len(test)))
    if plan.method.sample is not None:
        drawn = draws.draw_many(plan.method, k_draw, state, rows, n)
    else:
        drawn = loop.complete(plan.method, k_draw, state, rows)[None]
    return np.asarray(drawn, np.float64) * spread + level

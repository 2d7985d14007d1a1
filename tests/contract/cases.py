"""Every method, built small, on data with every awkward thing a contract must survive."""

import jax
import jax.numpy as jnp

from jaximpute import registry
from jaximpute.types import Observed

# options that make the learned methods small enough to be built for each test
SMALL = {
    "diffusion": {
        "width": 16,
        "score_steps": 4,
        "batch": 8,
        "steps": 2,
        "window": 6,
        "sde_steps": 4,
        "start": "mean",
    },
    "spirit": {
        "width": 16,
        "score_steps": 4,
        "moves": 2,
        "batch": 8,
        "steps": 2,
        "window": 6,
        "start": "mean",
    },
}
SMALL["csdi"] = {
    "width": 8,
    "layers": 2,
    "heads": 2,
    "sgd_steps": 3,
    "batch": 4,
    "steps": 2,
    "window": 6,
    "chain_steps": 6,
    "draw_steps": 3,
}
SMALL["tabcsdi"] = SMALL["csdi"]
SMALL["csbi"] = {
    "width": 8,
    "layers": 1,
    "heads": 2,
    "forward_width": 4,
    "forward_levels": 1,
    "forward_blocks": 1,
    "warmup": 3,
    "warmup_batch": 4,
    "sgd_steps": 2,
    "refreshes": 1,
    "batch": 4,
    "cache": 4,
    "steps": 2,
    "window": 6,
    "sde_steps": 4,
    "draw_steps": 3,
}
SMALL["csbi0"] = {name: value for name, value in SMALL["csbi"].items() if name[:7] != "forward"}
CASES = [(name, kind) for kind in ("table", "series") for name in registry.names(kind)]


def awkward(kind: str, rows: int = 24) -> Observed:
    """Correlated data with holes, a fully observed column, a fully missing row, a padding row.

    A series has its rows along time: its fully missing row is one time step of one series, and its
    padding row a second series of weight 0.
    """
    k_level, k_noise, k_mask = jax.random.split(jax.random.key(7), 3)
    level = jnp.cumsum(jax.random.normal(k_level, (rows, 1)), axis=0) / 3
    x = level * jnp.array([[1.0, -1.0, 0.5]]) + 0.1 * jax.random.normal(k_noise, (rows, 3))
    mask = jax.random.uniform(k_mask, x.shape) < 0.7
    mask = mask.at[:, 0].set(True).at[rows // 2].set(False)
    if kind == "series":
        x, mask = jnp.stack([x, x + 1]), jnp.stack([mask, mask[::-1]])
        weight = jnp.array([1.0, 0.0])
    else:
        weight = jnp.ones(rows).at[-1].set(0.0)
    return Observed(jnp.where(mask, x, 0), mask, weight)


def build(name: str, kind: str, data: Observed) -> registry.Plan:
    return registry.build(name, data, kind=kind, preset="fast", options=SMALL.get(name))

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
KINDS = ("table", "series", "image", "field")
CASES = [(name, kind) for kind in KINDS for name in registry.names(kind)]


def awkward(kind: str, rows: int = 24) -> Observed:
    """Correlated data with holes, a fully observed column, a fully missing row, a padding row.

    A series has its rows along time: its fully missing row is one time step of one series, and its
    padding row a second series of weight 0. Images and fields: see `_in_space`.
    """
    if kind in ("image", "field"):
        return _in_space(kind)
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


def _in_space(kind: str) -> Observed:
    """Two small fields or images of two channels: a missing frame, a padding row."""
    k_start, k_mask = jax.random.split(jax.random.key(8))
    first = jax.random.normal(k_start, (2, 1, 4, 4, 2))
    x = jnp.concatenate([jnp.roll(first, t, axis=3) for t in range(3)], axis=1)
    mask = jax.random.uniform(k_mask, x.shape) < 0.7
    mask = mask.at[:, 1].set(False).at[:, 0, :, :, 0].set(True)
    if kind == "image":
        x, mask = x[:, 0], mask[:, 2]
    return Observed(jnp.where(mask, x, 0), mask, jnp.array([1.0, 0.0]))


def build(name: str, kind: str, data: Observed) -> registry.Plan:
    return registry.build(name, data, kind=kind, preset="fast", options=SMALL.get(name))

"""Every method, built small, on data with every awkward thing a contract must survive."""

from typing import Any

import jax
import jax.numpy as jnp

from jaximpute import registry
from jaximpute.types import Observed

# options that make the learned methods small enough to be built for each test
_SMALL_FIELD = {"width": 16, "sgd_total": 4, "batch": 8, "contexts_drawn": 2, "feed": "drawn"}
_SMALL_DRAW = {"steps": 3, "members": 2}
_SMALL_MLP = {**_SMALL_FIELD, "net": "mlp", **_SMALL_DRAW}
SMALL: dict[str, dict[str, Any]] = {
    "ambientdiff": _SMALL_MLP,
    # on a base; `ambientdiff` is the form without
    "context_query": {
        "base": "kriging",
        "hidings": 1,
        "width": 16,
        "sgd_total": 4,
        "batch": 8,
        "net": "unet",
        "tile": (2, 4, 3),
    },
    "diffusion": {
        "width": 16,
        "score_steps": 4,
        "batch": 8,
        "steps": 2,
        "window": 6,
        "sde_steps": 4,
        "start": "mean",
    },
    "miri": {
        "width": 8,
        "layers": 1,
        "sgd_steps": 4,
        "batch": 32,  # more than there are rows
        "steps": 2,
        "ode_steps": 2,
        "draws": 2,
    },
    "optimal_interpolation": {"neighbours": 4, "reach": 2},
    "eof": {"modes": 1, "passes": 3},
    "kriging": {"reach": 2},
    "sinkhorn": {"moves": 2, "steps": 2, "max_iterations": 20},
    "tdm": {"moves": 2, "steps": 2, "iterations": 10, "blocks": 1},
    "knewimp": {"width": 8, "score_steps": 2, "moves": 2, "steps": 2, "batch": 8},
    "psw_i": {"moves": 2, "steps": 2, "window": 6, "batch": 8, "iterations": 10},
    "diffputer": {
        "width": 8,
        "updates": 4,
        "batch": 8,
        "steps": 2,
        "levels": 4,
        "resamplings": 2,
        "trials": 2,
    },
    "gain": {"width": 8, "updates": 4, "batch": 8, "steps": 2},
    "ice": {"steps": 3, "keep": 3},
    "mice": {"steps": 3, "keep": 3},
    "trees": {"trees": 8},
    "missdiff": {
        "width": 16,
        "layers": 2,
        "updates": 4,
        "batch": 8,
        "steps": 2,
        "window": 6,
        "sde_steps": 4,
    },
    "csdi": {
        "width": 8,
        "layers": 2,
        "heads": 2,
        "sgd_steps": 3,
        "batch": 4,
        "steps": 2,
        "window": 6,
        "chain_steps": 6,
        "draw_steps": 3,
    },
    "stack": {"rows": 64},
    "spirit": {
        "width": 16,
        "score_steps": 4,
        "moves": 2,
        "batch": 8,
        "steps": 2,
        "window": 6,
        "hidings": 2,
        "start": "mean",
    },
}
SMALL["boosted_smoother"] = {"hidings": 2, "iterations": 3, "leaves": 3}
SMALL["window_gaussian"] = {"window": 6, "passes": 1}
# on a base CSDI stands for all; see test_csdi_on_gaussian and test_csbi_on_gaussian
SMALL["tabcsdi"] = {"base": None, **SMALL["csdi"]}
SMALL["csbi"] = {
    "base": None,
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
KINDS = ("table", "series", "image", "field")
CASES = [(name, kind) for kind in KINDS for name in registry.names(kind)]


def awkward(kind: str, rows: int = 24) -> Observed:
    """Correlated data with holes, a fully observed column, a fully missing row, a padding row.

    A series has its rows along time: its fully missing row is one time step of one series, and its
    padding row a second series of weight 0. Of four images or films one has no holes, one is a
    hole, and one is padding.
    """
    k_level, k_noise, k_mask = jax.random.split(jax.random.key(7), 3)
    level = jnp.cumsum(jax.random.normal(k_level, (rows, 1)), axis=0) / 3
    x = level * jnp.array([[1.0, -1.0, 0.5]]) + 0.1 * jax.random.normal(k_noise, (rows, 3))
    mask = jax.random.uniform(k_mask, x.shape) < 0.7
    mask = mask.at[:, 0].set(True).at[rows // 2].set(False)
    if kind == "series":
        x, mask = jnp.stack([x, x + 1]), jnp.stack([mask, mask[::-1]])
        weight = jnp.array([1.0, 0.0])
    elif kind in ("image", "field"):
        shape = (4, rows // 4, 4, 3) if kind == "image" else (4, 2, rows // 4, 3, 2)
        x = jnp.stack([x, x + 1, x - 1, x]).reshape(shape)
        mask = jnp.stack([mask, mask[::-1], jnp.zeros_like(mask), mask]).reshape(shape)
        mask = mask.at[1].set(True)
        weight = jnp.array([1.0, 1.0, 1.0, 0.0])
    else:
        weight = jnp.ones(rows).at[-1].set(0.0)
    return Observed(jnp.where(mask, x, 0), mask, weight)


def build(name: str, kind: str, data: Observed) -> registry.Plan:
    return registry.build(name, data, kind=kind, preset="fast", options=SMALL.get(name))

"""How these tests run a method: learn, then complete."""

import jax
import jax.numpy as jnp
import numpy as np

import jaximpute as ji


def complete(method, x, weight=None, new=None):
    """Learn from `x` (NaN = missing) and complete it, or `new`."""
    key_fit, key_complete = jax.random.split(jax.random.key(0))
    weight = None if weight is None else jnp.asarray(weight, jnp.float32)
    data = ji.from_nan(jnp.asarray(x, jnp.float32), weight)
    rows = data if new is None else ji.from_nan(jnp.asarray(new, jnp.float32))
    state = jax.jit(method.init)(key_fit, data)
    return np.asarray(ji.complete(method, key_complete, state, rows))


def punch(x, share, seed=0):
    """`x` with a share of its entries missing, never the first of a column."""
    hole = np.random.default_rng(seed).random(x.shape) < share
    hole.reshape(-1, x.shape[-1])[0] = False
    return np.where(hole, np.nan, x)

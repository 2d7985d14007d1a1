"""Double precision where an answer must be right to its last digit, and nowhere else."""

import contextlib
from typing import Any

import jax


def precision(exact: bool) -> contextlib.AbstractContextManager[Any]:
    """Inside, in this thread, JAX computes in float64 if `exact`; the global flag stays.

    Arrays that are made inside keep their type outside, but what is done with them there is in
    single precision again.

    Example:
        >>> import jax.numpy as jnp
        >>> with precision(True):
        ...     print(jnp.asarray(0.1).dtype)
        float64
        >>> jnp.asarray(0.1).dtype == jnp.ones(1).dtype
        True
    """
    return jax.enable_x64(True) if exact else contextlib.nullcontext()

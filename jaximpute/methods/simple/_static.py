"""Methods with nothing to iterate: what they learn is learned in `init`."""

from collections.abc import Callable

import jax.numpy as jnp

from jaximpute.types import Info, Method, Observed, PRNGKey, State


def static_method(
    learn: Callable[[PRNGKey, Observed], State],
    *,
    estimate: Callable | None = None,
    sample: Callable | None = None,
    fill: Callable | None = None,
) -> Method:
    """A method from `learn(key, data) -> state` and how that state completes rows."""

    def step(key, state, data):
        del key, data
        return state, Info(jnp.zeros(()), {})

    return Method(learn, step, fill, estimate, sample)

"""Methods with nothing to iterate: what they learn is learned in `init`."""

from collections.abc import Callable

import jax.numpy as jnp

from jaximpute.types import Info, Method, Observed, State


def static_method(learn: Callable[[Observed], State], sample: Callable) -> Method:
    """A method from `learn(data) -> state` and `sample(key, state, data) -> values`."""

    def init(key, data):
        del key
        return learn(data)

    def step(key, state, data):
        del key, data
        return state, Info(jnp.zeros(()), {})

    return Method(init, step, sample=sample, tag="point")

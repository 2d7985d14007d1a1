"""From draws to their mean."""

import jax
import jax.numpy as jnp

from jaximpute import masking
from jaximpute._errors import OptionError
from jaximpute.types import Method, Observed, PRNGKey, State


def average(method: Method, *, draws: int) -> Method:
    """A method whose completion is the mean of several draws of another.

    Args:
        method: one with `sample`, and tag `draws`.
        draws: completions to average, at least 1.

    Returns:
        A method with the same state, tag `mean`. Its `fill` has no key to be given, and always
        uses the same one.

    Raises:
        OptionError: the method does not draw, or `draws` is out of range.
    """
    if method.sample is None or method.tag != "draws":
        raise OptionError("the mean of draws needs a method that draws; this one has no `sample`")
    if draws < 1:
        raise OptionError(f"draws is {draws}; expected at least 1")
    draw = method.sample

    def sample(key: PRNGKey, state: State, data: Observed) -> jax.Array:
        def add(total, i):
            return total + draw(jax.random.fold_in(key, i), state, data), None

        total, _ = jax.lax.scan(add, jnp.zeros_like(data.values), jnp.arange(draws))
        return masking.clamp(total / draws, data)

    def fill(state: State, data: Observed) -> jax.Array:
        return sample(jax.random.key(0), state, data)

    return Method(method.init, method.step, fill, sample, tag="mean")

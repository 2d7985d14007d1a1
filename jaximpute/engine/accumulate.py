"""Gradients gathered over several batches, for any method that asks for them."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from jaximpute._errors import OptionError
from jaximpute.engine.warmup import WarmUp
from jaximpute.maths.ambient import Gathering, gathering
from jaximpute.types import Info, Method, Observed, PRNGKey, State


def accumulated(method: Method, batches: int) -> Method:
    """The same method, each of whose updates follows the mean gradient of several batches.

    A batch as large as all of them together, in the memory of one. Each batch counts the same.

    Args:
        method: one that learns by `descend`, `train` or `gradient`.
        batches: to an update, at least 1.

    Returns:
        A method with the same state; build it once, for it is a cache key.

    Raises:
        OptionError: `batches` out of range; or, when it is first run, a method that learns in
            another way.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> data = ji.from_nan(jnp.ones((4, 2)).at[0, 1].set(jnp.nan))
        >>> try:
        ...     ji.fit(accumulated(ji.methods.mean(), 2), jax.random.key(0), data, 1)
        ... except ji.OptionError as error:
        ...     print(str(error).split(";")[0])
        this method gathers no gradients over batches
    """
    if not 1 <= batches < 2**31:  # programs count in 32 bits
        raise OptionError(f"accumulate is {batches}; expected at least 1, and below 2**31")
    if batches == 1:
        return method

    def step(key: PRNGKey, state: State, data: Observed) -> tuple[State, Info]:
        with _gather(batches) as found:
            after = method.step(key, state, data)
        if not found.asked:
            raise OptionError("this method gathers no gradients over batches; raise its batch")
        return after

    init = method.init
    if isinstance(init, WarmUp):
        init = dataclasses.replace(init, method=accumulated(init.method, batches))
    return method._replace(init=init, step=step)


@contextmanager
def _gather(batches: int) -> Iterator[Gathering]:
    found = Gathering(batches)
    token = gathering.set(found)
    try:
        yield found
    finally:
        gathering.reset(token)

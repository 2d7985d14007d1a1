"""Learning that comes before the first step: whole in `init`, or in pieces that can be watched."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jaximpute.types import Method, Observed, PRNGKey, State


@dataclass(frozen=True, eq=False)
class WarmUp:
    """An `init` that trains first, by a method of its own.

    Called like any `init`, it is pure and does everything at once. `fit` takes the same steps one
    by one instead, with the same keys, so that they are checked and hooks see them.

    Attributes:
        method: what trains; only its `init` and `step` are used.
        steps: how many of its steps to take.
        finish: `state -> state`, from its last state to the first of the method proper.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> seen, data = [], ji.observe(np.array([[1.0], [np.nan]]))
        >>> mean = ji.methods.mean()
        >>> method = mean._replace(init=WarmUp(mean, 2, lambda state: state))
        >>> look = lambda t, state, info: bool(seen.append(t))
        >>> _ = ji.fit(method, jax.random.key(0), data, 1, hooks=[look])
        >>> seen
        [-1, 0, 1]
    """

    method: Method
    steps: int
    finish: Callable[[State], State]

    def __call__(self, key: PRNGKey, data: Observed) -> State:
        """The state after the warm-up."""
        key_init, key_run = jax.random.split(key)
        state = self.method.init(key_init, data)

        def one(state, i):
            return self.method.step(jax.random.fold_in(key_run, i), state, data)

        if self.steps:
            state, _ = jax.lax.scan(one, state, jnp.arange(self.steps))
        return self.finish(state)


def warm_steps(method: Method) -> int:
    """The number of steps before the first one; 0 for a method without a warm-up."""
    return method.init.steps if isinstance(method.init, WarmUp) else 0

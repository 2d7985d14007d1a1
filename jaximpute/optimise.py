"""Inner loops of optimisation."""

from collections.abc import Callable

import jax
import optax
from jaxtyping import Array, Float

from jaximpute.types import Params, PRNGKey


def descend(
    loss: Callable[[Params, PRNGKey], Float[Array, ""]],
    optimiser: optax.GradientTransformation,
    key: PRNGKey,
    params: Params,
    opt_state: optax.OptState,
    n: int,
) -> tuple[Params, optax.OptState, Float[Array, "{n}"]]:
    """`n` optimiser steps on a stochastic loss, in one scan.

    Args:
        loss: `(params, key) -> scalar`.
        optimiser: an optax transformation.
        key: step `i` uses `fold_in(key, i)`.
        params: where to start.
        opt_state: the optimiser's state.
        n: number of steps, at least 1.

    Returns:
        Parameters, optimiser state, and the loss before each step.
    """

    def one(carry, i):
        params, opt_state = carry
        value, grads = jax.value_and_grad(loss)(params, jax.random.fold_in(key, i))
        updates, opt_state = optimiser.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    (params, opt_state), losses = jax.lax.scan(one, (params, opt_state), jax.numpy.arange(n))
    return params, opt_state, losses


def ema(average: Params, params: Params, decay: float | Float[Array, ""]) -> Params:
    r"""Exponential moving average, :math:`\bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta`."""
    return jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, params)

"""Inner loops of optimisation."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaximpute.maths.ambient import gathering
from jaximpute.types import Params, PRNGKey, Scalar


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
        value, grads = gradient(loss)(params, jax.random.fold_in(key, i))
        updates, opt_state = optimiser.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    (params, opt_state), losses = jax.lax.scan(one, (params, opt_state), jnp.arange(n))
    return params, opt_state, losses


def ema(average: Params, params: Params, decay: float | Float[Array, ""]) -> Params:
    r"""Exponential moving average, :math:`\bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta`."""
    return jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, params)


class Learner(NamedTuple):
    """A network being trained, and the running average of its weights.

    Attributes:
        params: the weights.
        total: their exponentially weighted sum.
        mass: the sum of those weights, by which `averaged` divides.
        opt: the optimiser's state.
    """

    params: Params
    total: Params
    mass: Float[Array, ""]
    opt: optax.OptState


def learner(
    params: Params, optimiser: optax.GradientTransformation, decay: Scalar = 0.99
) -> Learner:
    """A network at its start, which is the first of the weights averaged."""
    total = jax.tree.map(lambda p: (1 - decay) * p, params)
    return Learner(params, total, jnp.asarray(1 - decay, jnp.float32), optimiser.init(params))


def train(
    loss: Callable[[Params, PRNGKey], Float[Array, ""]],
    optimiser: optax.GradientTransformation,
    key: PRNGKey,
    state: Learner,
    n: int,
    decay: Scalar = 0.99,
    *,
    scan: bool = True,
) -> tuple[Learner, Float[Array, "{n}"]]:
    """`descend`, averaging the weights after every step.

    Args:
        loss: `(params, key) -> scalar`.
        optimiser: an optax transformation.
        key: step `i` uses `fold_in(key, i)`.
        state: where to start.
        n: number of steps, at least 1.
        decay: of the average, in [0, 1); 0 keeps the last weights.
        scan: whether the steps are one compiled loop. On CPU, where XLA runs convolutions in a loop
            an order of magnitude slower, they should not be.

    Returns:
        The learner after the steps, and the loss before each.
    """

    def one(state, i):
        value, grads = gradient(loss)(state.params, jax.random.fold_in(key, i))
        updates, opt = optimiser.update(grads, state.opt, state.params)
        params = optax.apply_updates(state.params, updates)
        total = ema(state.total, params, decay)
        mass = ema(state.mass, jnp.ones_like(state.mass), decay)
        return Learner(params, total, mass, opt), value

    if scan and n > 1:
        return jax.lax.scan(one, state, jnp.arange(n))
    losses = []
    for i in range(n):
        state, value = one(state, i)
        losses.append(value)
    return state, jnp.stack(losses)


def averaged(state: Learner) -> Params:
    """The average of the weights, free of the bias towards its start."""
    return jax.tree.map(lambda total: total / state.mass.astype(total.dtype), state.total)


def adamw(
    lr: Scalar, *, total: int | None = None, clip: float = 1.0, weight_decay: float = 1e-6
) -> optax.GradientTransformation:
    """AdamW on clipped gradients, its rate falling to 0 along half a cosine over `total` steps.

    Args:
        lr: first learning rate, positive.
        total: steps after which the rate is 0; None keeps it constant.
        clip: largest norm of a gradient.
        weight_decay: of the weights.

    Returns:
        The optimiser; its state has the same structure for every choice.
    """

    def rate(i):
        if total is None:
            return lr + 0.0 * i
        return lr * (1 + jnp.cos(jnp.pi * jnp.minimum(i / total, 1.0))) / 2

    return optax.chain(
        optax.clip_by_global_norm(clip), optax.adamw(rate, weight_decay=weight_decay)
    )


def warmed(
    lr: Scalar, *, total: int | None = None, warmup: int = 0, clip: float = 1.0
) -> optax.GradientTransformation:
    """Adam for networks with convolutions, its rate growing over `warmup` steps, then falling.

    Args:
        lr: largest learning rate, positive.
        total: steps after which the rate is 0, along half a cosine; None keeps it constant.
        warmup: steps in which it grows from 0; 0 = none.
        clip: largest norm of a gradient.

    Returns:
        The optimiser.
    """

    def rate(i):
        done = 0.0 * i if total is None else jnp.minimum(i / total, 1.0)
        begun = jnp.minimum((i + 1) / max(warmup, 1), 1.0)
        return lr * begun * (1 + jnp.cos(jnp.pi * done)) / 2

    # context-query's authors' second moment; a longer first one averages over partitions
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate, b1=0.95, b2=0.999))


Slope = Callable[[Params, PRNGKey], tuple[Float[Array, ""], Params]]


def gradient(loss: Callable[[Params, PRNGKey], Float[Array, ""]]) -> Slope:
    r"""Value and gradient of a stochastic loss; within `accumulated`, their mean over `k` batches.

    .. math:: \frac1k \sum_{i<k} \nabla \ell(\theta; \mathrm{fold}(\mathrm{key}, i))

    Args:
        loss: `(params, key) -> scalar`, which picks a batch by its key.

    Returns:
        `(params, key) -> (value, gradient)`.

    Example:
        >>> import jax
        >>> value, slope = gradient(lambda x, key: x**2)(3.0, jax.random.key(0))
        >>> float(slope)
        6.0
    """
    one, asked = jax.value_and_grad(loss), gathering.get()
    if asked is None:
        return one
    asked.asked = True

    def many(params: Params, key: PRNGKey) -> tuple[Float[Array, ""], Params]:
        def add(total, i):
            return jax.tree.map(jnp.add, total, one(params, jax.random.fold_in(key, i))), None

        shapes = jax.eval_shape(one, params, key)
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        total, _ = jax.lax.scan(add, nothing, jnp.arange(asked.batches))
        return jax.tree.map(lambda x: x / asked.batches, total)

    return many

"""Guidance of Algorithm 4 by what a user knows: an equation's residual, and the observations."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute import masking
from jaximpute.types import Observed, Scalar


class Guidance(NamedTuple):
    """What estimates are pulled towards.

    Attributes:
        residual: `sample -> scalar`, 0 where the equation holds; None = no equation.
        strength: length of the step along its gradient.
        observed: length of the step along the gradient of the error at observed entries.
    """

    residual: Callable[[jax.Array], jax.Array] | None = None
    strength: Scalar = 1.0
    observed: Scalar = 0.0


def nearer(
    guidance: Guidance, estimate: Float[Array, "n *event"], data: Observed
) -> Float[Array, "n *event"]:
    r"""One step down the residual, at missing entries.

    .. math:: \hat x \leftarrow \hat x - \zeta\, (1 - M) \odot \nabla r(M \odot x_{\mathrm{obs}}
        + (1 - M) \odot \hat x)
    """
    residual = guidance.residual
    if residual is None:
        return estimate

    def total(estimate):
        return jax.vmap(residual)(masking.clamp(estimate, data)).sum()

    gradient = jax.grad(total)(estimate)
    return estimate - guidance.strength * jnp.where(data.mask, 0, gradient)


def pulled(
    guidance: Guidance,
    answer: Callable[[jax.Array], jax.Array],
    x: Float[Array, "n *event"],
    data: Observed,
) -> tuple[Float[Array, "n *event"], Float[Array, "n *event"]]:
    r"""The answer to a state, and how that state should move for it to meet the observations.

    .. math:: -\zeta\, (1 - M) \odot \nabla_x \frac{\|M \odot (\hat x(x) - x_{\mathrm{obs}})\|^2}
        {|M|}

    The gradient goes through the network: it is how entries that are missing answer for those that
    are not.
    """
    if isinstance(guidance.observed, int | float) and guidance.observed == 0:
        return answer(x), jnp.zeros_like(x)
    axes = tuple(range(1, x.ndim))

    def error(x):
        estimate = answer(x)
        square = jnp.where(data.mask, (estimate - data.values) ** 2, 0).sum(axes)
        return (square / jnp.maximum(data.mask.sum(axes), 1)).sum(), estimate

    gradient, estimate = jax.grad(error, has_aux=True)(x)
    return estimate, -guidance.observed * jnp.where(data.mask, 0, gradient)

"""Transport plans for any matrix of costs, where ott-jax has no cheap counterpart."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.types import Scalar


def sinkhorn_plan(
    cost: Float[Array, "n m"],
    a: Float[Array, "n"],
    b: Float[Array, "m"],
    epsilon: Scalar,
    iterations: int,
) -> Float[Array, "n m"]:
    """The entropic plan between masses `a` and `b`, after a number of iterations in logarithms."""
    scaled = -cost / epsilon
    log_a, log_b = _log(a), _log(b)

    def one(_, potentials):
        f, g = potentials
        f = log_a - jax.nn.logsumexp(scaled + g[None], axis=1)
        return f, log_b - jax.nn.logsumexp(scaled + f[:, None], axis=0)

    f, g = jax.lax.fori_loop(0, iterations, one, (jnp.zeros_like(a), jnp.zeros_like(b)))
    # the rows last: they are then exact
    f = log_a - jax.nn.logsumexp(scaled + g[None], axis=1)
    return jnp.exp(scaled + f[:, None] + g[None])


def relaxed_plan(
    cost: Float[Array, "n m"],
    a: Float[Array, "n"],
    b: Float[Array, "m"],
    rho: Scalar,
    iterations: int,
) -> Float[Array, "n m"]:
    r"""The plan without entropy whose marginals may differ from `a` and `b` at the price `rho`.

    .. math::
        \min_{P \ge 0} \langle C, P \rangle + \rho\, \mathrm{KL}(P 1 | a)
            + \rho\, \mathrm{KL}(P^\top 1 | b)

    by majorisation and minimisation: since :math:`t \log t` is convex,
    :math:`P_{ij} \leftarrow P_{ij} e^{-C_{ij} / 2 \rho}
    \sqrt{a_i b_j / (P 1)_i (P^\top 1)_j}` lowers the objective at every iteration.

    Source: Chapel et al., "Unbalanced optimal transport through non-negative penalized linear
    regression" (2021).
    """
    kernel = jnp.exp(-cost / (2 * rho)) * jnp.sqrt(a[:, None] * b[None])
    tiny = jnp.finfo(cost.dtype).tiny

    def one(_, plan):
        rows, columns = (jnp.maximum(plan.sum(axis), tiny) for axis in (1, 0))
        return kernel * plan / jnp.sqrt(rows)[:, None] / jnp.sqrt(columns)[None]

    return jax.lax.fori_loop(0, iterations, one, a[:, None] * b[None])


def _log(mass: jax.Array) -> jax.Array:
    # finite, so that a difference of two such is a number; its exponential is 0
    return jnp.where(mass > 0, jnp.log(jnp.where(mass > 0, mass, 1)), -1e5)

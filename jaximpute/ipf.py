r"""Iterative proportional fitting: the Schrodinger bridge between two discrete distributions.

The static bridge is :math:`\pi = e^{\varphi(x) + \psi(y) - c(x, y)} \mu(x) \nu(y)`, an entropic
optimal transport at :math:`\epsilon = 1`; fitting its two marginals in turn is what CSBI's training
approximates (CSBI, Algorithms 1 and 3).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.types import PRNGKey

Marginals = tuple[Float[Array, "n"], Float[Array, "m"]]
Approximate = Callable[[PRNGKey, Float[Array, "n"], Float[Array, "m"]], Marginals]


class Fit(NamedTuple):
    """What `ipf` returns.

    Attributes:
        phi: potential of the first marginal.
        psi: potential of the second.
        plan: the coupling, `(n, m)`.
        first: KL divergence of the first marginal from the target after each second half-step.
        second: of the second marginal after each first half-step, in which the first is exact.
    """

    phi: Float[Array, "n"]
    psi: Float[Array, "m"]
    plan: Float[Array, "n m"]
    first: Float[Array, "k"]
    second: Float[Array, "k"]


def ipf(
    key: PRNGKey,
    cost: Float[Array, "n m"],
    mu: Float[Array, "n"],
    nu: Float[Array, "m"],
    *,
    iterations: int = 100,
    approximate: Approximate | None = None,
) -> Fit:
    r"""Fit the two marginals of a coupling in turn, exactly or approximately.

    .. math:: \psi_k(y) = -\log \int e^{\varphi_k(x) - c(x, y)} \mu_{\star,k}(dx), \qquad
        \varphi_{k+1}(x) = -\log \int e^{\psi_k(y) - c(x, y)} \nu_{\star,k}(dy)

    With exact marginals the divergences reported are at most :math:`\mathrm{KL}(\pi \| G) / k`;
    with approximate ones they stay at a floor set by the error, which does not grow with k
    (Theorem 1).

    Args:
        key: iteration `k` uses `fold_in(key, k)`, for `approximate` only.
        cost: :math:`c`, finite.
        mu: first marginal, positive and of sum 1.
        nu: second marginal, likewise.
        iterations: number of them, at least 1.
        approximate: `(key, mu, nu) -> (mu_k, nu_k)`, the projections that are really made; None =
            exact ones.

    Returns:
        The potentials, the coupling and how far each marginal was off.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jnp.linspace(-1, 1, 5)
        >>> mu, nu = jnp.full(5, 0.2), jnp.array([0.1, 0.2, 0.4, 0.2, 0.1])
        >>> fit = ipf(jax.random.key(0), (x[:, None] - x[None]) ** 2, mu, nu)
        >>> bool(jnp.allclose(fit.plan.sum(0), nu, atol=1e-5))
        True

    Source: CSBI (Chen et al., 2023), Algorithms 1 and 3, Theorem 1.
    """

    def once(phi, k):
        now_mu, now_nu = (mu, nu)
        if approximate is not None:
            now_mu, now_nu = approximate(jax.random.fold_in(key, k), mu, nu)
        log_mu, log_nu = jnp.log(now_mu), jnp.log(now_nu)
        before = phi[:, None] - cost + log_mu[:, None]
        psi = -jax.nn.logsumexp(before, axis=0)
        after = psi[None] - cost + log_nu[None]
        new = -jax.nn.logsumexp(after, axis=1)
        # the coupling's marginals: off in the first after psi, in the second after phi
        first = log_mu + phi + jax.nn.logsumexp(after, axis=1)
        second = log_nu + psi + jax.nn.logsumexp(new[:, None] - cost + log_mu[:, None], axis=0)
        return new, (psi, kl(jnp.exp(first), mu), kl(jnp.exp(second), nu))

    phi, (psi, first, second) = jax.lax.scan(once, jnp.zeros_like(mu), jnp.arange(iterations))
    plan = jnp.exp(phi[:, None] + psi[-1][None] - cost) * mu[:, None] * nu[None]
    return Fit(phi, psi[-1], plan, first, second)


def kl(p: Float[Array, "n"], q: Float[Array, "n"]) -> Float[Array, ""]:
    """Kullback-Leibler divergence of masses, `sum p log(p / q) - p + q`."""
    return jnp.sum(jax.scipy.special.rel_entr(p, q) - p + q)

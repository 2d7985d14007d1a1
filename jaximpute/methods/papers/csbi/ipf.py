r"""Iterative proportional fitting: the Schrodinger bridge between two discrete distributions.

The static bridge is :math:`\pi = e^{\varphi(x) + \psi(y) - c(x, y)} \mu(x) \nu(y)`, an entropic
optimal transport at :math:`\epsilon = 1`; fitting its two marginals in turn is what CSBI's training
approximates (CSBI, Algorithms 1 and 3).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.types import PRNGKey, Process

Marginals = tuple[Float[Array, "n"], Float[Array, "m"]]
Approximate = Callable[[PRNGKey, Float[Array, "n"], Float[Array, "m"]], Marginals]


class Fit(NamedTuple):
    r"""What `ipf` returns after n iterations.

    Attributes:
        phi: potential of the first marginal, :math:`\varphi_n`.
        psi: potential of the second, :math:`\psi_n`.
        plan: the coupling :math:`\pi_{2n}`, `(n, m)`, whose second marginal is exact.
        first: :math:`\mathrm{KL}(\mu_{2k} \,|\, \mu_\star)` for k from 0: how far the first
            marginal is off where the second is exact.
        second: :math:`\mathrm{KL}(\nu_\star \,|\, \nu_{2k+1})` for k from 0: how far the second is
            off where the first is exact.
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

    from :math:`\varphi_0 = 0`. The couplings in between are

    .. math:: \pi_{2k} = e^{\varphi_k + \psi_k - c}\, \mu_{\star,k} \otimes \nu_{\star,k}, \qquad
        \pi_{2k+1} = e^{\varphi_{k+1} + \psi_k - c}\, \mu_{\star,k+1} \otimes \nu_{\star,k}

    With exact projections both divergences reported fall like :math:`1 / k`. With approximate ones,
    whose scores are off by at most :math:`\epsilon`, Theorem 1 bounds them, up to the numbering, by

    .. math:: \frac{\mathrm{KL}(\pi_\star \,|\, G) - \mathrm{KL}(\pi_0 \,|\, G)}{k}
        + O(\epsilon^{1/2} + k^{1/2} \epsilon)

    The second term grows with k: after about :math:`1 / \epsilon` iterations more of them are not
    sure to help, and the paper advises to stop early.

    Args:
        key: projection `k` uses `fold_in(key, k)`, for `approximate` only.
        cost: :math:`c`, finite, such as that of `transition_cost`.
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

    Source: CSBI (Chen et al., 2023), Algorithms 1 and 3, eq. (34), Theorem 1.
    """

    def projected(k) -> Marginals:
        if approximate is None:
            return mu, nu
        return approximate(jax.random.fold_in(key, k), mu, nu)

    def psi_of(phi, mu_k):
        return -jax.nn.logsumexp(phi[:, None] - cost + jnp.log(mu_k)[:, None], axis=0)

    def phi_of(psi, nu_k):
        return -jax.nn.logsumexp(psi[None] - cost + jnp.log(nu_k)[None], axis=1)

    def once(carry, k):
        phi, psi, mu_k, nu_k = carry  # of pi_2k
        next_phi, (next_mu, next_nu) = phi_of(psi, nu_k), projected(k + 1)
        next_psi = psi_of(next_phi, next_mu)
        mu_2k = jnp.exp(phi - next_phi) * mu_k
        nu_2k1 = jnp.exp(psi - next_psi) * nu_k  # of pi_2k+1
        return (next_phi, next_psi, next_mu, next_nu), (kl(mu_2k, mu), kl(nu, nu_2k1))

    phi, (mu_0, nu_0) = jnp.zeros_like(mu), projected(jnp.zeros((), int))
    start = (phi, psi_of(phi, mu_0), mu_0, nu_0)
    (phi, psi, mu_n, nu_n), (first, second) = jax.lax.scan(once, start, jnp.arange(iterations))
    plan = jnp.exp(phi[:, None] + psi[None] - cost) * mu_n[:, None] * nu_n[None]
    return Fit(phi, psi, plan, first, second)


def transition_cost(
    process: Process, x: Float[Array, "n d"], y: Float[Array, "m d"]
) -> Float[Array, "n m"]:
    r"""The cost whose bridge is that of a process: less the log of the density of a move.

    .. math:: c(x, y) = -\log \mathrm{Ker}(0, x, 1, y)
        = \frac{\|y - \alpha x\|^2}{2 \sigma^2} + \frac d2 \log(2 \pi \sigma^2)

    with the marginal of the process at t = 1.

    Args:
        process: a linear one, whose moves are Gaussian.
        x: places of the first marginal, the data.
        y: places of the second, the prior.

    Returns:
        The cost, for `ipf`.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaximpute.maths.processes import ve
        >>> x = jnp.array([[0.0], [1.0]])
        >>> cost = transition_cost(ve(0.01, 1.0), x, x)
        >>> round(float(cost[0, 1] - cost[0, 0]), 2)
        0.5

    Source: CSBI (Chen et al., 2023), eq. (23) and (26).
    """
    alpha, sigma = process.marginal(jnp.ones((), x.dtype))
    square = ((y[None] - alpha * x[:, None]) ** 2).sum(axis=-1)
    return square / (2 * sigma**2) + x.shape[1] / 2 * jnp.log(2 * math.pi * sigma**2)


def kl(p: Float[Array, "n"], q: Float[Array, "n"]) -> Float[Array, ""]:
    """Kullback-Leibler divergence of masses, `sum p log(p / q) - p + q`."""
    return jnp.sum(jax.scipy.special.rel_entr(p, q) - p + q)

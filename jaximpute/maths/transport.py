r"""Optimal transport between two samples: thin wrappers of ott-jax, on dense costs.

All use the squared Euclidean cost :math:`C_{ij} = \|x_i - y_j\|^2` and an absolute `epsilon` in its
units; 0.05 times the mean cost is a common start, and smaller is sharper. Iterations grow like
`1 / epsilon`, or `rho / epsilon`: look at `converged`. The options are numbers, not traced arrays:
each value of `epsilon` and `rho` compiles once.
"""

import math
import warnings
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import check_positive
from jaximpute.maths.distances import squared_distances


class Transport(NamedTuple):
    """A transport problem solved.

    Attributes:
        value: the cost of the coupling, as each function says. Its gradient in the points holds the
            coupling fixed (the envelope theorem), which is the exact gradient of the entropic
            objective, and safe in float32 where differentiating through the iterations is not.
        coupling: mass sent from each row of `x` to each row of `y`; constant under differentiation.
        converged: whether the solver met its threshold.
    """

    value: Float[Array, ""]
    coupling: Float[Array, "n m"]
    converged: Bool[Array, ""]


def sinkhorn_divergence(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    epsilon: float,
    a: Float[Array, "n"] | None = None,
    b: Float[Array, "m"] | None = None,
    threshold: float = 1e-4,
    max_iterations: int = 10_000,
) -> Float[Array, ""]:
    r"""Sinkhorn divergence: entropic transport, less its bias.

    .. math:: W_\epsilon(x, y) - \tfrac12 W_\epsilon(x, x) - \tfrac12 W_\epsilon(y, y)

    Args:
        x: rows of one sample.
        y: rows of the other.
        epsilon: entropic regularisation, positive, in the units of the squared distance.
        a: masses of the rows of `x`, summing to 1; equal by default.
        b: masses of the rows of `y`.
        threshold: error of the marginals at which to stop; float32 reaches about 1e-5.
        max_iterations: where to stop otherwise.

    Returns:
        A scalar in the units of the squared distance, about 0 between equal samples, differentiable
        in `x` and `y`.

    Raises:
        OptionError: `epsilon` not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[0.0], [1.0]])
        >>> round(float(sinkhorn_divergence(x, x + 2, epsilon=0.1)), 2)
        4.0

    Source: Feydy et al., "Interpolating between optimal transport and MMD using Sinkhorn
    divergences" (2019).
    """
    check_positive(epsilon=epsilon)
    return _divergence(x, y, _masses(x, a), _masses(y, b), epsilon, threshold, max_iterations)


def balanced(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    epsilon: float,
    a: Float[Array, "n"] | None = None,
    b: Float[Array, "m"] | None = None,
    threshold: float = 1e-4,
    max_iterations: int = 10_000,
) -> Transport:
    r"""Entropic optimal transport with both marginals kept.

    .. math::
        P = \arg\min_{P 1 = a,\; P^\top 1 = b} \langle C, P \rangle
            + \epsilon\, \mathrm{KL}(P \,|\, a b^\top)

    Args:
        x: rows of the source.
        y: rows of the target.
        epsilon: entropic regularisation, positive, in the units of the squared distance.
        a: masses of the source, summing to 1; equal by default.
        b: masses of the target, of the same sum.
        threshold, max_iterations: see `sinkhorn_divergence`.

    Returns:
        The coupling and its cost :math:`\langle C, P \rangle`.

    Raises:
        OptionError: `epsilon` not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[0.0], [1.0]])
        >>> balanced(x, x[::-1], epsilon=0.02).coupling.round(3).tolist()
        [[0.0, 0.5], [0.5, 0.0]]

    Source: Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport" (2013).
    """
    check_positive(epsilon=epsilon)
    price = (math.inf, math.inf)
    return _solve(x, y, _masses(x, a), _masses(y, b), epsilon, price, threshold, max_iterations)


def unbalanced(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    epsilon: float,
    rho: float,
    a: Float[Array, "n"] | None = None,
    b: Float[Array, "m"] | None = None,
    threshold: float = 1e-4,
    max_iterations: int = 10_000,
) -> Transport:
    r"""Transport that may create and destroy mass on both sides, at a price.

    .. math::
        \langle C, P \rangle + \rho\, \mathrm{KL}(P 1 | a) + \rho\, \mathrm{KL}(P^\top 1 | b),
        \qquad \mathrm{KL}(q | b) = \sum_j q_j \log \frac{q_j}{b_j} - q_j + b_j

    minimised with :math:`\epsilon\, \mathrm{KL}(P | a b^\top)` added.

    Args:
        x: rows of the source.
        y: rows of the target.
        epsilon: entropic regularisation, positive, in the units of the squared distance.
        rho: price of a change of mass, positive, in the same units: mass travels no farther than
            about :math:`\sqrt{2 \rho}`.
        a: masses of the source; equal, summing to 1, by default.
        b: masses of the target; any sum.
        threshold, max_iterations: see `sinkhorn_divergence`.

    Returns:
        The coupling and the objective above, computed from it.

    Raises:
        OptionError: `epsilon` or `rho` not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([[0.0], [9.0]])
        >>> unbalanced(x, y, epsilon=0.01, rho=1.0).coupling[:, 1].round(3).tolist()
        [0.0, 0.0]

    Source: Chizat et al., "Scaling algorithms for unbalanced optimal transport problems" (2018).
    """
    check_positive(epsilon=epsilon, rho=rho)
    price = (rho, rho)
    return _solve(x, y, _masses(x, a), _masses(y, b), epsilon, price, threshold, max_iterations)


def semi_relaxed(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    epsilon: float,
    rho: float = 1.0,
    a: Float[Array, "n"] | None = None,
    b: Float[Array, "m"] | None = None,
    threshold: float = 1e-4,
    max_iterations: int = 10_000,
) -> Transport:
    r"""SPIRIT's semi-proximal transport (SPT) discrepancy, with the entropic potential.

    .. math::
        S(\mu, \nu) = \min_{P 1 = a} \langle C, P \rangle + \rho\, \mathrm{KL}(q \,|\, b),
        \qquad q = P^\top 1,

    the Bregman divergence of eq. (7) being
    :math:`\mathrm{KL}(q | b) = \sum_j q_j \log (q_j / b_j) - q_j + b_j`. All the source must
    travel; the target asks for its mass at the price :math:`\rho`, and what is too far is left
    alone. The solver adds :math:`\epsilon\, \mathrm{KL}(P | a b^\top)`, which the value leaves out.

    **Outliers.** Contaminate the target, :math:`\nu_z = (1 - \zeta) \nu + \zeta \delta_z`, and
    write :math:`D = \int \|x - z\|^2 d\mu` and :math:`S_0 = S(\mu, \nu)`. For :math:`\rho = 1`

    .. math::
        S(\mu, \nu_z) \le S_0 - \log\big(1 - \zeta (1 - e^{-(D - S_0)})\big)
                      \le S_0 - \log(1 - \zeta) ,

    seen by mixing the clean plan with :math:`\mu \otimes \delta_z` and choosing the best mixing
    weight; other :math:`\rho` scale all costs. So an outlier adds at most :math:`-\log(1 - \zeta)`,
    however far it lies; an outlier of the source is not damped. The paper's Lemma 3.2, eq. (9),

    .. math::
        S(\mu, \nu_z) \le (1 - \zeta) S_0 + \zeta (1 - e^{-D})
            - (1 - \zeta) \log (1 - \zeta) - \zeta \log \zeta ,

    does not hold for this discrepancy: with :math:`\mu = \delta_0`, where
    :math:`S = -\log \sum_j b_j e^{-\|y_j\|^2}` and the log form is an equality, the choice
    :math:`\nu = \delta_y`, :math:`\|y\|^2 = 5`, :math:`\zeta = 0.1` and :math:`z` far away gives
    5.11 against 4.92. Its proof minimises over the mass of the outlier, which is given.

    Args:
        x: rows of the source, whose masses are kept.
        y: rows of the target.
        epsilon: entropic regularisation, positive, in the units of the squared distance.
        rho: price of a change of the target's mass, in the same units; 1 in the paper, and
            `math.inf` gives `balanced`.
        a: masses of the source, summing to 1; equal by default.
        b: masses of the target.
        threshold, max_iterations: see `sinkhorn_divergence`.

    Returns:
        The coupling and the objective above, computed from it.

    Raises:
        OptionError: `epsilon` or `rho` not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([[0.0], [1.0], [50.0]])
        >>> plan = semi_relaxed(x, y, epsilon=0.01).coupling
        >>> plan.sum(0).round(2).tolist(), plan.sum(1).round(2).tolist()
        ([0.5, 0.5, 0.0], [0.5, 0.5])

    Source: Chen et al., "Analyzing and improving diffusion models for time-series data imputation:
    a proximal recursion perspective" (2026), eq. (6) and (7).
    """
    check_positive(epsilon=epsilon, rho=rho)
    price = (math.inf, rho)
    return _solve(x, y, _masses(x, a), _masses(y, b), epsilon, price, threshold, max_iterations)


# Compiled here, for ott run step by step compiles anew at every call. The prices are static because
# ott branches on them.
@jax.jit(static_argnames=("epsilon", "rho", "threshold", "max_iterations"))
def _solve(x, y, a, b, epsilon, rho, threshold, max_iterations) -> Transport:
    ott = _ott()
    cost = squared_distances(x, y)
    tiny = jnp.finfo(cost.dtype).tiny
    prior = jnp.log(jnp.maximum(a, tiny))[:, None] + jnp.log(jnp.maximum(b, tiny))[None]
    # ott's entropy refers to unit masses, which for relaxed marginals adds mass with every point;
    # moving log(a b) into the cost makes it refer to the masses given
    tilted = jax.lax.stop_gradient(cost - epsilon * prior)
    # ott mixes ranks freely, and callers may have asked jax to refuse that
    with jax.numpy_rank_promotion("allow"):
        solved = ott.solve(
            ott.geometry(cost_matrix=tilted, epsilon=epsilon),
            a=jax.lax.stop_gradient(a),
            b=jax.lax.stop_gradient(b),
            tau_a=_tau(rho[0], epsilon),
            tau_b=_tau(rho[1], epsilon),
            threshold=threshold,
            max_iterations=max_iterations,
        )
        plan = jax.lax.stop_gradient(solved.matrix)
    value = jnp.sum(plan * cost)
    for price, mass, wanted in zip(rho, (plan.sum(axis=1), plan.sum(axis=0)), (a, b), strict=True):
        if not math.isinf(price):
            value = value + price * _kl(mass, wanted)
    return Transport(value, plan, jnp.asarray(solved.converged))


@jax.jit(static_argnames=("epsilon", "threshold", "max_iterations"))
def _divergence(x, y, a, b, epsilon, threshold, max_iterations) -> jax.Array:
    ott = _ott()
    costs = squared_distances(x, y), squared_distances(x, x), squared_distances(y, y)
    fixed = jax.lax.stop_gradient(costs)
    limits = {"threshold": threshold, "max_iterations": max_iterations}
    with jax.numpy_rank_promotion("allow"):
        value, solved = ott.divergence(
            ott.geometry,
            *fixed,
            epsilon=epsilon,
            a=jax.lax.stop_gradient(a),
            b=jax.lax.stop_gradient(b),
            solve_kwargs=limits,
        )
        plans = [
            geometry.transport_from_potentials(*potentials)
            for geometry, potentials in zip(solved.geoms, solved.potentials, strict=True)
        ]
    # the last factors are zero: they carry the gradient, with the couplings held fixed
    for sign, plan, cost, constant in zip((1, -0.5, -0.5), plans, costs, fixed, strict=True):
        value = value + sign * jnp.sum(plan * (cost - constant))
    return value


class _Ott(NamedTuple):
    geometry: Any
    solve: Any
    divergence: Any


def _ott() -> _Ott:
    """The three pieces used of ott-jax, imported late because that takes seconds."""
    with warnings.catch_warnings():
        # one of its dependencies announces its own retirement on import
        warnings.simplefilter("ignore", DeprecationWarning)
        from ott.geometry.geometry import Geometry
        from ott.solvers.linear import solve
        from ott.tools.sinkhorn_divergence import sinkhorn_divergence as divergence
    return _Ott(Geometry, solve, divergence)


def _tau(rho: float, epsilon: float) -> float:
    """ott's way to say that a marginal is kept at the price `rho`."""
    return 1.0 if math.isinf(rho) else rho / (rho + epsilon)


def _kl(q: Float[Array, "n"], b: Float[Array, "n"]) -> Float[Array, ""]:
    """sum q log(q / b) - q + b, in which a point without mass counts nothing."""
    both = (q > 0) & (b > 0)
    ratio = jnp.where(both, q, 1) / jnp.where(both, b, 1)
    return jnp.sum(q * jnp.log(ratio) - q + b)


def _masses(x: jax.Array, a: jax.Array | None) -> jax.Array:
    chex.assert_rank(x, 2)
    n = x.shape[0]
    a = jnp.full(n, 1 / n, x.dtype) if a is None else a
    chex.assert_shape(a, (n,))
    return a

r"""The best that any method could do: exact answers for linear dynamics of a Gaussian field.

A field that starts as :math:`\sum_r z_r \phi_r` with :math:`z \sim N(0, I)` and moves by linear
dynamics stays of this form, with the waves :math:`\phi_r` now in space and time. With parameters
from a finite set it is a mixture of such fields. Its mean given what is observed, and the error
that is left, need no training and no simulation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import DataError, OptionError
from jaximpute.types import Scalar


class Posterior(NamedTuple):
    """A field given what is observed of it.

    Attributes:
        mean: of every entry; no estimate has a smaller mean squared error.
        variance: of every entry: that error's expectation, given what is observed.
        weights: of the candidate parameters, which sum to 1.
    """

    mean: Float[Array, "n *event"]
    variance: Float[Array, "n *event"]
    weights: Float[Array, "n candidates"]


def posterior(
    waves: Float[Array, "candidates modes *cells"],
    values: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    *,
    noise: int | Scalar = 1e-3,
    prior: Float[Array, "candidates"] | None = None,
) -> Posterior:
    r"""Fields given the entries that are observed of them, averaged over the parameters.

    With :math:`\Phi_v` the waves of candidate :math:`v` at the observed entries and :math:`s` the
    noise,

    .. math:: A_v = I + \Phi_v \Phi_v^\top / s^2, \quad z_v = A_v^{-1} \Phi_v y / s^2, \quad
        \log p(y \mid v) = -\tfrac12 \Big( \frac{\|y - \Phi_v^\top z_v\|^2}{s^2} + \|z_v\|^2
        + \log \det A_v \Big) + \mathrm{const}

    computed through a QR factorisation of :math:`[\Phi_v^\top / s;\ I]`, which keeps in single
    precision what the normal equations would lose.

    Args:
        waves: of each candidate, in space and time: linear dynamics applied to
            `jaximpute.physics.initial.modes`.
        values: the fields; what is not observed is ignored.
        mask: True = observed.
        noise: standard deviation of the observations; positive, small where there is none.
        prior: probabilities of the candidates, all equal by default.

    Returns:
        Means, variances and weights. Observed entries have their posterior mean, not their value.

    Raises:
        DataError: waves and values are not of the same shape.
        OptionError: `noise` is a number that is not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> waves = jnp.ones((1, 1, 2))
        >>> found = posterior(waves, jnp.array([[2.0, 0.0]]), jnp.array([[True, False]]), noise=1.0)
        >>> found.mean.round(3).tolist(), found.variance.round(3).tolist()
        ([[1.0, 1.0]], [[0.5, 0.5]])
    """
    _check(waves, values.shape[1:], noise)
    v, modes, event = waves.shape[0], waves.shape[1], values.shape[1:]
    flat = waves.reshape(v, modes, -1)
    log_prior = jnp.zeros(v, waves.dtype) if prior is None else jnp.log(prior)

    def one(row):
        y, observed = row

        found = jax.lax.map(lambda phi: _solve(phi, y, observed, noise), flat)
        weights = jax.nn.softmax(found.evidence + log_prior)
        mean = (weights[:, None] * found.mean).sum(0)
        spread = (weights[:, None] * (found.mean - mean[None]) ** 2).sum(0)
        return mean, (weights[:, None] * found.variance).sum(0) + spread, weights

    rows = values.reshape(len(values), -1), mask.reshape(len(mask), -1)
    mean, variance, weights = jax.lax.map(one, rows)
    return Posterior(mean.reshape(-1, *event), variance.reshape(-1, *event), weights)


def least_error(
    waves: Float[Array, "modes *cells"],
    mask: Bool[Array, "n *event"],
    *,
    noise: int | Scalar = 1e-3,
) -> Float[Array, "n *event"]:
    r"""The mean squared error at each entry that no estimate can beat, for known parameters.

    .. math:: \Phi^\top A^{-1} \Phi

    For one candidate it does not depend on the values, only on where they are observed. Average it
    over the missing entries for the bottom line of a table.

    Args:
        waves: of the parameters, in space and time.
        mask: True = observed.
        noise: see `posterior`.

    Returns:
        Variances of every entry given the observed ones.

    Example:
        >>> import jax.numpy as jnp
        >>> error = least_error(jnp.ones((1, 2)), jnp.array([[True, False]]), noise=1.0)
        >>> error.round(3).tolist()
        [[0.5, 0.5]]
    """
    _check(waves, mask.shape[1:], noise)
    flat = waves.reshape(waves.shape[0], -1)

    def one(observed):
        return _solve(flat, jnp.zeros_like(flat[0]), observed, noise).variance

    return jax.lax.map(one, mask.reshape(len(mask), -1)).reshape(mask.shape)


class _Solved(NamedTuple):
    mean: jax.Array
    variance: jax.Array
    evidence: jax.Array


def _solve(phi: Float[Array, "modes d"], y, observed, noise) -> _Solved:
    seen = jnp.where(observed[None], phi, 0).T / noise
    tall = jnp.concatenate([seen, jnp.eye(phi.shape[0], dtype=phi.dtype)])
    target = jnp.concatenate([jnp.where(observed, y, 0) / noise, jnp.zeros_like(phi[:, 0])])
    q, root = jnp.linalg.qr(tall)
    z = jax.scipy.linalg.solve_triangular(root, jnp.matmul(q.T, target, precision="highest"))
    left = target - jnp.matmul(tall, z, precision="highest")
    evidence = -(left**2).sum() / 2 - jnp.log(jnp.abs(jnp.diagonal(root))).sum()
    spread = jax.scipy.linalg.solve_triangular(root, phi, trans=1)
    mean = jnp.matmul(z, phi, precision="highest")
    return _Solved(mean, (spread**2).sum(0), evidence)


def _check(waves, event, noise) -> None:
    if waves.shape[-len(event) :] != event:
        raise DataError(
            f"waves have shape {waves.shape} and fields {event}; expected the same last axes"
        )
    if isinstance(noise, int | float) and not noise > 0:
        raise OptionError(f"noise is {noise}; expected a positive number, such as 1e-3")

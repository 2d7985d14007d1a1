"""Ridge regression whose two precisions maximise the evidence."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_LEAST = 1e-6  # shape and rate of both gamma priors: next to nothing


class Ridge(NamedTuple):
    """A fitted ridge: its posterior is `N(coef, vectors diag(spread^2) vectors')`.

    Attributes:
        coef: posterior mean of the slopes.
        vectors: eigenvectors of the centred Gram matrix, in columns.
        spread: posterior standard deviation along each of them.
        centre: the inputs' mean over the rows used.
        level: the target's.
        noise: standard deviation of the target around the regression.
        rows: how many rows were used, by weight.
    """

    coef: Float[Array, "d"]
    vectors: Float[Array, "d d"]
    spread: Float[Array, "d"]
    centre: Float[Array, "d"]
    level: Float[Array, ""]
    noise: Float[Array, ""]
    rows: Float[Array, ""]


def fit(
    x: Float[Array, "n d"], y: Float[Array, "n"], weight: Float[Array, "n"], *, updates: int
) -> Ridge:
    r"""Regress `y` on `x` with slopes :math:`\sim N(0, \lambda^{-1})`, noise :math:`\alpha^{-1}`.

    MacKay's fixed point: with :math:`s_i` the eigenvalues of the centred Gram matrix,

    .. math:: \gamma = \sum_i \frac{\alpha s_i}{\lambda + \alpha s_i}, \quad
        \lambda \leftarrow \frac{\gamma}{\|w\|^2}, \quad
        \alpha \leftarrow \frac{n - \gamma}{\|y - Xw\|^2}

    Args:
        x: inputs. A column of zeros gets slope 0.
        y: target; ignored where the weight is 0.
        weight: of the rows, 0 for those not to be used.
        updates: of the two precisions, at least 1.

    Returns:
        The fit. Without rows its slopes are 0.

    Source: MacKay, "Bayesian interpolation", Neural Computation 4 (1992); the same iteration as
    scikit-learn's `BayesianRidge`, through the Gram matrix instead of the inputs.
    """
    rows = weight.sum()
    total = jnp.maximum(rows, jnp.finfo(x.dtype).tiny)
    centre, level = (weight[:, None] * x).sum(0) / total, (weight * y).sum() / total
    used = weight > 0
    x = jnp.where(used[:, None], x - centre[None], 0)
    y = jnp.where(used, y - level, 0)
    weighted = weight[:, None] * x
    # a device's fast products keep three digits, and these feed a factorisation
    exact = partial(jnp.matmul, precision="highest")
    gram = exact(weighted.T, x)
    values, vectors = _eigh(gram)
    values = jnp.maximum(values, 0)
    along = exact(vectors.T, exact(weighted.T, y))

    def slopes(alpha, lam):
        return exact(vectors, along / (values + lam / alpha))

    def update(_, precisions):
        alpha, lam = precisions
        coef = slopes(alpha, lam)
        gamma = (alpha * values / (lam + alpha * values)).sum()
        error = (weight * (y - exact(x, coef)) ** 2).sum()
        lam = (gamma + 2 * _LEAST) / ((coef**2).sum() + 2 * _LEAST)
        return jnp.maximum(rows - gamma, 0) / (error + 2 * _LEAST) + _LEAST, lam

    start = 1 / jnp.maximum((weight * y**2).sum() / total, _LEAST), jnp.ones((), x.dtype)
    alpha, lam = jax.lax.fori_loop(0, updates, update, start)
    spread = 1 / jnp.sqrt(alpha * values + lam)
    return Ridge(slopes(alpha, lam), vectors, spread, centre, level, 1 / jnp.sqrt(alpha), rows)


# batched factorisations can block one another on CPU: see `gaussians`
@jax.custom_batching.sequential_vmap
def _eigh(matrix):
    return tuple(jnp.linalg.eigh(matrix))

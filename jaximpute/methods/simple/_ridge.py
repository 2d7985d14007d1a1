"""Ridge regression whose two precisions maximise the evidence."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_LEAST = 1e-6  # shape and rate of both gamma priors: next to nothing


class Ridge(NamedTuple):
    """A fitted ridge: its posterior is `N(coef, vectors diag(spread(noise)^2) vectors')`.

    Attributes:
        coef: posterior mean of the slopes.
        vectors: eigenvectors of the centred Gram matrix, in columns.
        values: its eigenvalues.
        penalty: precision of the slopes beforehand.
        centre: the inputs' mean over the rows used.
        level: the target's.
        noise: standard deviation of the target around the regression.
        rows: how many rows were used, by weight.
        freedom: rows less the slopes that they determine.
    """

    coef: Float[Array, "d"]
    vectors: Float[Array, "d d"]
    values: Float[Array, "d"]
    penalty: Float[Array, ""]
    centre: Float[Array, "d"]
    level: Float[Array, ""]
    noise: Float[Array, ""]
    rows: Float[Array, ""]
    freedom: Float[Array, ""]

    def spread(self, noise: Float[Array, ""]) -> Float[Array, "d"]:
        """Posterior standard deviation along each eigenvector, if the noise is this."""
        return 1 / jnp.sqrt(self.values / noise**2 + self.penalty)


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
    scikit-learn's `BayesianRidge`, which decomposes the inputs in double precision.
    """
    rows = weight.sum()
    total = jnp.maximum(rows, jnp.finfo(x.dtype).tiny)
    centre, level = (weight[:, None] * x).sum(0) / total, (weight * y).sum() / total
    used, root = weight > 0, jnp.sqrt(weight)
    x = jnp.where(used[:, None], root[:, None] * (x - centre[None]), 0)
    y = jnp.where(used, root * (y - level), 0)
    sizes, vectors, along, rest = _decompose(x, y)
    values = sizes**2

    def slopes(alpha, lam):  # along the eigenvectors
        return sizes * along / (values + lam / alpha)

    def update(_, precisions):
        alpha, lam = precisions
        slope = slopes(alpha, lam)
        gamma = (alpha * values / (lam + alpha * values)).sum()
        error = rest + ((along - sizes * slope) ** 2).sum()
        lam = (gamma + 2 * _LEAST) / ((slope**2).sum() + 2 * _LEAST)
        return jnp.maximum(rows - gamma, 0) / (error + 2 * _LEAST) + _LEAST, lam

    start = 1 / jnp.maximum((y**2).sum() / total, _LEAST), jnp.ones((), x.dtype)
    alpha, lam = jax.lax.fori_loop(0, updates, update, start)
    coef = exact(vectors, slopes(alpha, lam))
    freedom = jnp.maximum(rows - (alpha * values / (lam + alpha * values)).sum(), 1)
    return Ridge(coef, vectors, values, lam, centre, level, 1 / jnp.sqrt(alpha), rows, freedom)


def _decompose(x: Float[Array, "n d"], y: Float[Array, "n"]) -> tuple[jax.Array, ...]:
    """`x = U diag(sizes) V'`: `sizes`, `V`, `U'y`, and the square of what `U` leaves of `y`.

    A Gram matrix squares the condition: in single precision, columns that differ by less than a
    thousandth are one column to it, and their slopes are noise. So the rows are turned and scaled
    by a first Gram matrix, and decomposed by a second, of what is then nearly orthonormal; unlike
    by a QR factorisation, rows on many devices stay where they are.
    """
    epsilon = x.shape[1] * jnp.finfo(x.dtype).eps
    first, turn = eigh(exact(x.T, x))
    scale = jnp.sqrt(jnp.maximum(first, jnp.maximum(epsilon * first[-1], jnp.finfo(x.dtype).tiny)))
    z = exact(x, turn) / scale[None]
    second, again = eigh(exact(z.T, z))
    known = second > epsilon
    second = jnp.sqrt(jnp.where(known, second, 0))
    inverse = jnp.where(known, 1 / jnp.where(known, second, 1), 0)
    left, sizes, right = _svd(exact(second[:, None] * again.T * scale[None], turn.T))
    u = exact(z, again * inverse[None])
    part = exact(u.T, y)
    rest = ((y - exact(u, part)) ** 2).sum()
    return sizes, right.T, exact(left.T, part), rest


# a device's fast products keep three digits, and these feed a factorisation
exact = partial(jnp.matmul, precision="highest")


# batched factorisations can block one another on CPU: see `gaussians`
@jax.custom_batching.sequential_vmap
def eigh(matrix):
    return tuple(jnp.linalg.eigh(matrix))


@jax.custom_batching.sequential_vmap
def _svd(matrix):
    return tuple(jnp.linalg.svd(matrix))

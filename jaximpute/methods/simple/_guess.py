"""A first completion of rows, from a joint Gaussian of their columns that is fitted roughly."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.masking import pick
from jaximpute.maths import random
from jaximpute.maths.gaussians import conditional_mean
from jaximpute.methods.simple import _joint
from jaximpute.methods.simple._ridge import eigh, exact
from jaximpute.types import PRNGKey

_LEAST = 1e-3  # eigenvalue: copies of a column are told apart by so much
_RIDGE = 1e-4  # share of the covariance that is taken from its diagonal
_PASSES = 6  # of EM: where columns are copies, errors fall by their share missing in each
_ROWS = 8192  # learned from


def fit(
    key: PRNGKey, x: Float[Array, "n d"], mask: Bool[Array, "n d"], weight: Float[Array, "n"]
) -> tuple[Float[Array, "d"], Float[Array, "d d"]]:
    """Mean and covariance of standardised rows: a few passes of EM from pairwise correlations.

    Args:
        key: of the rows to learn from, where there are many.
        x: rows.
        mask: True = observed.
        weight: of the rows, 0 for padding.
    """
    if len(x) > _ROWS:
        rows = pick(key, weight, _ROWS)
        x, mask, weight = x[rows], mask[rows], jnp.ones_like(weight[:_ROWS])

    def one(_, model):
        return _joint.one_pass(model, x, mask, weight, _RIDGE)

    start = jnp.zeros_like(x[0]), correlation(x, mask, weight)
    return jax.lax.fori_loop(0, _PASSES, one, start)


def correlation(
    x: Float[Array, "n d"], mask: Bool[Array, "n d"], weight: Float[Array, "n"]
) -> Float[Array, "d d"]:
    r"""A correlation matrix, entry by entry over the rows that have both columns.

    Each is shrunk as the adjusted :math:`R^2` is, with :math:`1 - r^2` growing by :math:`(n - 1) /
    (n - 2)`: few rows say little, and copies stay copies. Together they need be no correlation
    matrix; eigenvalues are raised to a thousandth.

    Args:
        x: standardised columns.
        mask: True = observed.
        weight: of the rows, 0 for padding.
    """
    used = (mask & (weight > 0)[:, None]).astype(x.dtype)
    x = jnp.where(mask, x, 0) * used
    n = exact(used.T, used)
    safe = jnp.maximum(n, 1)
    mean, square = exact(x.T, used) / safe, exact((x**2).T, used) / safe
    spread = jnp.sqrt(jnp.maximum(square - mean**2, 0))
    both = spread * spread.T
    r = (exact(x.T, x) / safe - mean * mean.T) / jnp.where(both > 1e-6, both, 1)
    r = jnp.where((both > 1e-6) & (n > 3), jnp.clip(r, -1, 1), 0)
    left = (1 - r**2) * (n - 1) / jnp.maximum(n - 2, 1)
    r = jnp.sign(r) * jnp.sqrt(jnp.maximum(1 - left, 0))
    eye = jnp.eye(r.shape[0], dtype=r.dtype)
    values, vectors = eigh(jnp.where(eye > 0, 1, r))
    raised = exact(vectors * jnp.maximum(values, _LEAST)[None], vectors.T)
    size = jnp.sqrt(jnp.diagonal(raised))
    return raised / (size[:, None] * size[None])


def complete(
    key: PRNGKey | None,
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    mean: Float[Array, "d"],
    cov: Float[Array, "d d"],
) -> Float[Array, "n d"]:
    r"""Rows with the conditional mean in their holes, or a draw.

    A draw is Matheron's: of a row :math:`z \sim N(0, \Sigma)`, :math:`z + E[x - z \mid x_o - z_o]`.

    Args:
        key: None for the mean.
        x: standardised rows.
        mask: True = observed.
        mean: of the Gaussian.
        cov: of the Gaussian.
    """
    z = jnp.zeros_like(x)
    if key is not None:
        values, vectors = eigh(cov)
        # by the symmetric root: the same draw whichever signs the eigenvectors came with
        root = exact(vectors * jnp.sqrt(jnp.maximum(values, 0))[None], vectors.T)
        z = exact(random.normal(key, x.shape, x.dtype), root)
    found = z + conditional_mean(x - z, mask, mean, cov)
    return jnp.where(mask, x, jnp.where(jnp.isfinite(found), found, 0))

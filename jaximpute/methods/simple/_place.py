"""The static effect of each place: what a field is there on average, seen through its weather."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaximpute.methods.simple._chunks import Chunks, Matern, matrix

# variances of the effect, in that of the data, and lengths of its covariance, in cells
PRIORS = ((0.03, 2.0), (0.03, 8.0), (0.3, 2.0), (0.3, 8.0), (1.0, 0.5))
_ITERATIONS = 40
_TOLERANCE = 1e-3


def inverses(known: Chunks, model: Matern, rough) -> Float[Array, "chunks size size"]:
    """The inverse covariance of each chunk, one at a time."""

    def one(chunk):
        at, _, there = chunk
        root = jnp.linalg.cholesky(matrix(model, rough, at, there))
        return jax.scipy.linalg.cho_solve((root, True), jnp.eye(len(at), dtype=root.dtype))

    return jax.lax.map(one, known)


def effect(
    known: Chunks,
    inverse: Float[Array, "chunks size size"],
    shape: tuple[int, int],
    variance: Float[Array, ""],
    length: Float[Array, ""],
) -> Float[Array, "y x"]:
    r"""The mean of a Gaussian field that is added to every frame, given all chunks.

    .. math:: \hat s = \arg\min_s \; s^\top K_s^{-1} s
        + \sum_c (x_c - E_c s)^\top K_c^{-1} (x_c - E_c s)

    :math:`K_s` is an exponential covariance. With :math:`s = K_s^{1/2} u`, by Fourier transforms on
    a grid twice as large, conjugate gradients take a few steps, however large the grid.

    Args:
        known: the observed entries.
        inverse: :math:`K_c^{-1}`, see `inverses`.
        shape: rows and columns of the grid.
        variance: of the effect.
        length: of its covariance, in cells.
    """
    root = _root(shape, variance, length)
    y, x = known.at[..., 1], known.at[..., 2]
    wide = tuple(2 * size for size in shape)

    def smooth(u):
        return jnp.fft.irfft2(root * jnp.fft.rfft2(u), wide).astype(known.x.dtype)

    def to_chunks(u):
        return jnp.where(known.there, smooth(u)[y, x], 0)

    def from_chunks(v):
        v = jnp.where(known.there, v, 0)
        return smooth(jnp.zeros(wide, v.dtype).at[y, x].add(v))

    def weighted(v):
        return jnp.einsum("cij,cj->ci", inverse, v, precision="highest")

    def normal(u):
        return u + from_chunks(weighted(to_chunks(u)))

    right = from_chunks(weighted(known.x))
    u, _ = jax.scipy.sparse.linalg.cg(normal, right, tol=_TOLERANCE, maxiter=_ITERATIONS)
    return smooth(u)[: shape[0], : shape[1]]


def _root(shape, variance, length):
    """The square root of the covariance's spectrum on a periodic grid twice as large."""
    away = [np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size)) for size in shape]
    r = np.sqrt(away[0][:, None] ** 2 + away[1][None] ** 2)
    spectrum = jnp.fft.rfft2(variance * jnp.exp(-jnp.asarray(r, jnp.float32) / length)).real
    return jnp.sqrt(jnp.maximum(spectrum, 0))

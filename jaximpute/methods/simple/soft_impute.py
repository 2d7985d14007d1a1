"""Low-rank completion by soft-thresholded singular values, on rows or on windows of series."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute import views
from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, clamp, masked_mean, restore, standardise, used
from jaximpute.maths import random
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

_LEAST = 1e-3  # the end of the path, as a share of the threshold that leaves nothing


def soft_impute(*, length: int = 24, thresholds: int = 12, iterations: int = 15) -> Method:
    r"""SoftImpute: the matrix of small nuclear norm that is close to the observed entries.

    .. math:: \min_Z \tfrac12 \sum_{(i,j)\ observed} (X_{ij} - Z_{ij})^2 + \lambda \|Z\|_*

    by :math:`Z \leftarrow S_\lambda(X_{observed} + Z_{missing})`, where :math:`S_\lambda` lowers
    every singular value by :math:`\lambda`, to no less than 0. From the :math:`\lambda` that leaves
    nothing, a path falls geometrically by 1000, each solution starting the next. It is walked with
    5 % of the observed entries held out, and the solution that predicts these best is taken up
    again with all entries. Columns are centred and scaled first.

    Args:
        length: steps in a window; the rows of a series are its disjoint windows. Tables ignore it.
        thresholds: values of :math:`\lambda` on the path, at least 2.
        iterations: at each value, at least 1; the last solution gets four times as many.

    Returns:
        A transductive method: it completes the rows given to `init`.

    Raises:
        OptionError: an argument out of range.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.outer(np.linspace(-5.0, 5.0, 201), [1.0, 2.0, 4.0, 8.0])
        >>> x[180, 1] = np.nan  # of rank one, so 8 is the answer
        >>> data = ji.observe(x)
        >>> method = ji.methods.soft_impute()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[180, 1]))
        8

    Source: Mazumder, Hastie and Tibshirani, "Spectral regularization algorithms for learning large
    incomplete matrices", JMLR 11 (2010), algorithm 1.
    """
    if length < 1 or thresholds < 2 or iterations < 1:
        raise OptionError(
            f"length is {length}, thresholds {thresholds} and iterations {iterations}; expected at "
            "least 1, 2 and 1"
        )

    def learn(key, data: Observed) -> jax.Array:
        mean, scale = channel_moments(data)
        x, mask, _ = standardise(data._replace(mask=used(data)), mean, scale)
        shape = x.shape
        view = views.identity(shape)
        if x.ndim == 3:
            view = views.windows(shape, length, min(length, shape[1]))
        cut, known = views.every(view, x), views.every(view, mask)
        flat = (view.size, -1)
        z = _along_path(key, cut.reshape(flat), known.reshape(flat), thresholds, iterations)
        return restore(view.fold(z.reshape(cut.shape)), mean, scale, data)

    def fill(state: jax.Array, data: Observed) -> jax.Array:
        return clamp(state, data)

    return static_method(learn, fill=fill)


def _along_path(
    key, x: Float[Array, "n d"], mask: Bool[Array, "n d"], thresholds: int, iterations: int
) -> Float[Array, "n d"]:
    hidden = mask & random.bernoulli(key, 0.05, mask.shape)
    known = mask & ~hidden
    top = jnp.linalg.norm(jnp.where(known, x, 0), ord=2)
    path = top * jnp.geomspace(1, _LEAST, thresholds, dtype=x.dtype)

    def advance(carry, threshold):
        z, best, least, chosen = carry
        z = _solve(z, x, known, threshold, iterations)
        error = masked_mean((z - x) ** 2, hidden)
        better = error < least
        best, least, chosen = (
            jnp.where(better, new, old)
            for new, old in ((z, best), (error, least), (threshold, chosen))
        )
        return (z, best, least, chosen), None

    zero = jnp.zeros_like(x)
    start = (zero, zero, jnp.asarray(jnp.inf, x.dtype), path[0])
    (_, best, _, chosen), _ = jax.lax.scan(advance, start, path)
    return _solve(best, x, mask, chosen, 4 * iterations)


def _solve(z, x, mask, threshold, iterations):
    def one(_, z):
        return shrink(jnp.where(mask, x, z), threshold)

    return jax.lax.fori_loop(0, iterations, one, z)


def shrink(x: Float[Array, "n d"], threshold: Float[Array, ""]) -> Float[Array, "n d"]:
    """`x` with every singular value lowered by the threshold, to no less than 0.

    Through the eigenvectors of the smaller Gram matrix. It resolves singular values down to the
    square root of the precision times the largest, and smaller ones fall below the threshold.
    """
    if x.shape[0] < x.shape[1]:
        return shrink(x.T, threshold).T
    gram = jnp.matmul(x.T, x, precision="highest")
    squares, vectors = jnp.linalg.eigh(gram)
    singular = jnp.sqrt(jnp.maximum(squares, 0))
    kept = jnp.where(singular > threshold, 1 - threshold / jnp.where(singular > 0, singular, 1), 0)
    along = jnp.matmul(x, vectors * kept[None], precision="highest")
    return jnp.matmul(along, vectors.T, precision="highest")

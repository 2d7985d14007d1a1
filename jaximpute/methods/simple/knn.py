"""Nearest rows of a table, as far as their shared columns tell."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import DataError, OptionError
from jaximpute.masking import channel_moments, clamp
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed


class KnnState(NamedTuple):
    """The rows to choose neighbours from, and the columns' means for when there is none."""

    rows: Observed
    mean: Float[Array, "d"]


def knn(*, k: int = 5, weights: Literal["uniform", "distance"] = "uniform") -> Method:
    r"""Each missing entry becomes its column's average over the `k` nearest rows that have it.

    .. math:: \mathrm{dist}(x, y)^2 = \frac{d}{|S|} \sum_{j \in S} (x_j - y_j)^2,

    with :math:`S` the columns observed in both of two rows. A row that shares no column with any
    row that has the entry gets the column's mean.

    Args:
        k: number of neighbours, at least 1; fewer are used where fewer rows have the entry.
        weights: `uniform`, or `distance` for weights inverse to the distance (rows at distance 0,
            if any, then share all the weight).

    Returns:
        An inductive method for tables. **It keeps the rows given to `init`**, and
        its cost is their number times the number of rows to complete, in chunks of bounded memory.

    Raises:
        OptionError: `k` or `weights` out of range.
        DataError: later, for data that is not a table.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[0.0, 1.0], [0.1, 3.0], [9.0, 7.0], [0.0, np.nan]]))
        >>> method = ji.methods.knn(k=2)
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[3].tolist()
        [0.0, 2.0]

    Source: Troyanskaya et al., "Missing value estimation methods for DNA microarrays",
    Bioinformatics 17 (2001); distances as in scikit-learn's `KNNImputer`.
    """
    if k < 1:
        raise OptionError(f"k is {k}; expected at least 1 neighbour")
    if weights not in ("uniform", "distance"):
        raise OptionError(f"weights is '{weights}'; expected 'uniform' or 'distance'")

    def learn(key, data: Observed) -> KnnState:
        del key
        if data.values.ndim != 2:
            raise DataError(f"data has shape {data.values.shape}; knn takes a table, (n, columns)")
        return KnnState(data, channel_moments(data)[0])

    def estimate(key, state: KnnState, data: Observed) -> jax.Array:
        del key

        def one(row):
            x, mask = row
            return _complete_row(x, mask, state, k, weights == "distance")

        n = state.rows.values.shape[0]
        size = min(data.values.shape[0], max(1, 2**22 // n))
        return clamp(jax.lax.map(one, (data.values, data.mask), batch_size=size), data)

    return static_method(learn, estimate=estimate)


def _complete_row(
    x: Float[Array, "d"], mask: Bool[Array, "d"], state: KnnState, k: int, by_distance: bool
) -> Float[Array, "d"]:
    rows = state.rows
    far = _distances(x, mask, rows)
    far = jnp.where(rows.weight > 0, far, jnp.inf)

    def column(inputs):
        values, has, mean = inputs
        negative, nearest = jax.lax.top_k(jnp.where(has, -far, -jnp.inf), min(k, far.shape[0]))
        weight = jnp.isfinite(negative).astype(x.dtype)
        if by_distance:
            same = (negative == 0).astype(x.dtype)
            inverse = weight / jnp.where((negative < 0) & (weight > 0), -negative, 1)
            weight = jnp.where(same.any(), same, inverse)
        total = weight.sum()
        average = (weight * values[nearest]).sum() / jnp.where(total > 0, total, 1)
        return jnp.where(total > 0, average, mean)

    return jax.lax.map(column, (rows.values.T, rows.mask.T, state.mean))


def _distances(x: Float[Array, "d"], mask: Bool[Array, "d"], rows: Observed) -> Float[Array, "n"]:
    """Distances to all rows; infinite to those without a shared column."""

    # column by column: expanding the square would lose small distances to rounding
    def add(carry, inputs):
        total, shared = carry
        x, known, values, has = inputs
        both = known & has
        return (total + jnp.where(both, (values - x) ** 2, 0), shared + both), None

    zero = jnp.zeros_like(rows.values[:, 0])
    inputs = (x, mask, rows.values.T, rows.mask.T)
    (total, shared), _ = jax.lax.scan(add, (zero, zero), inputs)
    scaled = total * x.shape[0] / jnp.maximum(shared, 1)
    return jnp.where(shared > 0, jnp.sqrt(scaled), jnp.inf)

"""Values and masks: the door from NaN, checks, clamping, weighted means and row picking."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaximpute._errors import DataError
from jaximpute.types import Observed, PRNGKey


def check(data: Observed) -> Observed:
    """Assert what every method takes for granted; static, so it costs a compiled program nothing.

    Args:
        data: rows.

    Returns:
        The same.

    Raises:
        AssertionError: values and mask differ in shape, the values are no floats or the mask no
            booleans, there is no axis of columns, or not one weight for each row.

    Example:
        >>> import jax.numpy as jnp
        >>> try:
        ...     check(Observed(jnp.ones((2, 3)), jnp.ones((2, 3)), jnp.ones(2)))
        ... except AssertionError:
        ...     print("the mask is of numbers")
        the mask is of numbers
    """
    chex.assert_equal_shape([data.values, data.mask])
    chex.assert_type([data.values, data.mask, data.weight], [float, bool, float])
    chex.assert_axis_dimension_gt(data.values, axis=data.values.ndim - 1, val=0)
    chex.assert_rank(data.values, {2, 3, 4, 5})
    chex.assert_shape(data.weight, (len(data.values),))
    return data


def from_nan(x: Float[Array, "n *event"], weight: Float[Array, "n"] | None = None) -> Observed:
    """NaN becomes (0, False); the only way NaN enters the library.

    Args:
        x: rows with NaN where unobserved.
        weight: 1 for a real row, 0 for padding; all ones by default.

    Returns:
        The same data as values that are finite and a mask. Infinite values pass through: `observe`
        is the checking twin for use outside `jit`.

    Example:
        >>> import jax.numpy as jnp
        >>> data = from_nan(jnp.array([[1.0, jnp.nan]]))
        >>> data.mask.tolist(), data.values.tolist()
        ([[True, False]], [[1.0, 0.0]])
    """
    chex.assert_type(x, float)
    mask = ~jnp.isnan(x)
    weight = jnp.ones(x.shape[0], x.dtype) if weight is None else weight
    chex.assert_shape(weight, x.shape[:1])
    return Observed(jnp.where(mask, x, 0), mask, weight)


def to_nan(values: Float[Array, "*shape"], mask: Bool[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Unobserved entries become NaN again; the way out of the library.

    Example:
        >>> import jax.numpy as jnp
        >>> to_nan(jnp.array([1.0, 0.0]), jnp.array([True, False])).tolist()
        [1.0, nan]
    """
    chex.assert_equal_shape([values, mask])
    return jnp.where(mask, values, jnp.nan)


def observe(
    x: np.ndarray | jax.Array,
    *,
    names: Sequence[str] | None = None,
    weight: np.ndarray | None = None,
) -> Observed:
    """Check data at the door and split it into values and mask.

    Args:
        x: `(n, *event)` floats, NaN = missing. The last axis is the columns (channels).
        names: the columns' names, for messages.
        weight: `(n,)`, 1 for a real row and 0 for padding.

    Returns:
        `Observed` in JAX's default float type (or the float type of `x` if it is narrower).

    Raises:
        DataError: fewer than two axes, no rows or columns, not numeric, infinite values, or a
            column in which nothing is observed.

    Example:
        >>> import numpy as np
        >>> observe(np.array([[1.0, np.nan], [2.0, 3.0]])).mask.tolist()
        [[True, False], [True, True]]
    """
    array = np.asarray(x)
    if array.ndim < 2 or 0 in array.shape:
        raise DataError(
            f"data has shape {array.shape}; expected rows and columns, (n, columns) or "
            "(n, time, channels), all at least 1"
        )
    if array.dtype.kind not in "fiub":
        raise DataError(f"data has dtype {array.dtype}; expected numbers, with NaN where missing")
    array = array.astype(np.float32 if array.dtype.kind in "iub" else array.dtype)
    _check_columns(array, names)
    values = jnp.asarray(array) if array.dtype != np.float64 else jnp.asarray(array, dtype=float)
    return from_nan(values, None if weight is None else jnp.asarray(weight, values.dtype))


def _check_columns(array: np.ndarray, names: Sequence[str] | None) -> None:
    columns = array.reshape(-1, array.shape[-1])
    infinite = np.isinf(columns)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(
            f"column {_name(int(column), names)} holds {columns[row, column]} in row {row} "
            f"({infinite.sum()} infinite values in all); expected finite numbers or NaN. "
            "Replace them by NaN to have them imputed"
        )
    empty = np.isnan(columns).all(axis=0)
    if empty.any():
        listed = ", ".join(_name(int(i), names) for i in np.flatnonzero(empty)[:10])
        raise DataError(
            f"column {listed} is missing in all {len(columns)} rows; a column can only be learned "
            "from at least one observed value. Drop it, or give it a value"
        )


def _name(column: int, names: Sequence[str] | None) -> str:
    return f"{column}" if names is None else f"'{names[column]}'"


def clamp(x: Float[Array, "n *event"], data: Observed) -> Float[Array, "n *event"]:
    """`x` with the observed entries put back, bit for bit."""
    chex.assert_equal_shape([x, data.values, data.mask])
    return jnp.where(data.mask, data.values, x)


def masked_mean(v: Float[Array, "*shape"], where: Bool[Array, "*shape"]) -> Float[Array, ""]:
    """Mean over the entries chosen; 0, with a zero gradient, if none is."""
    chex.assert_equal_shape([v, where])
    return jnp.sum(jnp.where(where, v, 0)) / jnp.maximum(jnp.sum(where), 1).astype(v.dtype)


def row_mean(v: Float[Array, "n"], weight: Float[Array, "n"]) -> Float[Array, ""]:
    """Weighted mean over rows; padding rows count nothing."""
    chex.assert_equal_shape([v, weight])
    return jnp.sum(v * weight) / jnp.maximum(jnp.sum(weight), jnp.finfo(v.dtype).tiny)


def channel_moments(data: Observed) -> tuple[Float[Array, "d"], Float[Array, "d"]]:
    """Mean and standard deviation of each column over its observed entries, in real rows.

    A column without spread gets standard deviation 1, so that dividing by it is always safe.
    """
    d = data.values.shape[-1]
    counts, x = used(data).reshape(-1, d), data.values.reshape(-1, d)
    count = jnp.maximum(counts.sum(0), 1)
    mean = jnp.where(counts, x, 0).sum(0) / count
    variance = jnp.where(counts, (x - mean[None]) ** 2, 0).sum(0) / count
    return mean, jnp.sqrt(jnp.where(variance > 1e-12, variance, 1.0))


def channel_range(
    data: Observed, otherwise: Float[Array, "d"] | float = 0.0
) -> tuple[Float[Array, "d"], Float[Array, "d"]]:
    """The least and the greatest observed value of each column, in real rows.

    Both are `otherwise` in a column of which nothing is observed.
    """
    d = data.values.shape[-1]
    counts, x = used(data).reshape(-1, d), data.values.reshape(-1, d)
    low = jnp.where(counts, x, jnp.inf).min(0)
    high = jnp.where(counts, x, -jnp.inf).max(0)
    low, high = (jnp.where(jnp.isfinite(end), end, otherwise) for end in (low, high))
    return low, high


def standardise(data: Observed, mean: Float[Array, "d"], scale: Float[Array, "d"]) -> Observed:
    """The data with its columns centred and scaled; 0 where unobserved."""
    along = (1,) * (data.values.ndim - 1) + (-1,)
    x = (data.values - mean.reshape(along)) / scale.reshape(along)
    return data._replace(values=jnp.where(data.mask, x, 0))


def restore(
    x: Float[Array, "n *event"], mean: Float[Array, "d"], scale: Float[Array, "d"], data: Observed
) -> Float[Array, "n *event"]:
    """Completed rows of standardised data, in the units of the data and clamped to it."""
    along = (1,) * (x.ndim - 1) + (-1,)
    return clamp(x * scale.reshape(along) + mean.reshape(along), data)


def used(data: Observed) -> Bool[Array, "n *event"]:
    """Which entries count: those observed, in rows that are not padding."""
    return data.mask & (data.weight > 0).reshape(-1, *(1,) * (data.values.ndim - 1))


def pick(key: PRNGKey, weight: Float[Array, "n"], count: int) -> Int[Array, "{count}"]:
    """`count` row numbers, with replacement, in proportion to weight (never a padding row)."""
    chex.assert_rank(weight, 1)
    edges = jnp.cumsum(weight)
    u = jax.random.uniform(key, (count,), weight.dtype) * edges[-1]
    return jnp.minimum(jnp.searchsorted(edges, u, side="right"), weight.shape[0] - 1)


# of the rows of a batch, while a method is traced for a mesh
_LAYOUT: ContextVar[NamedSharding | None] = ContextVar("layout of batches", default=None)


def share(batch: PyTree) -> PyTree:
    """Rows picked for a batch, laid out so that each device of a mesh computes its share of them.

    Left to itself the compiler brings a batch of sharded rows together on every device, and each
    of them computes all of it. Without a mesh, or where the batch does not divide evenly, nothing
    happens.
    """
    layout = _LAYOUT.get()
    if layout is None or any(len(x) % layout.mesh.size for x in jax.tree.leaves(batch)):
        return batch
    # each device gives the rows it holds to all; asked for shares at once, the compiler may bring
    # the whole data together instead
    everywhere = NamedSharding(layout.mesh, PartitionSpec())
    batch = jax.lax.with_sharding_constraint(batch, everywhere)
    return jax.lax.with_sharding_constraint(batch, layout)


@contextmanager
def sharing(layout: NamedSharding) -> Iterator[None]:
    """Inside, while a method is traced, `share` lays out batches so; for `parallel` alone."""
    before = _LAYOUT.set(layout)
    try:
        yield
    finally:
        _LAYOUT.reset(before)

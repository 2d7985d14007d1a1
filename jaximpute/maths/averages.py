"""From random completions to one answer: their mean, or their median."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute.masking import clamp
from jaximpute.types import Observed, PRNGKey, State

DRAWS = 20  # whose median is the estimate of a method that only draws


def mean_of(sample: Callable[..., jax.Array], draws: int) -> Callable[..., jax.Array]:
    r"""The estimate :math:`\frac1K \sum_k x^{(k)}`, of so many random completions.

    A draw has about :math:`\sqrt 2` times the error of the conditional mean, since it adds the
    entry's own spread; the mean of :math:`K` draws has :math:`\sqrt{1 + 1/K}` times that. It is not
    itself a completion that may have been: its rows are less spread than the data.

    Args:
        sample: `(key, state, data) -> values`, of a `Method`.
        draws: how many, at least 1; one at a time, so that memory does not grow with it.

    Returns:
        `(key, state, data) -> values`, an `estimate`.

    Example:
        >>> import jax, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0], [np.nan]]))
        >>> draw = lambda key, state, data: clamp(jax.random.uniform(key, (2, 1)), data)
        >>> round(float(mean_of(draw, 1000)(jax.random.key(0), None, data)[1, 0]), 1)
        0.5
    """

    def estimate(key: PRNGKey, state: State, data: Observed) -> jax.Array:
        def add(total, i):
            return total + sample(jax.random.fold_in(key, i), state, data), None

        total, _ = jax.lax.scan(add, jnp.zeros_like(data.values), jnp.arange(draws))
        return clamp(total / draws, data)

    return estimate


def median_of(
    sample: Callable[..., jax.Array],
    draws: int = DRAWS,
    categories: Sequence[int] | None = None,
) -> Callable[..., jax.Array]:
    """The estimate that is the `middle` of so many random completions.

    Args:
        sample: `(key, state, data) -> values`, of a `Method`.
        draws: how many, at least 1; all are kept until the last is there.
        categories: the category that each column is of, see `registry.build`.

    Returns:
        `(key, state, data) -> values`, an `estimate`.

    Example:
        >>> import jax, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0], [np.nan]]))
        >>> draw = lambda key, state, data: clamp(jax.random.uniform(key, (2, 1)), data)
        >>> round(float(median_of(draw, 1001)(jax.random.key(0), None, data)[1, 0]), 1)
        0.5
    """

    def estimate(key: PRNGKey, state: State, data: Observed) -> jax.Array:
        def draw(i):
            return sample(jax.random.fold_in(key, i), state, data)

        many = jax.lax.map(draw, jnp.arange(draws))
        return clamp(middle(many, categories), data)

    return estimate


def middle(draws: jax.Array | np.ndarray, categories: Sequence[int] | None = None) -> jax.Array:
    """The median of draws, entry by entry; of levels the share of draws that hold each.

    No level of a category need be in half of the draws: medians of its indicators would all be 0.

    Args:
        draws: `(n, ..., columns)`.
        categories: the category that each column is of, see `registry.build`.

    Returns:
        `(..., columns)`, in which the most frequent level has the largest indicator.

    Example:
        >>> draws = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> middle(draws, (0, 0, 0)).tolist()
        [0.5, 0.25, 0.25]
    """
    draws = jnp.asarray(draws)
    found = jnp.median(draws, axis=0)
    if categories is None:
        return found
    number = np.maximum(categories, -1)  # directions are numbers here
    sizes = np.bincount(number + 1)
    several = (number >= 0) & (sizes[number + 1] > 1)
    two = (number >= 0) & ~several  # a column with two values: between them there is none
    if several.any():
        found = found.at[..., several].set(draws[..., several].mean(axis=0))
    if two.any():
        lower = jnp.sort(draws[..., two], axis=0)[(len(draws) - 1) // 2]
        found = found.at[..., two].set(lower)
    return found

"""Column statistics: the least that anything else must beat."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.masking import channel_moments, clamp, used
from jaximpute.methods.simple._categories import most_frequent, targets
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed


def mean() -> Method:
    r"""Each missing entry becomes the mean of its column's observed entries.

    .. math:: x_{nd} = \frac{\sum_i w_i m_{id} x_{id}}{\sum_i w_i m_{id}}

    Returns:
        An inductive method: the means of the rows given to `init` complete any rows.
        Series use one mean per channel, over all times.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 4.0], [3.0, np.nan]]))
        >>> method = ji.methods.mean()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 4.0], [3.0, 4.0]]
    """
    return _fill_with(lambda data: channel_moments(data)[0])


def median(*, categories: Sequence[int] | None = None) -> Method:
    """Each missing entry becomes the median of its column's observed entries.

    With an even count it is the mean of the middle two. A column never observed gets 0. Levels have
    no order, and a category gets its most frequent one.

    Args:
        categories: the category that each column is of, see `mode`.

    Returns:
        An inductive method. Series use one median per channel, over all times.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0], [2.0], [9.0], [np.nan]]))
        >>> method = ji.methods.median()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[3].tolist()
        [2.0]
    """
    return _fill_with(partial(_by_kind, _median, categories))


def mode(*, categories: Sequence[int] | None = None) -> Method:
    """Each missing entry becomes its column's most frequent observed value.

    The smallest such value if several are equally frequent; 0 for a column never observed. The
    indicators of a category are one column: a level may be the most frequent and yet absent from
    most rows.

    Args:
        categories: for each column the number of the category whose levels it and others indicate,
            -1 for a number; None = all numbers.

    Returns:
        An inductive method. Series use one mode per channel, over all times.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0], [3.0], [3.0], [np.nan]]))
        >>> method = ji.methods.mode()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data)[3].tolist()
        [3.0]
    """
    return _fill_with(partial(_by_kind, _mode, categories))


def _by_kind(statistic, categories: Sequence[int] | None, data: Observed) -> jax.Array:
    """A statistic of numbers; of categories the most frequent level."""
    of = targets(categories, data.values.shape[-1])
    found = statistic(data)
    return jnp.where(of.several, most_frequent(data, of), found) if of.several.any() else found


def _median(data: Observed) -> jax.Array:
    x, count = _sorted(data)
    middle = jnp.stack([jnp.maximum(count - 1, 0) // 2, count // 2])
    return jnp.where(count > 0, jnp.take_along_axis(x, middle, axis=0).mean(0), 0)


def _mode(data: Observed) -> jax.Array:
    x, count = _sorted(data)
    place = jnp.arange(x.shape[0])[:, None]
    fresh = jnp.concatenate([jnp.ones_like(x[:1], bool), x[1:] != x[:-1]])
    run_start = jax.lax.cummax(jnp.where(fresh, place, 0), axis=0)
    run_length = jnp.where(place < count[None], place - run_start + 1, 0)
    found = jnp.take_along_axis(x, jnp.argmax(run_length, axis=0)[None], axis=0)[0]
    return jnp.where(count > 0, found, 0)


def _sorted(data: Observed) -> tuple[jax.Array, jax.Array]:
    """The observed values of real rows in order, column by column, then infinities; their count."""
    d = data.values.shape[-1]
    counts = used(data).reshape(-1, d)
    x = jnp.where(counts, data.values.reshape(-1, d), jnp.inf)
    return jnp.sort(x, axis=0), counts.sum(0)


def _fill_with(statistic: Callable[[Observed], jax.Array]) -> Method:
    def learn(key, data):
        del key
        return statistic(data)

    def estimate(key, state: Float[Array, "d"], data: Observed) -> jax.Array:
        del key
        return clamp(jnp.broadcast_to(state, data.values.shape), data)

    return static_method(learn, estimate=estimate)

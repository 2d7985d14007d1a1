"""Column statistics: the least that anything else must beat."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.baselines._static import static_method
from jaximpute.masking import channel_moments, clamp
from jaximpute.types import Method, Observed


def mean() -> Method:
    r"""Each missing entry becomes the mean of its column's observed entries.

    .. math:: x_{nd} = \frac{\sum_i w_i m_{id} x_{id}}{\sum_i w_i m_{id}}

    Returns:
        An inductive method (tag `point`): the means of the rows given to `init` complete any rows.
        Series use one mean per channel, over all times.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0, 4.0], [3.0, np.nan]]))
        >>> method = ji.baselines.mean()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 4.0], [3.0, 4.0]]
    """
    return _fill_with(lambda data: channel_moments(data)[0])


def _fill_with(statistic) -> Method:
    def sample(key, state: Float[Array, "d"], data: Observed) -> jax.Array:
        del key
        return clamp(jnp.broadcast_to(state, data.values.shape), data)

    return static_method(statistic, sample)

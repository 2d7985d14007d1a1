"""The weighted average of what is observed nearby, frame by frame."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.methods.simple._grid import learn_moments, restored, standardised
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed


def window_average(*, width: int = 11, frames: bool = True) -> Method:
    r"""A missing entry is copied from the frame before or after, else averaged over a window.

    .. math:: x_p = \frac{\sum_q w_{pq} m_q x_q}{\sum_q w_{pq} m_q}, \qquad
        w_{pq} = e^{-|p - q|^2 / 2 s^2}, \quad s = width / 4, \quad |p - q|_\infty \le width / 2

    Where a window holds nothing observed, what has been filled so far counts as observed in the
    next sweep. A frame in which nothing is observed, and whose neighbours have nothing to copy
    from, gets the channel's mean.

    Papers on fields call this "temporal consistency". **With masks that are the same in all frames
    no frame ever helps**, and it is the window alone.

    Args:
        width: cells along the side of a window, at least 3; an even one is used as the next odd.
        frames: copy from the frame before, else the one after, where they are observed there.

    Returns:
        An inductive method for images and fields.

    Raises:
        OptionError: `width` below 3.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.array([[0.0, np.nan, 2.0]]).reshape(1, 1, 3, 1)
        >>> data, method = ji.observe(x), ji.methods.window_average()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 0, 1, 0]), 3)
        1.0

    Source: the "temporal consistency" row of Zhou et al., "Incomplete data, complete dynamics"
    (2026). Departure: Gaussian weights, which are a product over the two axes, in place of inverse
    distances.
    """
    if width < 3:
        raise OptionError(f"width is {width}; expected at least 3, or no neighbour is in a window")

    def estimate(key, state, data: Observed) -> jax.Array:
        del key
        mean, scale = state
        x, mask = standardised(data, mean, scale)
        if frames:
            x, mask = _copied(x, mask)
        down, along = _kernel(x.shape[-2], width, x.dtype), _kernel(x.shape[-1], width, x.dtype)

        def spread(a):
            return jnp.einsum("ij,nctjk,lk->nctil", down, a, along, precision="highest")

        def sweep(carry):
            x, known = carry
            total = spread(known.astype(x.dtype))
            near = total > 1e-6  # at the corner of a window the weight is above
            average = spread(jnp.where(known, x, 0)) / jnp.where(near, total, 1)
            return jnp.where(known | ~near, x, average), known | near

        def has_gaps(carry):
            known = carry[1]
            return (known.any((-1, -2)) & ~known.all((-1, -2))).any()

        filled, _ = jax.lax.while_loop(has_gaps, sweep, (x, mask))
        return restored(filled, mean, scale, data)

    return static_method(learn_moments, estimate=estimate)


def _copied(x, mask):
    """Entries missing here and observed in the frame before, else in the one after, copied."""

    def shifted(a, step):
        edge = [(0, 0), (0, 0), (max(step, 0), max(-step, 0)), (0, 0), (0, 0)]
        return jnp.pad(a[:, :, :-1] if step > 0 else a[:, :, 1:], edge)

    before, after = shifted(mask, 1), shifted(mask, -1)
    copied = jnp.where(before, shifted(x, 1), shifted(x, -1))
    return jnp.where(mask, x, copied), mask | before | after


def _kernel(size: int, width: int, dtype) -> Float[Array, "size size"]:
    distance = jnp.abs(jnp.arange(size)[:, None] - jnp.arange(size)[None]).astype(dtype)
    weight = jnp.exp(-(distance**2) / (2 * (width / 4) ** 2))
    return jnp.where(distance <= width // 2, weight, 0)

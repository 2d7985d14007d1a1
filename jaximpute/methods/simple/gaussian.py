"""The conditional mean of a Gaussian: over the columns of a row, or over channels and time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, pick, restore, standardise
from jaximpute.maths.gaussians import conditional_mean, draw_conditional
from jaximpute.methods.simple import _joint, _stationary
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

COLUMNS = 128  # modelled together; wider tables fall into groups
WINDOW = 512  # coordinates of a window, time times channels
ROWS = 8192  # learned from
_AT_ONCE = 8  # groups


class GaussianState(NamedTuple):
    """A fitted Gaussian, of standardised columns.

    Attributes:
        mean: of each column before standardising, `(d,)`.
        scale: of each column, `(d,)`.
        groups: one model per group of columns, stacked: mean and covariance for tables,
            `Stationary` for series.
    """

    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    groups: tuple[Float[Array, "d"], Float[Array, "d d"]] | _stationary.Stationary


def gaussian(*, block: int = 12, context: int = 24, passes: int | None = None) -> Method:
    r"""Conditional mean under a Gaussian whose moments are fitted by EM.

    .. math:: \hat x_m = \mu_m + \Sigma_{mo} \Sigma_{oo}^{-1} (x_o - \mu_o)

    Tables: :math:`\mu` and :math:`\Sigma` of the columns; each pass completes the rows, adds the
    covariance that their missing entries keep, and shrinks the result towards its diagonal. Series:
    the process is taken as stationary, so :math:`\Sigma` is the block Toeplitz matrix of the
    autocovariance of all channels; each `block` of steps is completed from all that is observed in
    it and in `context` steps on either side. How much to shrink, or what noise to allow the
    observations, is chosen by 5 % of the observed entries held out. A draw is Matheron's: the mean
    given what is observed, and what a draw of the whole row or series is away from its own.

    Args:
        block: steps of a series completed together, at least 1.
        context: steps on either side, at least 1. With many channels it is cut so that a window has
            no more than 512 coordinates, and above 25 channels (at the default block) each is
            treated by itself, with the context asked for.
        passes: of EM, at least 2; by default 20 for tables and 6 for series.

    Returns:
        An inductive method that draws: it completes any rows, one at a time if need be, and
        series of any length. Tables of more than 128 columns are treated in groups of neighbouring
        columns; of more than 8192 rows, a sample is learned from. Steps of series count as equally
        spaced.

    Raises:
        OptionError: an argument out of range.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(200, 1)) @ np.array([[1.0, 2.0]])
        >>> x[0] = [1.0, np.nan]
        >>> data = ji.observe(x)
        >>> method = ji.methods.gaussian()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 1]), 1)
        2.0

    Source: Little and Rubin, "Statistical Analysis with Missing Data", 3rd ed., section 11.2.
    """
    if block < 1 or context < 1 or (passes is not None and passes < 2):
        raise OptionError(
            f"block is {block}, context {context} and passes {passes}; expected at least 1, 1 and 2"
        )

    def learn(key, data: Observed) -> GaussianState:
        key_rows, key_groups = jax.random.split(key)
        mean, scale = channel_moments(data)
        if data.values.ndim == 2 and data.values.shape[0] > ROWS:
            rows = pick(key_rows, data.weight, ROWS)
            data = Observed(data.values[rows], data.mask[rows], jnp.ones_like(data.weight[:ROWS]))
        x, mask, _ = standardise(data, mean, scale)

        if x.ndim == 2:
            size = _columns_together(x.shape[-1])

            def fit(key, x, mask):
                return _joint.fit(key, x, mask, data.weight, passes=passes or 20)
        else:
            size, around = _channels_together(x.shape[-1], block, context)

            def fit(key, x, mask):
                del key
                return _stationary.fit(
                    x, mask, data.weight, block=block, context=around, passes=passes or 6
                )

        x, mask = _split(x, size), _split(mask, size)
        keys = jax.random.split(key_groups, len(x))
        return GaussianState(mean, scale, _per_group(fit, keys, x, mask))

    def completed(key, state: GaussianState, data: Observed) -> jax.Array:
        """The means given what is observed, or with a key a draw."""
        x, mask, _ = standardise(data, state.mean, state.scale)
        d = x.shape[-1]
        if x.ndim == 2:
            size = _columns_together(d)

            def complete(k, model, x, mask):
                if key is None:
                    return conditional_mean(x, mask, *model)
                return draw_conditional(k, x, mask, *model)
        else:
            size, around = _channels_together(d, block, context)

            def complete(k, model, x, mask):
                lengths = {"block": block, "context": around}
                if key is None:
                    return _stationary.complete(model, x, mask, **lengths)
                return _stationary.draw(k, model, x, mask, **lengths)

        given = _split(x, size), _split(mask, size)
        groups = len(given[0])
        keys = jnp.zeros(groups) if key is None else jax.random.split(key, groups)
        parts = _per_group(complete, keys, state.groups, *given)
        joined = jnp.moveaxis(parts, 0, -2).reshape(*x.shape[:-1], -1)[..., :d]
        return restore(joined, state.mean, state.scale, data)

    return static_method(
        learn, estimate=lambda _, *given: completed(None, *given), sample=completed
    )


def _columns_together(d: int) -> int:
    groups = -(-d // COLUMNS)
    return -(-d // groups)


def _channels_together(d: int, block: int, context: int) -> tuple[int, int]:
    """Channels in a group, and the context that there is room for."""
    room = (WINDOW // d - block) // 2
    return (d, min(context, room)) if room >= min(context, 4) else (1, context)


def _split(a: Array, size: int) -> Array:
    """Groups of columns, first, filled up with columns never observed."""
    groups = -(-a.shape[-1] // size)
    groups += -groups % min(groups, _AT_ONCE)
    a = jnp.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, groups * size - a.shape[-1])])
    return jnp.moveaxis(a.reshape(*a.shape[:-1], -1, size), -2, 0)


def _per_group(f, *inputs):
    """A few groups at a time: together they are faster, all at once they would not fit."""
    if len(inputs[-1]) == 1:
        return jax.tree.map(lambda a: a[None], f(*jax.tree.map(lambda a: a[0], inputs)))
    return jax.lax.map(lambda group: f(*group), inputs, batch_size=min(_AT_ONCE, len(inputs[-1])))

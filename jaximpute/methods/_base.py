"""A joint Gaussian of rows as the base of what learns on it: rows in its units, and its noise.

Rows are windows of series, time by channels; a row of a table is a window of one step.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.masking import channel_moments, standardise
from jaximpute.maths import precisions, random
from jaximpute.methods.simple import _marginals, _windowed
from jaximpute.types import Observed, PRNGKey

WIDEST = 1536  # values of a row, for a covariance of all of them
_WIDE = 512  # above which passes of EM are few
_LEAST = 1e-3  # of a standard deviation: the least scale


class Base(NamedTuple):
    """A fitted Gaussian of rows.

    Attributes:
        mean: of each channel, `(d,)`.
        scale: of each channel, `(d,)`.
        model: of the scaled channels' scores.
    """

    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    model: _windowed.Windowed


class Frame(NamedTuple):
    r"""What a base says of rows given their contexts, in scores.

    Attributes:
        mean: :math:`\mu_c`; in the context the score itself.
        scale: standard deviation :math:`s_c`; 1 in the context.
        context: what was given.
        times: `(n, time)` positions of the steps.
    """

    mean: Float[Array, "n time d"]
    scale: Float[Array, "n time d"]
    context: Bool[Array, "n time d"]
    times: Float[Array, "n time"]

    @property
    def cond(self) -> tuple[jax.Array, ...]:
        """What a conditional network takes."""
        return self.mean, self.context, self.times, jnp.log(self.scale)


def as_series(data: Observed) -> Observed:
    """A table as series of one step."""
    if data.values.ndim == 3:
        return data
    return data._replace(values=data.values[:, None], mask=data.mask[:, None])


def fit(key: PRNGKey, series: Observed, length: int) -> Base:
    """The joint Gaussian of windows of `length` steps, see `methods.window_gaussian`."""
    mean, scale = channel_moments(series)
    x = standardise(series, mean, scale).values
    passes = 10 if length * len(mean) <= _WIDE else 2
    model = _windowed.fit(
        key, x, series.mask, series.weight, length=length, passes=passes, marginals="auto"
    )
    return Base(mean, scale, model)


def scores(base: Base, series: Observed) -> Float[Array, "n time d"]:
    """Values as the Gaussian sees them; 0 where nothing is observed."""
    x = (series.values - base.mean[None, None]) / base.scale[None, None]
    return jnp.where(series.mask, _marginals.forward(base.model.maps, x), 0)


def values(base: Base, z: Float[Array, "n time d"]) -> Float[Array, "n time d"]:
    """The inverse of `scores`."""
    x = _marginals.backward(base.model.maps, z)
    return x * base.scale[None, None] + base.mean[None, None]


def framed(
    key: PRNGKey,
    base: Base,
    z: Float[Array, "n time d"],
    context: Bool[Array, "n time d"],
    times: Float[Array, "n time"],
    draws: int = 1,
) -> tuple[Frame, Float[Array, "n {draws} time d"]]:
    r"""Rows in the base's units, and its own noise.

    With the covariance :math:`P_c` of what is not in the context, the noise is
    :math:`e \sim N(0, S^{-1} P_c S^{-1})`, :math:`S = \mathrm{diag}(s_c)`. So :math:`\mu_c + S e`
    are the base's exact draws.

    Args:
        key: of the noise.
        base: fitted.
        z: rows, in scores; not looked at outside the context.
        context: True = given.
        times: positions of the steps.
        draws: of the noise of each row.

    Returns:
        The frame, and the noise: 0 in the context.
    """
    n, shape = len(z), z.shape[1:]
    noise = random.normal(key, (n, draws, z[0].size), z.dtype)
    flat, seen = z.reshape(n, -1), context.reshape(n, -1)
    mean, scale, noise = precisions.frames_from_precision(
        flat, seen, noise, base.model.mean, base.model.precision
    )
    scale = jnp.where(seen, 1, jnp.maximum(scale, _LEAST))
    mean, scale = (a.reshape(z.shape) for a in (mean, scale))
    return Frame(mean, scale, context, times), noise.reshape(n, draws, *shape) / scale[:, None]


def completed(
    key: PRNGKey,
    base: Base,
    z: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
) -> Float[Array, "n time d"]:
    """Rows, what is missing drawn from the base."""
    n = len(z)
    flat, seen, own = z.reshape(n, -1), mask.reshape(n, -1), base.model
    drawn = precisions.draw_from_precision(key, flat, seen, own.mean, own.precision)
    return drawn.reshape(z.shape)


def in_blocks(
    draw: Callable[..., jax.Array],
    z: Float[Array, "n time d"],
    mask: Bool[Array, "n time d"],
    times: Float[Array, "n time"],
    length: int,
) -> Float[Array, "n time d"]:
    """Complete long series by windows with context on both sides, of which the middle is kept.

    One block after the other: each is given what is observed in its window and what was drawn
    before, so that blocks join.

    Args:
        draw: `(number, z, mask, times) -> rows`, completions of windows of `length` steps.
        z: series.
        mask: True = observed.
        times: positions of the steps.
        length: of the windows.

    Returns:
        The completed series.
    """
    time = z.shape[1]
    if time <= length:
        return draw(jnp.zeros((), int), z, mask, times)
    side = length // 3
    block = length - 2 * side
    blocks = -(-time // block)
    around = (side, side + blocks * block - time)
    z, mask = (jnp.pad(a, ((0, 0), around, (0, 0))) for a in (z, mask))
    times = jnp.pad(times, ((0, 0), around), mode="edge")

    def one(carry, number):
        z, mask = carry
        start = number * block
        own_z, own_mask, own_times = (
            jax.lax.dynamic_slice_in_dim(a, start, length, axis=1) for a in (z, mask, times)
        )
        drawn = draw(number, own_z, own_mask, own_times - own_times[:, :1])
        inner = drawn[:, side : side + block]
        z = jax.lax.dynamic_update_slice(z, inner, (0, start + side, 0))
        mask = jax.lax.dynamic_update_slice(mask, jnp.ones_like(inner, bool), (0, start + side, 0))
        return (z, mask), None

    (z, _), _ = jax.lax.scan(one, (z, mask), jnp.arange(blocks))
    return z[:, side : side + time]

"""A joint Gaussian of whole windows of series: of every step and channel with every other."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, restore, standardise
from jaximpute.maths import precisions
from jaximpute.methods.simple import _marginals, _windowed
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

WIDEST = 1536  # coordinates of a window, time times channels
WIDE = 512  # above which passes of EM are few
USUAL = 24  # steps of a window, where series are longer than a window may be


class WindowGaussianState(NamedTuple):
    """A fitted Gaussian of windows.

    Attributes:
        mean: of each channel, `(d,)`.
        scale: of each channel, `(d,)`.
        groups: a Gaussian for each group of channels, stacked.
    """

    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    groups: _windowed.Windowed


def window_gaussian(
    *, window: int | None = None, passes: int | None = None, marginals: str = "auto"
) -> Method:
    r"""Mean and draws of what a window lacks, under one Gaussian of all its steps and channels.

    .. math:: g(x) \sim N(\mu, \Lambda^{-1}), \quad
        g(x_m) \mid x_o \sim N(\mu_m - \Lambda_{mm}^{-1} \Lambda_{mo} (g(x_o) - \mu_o),
        \Lambda_{mm}^{-1})

    Unlike `gaussian` it takes nothing as stationary: each step of a window has moments of its own.
    So it wants many windows that begin alike, as days do, or the many windows of a long series.
    Moments are fitted by EM, started from linear interpolation; the covariance is shrunk towards
    its diagonal. How much, and which map :math:`g` of the channels, is chosen by the loss of
    quantiles at entries hidden in windows that the moments leave out.

    Args:
        window: steps of a window, at least 2; longer series are completed by windows that overlap
            by two thirds, of which the middle counts. By default whole series of at most 1536
            values, and 24 steps of longer ones.
        passes: of EM, at least 0; by default 10, and 2 of windows of more than 512 values.
        marginals: :math:`g`, monotone, of each channel: `none`; `log`, of the distance from just
            below its least value; `normal` scores, which make the model a Gaussian copula; or
            `auto`, by hold-out.

    Returns:
        An inductive method that draws. Windows of more than 1536 values are cut into groups of
        channels. Draws of a long series are made block after block, given those before.

    Raises:
        OptionError: an argument out of range.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> t = np.linspace(0, 6, 20)[None, :, None] + np.linspace(0, 6, 99)[:, None, None]
        >>> x = np.sin(t)
        >>> x[0, 5:10] = np.nan
        >>> data = ji.observe(x)
        >>> method = ji.methods.window_gaussian()
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> filled = ji.complete(method, jax.random.key(1), state, data)
        >>> bool(abs(filled - np.sin(t)).max() < 0.1)
        True

    Source: Little and Rubin, "Statistical Analysis with Missing Data", 3rd ed., section 11.2; of
    the copula, Zhao and Udell, "Missing value imputation for mixed data via Gaussian copula"
    (2020).
    """
    if (window is not None and window < 2) or (passes is not None and passes < 0):
        raise OptionError(f"window is {window} and passes {passes}; expected at least 2 and 0")
    _marginals.check(marginals)

    def learn(key, data: Observed) -> WindowGaussianState:
        mean, scale = channel_moments(data)
        length, size = _shape(data.values.shape, window)
        x, mask = _groups(data, mean, scale, size)
        rounds = passes if passes is not None else 10 if length * size <= WIDE else 2

        def fit(group):
            number, x, mask = group
            own = jax.random.fold_in(key, number)
            return _windowed.fit(
                own, x, mask, data.weight, length=length, passes=rounds, marginals=marginals
            )

        return WindowGaussianState(mean, scale, jax.lax.map(fit, (jnp.arange(len(x)), x, mask)))

    def completed(key, state: WindowGaussianState, data: Observed, draw: bool) -> jax.Array:
        size = state.groups.maps.x.shape[1]
        length = state.groups.mean.shape[1] // size
        x, mask = _groups(data, state.mean, state.scale, size)

        def one(group):
            number, model, x, mask = group
            own = jax.random.fold_in(key, number)
            z = jnp.where(mask, _marginals.forward(model.maps, x), 0)
            z = _draw(own, model, z, mask, length) if draw else _mean(model, z, mask, length)
            return _marginals.backward(model.maps, z)

        parts = jax.lax.map(one, (jnp.arange(len(x)), state.groups, x, mask))
        joined = jnp.moveaxis(parts, 0, -2).reshape(*data.values.shape[:2], -1)
        return restore(joined[..., : data.values.shape[2]], state.mean, state.scale, data)

    mean, draw = (partial(completed, draw=draw) for draw in (False, True))
    return static_method(learn, estimate=mean, sample=draw)


def _shape(shape, window: int | None) -> tuple[int, int]:
    """Steps of a window, and channels that are treated together."""
    _, time, d = shape
    if window is None:
        window = time if time * d <= WIDEST else USUAL
    length = min(window, time)
    groups = -(-d // max(WIDEST // length, 1))
    return length, -(-d // groups)


def _groups(data: Observed, mean, scale, size: int) -> tuple[Array, Array]:
    """Scaled series in groups of channels, first, filled up with channels never observed."""

    def split(a):
        groups = -(-a.shape[-1] // size)
        a = jnp.pad(a, ((0, 0), (0, 0), (0, groups * size - a.shape[-1])))
        return jnp.moveaxis(a.reshape(*a.shape[:2], -1, size), -2, 0)

    return split(standardise(data, mean, scale).values), split(data.mask)


def _frame(time: int, length: int) -> tuple[int, int, int]:
    """Steps of a block, steps around it, and blocks."""
    if time <= length:
        return length, 0, 1
    context = length // 3
    block = length - 2 * context
    return block, context, -(-time // block)


def _padded(a, time, length):
    block, context, blocks = _frame(time, length)
    return jnp.pad(a, ((0, 0), (context, context + blocks * block - time), (0, 0)))


def _mean(model: _windowed.Windowed, z, mask, length: int):
    """Each block given what is observed in its window."""
    n, time, d = z.shape
    block, context, blocks = _frame(time, length)
    rows = jnp.repeat(jnp.arange(n), blocks)
    starts = jnp.tile(jnp.arange(blocks) * block, n)
    z, mask = (_windowed.cut(_padded(a, time, length), rows, starts, length) for a in (z, mask))
    means = precisions.mean_from_precision(z, mask, model.mean, model.precision)
    inner = means.reshape(-1, length, d)[:, context : context + block]
    return inner.reshape(n, blocks * block, d)[:, :time]


def _draw(key, model: _windowed.Windowed, z, mask, length: int):
    """Block after block, each given what is observed in its window and what was drawn before."""
    n, time, d = z.shape
    block, context, blocks = _frame(time, length)
    rows = jnp.arange(n)

    def one(carry, number):
        z, mask = carry
        start = number * block
        x, seen = (_windowed.cut(a, rows, jnp.full(n, start), length) for a in carry)
        own = jax.random.fold_in(key, number)
        drawn = precisions.draw_from_precision(own, x, seen, model.mean, model.precision)
        inner = drawn.reshape(n, length, d)[:, context : context + block]
        z = jax.lax.dynamic_update_slice(z, inner, (0, start + context, 0))
        mask = jax.lax.dynamic_update_slice(
            mask, jnp.ones_like(inner, bool), (0, start + context, 0)
        )
        return (z, mask), None

    wide = tuple(_padded(a, time, length) for a in (z, mask))
    (z, _), _ = jax.lax.scan(one, wide, jnp.arange(blocks))
    return z[:, context : context + time]

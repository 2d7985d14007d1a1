"""Columns made more like normal ones: a monotone map each, and its inverse."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError

KINDS = ("none", "log", "normal")
_KNOTS = 65
_OFFSET = 0.2  # added before a logarithm: in distances of the median from the least value


class Marginals(NamedTuple):
    """Monotone maps, straight between their knots and beyond them.

    Attributes:
        x: knots of each column, rising or level, `(d, knots)`.
        z: where they go, rising, `(d, knots)`.
    """

    x: Float[Array, "d knots"]
    z: Float[Array, "d knots"]


def check(kind: str) -> None:
    """Refuse a kind that is not one.

    Raises:
        OptionError: neither `auto` nor one of `KINDS`.
    """
    if kind not in ("auto", *KINDS):
        raise OptionError(f"marginals is '{kind}'; expected auto, {', '.join(KINDS)}")


def candidates(
    x: Float[Array, "n d"], used: Bool[Array, "n d"], kind: str
) -> tuple[Marginals, ...]:
    """The maps of a kind, or of all kinds where it is `auto`, for scaled columns."""
    kinds = KINDS if kind == "auto" else (kind,)
    knots, scores = _quantiles(x, used)
    return tuple(_MAKERS[name](knots, scores) for name in kinds)


def forward(maps: Marginals, x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """Values to scores. One that many cells share goes to the middle of their ranks."""
    cdf, ppf = jax.scipy.stats.norm.cdf, jax.scipy.stats.norm.ppf

    def one(x, knots, z):
        above = _straight(x, knots, z)
        below = -_straight(-x, -knots[::-1], -z[::-1])
        shared = above > below + 1e-3
        return jnp.where(shared, ppf(0.5 * (cdf(above) + cdf(below))), 0.5 * (above + below))

    return jax.vmap(one, (-1, 0, 0), -1)(x, *maps)


def backward(maps: Marginals, z: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """Scores to values."""
    return jax.vmap(_straight, (-1, 0, 0), -1)(z, maps.z, maps.x)


def _quantiles(x, used):
    """Quantiles of each column at normal scores that lie evenly, and these scores."""
    count = used.sum(0)
    ordered = jnp.sort(jnp.where(used, x, jnp.inf), axis=0)
    most = jax.scipy.stats.norm.ppf(1 - 0.5 / jnp.maximum(count, 2).astype(x.dtype))
    scores = jnp.linspace(-1, 1, _KNOTS)[None] * most[:, None]
    rank = jax.scipy.stats.norm.cdf(scores) * count[:, None] - 0.5
    rank = jnp.clip(rank, 0, jnp.maximum(count - 1, 0)[:, None])
    low = jnp.floor(rank).astype(int)
    high = jnp.minimum(low + 1, jnp.maximum(count - 1, 0)[:, None])
    at_low, at_high = (jnp.take_along_axis(ordered.T, i, axis=1) for i in (low, high))
    knots = at_low + (rank - low) * (at_high - at_low)
    return jnp.where(count[:, None] > 0, knots, scores), scores


def _none(knots, scores):
    del knots
    return Marginals(scores, scores)


def _log(knots, scores):
    least, middle = knots[:, :1], knots[:, _KNOTS // 2][:, None]
    offset = jnp.maximum(_OFFSET * (middle - least), 1e-3)
    span = jnp.linspace(0, 1, _KNOTS)[None]
    top = jnp.log(knots[:, -1:] - least + offset)
    logs = jnp.log(offset) + span * (top - jnp.log(offset))
    x = least - offset + jnp.exp(logs)
    # as wide as the normal scores are
    z = jax.vmap(jnp.interp)(knots, x, logs)
    level, spread = z.mean(1, keepdims=True), z.std(1, keepdims=True)
    spread = spread / scores.std(1, keepdims=True)
    safe = jnp.where(spread > 1e-6, spread, 1)
    return Marginals(x, jnp.where(spread > 1e-6, (logs - level) / safe, scores))


def _normal(knots, scores):
    return Marginals(knots, scores)


_MAKERS = {"none": _none, "log": _log, "normal": _normal}


def _straight(x, knots, values):
    """Straight lines between knots, and the first and last of some length beyond them."""
    inside = jnp.interp(x, knots, values)
    quarter = len(knots) // 8

    def slope(a, b):
        width = knots[b] - knots[a]
        return jnp.where(width > 1e-6, (values[b] - values[a]) / jnp.maximum(width, 1e-6), 0)

    low, high = slope(0, quarter), slope(-1 - quarter, -1)
    inside = jnp.where(x < knots[0], values[0] + low * (x - knots[0]), inside)
    return jnp.where(x > knots[-1], values[-1] + high * (x - knots[-1]), inside)

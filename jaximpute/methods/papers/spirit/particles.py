"""SPIRIT's recursive imputation: lines 3 to 10 of Algorithm 1, and the pieces it is made of."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from jaximpute.masking import clamp, row_mean
from jaximpute.maths import random
from jaximpute.types import Observed, PRNGKey, Scalar, View
from jaximpute.views import every

# of rows, and of what each is conditioned on
Score = Callable[..., jax.Array]


class Particles(NamedTuple):
    """The completed rows with their log-weights, and what the optimiser remembers of both."""

    x: Float[Array, "n *event"]
    log_w: Float[Array, "rows"]
    opt: optax.OptState


class Recursion(NamedTuple):
    """The settings of the recursion; `spirit` documents them."""

    eta: Scalar
    optimiser: optax.GradientTransformation
    weights: bool
    weight_norm: str
    temperature: Scalar
    ess_floor: float
    dissipative: str


class Coordinates(NamedTuple):
    """The coordinates in which a network sees rows of `(time, channels)`.

    Attributes:
        scale: per channel, the pooled within-row standard deviation; None = rows are not centred.
    """

    scale: Float[Array, "d"] | None

    def into(self, rows: jax.Array) -> jax.Array:
        """Rows, centred and scaled; a linear map, and so that of a shift of rows as well."""
        if self.scale is None:
            return rows
        return (rows - rows.mean(axis=1, keepdims=True)) / by_column(self.scale, rows)

    def stretch(self, shift: jax.Array) -> jax.Array:
        """A shift in the network's units, in those of the rows.

        The chain rule divides a gradient by the scale and this multiplies it: a move is a gradient
        step in the network's coordinates, so that `eta` means the same in every channel.
        """
        return shift if self.scale is None else shift * by_column(self.scale, shift)


def coordinates(
    x: jax.Array, view: View, weight: Float[Array, "rows"], centre: bool
) -> Coordinates:
    """Coordinates fitted to the completed rows; levels that never recur are centred away."""
    if not centre:
        return Coordinates(None)
    rows = every(view, x)
    within = (rows - rows.mean(axis=1, keepdims=True)) ** 2
    spread = jnp.sqrt(jax.vmap(row_mean, in_axes=(1, None))(within.mean(axis=1), weight))
    # a channel that is flat within every row has no scale of its own
    return Coordinates(jnp.maximum(spread, 1e-3))


def climb(
    rule: Recursion,
    key: PRNGKey,
    particles: Particles,
    score: Score,
    data: Observed,
    view: View,
    level: Coordinates,
    moves: int,
    given: tuple[jax.Array, ...] = (),
) -> tuple[Particles, Float[Array, ""]]:
    r"""Move the missing entries and the weights `moves` times under one score.

    Args:
        rule: settings.
        key: for the noise of the dissipative term.
        particles: where they are.
        score: of a batch of rows, in the coordinates of `level`, and of the rows of `given`.
        data: its observed entries stay.
        view: the rows.
        level: coordinates of the rows.
        moves: number of moves, at least 1.
        given: arrays `(n, *event)` whose rows the score is conditioned on.

    Returns:
        The particles, and the change of the energy (10) without its transport term,
        :math:`J = \mathbb{E}_w[-\log p + \frac12\|\nabla\log p\|^2]`, between the first and the
        last place where the score was taken, which is before the last move. The norm is the
        rule's: (10) has the sum. Here p is the density of whole rows, in the network's coordinates:
        that of the missing entries given the observed ones differs by a number for each row, which
        its own moves do not change and its weight multiplies. A score network gives no density, so
        it is integrated: along each row's path by the trapezium rule, and, if weights move, from
        row to row as in `log_density`.
    """
    missing = ~every(view, data.mask)
    real = jnp.isfinite(particles.log_w)

    def seen(rows, *given):
        return score(level.into(rows), *given)

    def move(carry, k):
        (x, log_w, opt), x_last, s_last, log_p = carry
        whole = score_rows(seen, x, view, given=given)
        s = jnp.where(missing, whole, 0)
        squared = squared_norm(s, missing, rule.weight_norm)
        travelled = level.into(every(view, x - x_last))
        log_p = log_p + ((whole + s_last) / 2 * travelled).reshape(view.size, -1).sum(1)
        w = jnp.exp(log_w)
        energy = (w * (squared / 2 - log_p)).sum()
        t_w = weight_direction(squared, log_w) / rule.temperature
        t_x = view.fold(s * (w * real.sum()).reshape(-1, *(1,) * (s.ndim - 1)))
        if rule.dissipative == "vp":
            t_x = t_x + view.fold(level.into(every(view, x))) / 2
        # optimisers descend, and both directions ascend
        (shift, w_shift), opt = rule.optimiser.update((-t_x, -t_w), opt)
        if rule.weights:
            log_w = normalise(log_w + w_shift, rule.ess_floor)
        if rule.dissipative != "none":
            shift = shift + jnp.sqrt(rule.eta) * random.normal(k, x.shape, x.dtype)
        moved = Particles(clamp(x + level.stretch(shift), data), log_w, opt)
        return (moved, x, whole, log_p), energy

    still = jnp.zeros(missing.shape, particles.x.dtype)
    log_p = jnp.zeros(view.size, still.dtype)
    if rule.weights:
        log_p = log_density(score, particles, view, level, given)
    keys = jax.random.split(key, moves)
    begin = particles, particles.x, still, log_p
    (moved, _, _, _), energy = jax.lax.scan(move, begin, keys)
    return moved, energy[-1] - energy[0]


def log_density(
    score: Score,
    particles: Particles,
    view: View,
    level: Coordinates,
    given: tuple[jax.Array, ...] = (),
) -> Float[Array, "rows"]:
    r"""The log-density of every row beside that of their weighted mean :math:`\bar x`.

    .. math::
        \log p(x_i) - \log p(\bar x)
            = \int_0^1 s(\bar x + t (x_i - \bar x)) \cdot (x_i - \bar x) \, dt

    by Gauss and Legendre's rule with eight nodes. It is as good as the score is between the rows.
    """
    w = jnp.exp(particles.log_w)
    mean = jnp.tensordot(w, level.into(every(view, particles.x)), 1, precision="highest")[None]

    def add(total, node):
        t, share = node

        def along(rows, *given):
            away = level.into(rows) - mean
            return share * score(mean + t * away, *given) * away

        found = score_rows(along, particles.x, view, given=given)
        return total + found.reshape(view.size, -1).sum(1), None

    nodes, shares = np.polynomial.legendre.leggauss(8)
    line = jnp.asarray((nodes + 1) / 2, w.dtype), jnp.asarray(shares / 2, w.dtype)
    return jax.lax.scan(add, jnp.zeros(view.size, w.dtype), line)[0]


def score_rows(
    score: Score,
    x: jax.Array,
    view: View,
    chunk: int = 4096,
    given: tuple[jax.Array, ...] = (),
) -> jax.Array:
    """The score of every row of a view, in chunks, so that activations stay small."""
    count, arrays = view.size, (x, *given)
    if count <= chunk:
        return score(*(every(view, a) for a in arrays))
    if view.whole:
        # rows far apart in each chunk: on a mesh, a part of it lies on every device
        apart = -(-count // chunk)

        def part(a):
            padding = ((0, -count % apart), *((0, 0),) * (a.ndim - 1))
            parts = jnp.pad(a, padding).reshape(-1, apart, *a.shape[1:])
            return jnp.moveaxis(parts, 1, 0)

        scores = jax.lax.map(lambda rows: score(*rows), tuple(part(a) for a in arrays))
        return jnp.moveaxis(scores, 0, 1).reshape(-1, *scores.shape[2:])[:count]
    padded = -(-count // chunk) * chunk
    numbers = jnp.minimum(jnp.arange(padded), count - 1).reshape(-1, chunk)
    scores = jax.lax.map(lambda i: score(*(view.take(a, i) for a in arrays)), numbers)
    return scores.reshape(padded, *scores.shape[2:])[:count]


def squared_norm(
    score: Float[Array, "rows *event"], missing: Bool[Array, "rows *event"], norm: str
) -> Float[Array, "rows"]:
    """Per row, the score's squared norm over missing coordinates: their mean, or their sum."""
    total = jnp.where(missing, score**2, 0).reshape(len(score), -1).sum(1)
    if norm == "sum":
        return total
    return total / jnp.maximum(missing.reshape(len(score), -1).sum(1), 1).astype(score.dtype)


def weight_direction(
    squared: Float[Array, "rows"], log_w: Float[Array, "rows"]
) -> Float[Array, "rows"]:
    r"""SPIRIT eq. (12), :math:`-2\|s_i\|^2 + 2\,\mathbb{E}_w\|s\|^2`; the mean is weighted."""
    return 2 * ((jnp.exp(log_w) * squared).sum() - squared)


def normalise(log_w: Float[Array, "rows"], ess_floor: float = 0.0) -> Float[Array, "rows"]:
    r"""SPIRIT eq. (13), then flattened until the effective sample size reaches a floor.

    The sum of the paper's (13) runs to D; it is over the N rows. Flattening takes the largest power
    :math:`\tau \le 1`, by bisection, with
    :math:`\mathrm{ESS}(w^\tau) \ge \mathrm{ess\_floor}\cdot N`.
    """
    log_w = jax.nn.log_softmax(log_w)
    if ess_floor <= 0:
        return log_w
    real = jnp.isfinite(log_w)

    def flatten(power):
        # 0 * -inf is NaN: padding rows keep their weight of zero
        return jax.nn.log_softmax(jnp.where(real, power * jnp.where(real, log_w, 0), -jnp.inf))

    def halve(_, bounds):
        low, high = bounds
        middle = (low + high) / 2
        enough = effective_size(flatten(middle)) >= ess_floor
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    low, _ = jax.lax.fori_loop(0, 20, halve, (jnp.zeros(()), jnp.ones(())))
    return jnp.where(effective_size(log_w) >= ess_floor, log_w, flatten(low))


def effective_size(log_w: Float[Array, "rows"]) -> Float[Array, ""]:
    r"""Effective sample size over the number of real rows, :math:`1 / (N \sum_i w_i^2)`."""
    return 1 / ((jnp.exp(log_w) ** 2).sum() * jnp.isfinite(log_w).sum())


def by_column(scale: Float[Array, "d"], like: jax.Array) -> jax.Array:
    """A number for each column, shaped to multiply rows."""
    return scale.reshape(*(1,) * (like.ndim - 1), -1)

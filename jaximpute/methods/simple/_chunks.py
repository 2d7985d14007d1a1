"""Observed entries of fields in compact chunks, and the likelihood of a covariance over these."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from jaximpute.maths import random
from jaximpute.types import PRNGKey

SIZE = 96  # entries of a chunk
_MOST = 1024  # chunks that are learned from
LIKELY = 24  # of these, for the likelihood
_RATE = 0.15
_LEAST = 1e-4  # variance of noise


class Chunks(NamedTuple):
    """Observed entries that lie together, for each chunk.

    Attributes:
        at: places `(t, y, x)`.
        x: values, 0 where there is none.
        there: which entries there are.
    """

    at: Int[Array, "chunks size 3"]
    x: Float[Array, "chunks size"]
    there: Bool[Array, "chunks size"]


class Matern(NamedTuple):
    """Logarithms of what a covariance is made of, and a drift.

    Attributes:
        length: along time, rows and columns.
        variance: of the field.
        nugget: of noise.
        level: variance of a level of each frame.
        memory: for how many frames a level lasts.
        drift: cells of rows and columns by which the pattern moves from frame to frame.
    """

    length: Float[Array, "3"]
    variance: Float[Array, ""]
    nugget: Float[Array, ""]
    level: Float[Array, ""]
    memory: Float[Array, ""]
    drift: Float[Array, "2"]


def chunks(key: PRNGKey, x: Float[Array, "n t y x"], mask: Bool[Array, "n t y x"]) -> Chunks:
    """Observed entries of each film along a Morton curve, cut into pieces; some, if many."""
    n, *shape = x.shape
    curve = _morton(tuple(shape))
    cells = len(curve)
    pieces = -(-cells // SIZE)
    size = min(SIZE, cells)
    seen = mask.reshape(n, -1)[:, curve]
    order = jnp.argsort(~seen, axis=1, stable=True)  # the observed first, along the curve
    order = jnp.pad(order, ((0, 0), (0, pieces * size - cells)))
    count = seen.sum(1, keepdims=True)
    # pieces of equal size, so that none is a rest of one entry
    each = -(-count // jnp.maximum(-(-count // size), 1))
    begin = jnp.arange(pieces)[None] * each
    filled = (begin < count).ravel()
    rank = jnp.where(filled, random.uniform(key, filled.shape), 2.0)
    which = jnp.argsort(rank)[: min(_MOST, filled.size)]
    row, begin = which // pieces, begin.ravel()[which]
    slot = begin[:, None] + jnp.arange(size)[None]
    there = (jnp.arange(size)[None] < each[row]) & (slot < count[row]) & filled[which][:, None]
    at = jnp.asarray(curve)[order[row[:, None], jnp.minimum(slot, cells - 1)]]
    values = jnp.where(there, x.reshape(n, -1)[row[:, None], at], 0)
    _, height, width = shape
    return Chunks(_places(at, height, width), values, there)


def cutter(shape: tuple[int, ...]) -> Callable:
    """How the observed entries of one film are cut: `mask -> (number, piece)`.

    `piece(i)` is flat cells, places and which there are, of one of `number` chunks.
    """
    curve = jnp.asarray(_morton(shape))
    size = min(SIZE, len(curve))
    _, height, width = shape

    def cut(mask: Bool[Array, "t y x"]):
        seen = mask.ravel()[curve]
        order = curve[jnp.argsort(~seen, stable=True)]
        count = seen.sum()
        number = -(-count // size)
        each = -(-count // jnp.maximum(number, 1))

        def piece(i):
            slot = i * each + jnp.arange(size)
            cells = order[jnp.minimum(slot, len(order) - 1)]
            there = (jnp.arange(size) < each) & (slot < count)
            return cells, _places(cells, height, width), there

        return number, piece

    return cut


def _places(cells, height: int, width: int) -> Int[Array, "*cells 3"]:
    parts = cells // (height * width), cells // width % height, cells % width
    return jnp.stack(parts, axis=-1)


def covariance(model: Matern, rough: Int[Array, ""], lag: Float[Array, "*lags 3"]) -> jax.Array:
    r"""The covariance of two entries, without noise.

    .. math:: s^2 \, M(r) + \lambda^2 e^{-|h_t| / \tau}, \qquad
        r^2 = (h_t/\ell_t)^2 + ((h_y - v_y h_t) / \ell_y)^2 + ((h_x - v_x h_t) / \ell_x)^2
    """
    steps, along = lag[..., 0], jnp.exp(-model.length)
    square = (steps * along[0]) ** 2
    for axis in (1, 2):
        moved = lag[..., axis] - model.drift[axis - 1] * steps
        square = square + (moved * along[axis]) ** 2
    r = jnp.sqrt(square + 1e-10)  # a root without a slope of infinity at 0
    third, fifth = jnp.sqrt(3.0) * r, jnp.sqrt(5.0) * r
    shape = jnp.where(
        rough == 0,
        jnp.exp(-r),
        jnp.where(
            rough == 1,
            (1 + third) * jnp.exp(-third),
            (1 + fifth + fifth**2 / 3) * jnp.exp(-fifth),
        ),
    )
    level = jnp.exp(model.level - jnp.abs(steps) * jnp.exp(-model.memory))
    return jnp.exp(model.variance) * shape + level


def matrix(model: Matern, rough, at: Int[Array, "size 3"], there: Bool[Array, "size"]) -> jax.Array:
    """The covariance of a chunk's entries with noise; the identity where there is none."""
    lag = (at[:, None] - at[None]).astype(float)
    eye = jnp.eye(len(at))
    both = there[:, None] & there[None]
    return jnp.where(both, covariance(model, rough, lag) + noise(model) * eye, eye)


def start(variance: Float[Array, ""]) -> Matern:
    """Where a search begins, for data of this variance: a few cells, a few frames, no drift."""
    variance = jnp.maximum(variance, 1e-6)
    field, nugget, level = (jnp.log(share * variance) for share in (0.6, 0.03, 0.3))
    memory = jnp.log(jnp.asarray(2.0, variance.dtype))
    length = jnp.log(jnp.full(3, 3.0, variance.dtype))
    return Matern(length, field, nugget, level, memory, jnp.zeros(2, variance.dtype))


def noise(model: Matern) -> Float[Array, ""]:
    """The variance of noise, with what single precision needs."""
    return jnp.exp(model.nugget) + _LEAST * (jnp.exp(model.variance) + jnp.exp(model.level))


def likeliest(
    known: Chunks,
    first: Matern,
    roughs: Int[Array, "k"],
    steps: int = 50,
    beside: Float[Array, "chunks size size"] | None = None,
) -> tuple[Matern, Int[Array, ""]]:
    r"""The covariance under which the chunks are likeliest, each by itself.

    .. math:: \max_\theta \sum_c \log N(x_c; 0, K_c(\theta))

    Args:
        known: the chunks.
        first: where the search begins.
        roughs: degrees of smoothness to try: 0, 1, 2 for Matérn's 1/2, 3/2, 5/2.
        steps: of Adam.
        beside: what is added to the covariance of each chunk; None is nothing.

    Returns:
        The covariance, and its smoothness.

    Source: Caragea and Smith, "Asymptotic properties of computationally efficient alternative
    estimators for a class of multivariate normal models" (2007), the "small blocks" likelihood.
    """
    known = Chunks(*(leaf[:LIKELY] for leaf in known))
    size = known.x.shape[1]
    beside = jnp.zeros((1, size, size), known.x.dtype) if beside is None else beside[:LIKELY]
    beside = jnp.broadcast_to(beside, (len(known.x), size, size))

    def loss(model, rough):
        def one(total, inputs):
            (at, x, there), beside = inputs
            both = there[:, None] & there[None]
            cov = matrix(model, rough, at, there) + jnp.where(both, beside, 0)
            return total + _surprise(cov, x), None

        total, _ = jax.lax.scan(one, jnp.zeros(()), (known, beside))
        total = total / jnp.maximum(known.there.sum(), 1)
        # what the data do not say stays where it began
        away = jax.tree.map(lambda a, b: ((a - b) ** 2).sum(), model, first)
        return total + 1e-3 * sum(jax.tree.leaves(away))

    optimiser = optax.adam(optax.cosine_decay_schedule(_RATE, steps, 0.05))

    def fit(rough):
        def step(now, _):
            model, state = now
            value, slope = jax.value_and_grad(loss)(model, rough)
            slope = jax.tree.map(lambda g: jnp.where(jnp.isfinite(g), g, 0), slope)
            change, state = optimiser.update(slope, state)
            return (optax.apply_updates(model, change), state), value

        (model, _), _ = jax.lax.scan(step, (first, optimiser.init(first)), None, length=steps)
        return model, loss(model, rough)

    models, losses = jax.lax.map(fit, roughs)
    best = jnp.argmin(jnp.where(jnp.isfinite(losses), losses, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], models), roughs[best]


def _surprise(cov: Float[Array, "k k"], x: Float[Array, "k"]) -> Float[Array, ""]:
    """Minus the logarithm of a Gaussian density, up to a constant."""
    root = jnp.linalg.cholesky(cov)
    half = jax.scipy.linalg.solve_triangular(root, x, lower=True)
    return (half**2).sum() / 2 + jnp.log(jnp.diagonal(root)).sum()


def _morton(shape: tuple[int, ...]) -> np.ndarray:
    """The cells of a grid along a curve that keeps near ones together."""
    at = np.indices(shape).reshape(len(shape), -1)
    code = np.zeros(at.shape[1], np.int64)
    for bit in range(20):
        for axis, place in enumerate(at):
            code |= ((place >> bit) & 1) << (bit * len(shape) + axis)
    return np.argsort(code, kind="stable")

r"""SPIRIT as printed: noise on whole rows, and the score of rows as completed so far.

Chen, Wang, Wang, Pan, Li, Teng, Li and Lin, "Analyzing and Improving Diffusion Models for
Time-Series Data Imputation: A Proximal Recursion Perspective" (2026), Algorithm 1. Missing entries
are particles that climb a learned score; the score is learned from the rows as completed so far;
the two stages alternate.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute.maths import random
from jaximpute.maths.choice import either
from jaximpute.maths.losses import denoising_score_matching
from jaximpute.maths.optimise import descend
from jaximpute.methods.papers.spirit.particles import (
    Coordinates,
    Particles,
    Recursion,
    Score,
    climb,
    coordinates,
    effective_size,
    normalise,
)
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar, State, View
from jaximpute.views import row_weight


class Best(NamedTuple):
    """The iterate with the least error on the held-out entries, and the score that moved it."""

    x: Float[Array, "n *event"]
    params: Params
    level: Coordinates
    error: Float[Array, ""]


# standard errors by which an iterate must beat the start on the held-out entries
_SURE = 2.5


class JointState(NamedTuple):
    """The particles, their score, and the best of both so far."""

    start: State  # of the method that makes first completions, from all that is observed
    start_error: Float[Array, ""]
    held: Bool[Array, "n *event"]  # observed entries hidden, to measure errors on
    gained: Float[Array, "n *event"]  # what the same start makes of them
    fallback: Float[Array, "n *event"]  # the completion of a start that learned from them, too
    particles: Particles
    params: Params
    opt: optax.OptState
    best: Best


class Settings(NamedTuple):
    """The settings of the joint form; `spirit` documents them."""

    view: Callable[[tuple[int, ...]], View]
    sigma: Scalar
    lr: Scalar
    score_steps: int
    moves: int
    batch: int
    centre: bool
    score_on: str
    holdout: float


def joint(net: Net, start: Method, rule: Recursion, settings: Settings) -> Method:
    """The method; see `spirit`."""
    complete, holdout, moves = start.estimate, settings.holdout, settings.moves
    assert complete is not None  # see `spirit`

    def init(key: PRNGKey, data: Observed) -> JointState:
        return begin(net, start, rule, settings, key, data)

    def step(key: PRNGKey, state: JointState, data: Observed) -> tuple[JointState, Info]:
        k_learn, k_move = jax.random.split(key)
        shown, x = _hide(data, state.held), state.particles.x
        rows = settings.view(x.shape)
        level = coordinates(x, rows, _real(rows, data), settings.centre)
        params, opt, losses = learn(net, settings, k_learn, state, shown, level)  # line 2
        score = blurred_score(net, params, settings.sigma)
        moved, energy = climb(
            rule, k_move, state.particles, score, shown, rows, level, moves
        )  # lines 3-10
        now = Best(moved.x, params, level, _error(moved.x, data, state.held))
        best = either((now.error < state.best.error) | (holdout == 0), now, state.best)
        metrics = {
            "start_error": state.start_error,
            "error": now.error,
            "best_error": best.error,
            "energy_change": energy,
            "ess": effective_size(moved.log_w),
        }
        state = state._replace(particles=moved, params=params, opt=opt, best=best)
        return state, Info(losses[-(settings.score_steps // 4 + 1) :].mean(), metrics)

    def settle(state: JointState, x: jax.Array, data: Observed) -> jax.Array:
        """A last round of moves under the best score, without weights or noise."""
        quiet, unused = rule._replace(weights=False, dissipative="none"), jax.random.key(0)
        rows, frozen = settings.view(x.shape), blurred_score(net, state.best.params, settings.sigma)
        particles = _particles(rule, rows, x, data)
        moved, _ = climb(quiet, unused, particles, frozen, data, rows, state.best.level, moves)
        return moved.x

    def fill(state: JointState, data: Observed) -> jax.Array:
        if holdout == 0:
            return masking.clamp(state.particles.x, data)
        # put the held-out entries back, with what the start makes of them
        x = masking.clamp(state.best.x + state.gained, data)
        began = state.fallback - state.gained
        better = jnp.abs(began - data.values) - jnp.abs(state.best.x - data.values)
        return jnp.where(
            _surely_positive(better, state.held), settle(state, x, data), state.fallback
        )

    def estimate(key: PRNGKey, state: JointState, data: Observed) -> jax.Array:
        return settle(state, complete(key, state.start, data), data)

    return Method(init, step, fill, estimate)


def blurred_score(net: Net, params: Params, sigma: Scalar) -> Score:
    """The score of rows, in the network's coordinates, blurred by noise on all their entries."""
    return lambda rows: net.apply(params, rows, jnp.full((1,), sigma, rows.dtype), ())


def begin(
    net: Net, start: Method, rule: Recursion, settings: Settings, key: PRNGKey, data: Observed
) -> JointState:
    """Line 1 of Algorithm 1: the start's completions, of what is not held out and of all."""
    complete, holdout, view = start.estimate, settings.holdout, settings.view
    assert complete is not None
    k_held, k_start, k_net = jax.random.split(key, 3)
    real = data.weight.reshape(-1, *(1,) * (data.mask.ndim - 1)) > 0
    held = data.mask & real & (random.uniform(k_held, data.mask.shape) < holdout)
    shown = _hide(data, held)

    def learned(k, learned_from):
        """A start: its state, and its completions given what is shown and given all."""
        k, k_learn, k_shown, k_all = jax.random.split(k, 4)
        state = start.init(k_learn, learned_from)
        return k, (state, complete(k_shown, state, shown), complete(k_all, state, data))

    # one after the other, so that the start is compiled once; with nothing held they are one
    sources = (shown, data) if holdout > 0 else (data,)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *sources)
    _, starts = jax.lax.scan(learned, k_start, stacked)
    _, x, put_back = jax.tree.map(lambda leaf: leaf[0], starts)
    start_state, _, fallback = jax.tree.map(lambda leaf: leaf[-1], starts)
    rows, t = view(x.shape), jnp.full((1,), settings.sigma, x.dtype)
    params = net.init(k_net, rows.take(x, jnp.arange(1)), t, ())
    level = coordinates(x, rows, _real(rows, data), settings.centre)
    best = Best(x, params, level, _error(x, data, held))
    return JointState(
        start=start_state,
        start_error=best.error,
        held=held,
        gained=put_back - x,
        fallback=fallback,
        particles=_particles(rule, rows, x, shown),
        params=params,
        opt=optax.adam(settings.lr).init(params),
        best=best,
    )


def learn(
    net: Net,
    settings: Settings,
    key: PRNGKey,
    state: JointState,
    shown: Observed,
    level: Coordinates,
) -> tuple[Params, optax.OptState, Float[Array, "steps"]]:
    """Line 2: denoising score matching on the rows as completed so far, and its losses."""
    x = state.particles.x
    rows = settings.view(x.shape)
    # rows in which nothing is observed teach nothing
    weight = row_weight(rows, shown.weight, shown.mask)

    def loss(params, k):
        k_rows, k_noise = jax.random.split(k)
        i = masking.pick(k_rows, weight, settings.batch)
        clean, where = masking.share((rows.take(x, i), rows.take(shown.mask, i)))
        clean = level.into(clean)
        if settings.score_on == "all":
            where = jnp.full(where.shape, True)
        return denoising_score_matching(net, params, k_noise, clean, where, settings.sigma)

    optimiser = optax.adam(settings.lr)
    return descend(loss, optimiser, key, state.params, state.opt, settings.score_steps)


def _particles(rule: Recursion, rows: View, x: jax.Array, data: Observed) -> Particles:
    log_w = normalise(jnp.log(_real(rows, data)))
    return Particles(x, log_w, rule.optimiser.init((x, log_w)))


def _hide(data: Observed, held: jax.Array) -> Observed:
    mask = data.mask & ~held
    return data._replace(values=jnp.where(mask, data.values, 0), mask=mask)


def _real(rows: View, data: Observed) -> jax.Array:
    """The weight of each row of a view."""
    return row_weight(rows, data.weight, jnp.full(data.mask.shape, True))


def _error(x: jax.Array, data: Observed, held: jax.Array) -> jax.Array:
    return masking.masked_mean(jnp.abs(x - data.values), held)


def _surely_positive(x: jax.Array, where: jax.Array) -> jax.Array:
    mean = masking.masked_mean(x, where)
    variance = masking.masked_mean((x - mean) ** 2, where)
    return mean > _SURE * jnp.sqrt(variance / jnp.maximum(where.sum(), 1))

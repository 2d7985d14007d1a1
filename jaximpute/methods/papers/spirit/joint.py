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
from jaximpute.maths.losses import denoising_score_matching
from jaximpute.maths.optimise import descend
from jaximpute.methods.papers.spirit.particles import (
    Coordinates,
    Particles,
    Recursion,
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
    begin, optimiser = start.estimate, optax.adam(settings.lr)
    assert begin is not None  # see `spirit`
    sigma, moves, score_steps = settings.sigma, settings.moves, settings.score_steps
    view, centre, holdout = settings.view, settings.centre, settings.holdout

    def score(params: Params):
        return lambda rows: net.apply(params, rows, jnp.full((1,), sigma, rows.dtype), ())

    def particles(x: jax.Array, data: Observed) -> Particles:
        log_w = normalise(jnp.log(_real(view(x.shape), data)))
        return Particles(x, log_w, rule.optimiser.init((x, log_w)))

    def init(key: PRNGKey, data: Observed) -> JointState:
        k_held, k_start, k_net = jax.random.split(key, 3)
        real = data.weight.reshape(-1, *(1,) * (data.mask.ndim - 1)) > 0
        held = data.mask & real & (random.uniform(k_held, data.mask.shape) < holdout)
        shown = _hide(data, held)

        def learned(k, learned_from):
            """A start: its state, and its completions given what is shown and given all."""
            k, k_learn, k_shown, k_all = jax.random.split(k, 4)
            state = start.init(k_learn, learned_from)
            return k, (state, begin(k_shown, state, shown), begin(k_all, state, data))

        # one after the other, so that the start is compiled once; with nothing held they are one
        sources = (shown, data) if holdout > 0 else (data,)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *sources)
        _, starts = jax.lax.scan(learned, k_start, stacked)
        _, x, put_back = jax.tree.map(lambda leaf: leaf[0], starts)
        start_state, _, fallback = jax.tree.map(lambda leaf: leaf[-1], starts)
        rows = view(x.shape)
        level = coordinates(x, rows, _real(rows, data), centre)
        params = net.init(k_net, rows.take(x, jnp.arange(1)), jnp.full((1,), sigma, x.dtype), ())
        best = Best(x, params, level, _error(x, data, held))
        return JointState(
            start=start_state,
            start_error=best.error,
            held=held,
            gained=put_back - x,
            fallback=fallback,
            particles=particles(x, shown),
            params=params,
            opt=optimiser.init(params),
            best=best,
        )

    def step(key: PRNGKey, state: JointState, data: Observed) -> tuple[JointState, Info]:
        k_learn, k_move = jax.random.split(key)
        shown, x = _hide(data, state.held), state.particles.x
        rows = view(x.shape)
        level = coordinates(x, rows, _real(rows, data), centre)
        params, opt, losses = learn(k_learn, state, shown, rows, level)  # line 2
        moved, energy = climb(
            rule, k_move, state.particles, score(params), shown, rows, level, moves
        )  # lines 3-10
        now = Best(moved.x, params, level, _error(moved.x, data, state.held))
        better = (now.error < state.best.error) | (holdout == 0)
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, state.best)
        metrics = {
            "start_error": state.start_error,
            "error": now.error,
            "best_error": best.error,
            "energy_change": energy,
            "ess": effective_size(moved.log_w),
        }
        state = state._replace(particles=moved, params=params, opt=opt, best=best)
        return state, Info(losses[-(score_steps // 4 + 1) :].mean(), metrics)

    def learn(key, state: JointState, shown: Observed, rows: View, level: Coordinates):
        x = state.particles.x
        # rows in which nothing is observed teach nothing
        weight = row_weight(rows, shown.weight, shown.mask)

        def loss(params, k):
            k_rows, k_noise = jax.random.split(k)
            i = masking.pick(k_rows, weight, settings.batch)
            clean, where = masking.share((rows.take(x, i), rows.take(shown.mask, i)))
            clean = level.into(clean)
            if settings.score_on == "all":
                where = jnp.full(where.shape, True)
            return denoising_score_matching(net, params, k_noise, clean, where, sigma)

        return descend(loss, optimiser, key, state.params, state.opt, score_steps)

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
        return settle(state, begin(key, state.start, data), data)

    def settle(state: JointState, x: jax.Array, data: Observed) -> jax.Array:
        """A last round of moves under the best score, without weights or noise."""
        quiet, unused = rule._replace(weights=False, dissipative="none"), jax.random.key(0)
        rows, frozen = view(x.shape), score(state.best.params)
        moved, _ = climb(
            quiet, unused, particles(x, data), frozen, data, rows, state.best.level, moves
        )
        return moved.x

    return Method(init, step, fill, estimate)


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

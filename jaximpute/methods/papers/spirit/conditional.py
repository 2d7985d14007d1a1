"""SPIRIT on a base: the conditional score of what the base misses, learned on re-hidden cells."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute.engine.lessons import lessons, parts
from jaximpute.engine.onhost import OnHost, learns_on_host
from jaximpute.maths import random
from jaximpute.maths.choice import Choice, believe
from jaximpute.maths.moved_gaps import moved_gaps
from jaximpute.maths.optimise import Learner, adamw, averaged, learner, train
from jaximpute.methods.papers.spirit.particles import (
    Coordinates,
    Particles,
    Recursion,
    by_column,
    climb,
    effective_size,
    normalise,
)
from jaximpute.methods.papers.spirit.surroundings import (
    Surroundings,
    Units,
    steps,
    surroundings,
    units,
)
from jaximpute.missing.again import again
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar, State
from jaximpute.views import row_weight

_LEVELS = 2.0  # times the one that is climbed, and that part of it: noise levels that are learned
_FALL = 0.998  # of the average of the weights
_DECAY = 0.1  # of the weights
_SLOWER = 0.3  # times the rate, after a pass that was no better
_LEAST = 1e-3  # of a standard deviation: the base's error counts as no smaller


class Taught(NamedTuple):
    """Rows with entries hidden again, in standard deviations of the columns.

    Attributes:
        filled: by the base.
        shown: what the base saw.
        asked: what was hidden again.
        missed: there, the truth less what the base said; 0 elsewhere.
    """

    filled: Float[Array, "m *event"]
    shown: Bool[Array, "m *event"]
    asked: Bool[Array, "m *event"]
    missed: Float[Array, "m *event"]


class ConditionalState(NamedTuple):
    """A base, and the score of what it misses.

    Attributes:
        start: the state of the base.
        mean: of each column, `(d,)`.
        scale: of each column, `(d,)`.
        units: in what the network sees completed rows.
        usual: the base's usual error in each column, in standard deviations, `(d,)`.
        taught: the rows learned from, each as often as cells were hidden again.
        judged: the rows hidden once more, whose cells taught nothing.
        learner: the network after the best pass so far.
        rate: of learning, beside that of the settings; lower after each pass that was no better.
        waiting: error of the best pass on the cells that choose it.
        choice: how much of the correction is believed, by the other cells.
    """

    start: State
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    units: Units
    usual: Float[Array, "d"]
    taught: Taught
    judged: Taught
    learner: Learner
    rate: Float[Array, ""]
    waiting: Float[Array, ""]
    choice: Choice


class Settings(NamedTuple):
    """The settings of the conditional form; `spirit` documents them."""

    sigma: Scalar
    lr: Scalar
    score_steps: int
    total: int | None
    moves: int
    batch: int
    window: int
    hidings: int
    share: float
    holdout: float


def conditional(net: Net, start: Method, rule: Recursion, settings: Settings) -> Method:
    """The method; see `spirit`."""
    complete, sigma, hidings = start.estimate, settings.sigma, settings.hidings
    assert complete is not None  # see `spirit`

    def optimiser(rate: Scalar):
        return adamw(settings.lr * rate, total=settings.total, weight_decay=_DECAY)

    def score(params: Params, around: Surroundings, level: Scalar):
        root = jnp.sqrt(1 + level**2)

        def of(y, *given):
            t = jnp.full((1,), level, y.dtype)
            raw = net.apply(params, y / root, t, (around.about(*given),))
            return raw / (level * root) - y / root**2

        return of

    def begin(key: PRNGKey, state: State, data: Observed) -> ConditionalState:
        k_lessons, k_net = jax.random.split(key)
        split = (moved_gaps if data.mask.ndim == 3 else again)(settings.share)
        mean, scale = masking.channel_moments(data)
        # together: what completes is compiled once
        found = lessons(k_lessons, start, state, data, split, hidings + 1)
        filled = (found.filled - by_column(mean, found.filled)) / by_column(scale, found.filled)
        truth = (data.values - by_column(mean, data.values)) / by_column(scale, data.values)
        real = data.weight.reshape(-1, *(1,) * (data.mask.ndim - 1)) > 0
        asked = found.asked & real[None]
        missed = jnp.where(asked, truth[None] - filled, 0)
        every_one = Taught(filled, found.shown, asked, missed)
        judged = jax.tree.map(lambda leaf: leaf[hidings], every_one)
        taught = jax.tree.map(lambda leaf: leaf[:hidings], every_one)
        if settings.holdout > 0:
            taught = taught._replace(asked=taught.asked & ~judged.asked[None])
        # rows come first, as on a mesh each device has its own
        taught = jax.tree.map(
            lambda leaf: jnp.moveaxis(leaf, 0, 1).reshape(-1, *leaf.shape[2:]), taught
        )
        axes = tuple(range(taught.asked.ndim - 1))
        off = jnp.where(taught.asked, jnp.abs(taught.missed), 0).sum(axes)
        # the deviation of a normal error as large
        usual = 1.25 * off / jnp.maximum(taught.asked.sum(axes), 1)
        seen = units(judged.filled, data.weight)
        around = surroundings(judged.filled, judged.shown, seen, settings.window)
        first = around.about(*(around.view.take(each, jnp.arange(1)) for each in around.given))
        one = jnp.zeros((1, *around.view.take(judged.filled, jnp.arange(1)).shape[1:]))
        params = net.init(k_net, one, jnp.ones((1,)), (first,))
        chooses, believes, _ = _cells(judged, settings.holdout)
        waiting = masking.masked_mean(jnp.abs(judged.missed), chooses)
        before = masking.masked_mean(jnp.abs(judged.missed), believes)
        none = jnp.zeros((), before.dtype)
        return ConditionalState(
            start=state,
            mean=mean,
            scale=scale,
            units=seen,
            usual=jnp.maximum(usual, _LEAST),
            taught=taught,
            judged=judged,
            learner=learner(params, optimiser(1.0), _FALL),
            rate=jnp.ones(()),
            waiting=waiting,
            choice=Choice(none, before, before, none),
        )

    def init(key: PRNGKey, data: Observed) -> ConditionalState:
        k_start, k_begin = jax.random.split(key)
        return begin(k_begin, start.init(k_start, data), data)

    def on_host(key: PRNGKey, data: Observed) -> ConditionalState:
        k_start, k_begin = jax.random.split(key)
        return jax.jit(begin)(k_begin, start.init(k_start, data), data)

    def learn(key: PRNGKey, state: ConditionalState, weight: Float[Array, "n"]):
        taught = state.taught
        around = surroundings(taught.filled, taught.shown, state.units, settings.window)
        target = taught.missed / by_column(state.usual, taught.missed)
        weight = row_weight(steps(target.shape), jnp.repeat(weight, hidings), taught.asked)
        rows = target, taught.asked, taught.shown, *around.given

        def loss(params: Params, k: PRNGKey):
            k_rows, k_level, k_noise = jax.random.split(k, 3)
            i = masking.pick(k_rows, weight, settings.batch)
            clean, asked, shown, *given = masking.share(tuple(around.view.take(r, i) for r in rows))
            level = sigma * _LEVELS ** jax.random.uniform(k_level, (), clean.dtype, -1.0, 1.0)
            noise = jnp.where(shown, 0, random.normal(k_noise, clean.shape, clean.dtype))
            found = score(params, around, level)(clean + level * noise, *given)
            off = jnp.sqrt(1 + level**2) * (level * found + noise)
            return masking.masked_mean(jnp.abs(off), asked)

        return train(loss, optimiser(state.rate), key, state.learner, settings.score_steps, _FALL)

    def corrected(key, params, state: ConditionalState, filled, shown, weight):
        """The particles at the end of their climb, in standard deviations from the base."""
        around = surroundings(filled, shown, state.units, settings.window)
        still = jnp.zeros_like(filled)
        real = row_weight(around.view, weight, jnp.full(shown.shape, True))
        log_w = normalise(jnp.log(real))
        particles = Particles(still, log_w, rule.optimiser.init((still, log_w)))
        moved, energy = climb(
            rule, key, particles, score(params, around, sigma), Observed(still, shown, weight),
            around.view, Coordinates(None), settings.moves, around.given,
        )  # fmt: skip
        said = moved.x * by_column(state.usual, moved.x)
        return said, energy, effective_size(moved.log_w)

    def step(key: PRNGKey, state: ConditionalState, data: Observed):
        k_learn, k_move = jax.random.split(key)
        judged = state.judged
        found, losses = learn(k_learn, state, data.weight)
        params = averaged(found)
        said, energy, ess = corrected(
            k_move, params, state, judged.filled, judged.shown, data.weight
        )
        chooses, believes, (part, count) = _cells(judged, settings.holdout)
        waiting = masking.masked_mean(jnp.abs(judged.missed - said), chooses)
        choice = believe(judged.missed, said, believes, part, count)
        if settings.holdout == 0:
            choice = choice._replace(share=jnp.ones_like(choice.share))
        better = (waiting < state.waiting) | (settings.holdout == 0)
        kept = (found, waiting, choice), (state.learner, state.waiting, state.choice)
        found, least, choice = jax.tree.map(lambda new, old: jnp.where(better, new, old), *kept)
        metrics = {
            "start_error": state.choice.before,
            "error": masking.masked_mean(jnp.abs(judged.missed - said), believes),
            "best_error": choice.after,
            "waiting_error": waiting,
            "share": choice.share,
            "energy_change": energy,
            "ess": ess,
        }
        rate = jnp.where(better, state.rate, _SLOWER * state.rate)
        state = state._replace(learner=found, rate=rate, waiting=least, choice=choice)
        return state, Info(losses[-(settings.score_steps // 4 + 1) :].mean(), metrics)

    def estimate(key: PRNGKey, state: ConditionalState, data: Observed) -> jax.Array:
        k_start, k_move = jax.random.split(key)
        x = complete(k_start, state.start, data)
        scale = by_column(state.scale, x)
        filled = (x - by_column(state.mean, x)) / scale
        params = averaged(state.learner)
        said, _, _ = corrected(k_move, params, state, filled, data.mask, data.weight)
        return masking.clamp(x + state.choice.share * scale * said, data)

    if learns_on_host(start.init):
        return Method(
            OnHost(on_host, lambda data: init(jax.random.key(0), data)), step, estimate=estimate
        )
    return Method(init, step, estimate=estimate)


def _cells(judged: Taught, holdout: float):
    """Cells that choose the weights, cells that say how much to believe, and the parts of both."""
    numbers, count = parts(judged.asked.shape)
    part = jnp.asarray(numbers)
    if holdout == 0:
        return judged.asked, judged.asked, (part, count)
    first = part // 2 % 2 == 0
    return judged.asked & first, judged.asked & ~first, (part, count)

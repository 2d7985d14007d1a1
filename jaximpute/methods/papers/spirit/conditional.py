"""SPIRIT on a base: the conditional score of what the base misses, learned on re-hidden cells."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute.engine.lessons import lessons, parts
from jaximpute.engine.onhost import beginning_with
from jaximpute.maths import random
from jaximpute.maths.choice import Choice, believe, either, undecided
from jaximpute.maths.moved_gaps import moved_gaps
from jaximpute.maths.optimise import Learner, adamw, averaged, learner, train
from jaximpute.methods.papers.spirit.particles import (
    Coordinates,
    Particles,
    Recursion,
    Score,
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
    complete = start.estimate
    assert complete is not None  # see `spirit`

    def init(compiled, key: PRNGKey, data: Observed) -> ConditionalState:
        k_start, k_begin = jax.random.split(key)
        state = start.init(k_start, data)
        return compiled(partial(begin, net, start, settings))(k_begin, state, data)

    def step(key: PRNGKey, state: ConditionalState, data: Observed):
        k_learn, k_move = jax.random.split(key)
        found, losses = learn(net, settings, k_learn, state, data.weight)  # line 2
        seen = state.judged.filled, state.judged.shown, data.weight
        said, energy, ess = climbed(  # lines 3-10
            net, rule, settings, k_move, averaged(found), state, *seen
        )
        state, report = choose(settings, state, found, said)
        loss = losses[-(settings.score_steps // 4 + 1) :].mean()
        return state, Info(loss, report | {"energy_change": energy, "ess": ess})

    def estimate(key: PRNGKey, state: ConditionalState, data: Observed) -> jax.Array:
        k_start, k_move = jax.random.split(key)
        x = complete(k_start, state.start, data)
        scale = by_column(state.scale, x)
        filled = (x - by_column(state.mean, x)) / scale
        seen = averaged(state.learner), state, filled, data.mask, data.weight
        said, _, _ = climbed(net, rule, settings, k_move, *seen)
        return masking.clamp(x + state.choice.share * scale * said, data)

    return Method(beginning_with(start.init, init), step, estimate=estimate)


def conditional_score(net: Net, params: Params, around: Surroundings, level: Scalar) -> Score:
    r"""The score of what the base misses, in units of its usual error, given its surroundings.

    .. math:: s_\theta(y; \sigma, o) = -\frac{y}{1 + \sigma^2}
        + \frac{F_\theta(y / \sqrt{1 + \sigma^2}; \sigma, o)}{\sigma \sqrt{1 + \sigma^2}}
    """
    root = jnp.sqrt(1 + level**2)

    def score(y, *given):
        t = jnp.full((1,), level, y.dtype)
        raw = net.apply(params, y / root, t, (around.about(*given),))
        return raw / (level * root) - y / root**2

    return score


def begin(
    net: Net, start: Method, settings: Settings, key: PRNGKey, state: State, data: Observed
) -> ConditionalState:
    """The state before the first pass: what is hidden again, and what the base makes of it."""
    k_lessons, k_net = jax.random.split(key)
    split = (moved_gaps if data.mask.ndim == 3 else again)(settings.share)
    mean, scale = masking.channel_moments(data)
    # together: what completes is compiled once
    found = lessons(k_lessons, start, state, data, split, settings.hidings + 1)
    filled = (found.filled - by_column(mean, found.filled)) / by_column(scale, found.filled)
    truth = (data.values - by_column(mean, data.values)) / by_column(scale, data.values)
    real = data.weight.reshape(-1, *(1,) * (data.mask.ndim - 1)) > 0
    asked = found.asked & real[None]
    every_one = Taught(filled, found.shown, asked, jnp.where(asked, truth[None] - filled, 0))
    judged = jax.tree.map(lambda leaf: leaf[settings.hidings], every_one)
    taught = jax.tree.map(lambda leaf: leaf[: settings.hidings], every_one)
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
    return ConditionalState(
        start=state,
        mean=mean,
        scale=scale,
        units=seen,
        usual=jnp.maximum(usual, _LEAST),
        taught=taught,
        judged=judged,
        learner=learner(params, _optimiser(settings, 1.0), _FALL),
        rate=jnp.ones(()),
        waiting=masking.masked_mean(jnp.abs(judged.missed), chooses),
        choice=undecided(masking.masked_mean(jnp.abs(judged.missed), believes)),
    )


def learn(
    net: Net, settings: Settings, key: PRNGKey, state: ConditionalState, weight: Float[Array, "n"]
) -> tuple[Learner, Float[Array, "steps"]]:
    """Line 2 of Algorithm 1: steps of `noise_loss` on the rows hidden again, and their losses."""
    taught = state.taught
    around = surroundings(taught.filled, taught.shown, state.units, settings.window)
    target = taught.missed / by_column(state.usual, taught.missed)
    weight = row_weight(steps(target.shape), jnp.repeat(weight, settings.hidings), taught.asked)
    rows = target, taught.asked, taught.shown, *around.given

    def loss(params: Params, k: PRNGKey):
        k_rows, k_level, k_noise = jax.random.split(k, 3)
        i = masking.pick(k_rows, weight, settings.batch)
        batch = masking.share(tuple(around.view.take(r, i) for r in rows))
        octaves = jax.random.uniform(k_level, (), target.dtype, -1.0, 1.0)
        level = settings.sigma * _LEVELS**octaves
        return noise_loss(conditional_score(net, params, around, level), k_noise, level, *batch)

    optimiser = _optimiser(settings, state.rate)
    return train(loss, optimiser, key, state.learner, settings.score_steps, _FALL)


def noise_loss(score: Score, key: PRNGKey, level: Scalar, clean, asked, shown, *given) -> jax.Array:
    r"""Eq. (15), noise on what is not shown, with the absolute value: see `spirit`.

    .. math:: \mathrm{mean}_A\, \sqrt{1 + \sigma^2}\,
        \bigl| \sigma s(u + \sigma \epsilon; \sigma, o) + \epsilon \bigr|
    """
    noise = jnp.where(shown, 0, random.normal(key, clean.shape, clean.dtype))
    found = score(clean + level * noise, *given)
    return masking.masked_mean(jnp.abs(jnp.sqrt(1 + level**2) * (level * found + noise)), asked)


def climbed(
    net: Net, rule: Recursion, settings: Settings, key, params, state, filled, shown, weight
) -> tuple[Float[Array, "n *event"], Float[Array, ""], Float[Array, ""]]:
    """Lines 3-10: where the particles end, in deviations from the base; their energy and size."""
    around = surroundings(filled, shown, state.units, settings.window)
    still = jnp.zeros_like(filled)
    real = row_weight(around.view, weight, jnp.full(shown.shape, True))
    log_w = normalise(jnp.log(real))
    particles = Particles(still, log_w, rule.optimiser.init((still, log_w)))
    score = conditional_score(net, params, around, settings.sigma)
    moved, energy = climb(
        rule, key, particles, score, Observed(still, shown, weight), around.view,
        Coordinates(None), settings.moves, around.given,
    )  # fmt: skip
    return moved.x * by_column(state.usual, moved.x), energy, effective_size(moved.log_w)


def choose(
    settings: Settings, state: ConditionalState, found: Learner, said: Float[Array, "n *event"]
) -> tuple[ConditionalState, dict[str, jax.Array]]:
    """Keep a pass if it is the best on half of the judged cells; believe it by the other half."""
    judged = state.judged
    chooses, believes, (part, count) = _cells(judged, settings.holdout)
    waiting = masking.masked_mean(jnp.abs(judged.missed - said), chooses)
    choice = believe(judged.missed, said, believes, part, count)
    if settings.holdout == 0:
        choice = choice._replace(share=jnp.ones_like(choice.share))
    better = (waiting < state.waiting) | (settings.holdout == 0)
    before = state.learner, state.waiting, state.choice
    kept, least, choice = either(better, (found, waiting, choice), before)
    error = masking.masked_mean(jnp.abs(judged.missed - said), believes)
    report = {"error": error, "best_error": choice.after, "waiting_error": waiting}
    report |= {"start_error": state.choice.before, "share": choice.share}
    rate = jnp.where(better, state.rate, _SLOWER * state.rate)
    return state._replace(learner=kept, rate=rate, waiting=least, choice=choice), report


def _optimiser(settings: Settings, rate: Scalar) -> optax.GradientTransformation:
    return adamw(settings.lr * rate, total=settings.total, weight_decay=_DECAY)


def _cells(judged: Taught, holdout: float):
    """Cells that choose the weights, cells that say how much to believe, and the parts of both."""
    numbers, count = parts(judged.asked.shape)
    part = jnp.asarray(numbers)
    if holdout == 0:
        return judged.asked, judged.asked, (part, count)
    first = part // 2 % 2 == 0
    return judged.asked & first, judged.asked & ~first, (part, count)

r"""Context-query on a base: a network learns what a simple method misses at places hidden again.

.. math:: \hat x = b(c) + w\,\{\mu + s\, f_\theta(c, b(c)) - b(c)\}, \qquad
    \mu = b(c) \text{ on a base, the mean of each channel alone}

The base :math:`b` is learned first. Where it says enough the network corrects it; where it does
not, the network answers by itself, and the base is what it is compared with.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import masking
from jaximpute._errors import OptionError, check_positive
from jaximpute.engine.lessons import Lessons, lessons
from jaximpute.engine.onhost import OnHost, learns_on_host
from jaximpute.maths import optimise
from jaximpute.maths.choice import metrics, undecided
from jaximpute.maths.optimise import Learner
from jaximpute.methods.papers.context_query import held
from jaximpute.methods.papers.context_query.batches import batches
from jaximpute.methods.papers.context_query.correction import (
    BasedState,
    Seen,
    choose,
    corrected,
    first_params,
    missed_loss,
)
from jaximpute.methods.papers.context_query.places import located
from jaximpute.types import Info, Method, Net, Observed, PRNGKey, Scalar, Split, State, View
from jaximpute.views import identity

_ENOUGH = 0.25  # of the variance that a base may leave, for a network to correct it
_EVERY = 4  # times that what is learned is judged
_HIDDEN = 0.1  # of the observed places of what is judged
_LEAST = 1e-6  # of a deviation: what the network is to answer with at least


def on_base(
    net: Net,
    bases: Sequence[Method],
    split: Split,
    *,
    alone: bool | None = None,
    hidings: int = 2,
    lr: Scalar = 1e-3,
    total: int = 1000,
    warmup: int = 0,
    clip: float = 1.0,
    decay: Scalar = 0.995,
    batch: int = 32,
    sgd_steps: int = 1,
    scan: bool = True,
    rows: int = 512,
    looped: Net | None = None,
    view: Callable[[tuple[int, ...]], View] = identity,
    places: bool = False,
) -> Method:
    r"""A network on the best of several simple methods, used as far as held-out places show.

    Some rows are left out, or in few rows a tenth of the observed places, in holes shaped like the
    data's own (`missing.again`). There the best of the bases is chosen. Other places are hidden
    again by `split`, the base completes them, and the network learns

    .. math:: \min_\theta \mathrm{mean}_{\mathrm{qry}}\,
        \| x_\mathrm{ctx} - b(x_\mathrm{ctx}) - s f_\theta(x_\mathrm{ctx}, b(x_\mathrm{ctx})) \|^2

    whose minimiser is :math:`\mathbb{E}[x \mid \mathrm{ctx}] - b`, as in Theorem 1. Its last layer
    begins with zeros, so the start is the base. A base that leaves more than a quarter of the
    variance is not worth its completions: there the network learns alone, from contexts drawn anew
    for each batch. In both cases the share of what it adds to the base is chosen by
    `maths.choice.believe` on what was left out, and is 0 where it is not better by two standard
    errors.

    A draw is the base's, moved by what was added to its mean, and its departure from that mean
    shrunk or stretched as the error at the held-out places was. Where the chosen base does not
    draw, the departures are those of the first that does.

    Departures from the paper: it has no base; it trains at all noise levels, since its draws come
    from a diffusion (Algorithm 4), where these come from the base and training is at :math:`t =
    \delta` alone.

    Args:
        net: takes `(context, base's answer outside it, places)`; see `nets.field_unet`. It begins
            with 0.
        bases: inductive methods that learn in `init`.
        split: what is shown and asked in training.
        alone: whether the network is to answer without the base; None = by the base's error.
        hidings: times that places of the rows to learn from are hidden again, at least 1.
        lr: largest learning rate.
        total: optimiser steps in all, after which the rate is 0.
        warmup: optimiser steps in which it grows.
        clip: largest norm of a gradient.
        decay: of the average of the weights, in [0, 1).
        batch: samples in a batch.
        sgd_steps: optimiser steps in one `step`.
        scan: whether these are one compiled loop.
        rows: samples that the network sees at a time when completing.
        looped: a network with the same parameters for more samples than that; None = `net`.
        view: the rows that the network sees, such as tiles.
        places: whether the last condition of the network is where each entry lies.

    Returns:
        An inductive method, with draws if any of the bases draws. Its `init` learns on the host.

    Raises:
        OptionError: no base, one without an estimate, or numbers out of range.

    Source: ours, with the loss of "Incomplete Data, Complete Dynamics" (ICLR 2026), Algorithm 1.
    """
    if not bases or any(base.estimate is None for base in bases):
        raise OptionError("a base has no `estimate`, or there is none; expected inductive methods")
    check_positive(hidings=hidings, total=total, batch=batch, sgd_steps=sgd_steps, rows=rows)
    optimiser = optimise.warmed(lr, total=total, warmup=warmup, clip=clip)
    seen = Seen(net, looped or net, view, places, rows)
    estimates, draws = _answers(bases, "estimate"), _answers(bases, "sample")

    def begin(key: PRNGKey, data: Observed) -> tuple[Learner, jax.Array, jax.Array]:
        params = first_params(seen, key, data)
        return optimise.learner(params, optimiser, decay), *masking.channel_moments(data)

    parts = Parts(
        bases=tuple(bases),
        inits=tuple(b.init if learns_on_host(b.init) else jax.jit(b.init) for b in bases),
        estimates=tuple(jax.jit(one) for one in estimates),
        teach=tuple(jax.jit(partial(_lessons, base, split, hidings)) for base in bases),
        begin=jax.jit(begin),
        judge=jax.jit(partial(held.judge, share=_HIDDEN)),
    )
    init = OnHost(partial(learn, parts, alone, hidings), partial(outline, parts, hidings))

    def step(key: PRNGKey, state: BasedState, data: Observed) -> tuple[BasedState, Info]:
        truth = data.values[jnp.asarray(held.judged_rows(len(data.weight)))]
        data = held.left(data, state.judged.shown[0])
        draw = batches(state.taught, state.alone, data, split, view, batch)
        where = located(data.values.shape, view, places)

        def loss(params, k):
            k_rows, k_net = jax.random.split(k)
            rows = masking.share(draw(k_rows))
            return missed_loss(net, state, where, params, k_net, *rows)

        learner, losses = optimise.train(
            loss, optimiser, key, state.learner, sgd_steps, decay, scan=scan
        )
        steps = state.steps + sgd_steps
        due = steps * _EVERY // total > state.steps * _EVERY // total
        after = state._replace(learner=learner, steps=steps)
        after = jax.lax.cond(due, partial(choose, seen), lambda state, _: state, after, truth)
        return after, Info(losses.mean(), metrics(after.choice, 2))

    def estimate(key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        filled = jax.lax.switch(state.chosen, estimates, key, state.bases, data)
        return masking.clamp(corrected(seen, state, filled, data), data)

    def sample(key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        k_fill, k_mean, k_draw = jax.random.split(key, 3)
        drawers = _drawers(bases)
        own = jnp.asarray([base.sample is not None for base in bases])[state.chosen]
        which = jnp.where(own, state.chosen, drawers[0])
        number = jnp.searchsorted(jnp.asarray(drawers), which)
        drawn = jax.lax.switch(number, draws, k_draw, state.bases, data)

        def moved(drawn):
            filled = jax.lax.switch(state.chosen, estimates, k_fill, state.bases, data)
            mean = jax.lax.switch(which, estimates, k_mean, state.bases, data)
            before, after = jnp.maximum(state.choice.before, _LEAST**2), state.choice.after
            wide = state.wide * jnp.sqrt(after / before)
            return corrected(seen, state, filled, data) + wide * (drawn - mean)

        trusted = own & (state.choice.share == 0)
        return masking.clamp(jax.lax.cond(trusted, lambda drawn: drawn, moved, drawn), data)

    return Method(init, step, estimate=estimate, sample=sample if draws else None)


class Parts(NamedTuple):
    """What learning on the host is made of, each compiled once; those of bases in their order."""

    bases: tuple[Method, ...]
    inits: tuple[Callable[..., State], ...]
    estimates: tuple[Callable[..., jax.Array], ...]
    teach: tuple[Callable[..., Lessons], ...]
    begin: Callable[..., tuple[Learner, jax.Array, jax.Array]]
    judge: Callable[..., held.Judged]


def learn(
    parts: Parts, alone: bool | None, hidings: int, key: PRNGKey, data: Observed
) -> BasedState:
    """Fit the bases on the host, take the best at held-out places, and hide others again."""
    k_judge, k_fit, k_fill, k_teach, k_net, k_draw = jax.random.split(key, 6)
    judged = parts.judge(k_judge, data)
    few = held.some(held.left(data, judged.data.mask))
    learner, mean, scale = parts.begin(k_net, few)
    along = held.along(scale, data.values)
    states = tuple(one(jax.random.fold_in(k_fit, i), few) for i, one in enumerate(parts.inits))
    filled, errors = [], []
    for i, complete in enumerate(parts.estimates):
        filled.append(complete(jax.random.fold_in(k_fill, i), states, judged.data))
        off = held.squared(filled[i] / along, judged.truth / along, judged.asked)
        errors.append(float(off))
    best = int(np.argmin(errors))
    by_itself = errors[best] > _ENOUGH if alone is None else alone
    taught, size = held.nothing(data, hidings), 1.0
    if not by_itself:
        taught = parts.teach[best](k_teach, states[best], few)
        truth = jnp.broadcast_to((few.values / along)[None], taught.filled.shape)
        off = held.squared(taught.filled / along[None], truth, taught.asked)
        size = max(float(jnp.sqrt(off)), _LEAST)
    wide, drawers = 1.0, _drawers(parts.bases)
    if drawers and best not in drawers:
        first = drawers[0]
        apart = held.departure(parts.bases[first], k_draw, states[first], judged, scale)
        wide = (errors[best] / max(float(apart), _LEAST)) ** 0.5
    if not held.apart(len(data.weight)):  # it may know what was held out, in the end
        again = parts.inits[best](jax.random.fold_in(k_fit, best), held.some(data))
        states = (*states[:best], again, *states[best + 1 :])
    as_number = partial(jnp.asarray, dtype=mean.dtype)
    judgement = Lessons(filled[best][None], judged.data.mask[None], judged.asked[None])
    return BasedState(
        states, as_number(np.array(errors)), jnp.asarray(best), jnp.asarray(by_itself), mean, scale,
        as_number(size), learner, jnp.zeros((), int), taught, judgement,
        undecided(as_number(errors[best])), as_number(wide),
    )  # fmt: skip


def outline(parts: Parts, hidings: int, data: Observed) -> BasedState:
    """A state of the shapes of what `learn` returns."""
    keys, few = jax.random.split(jax.random.key(0), 2 + len(parts.inits)), held.some(data)
    learner, mean, scale = parts.begin(keys[0], few)
    judged = parts.judge(keys[1], data)
    states = tuple(one(k, few) for one, k in zip(parts.inits, keys[2:], strict=True))
    zero, number = jnp.zeros((), mean.dtype), jnp.zeros((), int)
    judgement = Lessons(judged.truth[None], judged.asked[None], judged.asked[None])
    return BasedState(
        states, jnp.zeros(len(states), mean.dtype), number, zero > 0, mean, scale, zero, learner,
        number, held.nothing(data, hidings), judgement, undecided(zero), zero,
    )  # fmt: skip


def _lessons(base: Method, split: Split, hidings: int, key, state: State, data: Observed):
    return lessons(key, base, state, data, split, hidings)


def _drawers(bases: Sequence[Method]) -> list[int]:
    return [i for i, base in enumerate(bases) if base.sample is not None]


def _answers(bases: Sequence[Method], kind: str) -> list[Callable[..., jax.Array]]:
    """`(key, states of all, data) -> values` of the bases that have such an answer."""

    def one(answer, i, key, states, data):
        return answer(key, states[i], data)

    found = [getattr(base, kind) for base in bases]
    return [partial(one, answer, i) for i, answer in enumerate(found) if answer is not None]

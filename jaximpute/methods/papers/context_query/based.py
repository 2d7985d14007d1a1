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
from jaxtyping import Array, Bool, Float, Int

from jaximpute import masking
from jaximpute._errors import OptionError
from jaximpute.engine.lessons import Lessons, lessons
from jaximpute.engine.onhost import OnHost, learns_on_host
from jaximpute.maths import optimise
from jaximpute.maths.choice import believe
from jaximpute.maths.optimise import Learner
from jaximpute.methods.papers.context_query import held
from jaximpute.methods.papers.context_query.batches import batches
from jaximpute.methods.papers.context_query.places import coordinates
from jaximpute.types import Info, Method, Net, Observed, PRNGKey, Scalar, Split, State, View
from jaximpute.views import every, identity

_TIME = 1e-3  # of the diffusion, at which one step is taken
_ENOUGH = 0.25  # of the variance that a base may leave, for a network to correct it
_EVERY = 4  # times that what is learned is judged
_HIDDEN = 0.1  # of the observed places of what is judged
_LEAST = 1e-6  # of a deviation: what the network is to answer with at least


class BasedState(NamedTuple):
    """Bases, and what a network makes of the best of them.

    Attributes:
        bases: what each learned; the chosen one from all rows that it is given.
        errors: squared error of each at places hidden once more, in deviations.
        chosen: number of the best.
        alone: whether the network answers without it.
        mean: of each channel.
        scale: of each channel.
        left: size of what the network is to answer with, in deviations.
        learner: the network.
        steps: of the optimiser, taken.
        taught: completions by the base of some rows, with places hidden again.
        judged: completion of others, or with other places hidden.
        share: of the correction that is believed.
        start_error: squared error of the base at the judged places.
        error: that of the answer.
        wide: factor by which the draws' departures from the base's mean are wider.
    """

    bases: tuple[State, ...]
    errors: Float[Array, "bases"]
    chosen: Int[Array, ""]
    alone: Bool[Array, ""]
    mean: Float[Array, "c"]
    scale: Float[Array, "c"]
    left: Float[Array, ""]
    learner: Learner
    steps: Int[Array, ""]
    taught: Lessons
    judged: Lessons
    share: Float[Array, ""]
    start_error: Float[Array, ""]
    error: Float[Array, ""]
    wide: Float[Array, ""]


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
    _check(bases, hidings, total, batch, sgd_steps, rows)
    optimiser = optimise.warmed(lr, total=total, warmup=warmup, clip=clip)
    drawers = [i for i, base in enumerate(bases) if base.sample is not None]
    inits = [one.init if learns_on_host(one.init) else jax.jit(one.init) for one in bases]

    def fill_by(i: int, key: PRNGKey, states: tuple[State, ...], data: Observed) -> jax.Array:
        complete = bases[i].estimate
        assert complete is not None  # see _check
        return complete(key, states[i], data)

    def draw_by(i: int, key: PRNGKey, states: tuple[State, ...], data: Observed) -> jax.Array:
        draw = bases[i].sample
        assert draw is not None
        return draw(key, states[i], data)

    @partial(jax.jit, static_argnums=0)
    def teach(i: int, key: PRNGKey, state: State, data: Observed) -> Lessons:
        return lessons(key, bases[i], state, data, split, hidings)

    try_out = jax.jit(fill_by, static_argnums=0)

    def located(shape: tuple[int, ...]) -> jax.Array | None:
        return coordinates(shape, view) if places else None

    def conditions(shown, filled, where):
        """What the network is shown of rows that are completed, in deviations."""
        x = jnp.where(shown, filled, 0)
        cond = (shown.astype(x.dtype), filled - x)
        return x, cond if where is None else (*cond, where)

    def missed(state: BasedState, using: Net, params, shown, filled, where, key=None):
        """The network's answer less the base's, in deviations; `filled` is the base's."""
        under = jnp.where(state.alone & ~shown, 0, filled)
        x, cond = conditions(shown, under, where)
        t = jnp.full(len(x), _TIME, x.dtype)
        return under - filled + state.left * using.apply(params, x, t, cond, key)

    def correction(state: BasedState, filled, shown) -> Float[Array, "n *event"]:
        """The same of whole fields, in chunks."""
        cut, where = view(filled.shape), located(filled.shape)
        seen: tuple[jax.Array, ...] = (every(cut, shown), every(cut, filled))
        seen += () if where is None else (where[jnp.arange(cut.size) % len(where)],)
        params = optimise.averaged(state.learner)

        def one(using, shown, filled, where=None):
            return missed(state, using, params, shown, filled, where)

        if cut.size <= rows:
            return cut.fold(one(net, *seen))

        def row(leaves):
            return one(looped or net, *(leaf[None] for leaf in leaves))[0]

        return cut.fold(jax.lax.map(row, seen, batch_size=rows))

    def begin(key: PRNGKey, data: Observed) -> tuple[Learner, jax.Array, jax.Array]:
        where = located(data.values.shape)
        row = view(data.values.shape).take(data.values, jnp.zeros(1, int))
        x, cond = conditions(row == row, row, None if where is None else where[:1])
        params = net.init(key, x, jnp.full(1, _TIME, x.dtype), cond)
        return optimise.learner(params, optimiser, decay), *masking.channel_moments(data)

    begin_now, judge_now = jax.jit(begin), jax.jit(partial(held.judge, share=_HIDDEN))

    def learn(key: PRNGKey, data: Observed) -> BasedState:
        k_judge, k_fit, k_fill, k_teach, k_net, k_draw = jax.random.split(key, 6)
        judged = judge_now(k_judge, data)
        few = held.some(held.left(data, judged.data.mask))
        learner, mean, scale = begin_now(k_net, few)
        along = held.along(scale, data.values)
        states = tuple(one(jax.random.fold_in(k_fit, i), few) for i, one in enumerate(inits))
        filled, errors = [], []
        for i in range(len(bases)):
            filled.append(try_out(i, jax.random.fold_in(k_fill, i), states, judged.data))
            off = held.squared(filled[i] / along, judged.truth / along, judged.asked)
            errors.append(float(off))
        best = int(np.argmin(errors))
        by_itself = errors[best] > _ENOUGH if alone is None else alone
        taught, size = held.nothing(data, hidings), 1.0
        if not by_itself:
            taught = teach(best, k_teach, states[best], few)
            truth = jnp.broadcast_to((few.values / along)[None], taught.filled.shape)
            off = held.squared(taught.filled / along[None], truth, taught.asked)
            size = max(float(jnp.sqrt(off)), _LEAST)
        wide = 1.0
        if drawers and best not in drawers:
            first = drawers[0]
            apart = held.departure(bases[first], k_draw, states[first], judged, scale)
            wide = (errors[best] / max(float(apart), _LEAST)) ** 0.5
        if not held.apart(len(data.weight)):  # it may know what was held out, in the end
            again = inits[best](jax.random.fold_in(k_fit, best), held.some(data))
            states = (*states[:best], again, *states[best + 1 :])
        as_number = partial(jnp.asarray, dtype=mean.dtype)
        return BasedState(
            states,
            as_number(np.array(errors)),
            jnp.asarray(best),
            jnp.asarray(by_itself),
            mean,
            scale,
            as_number(size),
            learner,
            jnp.zeros((), int),
            taught,
            Lessons(filled[best][None], judged.data.mask[None], judged.asked[None]),
            as_number(0.0),
            as_number(errors[best]),
            as_number(errors[best]),
            as_number(wide),
        )

    def outline(data: Observed) -> BasedState:
        keys, few = jax.random.split(jax.random.key(0), 2 + len(bases)), held.some(data)
        learner, mean, scale = begin(keys[0], few)
        judged = held.judge(keys[1], data, _HIDDEN)
        zero = jnp.zeros((), mean.dtype)
        return BasedState(
            tuple(one(k, few) for one, k in zip(inits, keys[2:], strict=True)),
            jnp.zeros(len(bases), mean.dtype),
            jnp.zeros((), int),
            zero > 0,
            mean,
            scale,
            zero,
            learner,
            jnp.zeros((), int),
            held.nothing(data, hidings),
            Lessons(judged.truth[None], judged.asked[None], judged.asked[None]),
            *(zero,) * 4,
        )

    def step(key: PRNGKey, state: BasedState, data: Observed) -> tuple[BasedState, Info]:
        truth = data.values[jnp.asarray(held.judged_rows(len(data.weight)))]
        data = held.left(data, state.judged.shown[0])
        draw = batches(state.taught, state.alone, data, split, view, batch)
        where = located(data.values.shape)

        def loss(params, k):
            k_rows, k_net = jax.random.split(k)
            wanted, filled, shown, asked, tile = masking.share(draw(k_rows))
            wanted, filled = (_deviations(state, a) for a in (wanted, filled))
            at = None if where is None else where[tile]
            off = missed(state, net, params, shown, filled, at, k_net) - (wanted - filled)
            return masking.masked_mean(jnp.where(asked, off / state.left, 0) ** 2, asked)

        learner, losses = optimise.train(
            loss, optimiser, key, state.learner, sgd_steps, decay, scan=scan
        )
        before, after = state.steps * _EVERY // total, (state.steps + sgd_steps) * _EVERY // total
        state = state._replace(learner=learner, steps=state.steps + sgd_steps)
        state = jax.lax.cond(after > before, choose, lambda state, truth: state, state, truth)
        told = {"start_error": jnp.sqrt(state.start_error), "error": jnp.sqrt(state.error)}
        return state, Info(losses.mean(), told | {"share": state.share})

    def choose(state: BasedState, truth: Float[Array, "r *event"]) -> BasedState:
        """How much of the correction is believed, by what was held out."""
        filled, shown, asked = (leaf[0] for leaf in state.judged)
        filled, truth = (_deviations(state, a) for a in (filled, truth))
        said = correction(state, filled, shown)
        part, count = held.groups(truth.shape)
        found = believe(truth - filled, said, asked, jnp.asarray(part), count, power=2)
        return state._replace(share=found.share, start_error=found.before, error=found.after)

    def corrected(state: BasedState, filled, data: Observed) -> jax.Array:
        """The base's answer and what is believed of the correction."""

        def add(filled):
            off = state.share * correction(state, _deviations(state, filled), data.mask)
            return filled + off * held.along(state.scale, filled)

        return jax.lax.cond(state.share > 0, add, lambda filled: filled, filled)

    def filled_by(which, key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        branches = [partial(fill_by, i) for i in range(len(bases))]
        return jax.lax.switch(which, branches, key, state.bases, data)

    def estimate(key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        filled = filled_by(state.chosen, key, state, data)
        return masking.clamp(corrected(state, filled, data), data)

    def sample(key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        k_fill, k_mean, k_draw = jax.random.split(key, 3)
        own = jnp.asarray([base.sample is not None for base in bases])[state.chosen]
        which = jnp.where(own, state.chosen, drawers[0])
        number = jnp.searchsorted(jnp.asarray(drawers), which)
        branches = [partial(draw_by, i) for i in drawers]
        drawn = jax.lax.switch(number, branches, k_draw, state.bases, data)

        def moved(drawn):
            filled = filled_by(state.chosen, k_fill, state, data)
            mean = filled_by(which, k_mean, state, data)
            wide = state.wide * jnp.sqrt(state.error / jnp.maximum(state.start_error, _LEAST**2))
            return corrected(state, filled, data) + wide * (drawn - mean)

        drawn = jax.lax.cond(own & (state.share == 0), lambda drawn: drawn, moved, drawn)
        return masking.clamp(drawn, data)

    return Method(
        OnHost(learn, outline), step, estimate=estimate, sample=sample if drawers else None
    )


def _deviations(state: BasedState, x: Float[Array, "n *event"]) -> jax.Array:
    return (x - held.along(state.mean, x)) / held.along(state.scale, x)


def _check(
    bases: Sequence[Method], hidings: int, total: int, batch: int, sgd_steps: int, rows: int
) -> None:
    if not bases or any(base.estimate is None for base in bases):
        raise OptionError("a base has no `estimate`, or there is none; expected inductive methods")
    numbers = {"hidings": hidings, "total": total, "batch": batch, "sgd_steps": sgd_steps}
    for name, value in (numbers | {"rows": rows}).items():
        if value < 1:
            raise OptionError(f"{name} is {value}; expected at least 1")

"""MIRI on a base: flows that begin at its draws, believed by what they gain on held-out cells."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute import masking
from jaximpute._errors import OptionError
from jaximpute.engine.onhost import beginning_with, learns_on_host
from jaximpute.maths.choice import SHARES, Choice, among, believe, either, metrics, undecided
from jaximpute.methods.papers.miri import dependence
from jaximpute.methods.papers.miri import flows as rectified
from jaximpute.methods.papers.miri.flows import Columns, Flow
from jaximpute.missing.again import again
from jaximpute.types import Info, Method, Observed, Params, PRNGKey, Split, State

_JUDGED = 1024  # rows, at most
_DRAWS = 8  # of each
_FOLDS = 3  # of cells, for a base that learns on the host: it may remember its rows
_LESS_SURE = 1.0  # standard errors, of an estimate whose field is believed for draws
_LESSONS = 16  # of each row in a round, at most


class Judged(NamedTuple):
    """Rows with cells hidden once more, from which nothing is learned.

    Attributes:
        data: what is shown of them.
        truth: the rows with the hidden cells.
        asked: True = hidden once more.
        draws: of the base, `(k, rows, *event)`.
        mean: the base's estimate.
    """

    data: Observed
    truth: Float[Array, "r *event"]
    asked: Bool[Array, "r *event"]
    draws: Float[Array, "k r *event"]
    mean: Float[Array, "r *event"]


class BasedState(NamedTuple):
    """A base, the field that moves its draws, and how much of the way they are moved.

    Attributes:
        x: rows as completed last, a draw given what is not held out.
        parts: observed and not held out, `(1 + folds, n, *event)`; and that without each fold.
        lent: masks of other rows, which each row learns with.
        base: what the base learned from all that is observed.
        teachers: what it learned from each of `parts`, stacked.
        field: the velocity field of the last round.
        best: the best one on the held-out cells.
        rounds: done so far.
        sgd_steps: of a round.
        known: moments and ranges of the columns.
        judged: rows with held-out cells.
        draws: what was chosen for draws, by their energy score.
        mean: what was chosen for the estimate, by its squared error.
    """

    x: Float[Array, "n *event"]
    parts: Bool[Array, "parts n *event"]
    lent: Bool[Array, "k n *event"]
    base: State
    teachers: State
    field: Params
    best: Params
    rounds: Int[Array, ""]
    sgd_steps: Int[Array, ""]
    known: Columns
    judged: Judged
    least: Float[Array, ""]
    draws: Choice
    mean: Choice


def on_base(flow: Flow, base: Method, *, sgd_steps: int, draws: int, holdout: float) -> Method:
    """MIRI whose flows begin at the draws of a base; see `miri`."""
    if base.sample is None or base.estimate is None:
        raise OptionError("the base does not draw; expected an inductive method with `sample`")
    flow, draw, say = flow._replace(layout="base"), base.sample, base.estimate
    hold, folds = again(holdout), _FOLDS if learns_on_host(base.init) else 0

    def init(compiled, key: PRNGKey, data: Observed) -> BasedState:
        k_hide, k_base, k_begin = jax.random.split(key, 3)
        parts = compiled(partial(hide, hold=hold, folds=folds))(k_hide, data)
        bases = learn_bases(base, k_base, data, parts)
        return compiled(partial(begin, flow, base, sgd_steps))(k_begin, data, parts, bases)

    def step(key: PRNGKey, state: BasedState, data: Observed) -> tuple[BasedState, Info]:
        k_net, k_teach, k_learn, k_look = jax.random.split(key, 4)
        params = rectified.first_field(flow, k_net, state.x, state.rounds, state.field)  # line 3
        taught = teach(base, k_teach, state, data)
        params, loss = learn(flow, k_learn, params, state, taught, data)  # lines 4-9
        began, _, _, mean = jax.tree.map(lambda leaf: leaf[0], taught)
        after = choose(flow, params, state)
        x = rectified.impute_by_flow(flow, params, began, state.parts[0], state.known, mean)
        energy = {"start_energy": after.draws.before, "energy": after.draws.after}
        report = dependence.look(k_look, state.x, x, data) | metrics(after.mean, 2) | energy
        after = after._replace(x=x, rounds=state.rounds + 1)
        return after, Info(loss, report | {"draw_share": after.draws.share})

    def moved(key: PRNGKey, state: BasedState, data: Observed, mean) -> tuple[jax.Array, jax.Array]:
        x0 = draw(key, state.base, data)
        return x0, rectified.impute_by_flow(flow, state.best, x0, data.mask, state.known, mean)

    def sample(key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        k_draw, k_say = jax.random.split(key)

        def by_flow(_):
            x0, x1 = moved(k_draw, state, data, say(k_say, state.base, data))
            return x0 + state.draws.share * (x1 - x0)

        def by_base(_):
            return draw(k_draw, state.base, data)

        return masking.clamp(jax.lax.cond(state.draws.share > 0, by_flow, by_base, 0), data)

    def estimate(key: PRNGKey, state: BasedState, data: Observed) -> jax.Array:
        k_draw, k_say = jax.random.split(key)
        mean = say(k_say, state.base, data)

        def by_flow(_):
            def add(total, i):
                x0, x1 = moved(jax.random.fold_in(k_draw, i), state, data, mean)
                return total + (x1 - x0), None

            total, _ = jax.lax.scan(add, jnp.zeros_like(mean), jnp.arange(draws))
            return mean + state.mean.share * total / draws

        return masking.clamp(jax.lax.cond(state.mean.share > 0, by_flow, lambda _: mean, 0), data)

    return Method(beginning_with(base.init, init), step, estimate=estimate, sample=sample)


def begin(
    flow: Flow, base: Method, sgd_steps: int, key: PRNGKey, data: Observed, parts, bases
) -> BasedState:
    """The state before the first round: draws of what is not held out, and rows to judge by."""
    k_x, k_net, k_rows, k_draw, k_say, k_lend = jax.random.split(key, 6)
    draw, say = _answers(base)
    (whole, teachers), shown, n = bases, parts[0], len(data.weight)
    teacher = _number(teachers, 0)
    rows = Observed(jnp.where(shown, data.values, 0), shown, data.weight)
    x = draw(k_x, teacher, rows)
    field = jax.tree.map(jnp.zeros_like, rectified.new_field(flow, k_net, x))
    asked = data.mask & ~shown & (data.weight > 0).reshape(-1, *(1,) * (x.ndim - 1))
    some = asked.reshape(n, -1).any(axis=1)
    order = jnp.argsort(jnp.where(some, 0, 1) + jax.random.uniform(k_rows, (n,)))
    i = order[: min(n, _JUDGED)]
    few, truth, asked = jax.tree.map(lambda leaf: leaf[i], (rows, data.values, asked))

    def lend(number):
        k = jax.random.fold_in(k_lend, number)
        return data.mask[masking.pick(k, data.weight, n)]

    def one(number):
        return draw(jax.random.fold_in(k_draw, number), teacher, few)

    lessons = max(2, min(_LESSONS, -(-sgd_steps * flow.batch // n)))
    lent = jax.lax.map(lend, jnp.arange(lessons))
    drawn = jax.lax.map(one, jnp.arange(_DRAWS))
    judged = Judged(few, truth, asked, drawn, say(k_say, teacher, few))
    done, budget = jnp.zeros((), jnp.int32), jnp.asarray(sgd_steps, jnp.int32)
    zero = jnp.zeros((), x.dtype)
    return BasedState(
        x, parts, lent, whole, teachers, field, field, done, budget, rectified.columns(data),
        judged, zero + jnp.inf, undecided(zero), undecided(zero),
    )  # fmt: skip


def hide(key: PRNGKey, data: Observed, hold: Split, folds: int) -> Bool[Array, "k n *event"]:
    """What the bases see that teach: all but what is held out, then also without each fold.

    Args:
        key: for both.
        data: the rows.
        hold: which observed cells are held out, see `missing.again`.
        folds: of the cells that are left, at random.

    Returns:
        `(1 + folds, n, *event)` masks.
    """
    k_hold, k_fold = jax.random.split(key)
    shown, _ = hold(k_hold, data.mask)
    fold = jax.random.randint(k_fold, shown.shape, 0, max(folds, 1))
    numbers = jnp.arange(folds).reshape(-1, *(1,) * shown.ndim)
    return jnp.concatenate([shown[None], shown[None] & (fold[None] != numbers)])


def learn_bases(
    base: Method, key: PRNGKey, data: Observed, parts: Bool[Array, "k n *event"]
) -> tuple[State, State]:
    """What a base learns from all that is observed, and from each part of it: those stacked."""
    masks = jnp.concatenate([data.mask[None], parts])

    def one(i):
        values = jnp.where(masks[i], data.values, 0)
        k = jax.random.fold_in(key, i)
        return base.init(k, Observed(values, masks[i], data.weight))

    if learns_on_host(base.init):
        every = [one(i) for i in range(len(masks))]
        return every[0], jax.tree.map(lambda *leaves: jnp.stack(leaves), *every[1:])
    every = jax.lax.map(one, jnp.arange(len(masks)))  # compiled once
    return jax.tree.map(lambda leaf: leaf[0], every), jax.tree.map(lambda a: a[1:], every)


def teach(
    base: Method, key: PRNGKey, state: BasedState, data: Observed
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Begin, what is shown, what is asked, and what the base says: `(1 + k, n, *event)`.

    The first are the rows themselves, of which nothing is asked; the others have the holes of
    other rows, and with folds what is hidden from the base that draws.
    """
    known, lessons, folds = state.parts[0], len(state.lent), len(state.parts) - 1
    draw, say = _answers(base)

    def one(j):
        k_draw, k_say = jax.random.split(jax.random.fold_in(key, j))
        seen = jnp.where(j > 0, (j - 1) % folds + 1, 0) if folds else 0
        shown = jnp.where(j > 0, state.lent[jnp.maximum(j - 1, 0)], known)
        if folds:  # the holes of the row itself are shown as completed
            shown = shown & (state.parts[seen] | ~known)
        asked = known & ~(state.parts[seen] if folds else shown)
        rows = Observed(jnp.where(shown, state.x, 0), shown, data.weight)
        teacher = _number(state.teachers, seen)
        return draw(k_draw, teacher, rows), shown, asked, say(k_say, teacher, rows)

    return jax.lax.map(one, jnp.arange(1 + lessons))


def learn(
    flow: Flow, key: PRNGKey, params: Params, state: BasedState, taught, data: Observed
) -> tuple[Params, Float[Array, ""]]:
    """Lines 4-9 of Algorithm 1 from the base's draws of what was hidden, as `teach` has them."""
    began, shown, asked, mean = taught

    def loss(params, k):
        k_rows, k_lesson, k_time = jax.random.split(k, 3)
        i = masking.pick(k_rows, data.weight, flow.batch)
        j = jax.random.randint(k_lesson, (flow.batch,), 1, len(began))
        x0, x1, mask, counts, other = masking.share(
            (began[j, i], state.x[i], shown[j, i], asked[j, i], mean[j, i])
        )
        return rectified.flow_loss(flow.net, params, k_time, x0, x1, mask, counts, "base", other)

    return rectified.learned(flow, loss, key, params, state.sgd_steps)


def choose(flow: Flow, params: Params, state: BasedState) -> BasedState:
    """Keep a new field if it is the best so far on what is held out, and how much is believed."""
    judged = state.judged

    def one(z):
        mask, mean = judged.data.mask, judged.mean
        return rectified.impute_by_flow(flow, params, z, mask, state.known, mean)

    *chosen, least = judge(judged, jax.lax.map(one, judged.draws), state.known.std)
    best, draws, mean = either(
        least < state.least, (params, *chosen), (state.best, state.draws, state.mean)
    )
    least = jnp.minimum(least, state.least)
    return state._replace(field=params, best=best, least=least, draws=draws, mean=mean)


def judge(
    judged: Judged, moved: Float[Array, "k r *event"], std: Float[Array, "d"]
) -> tuple[Choice, Choice, Float[Array, ""]]:
    """How much of the way from the base's draws is believed, by the cells held out.

    Args:
        judged: the rows, and the base's draws of them.
        moved: these draws, moved by the flow.
        std: of the columns.

    Returns:
        What is chosen for draws, by their energy score; for the estimate, by its squared error; and
        the least mean energy score of all shares.
    """
    scaled = lambda a: a / std.reshape(*(1,) * (a.ndim - 1), -1)  # noqa: E731
    began, moved, truth = scaled(judged.draws), scaled(moved), scaled(judged.truth)
    r = truth.shape[0]
    asked = judged.asked

    def off(a):
        return jnp.sqrt(jnp.where(asked[None], a**2, 0).reshape(len(a), r, -1).sum(axis=2))

    def score(share):
        z = began + share * (moved - began)
        apart = jax.lax.map(
            lambda i: off(z - jnp.roll(z, i, axis=0)).sum(axis=0), jnp.arange(1, _DRAWS)
        )
        near = off(z - truth[None]).mean(axis=0)
        return near - apart.sum(axis=0) / (2 * _DRAWS * (_DRAWS - 1))

    some = asked.reshape(r, -1).any(axis=1)
    each = jnp.where(some[None], jax.lax.map(score, jnp.asarray(SHARES, truth.dtype)), 0)
    by_draws = among(each, some.astype(each.dtype))
    missed, said = truth - scaled(judged.mean), (moved - began).mean(axis=0)
    part = jnp.broadcast_to(jnp.arange(r).reshape(-1, *(1,) * (truth.ndim - 1)), truth.shape)
    by_mean = believe(missed, said, asked, part, r, power=2, sure=_LESS_SURE)
    # both are of one field, of which the draws tell more
    trusted = by_draws.share > 0
    by_mean = by_mean._replace(
        share=jnp.where(trusted, by_mean.share, 0),
        after=jnp.where(trusted, by_mean.after, by_mean.before),
    )
    return by_draws, by_mean, each.sum(axis=1).min() / jnp.maximum(some.sum(), 1)


def _number(states: State, i) -> State:
    return jax.tree.map(lambda leaf: leaf[i], states)


def _answers(base: Method) -> tuple[Callable[..., jax.Array], Callable[..., jax.Array]]:
    assert base.sample is not None  # see `on_base`
    assert base.estimate is not None
    return base.sample, base.estimate

"""What a network makes of the answer of a base, and how much of it is believed."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute import masking
from jaximpute.engine.lessons import Lessons
from jaximpute.maths import optimise
from jaximpute.maths.choice import Choice, believe
from jaximpute.maths.optimise import Learner
from jaximpute.methods.papers.context_query import held
from jaximpute.methods.papers.context_query.places import located
from jaximpute.types import Net, Observed, Params, PRNGKey, State, View
from jaximpute.views import every

_TIME = 1e-3  # of the diffusion, at which one step is taken


class Seen(NamedTuple):
    """A network and the rows that it sees; `based.on_base` documents them."""

    net: Net
    looped: Net
    view: Callable[[tuple[int, ...]], View]
    places: bool
    rows: int


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
        choice: how much of the correction is believed, by squared errors at the judged places.
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
    choice: Choice
    wide: Float[Array, ""]


def first_params(seen: Seen, key: PRNGKey, data: Observed) -> Params:
    """The network's start, for rows of the shape of the data's."""
    where = located(data.values.shape, seen.view, seen.places)
    row = seen.view(data.values.shape).take(data.values, jnp.zeros(1, int))
    x, cond = conditions(row == row, row, None if where is None else where[:1])
    return seen.net.init(key, x, jnp.full(1, _TIME, x.dtype), cond)


def deviations(state: BasedState, x: Float[Array, "n *event"]) -> jax.Array:
    """Values in deviations of their channels."""
    return (x - held.along(state.mean, x)) / held.along(state.scale, x)


def conditions(shown, filled, where) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """What the network is shown of rows that are completed, in deviations."""
    x = jnp.where(shown, filled, 0)
    cond = (shown.astype(x.dtype), filled - x)
    return x, cond if where is None else (*cond, where)


def missed(
    net: Net, state: BasedState, params: Params, shown, filled, where, key=None
) -> Float[Array, "n *event"]:
    """The network's answer less the base's, in deviations; `filled` is the base's."""
    under = jnp.where(state.alone & ~shown, 0, filled)
    x, cond = conditions(shown, under, where)
    t = jnp.full(len(x), _TIME, x.dtype)
    return under - filled + state.left * net.apply(params, x, t, cond, key)


def missed_loss(
    net: Net, state: BasedState, places, params: Params, key, wanted, filled, shown, asked, tile
) -> Float[Array, ""]:
    """The mean square, at what is asked, of what the base and the network both miss."""
    wanted, filled = (deviations(state, a) for a in (wanted, filled))
    where = None if places is None else places[tile]
    off = missed(net, state, params, shown, filled, where, key) - (wanted - filled)
    return masking.masked_mean(jnp.where(asked, off / state.left, 0) ** 2, asked)


def correction(
    seen: Seen, state: BasedState, filled: Float[Array, "n *event"], shown: Bool[Array, "n *event"]
) -> Float[Array, "n *event"]:
    """What the network misses of whole fields, in chunks."""
    cut, where = seen.view(filled.shape), located(filled.shape, seen.view, seen.places)
    leaves: tuple[jax.Array, ...] = (every(cut, shown), every(cut, filled))
    leaves += () if where is None else (where[jnp.arange(cut.size) % len(where)],)
    params = optimise.averaged(state.learner)

    def one(net, shown, filled, where=None):
        return missed(net, state, params, shown, filled, where)

    if cut.size <= seen.rows:
        return cut.fold(one(seen.net, *leaves))

    def row(leaves):
        return one(seen.looped, *(leaf[None] for leaf in leaves))[0]

    return cut.fold(jax.lax.map(row, leaves, batch_size=seen.rows))


def choose(seen: Seen, state: BasedState, truth: Float[Array, "r *event"]) -> BasedState:
    """How much of the correction is believed, by what was held out."""
    filled, shown, asked = (leaf[0] for leaf in state.judged)
    filled, truth = (deviations(state, a) for a in (filled, truth))
    said = correction(seen, state, filled, shown)
    part, count = held.groups(truth.shape)
    choice = believe(truth - filled, said, asked, jnp.asarray(part), count, power=2)
    return state._replace(choice=choice)


def corrected(
    seen: Seen, state: BasedState, filled: Float[Array, "n *event"], data: Observed
) -> Float[Array, "n *event"]:
    """The base's answer and what is believed of the correction."""
    share = state.choice.share

    def add(filled):
        off = share * correction(seen, state, deviations(state, filled), data.mask)
        return filled + off * held.along(state.scale, filled)

    return jax.lax.cond(share > 0, add, lambda filled: filled, filled)

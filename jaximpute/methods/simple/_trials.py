"""Members tried on rows from which some cells were hidden once more."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute._errors import JaximputeError
from jaximpute.engine import loop
from jaximpute.masking import used
from jaximpute.methods.simple import _weights
from jaximpute.metrics import crps_from_draws
from jaximpute.missing import hidden_again
from jaximpute.registry import Plan
from jaximpute.types import Observed, PRNGKey, State

_DRAWS = 10  # by which methods that draw are compared
_CELLS, _MOST_ROUNDS = 4000, 3  # to choose by; times that cells are hidden
_MOST_CELLS = 250_000  # that are looked at


def run(plan: Plan, key: PRNGKey, data: Observed) -> State:
    return loop.fit(plan.method, key, data, plan.steps, chunk=plan.chunk, hooks=plan.hooks)


class Trial(NamedTuple):
    """What the members made of rows from which cells were hidden."""

    holed: Observed
    hidden: np.ndarray
    cells: tuple[np.ndarray, ...]  # places of the hidden ones
    states: list[State]  # None of members that failed, as of `answers`
    answers: list[np.ndarray | None]  # at these places

    def at(self, i: int) -> np.ndarray:
        """The answer of a member that did not fail."""
        answer = self.answers[i]
        assert answer is not None
        return answer


def try_members(
    members: Sequence[Plan],
    key: PRNGKey,
    some: Observed,
    holdout: float,
    categories: Sequence[int] | None,
) -> Trial:
    k_hide, k_run, k_fill = jax.random.split(key, 3)
    mask = np.asarray(some.mask)
    hidden = together(np.array(hidden_again(k_hide, some.mask, holdout)), categories)
    hidden &= np.asarray(used(some))
    shown = jnp.asarray(mask & ~hidden)
    holed = Observed(jnp.where(shown, some.values, 0), shown, some.weight)
    made = Trial(holed, hidden, _cells(hidden), [], [])
    for i, plan in enumerate(members):
        state, answer = None, None
        try:
            state = run(plan, jax.random.fold_in(k_run, i), holed)
            filled = loop.complete(plan.method, jax.random.fold_in(k_fill, i), state, holed)
            answer = np.asarray(filled)[made.cells].astype(float)
        except JaximputeError:  # one that diverged, or that has nothing to learn from
            state = None
        if answer is not None and not np.isfinite(answer).all():
            answer = None
        made.states.append(state)
        made.answers.append(answer)
    return made


def rounds(some: Observed, holdout: float) -> int:
    """So many that the choice is by a few thousand cells, but three at most."""
    return int(np.clip(np.ceil(_CELLS / max(cells_in(some, holdout), 1)), 1, _MOST_ROUNDS))


def cells_in(some: Observed, holdout: float) -> float:
    """How many cells are hidden in a round, about."""
    return holdout * int(used(some).sum())


def crps(plan: Plan, key: PRNGKey, state: State, trial: Trial, some: Observed) -> float:
    if state is None:
        return float("inf")
    sample, holed = jax.jit(plan.method.sample), trial.holed
    drawn = jnp.stack([sample(jax.random.fold_in(key, i), state, holed) for i in range(_DRAWS)])
    found = float(crps_from_draws(some.values, drawn, jnp.asarray(trial.hidden), fair=True))
    return found if np.isfinite(found) else float("inf")


def zeros(shapes: Any) -> State:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def some_rows(key: PRNGKey, data: Observed, most: int) -> Observed:
    """Rows to choose by: all, or so many at random that have weight."""
    each = 1 if data.values.ndim == 2 else data.values.shape[1]
    number = max(1, most // each)
    if len(data.values) <= max(number, 8):
        return data
    order = jax.random.permutation(key, len(data.values))
    real = np.asarray(data.weight)[np.asarray(order)] > 0
    rows = np.asarray(order)[np.argsort(~real, kind="stable")][:number]
    return Observed(*(leaf[jnp.sort(jnp.asarray(rows))] for leaf in data))


def _cells(hidden: np.ndarray) -> tuple[np.ndarray, ...]:
    """Places of the hidden cells; of very many, some that are spread evenly."""
    places = np.nonzero(hidden)
    step = -(-len(places[0]) // _MOST_CELLS)
    return tuple(place[::step] for place in places)


def together(hidden: np.ndarray, categories: Sequence[int] | None) -> np.ndarray:
    """The columns of one category hidden as its first is: one tells what another is."""
    ids = np.asarray(() if categories is None else categories)
    for number in np.unique(ids[ids != -1]):
        own = np.flatnonzero(ids == number)
        hidden[..., own] = hidden[..., own[:1]]
    return hidden


def groups(cells: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Cells that depend on one another share a group: rows, or stretches of time."""
    number = _weights.GROUPS
    if len(shape) == 2 or shape[0] >= number:
        return cells[0] % number
    return (cells[0] * number + cells[1] * number // shape[1]) % number

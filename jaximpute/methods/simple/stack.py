"""Several methods, weighted by how well they fill cells that are hidden from them once more."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine.onhost import OnHost
from jaximpute.masking import channel_moments, clamp
from jaximpute.methods.simple import _trials, _weights
from jaximpute.methods.simple._static import static_method
from jaximpute.methods.simple.window_gaussian import WIDEST
from jaximpute.registry import Plan
from jaximpute.types import Answer, Method, Observed, PRNGKey, State

# by kind of data, cheap ones first; the first answers where there is too little to choose by
USUAL: dict[str, tuple[str, ...]] = {
    "table": ("gaussian", "ice", "knn", "trees"),
    "series": ("gaussian", "linear", "boosted_smoother"),
    "image": ("biharmonic", "harmonic", "neighbour_ridge", "window_average", "kriging"),
    "field": ("kriging", "biharmonic", "optimal_interpolation", "eof"),
}
FEW: dict[str, tuple[str, ...]] = {
    "table": ("gaussian", "trees"),
    "series": ("gaussian", "linear"),
    "image": ("biharmonic", "kriging"),
    "field": ("kriging", "biharmonic"),
}
LEARNED: dict[str, tuple[str, ...]] = {
    "table": ("miri", "spirit"),
    "series": ("spirit",),
    "image": ("miri",),
    "field": ("context_query",),
}
_MANY = 32  # series that begin alike, as days do, from which moments of each step are learned
_FRAMES = 24  # of a field, from which modes are learned
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"members": "few"},
    "best": {"members": "learned"},
}


class StackState(NamedTuple):
    """What the members learned, and what was chosen.

    Attributes:
        members: a state of each; of those without weight, what they learned from the holed rows.
        weights: of each member in each column.
        mean: of each column, `(d,)`.
        scale: of each column, `(d,)`.
        singles: error of each member on the cells hidden again, in standard deviations; -1 where
            it failed, or there was too little to choose by.
        chosen: that of the weighted answer.
        errors: mean absolute error of the weighted answer in each column.
        drawer: the number of the member that draws.
    """

    members: tuple[State, ...]
    weights: Float[Array, "k d"]
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    singles: Float[Array, "k"]
    chosen: Float[Array, ""]
    errors: Float[Array, "d"]
    drawer: Int[Array, ""]


def stack(
    members: Sequence[Plan],
    *,
    holdout: float = 0.15,
    rows: int = 4096,
    by_draws: bool = False,
    categories: Sequence[int] | None = None,
) -> Method:
    r"""A weighted answer of several methods, or that of the best one.

    Some observed cells are hidden again, in the shapes of the data's own holes. Every member learns
    from what is left and completes it. With :math:`A` the members' answers at the hidden cells and
    :math:`y` the truth, both in standard deviations of their columns,

    .. math:: \hat y = \sum_k w_k a_k, \quad w = \arg\min_{w \ge 0} \|y - A w\|^2,

    where columns may depart a little from the common weights; see `_weights.weigh`. Members with a
    weight then learn from everything. Where the weights do no better on cells that are left out of
    them, the best member gets all. A draw is one of the member that draws best, by its CRPS at the
    same cells.

    Args:
        members: two or more inductive methods, and how long each is run.
        holdout: share of the observed cells to hide, in (0, 1).
        rows: by which weights are chosen, at most, at random; series and films count their steps.
        by_draws: whether to compare the members that draw. Otherwise the first of them draws.
        categories: for each column the number of what it is part of, a category or a direction, -1
            for none; columns of one are hidden together.

    Returns:
        An inductive method, which learns on the host: it runs its members one after the other.

    Raises:
        OptionError: fewer than two members, one that is not inductive, or a number out of range;
            later, if all members fail.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(300, 1)) @ np.array([[1.0, 2.0]])
        >>> x[::5, 1] = np.nan
        >>> data = ji.observe(x)
        >>> method = stack([Plan(ji.methods.mean()), Plan(ji.methods.gaussian())])
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> [bool(w > 0.9) for w in state.weights[:, 1]]
        [False, True]

    Source: Wolpert, "Stacked generalization", Neural Networks 5 (1992); Breiman, "Stacked
    regressions", Mach. Learn. 24 (1996).
    """
    members = tuple(members)
    if len(members) < 2 or any(plan.method.estimate is None for plan in members):
        raise OptionError(f"{len(members)} members; expected two or more, all of them inductive")
    if not 0 < holdout < 1 or rows < 1:
        raise OptionError(f"holdout is {holdout} and rows {rows}; expected a share, and at least 1")
    drawing = [i for i, plan in enumerate(members) if plan.method.sample is not None]

    def learn(key: PRNGKey, data: Observed) -> StackState:
        k_rows, k_trial, k_draw, k_whole = jax.random.split(key, 4)
        some, drawer = _trials.some_rows(k_rows, data, rows), drawing[0] if drawing else 0
        if _trials.cells_in(some, holdout) < _weights.FEWEST:
            return _untried(k_whole, members, data, drawer)
        trials = [
            _trials.try_members(members, jax.random.fold_in(k_trial, i), some, holdout, categories)
            for i in range(_trials.rounds(some, holdout))
        ]
        last, (found, errors) = trials[-1], _weigh(trials, some, channel_moments(data))
        if by_draws and len(drawing) > 1 and any(len(t.cells[0]) for t in trials):
            crps = [_trials.crps(members[i], k_draw, last.states[i], last, some) for i in drawing]
            drawer = drawing[int(np.argmin(crps))]
        states = []
        for i, plan in enumerate(members):
            state = last.states[i]
            if found.weights[i].any() or i == drawer:
                state = _trials.run(plan, jax.random.fold_in(k_whole, i), data)
            elif state is None or some is not data:
                state = _trials.zeros(jax.eval_shape(plan.method.init, jax.random.key(0), data))
            states.append(state)
        return _state(states, data, found, errors, drawer)

    def estimate(key: PRNGKey, state: StackState, data: Observed) -> jax.Array:
        mean, scale = (_along(a, data.values.ndim) for a in (state.mean, state.scale))
        total = jnp.zeros_like(data.values)
        for i, plan in enumerate(members):
            weight = state.weights[i]

            def answer(key, own, data, method=plan.method):
                return (method.estimate(key, own, data) - mean) / scale

            def nothing(key, own, data):
                return jnp.zeros_like(data.values)

            one = jax.lax.cond(
                (weight > 0).any(), answer, nothing, jax.random.fold_in(key, i),
                state.members[i], data,
            )  # fmt: skip
            total = total + _along(weight, data.values.ndim) * one
        return clamp(mean + scale * total, data)

    def sample(key: PRNGKey, state: StackState, data: Observed) -> jax.Array:
        def by(i):
            return lambda key, states, data: members[i].method.sample(key, states[i], data)

        number = jnp.searchsorted(jnp.asarray(drawing), state.drawer)
        return jax.lax.switch(number, [by(i) for i in drawing], key, state.members, data)

    return static_method(
        OnHost(learn, partial(_outline, members)),
        estimate=estimate,
        sample=sample if drawing else None,
    )


def _outline(members: Sequence[Plan], data: Observed) -> StackState:
    """A state that has learned nothing: the first member answers, and the first draws."""
    key, (k, d) = jax.random.key(0), (len(members), data.values.shape[-1])
    states = [_trials.zeros(jax.eval_shape(plan.method.init, key, data)) for plan in members]
    first = np.zeros((k, d))
    first[0] = 1.0
    found = _weights.Weighing(first, np.full(k, np.nan), np.nan)
    return _state(states, data, found, np.zeros(d), 0)


def _state(
    states: Sequence[State],
    data: Observed,
    found: _weights.Weighing,
    errors: np.ndarray,
    drawer: int,
) -> StackState:
    dtype, (mean, scale) = data.values.dtype, channel_moments(data)
    return StackState(
        members=tuple(states),
        weights=jnp.asarray(found.weights, dtype),
        mean=mean,
        scale=scale,
        singles=jnp.asarray(np.nan_to_num(found.singles, nan=-1.0), dtype),
        chosen=jnp.asarray(np.nan_to_num(found.chosen, nan=-1.0), dtype),
        errors=jnp.asarray(errors, dtype),
        drawer=jnp.asarray(drawer, jnp.int32),
    )


def _untried(key: PRNGKey, members: Sequence[Plan], data: Observed, drawer: int) -> StackState:
    """The state where there is too little to choose by."""
    none = _outline(members, data)
    states = list(none.members)
    for i in {0, drawer}:
        states[i] = _trials.run(members[i], jax.random.fold_in(key, i), data)
    return none._replace(members=tuple(states), drawer=jnp.asarray(drawer, jnp.int32))


def _weigh(
    trials: Sequence[_trials.Trial], some: Observed, moments: tuple[jax.Array, jax.Array]
) -> tuple[_weights.Weighing, Float[np.ndarray, "d"]]:
    """Weights by all trials, 0 of members that failed, and the mean absolute error by column."""
    (mean, scale), d = map(np.asarray, moments), some.values.shape[-1]
    count = len(trials[0].answers)
    able = [i for i in range(count) if all(t.answers[i] is not None for t in trials)]
    if not able:
        raise OptionError("no member could complete the data; take one method by its name")
    column = np.concatenate([t.cells[-1] for t in trials])
    group = np.concatenate([_trials.groups(t.cells, some.mask.shape) for t in trials])
    at = np.concatenate([np.stack([t.at(i) for i in able], axis=1) for t in trials])
    at = (at - mean[column, None]) / scale[column, None]
    truth = np.concatenate([np.asarray(some.values)[t.cells] for t in trials])
    truth = (truth - mean[column]) / scale[column]
    found = _weights.weigh(at, truth, column, group, d)
    off = np.abs((at * found.weights.T[column]).sum(axis=1) - truth) * scale[column]
    errors = np.bincount(column, off, d) / np.maximum(np.bincount(column, minlength=d), 1)
    weights, singles = np.zeros((count, d)), np.full(count, np.nan)
    weights[able], singles[able] = found.weights, found.singles
    return found._replace(weights=weights, singles=singles), errors


def _along(a: Array, ndim: int) -> Array:
    return a.reshape((1,) * (ndim - 1) + (-1,))


def stack_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    answer: Answer = "estimate",
    members: Any = "usual",
    member_options: Mapping[str, Mapping[str, Any]] | None = None,
    holdout: float = 0.15,
    rows: int = 4096,
) -> Plan:
    """`stack` for given data.

    Args:
        data, kind, times, categories: see `registry.build`.
        answer: what will be asked; for draws, the members that draw are compared.
        members: names of inductive methods; or `few`, `usual`, or `learned`, which adds networks.
            Stacks of many short series get `window_gaussian`, too; fields of few frames no
            `eof`.
        member_options: of the members, by name.
        holdout: see the factory.
        rows: see the factory.

    Returns:
        The method; it has no steps of its own.

    Raises:
        OptionError: a member that is no method for such data, or does not complete new rows.
    """
    chosen = _named(members, kind)
    if members in ("usual", "learned"):
        if kind == "series" and len(data.values) >= _MANY and data.values[0].size <= WIDEST:
            chosen = (*chosen, "window_gaussian")
        if kind == "field" and math.prod(data.values.shape[:2]) < _FRAMES:
            chosen = tuple(name for name in chosen if name != "eof")
    given = {"kind": kind, "times": times, "categories": categories, "answer": answer}
    for name in chosen:
        if not registry.entry(name, kind).inductive:
            raise OptionError(f"'{name}' completes only rows it learns from, and is no member")
    own = {name: (member_options or {}).get(name) for name in chosen}
    plans = [registry.build(name, data, options=own[name], **given) for name in chosen]
    made = stack(
        plans, holdout=holdout, rows=rows, by_draws=answer == "draw", categories=categories
    )

    def choices(state: StackState) -> dict[str, Any]:
        weights = np.asarray(state.weights).mean(axis=1)
        return {
            "weights": {n: round(float(w), 3) for n, w in zip(chosen, weights, strict=True)},
            "errors": {
                **{
                    n: round(float(e), 4)
                    for n, e in zip(chosen, np.asarray(state.singles), strict=True)
                    if e >= 0
                },
                "stack": round(float(state.chosen), 4),
            },
            "draws": chosen[int(state.drawer)] if made.sample is not None else None,
            "column_errors": np.asarray(state.errors).tolist(),
        }

    return Plan(made, tells=choices)


def _named(members: Any, kind: str) -> tuple[str, ...]:
    sets = {"few": FEW, "usual": USUAL}
    if members == "learned":
        return USUAL[kind] + LEARNED[kind]
    if isinstance(members, str) and members in sets:
        return sets[members][kind]
    if isinstance(members, str):
        members = members.split(",")
    names = tuple(str(name).strip() for name in members)
    if len(set(names)) != len(names):
        raise OptionError(f"members are {', '.join(names)}; expected each of them once")
    return names

"""Run a method that was built for some data: to its end, or from where it was stopped."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaximpute._terminal import stage
from jaximpute.data import series
from jaximpute.engine import fingerprint, loop
from jaximpute.engine.draws import draw_many
from jaximpute.engine.hooks.checkpoint import CheckpointPolicy, Checkpoints
from jaximpute.engine.parallel import outline
from jaximpute.engine.threads import one_thread
from jaximpute.maths.averages import middle
from jaximpute.registry import Plan
from jaximpute.types import Answer, Hook, Observed, PRNGKey, State


class Keys(NamedTuple):
    """The keys of a run.

    Attributes:
        fit: for learning.
        complete: for completing.
    """

    fit: PRNGKey
    complete: PRNGKey


def keys(seed: int) -> Keys:
    """The keys that a seed stands for, in every task.

    Example:
        >>> [key.shape for key in keys(0)]
        [(), ()]
    """
    return Keys(*jax.random.split(jax.random.key(seed)))


def train(
    plan: Plan,
    key: PRNGKey,
    data: Observed,
    hooks: Sequence[Hook] = (),
    checkpoints: CheckpointPolicy | None = None,
    identity: Mapping[str, Any] | None = None,
) -> State:
    """`engine.loop.fit` of a plan; with checkpoints, if it is told where to keep them.

    A run that is resumed is shown again, chunk by chunk, to its hooks, so that curves are whole and
    patience knows the lowest value; its state is bit-identical to that of a run in one piece.

    Args:
        plan: the method and how long to run it.
        key: see `engine.loop.fit`.
        data: the rows.
        hooks: called between chunks; those of the plan are not added.
        checkpoints: where checkpoints lie, and whether to resume from them.
        identity: what must be equal for one run to resume another, by name, besides data, mask and
            key.

    Returns:
        The last state.

    Raises:
        OptionError: checkpoints of another run lie there, or some lie there and are not asked for.
        DivergenceError: see `engine.loop.fit`.
        KeyboardInterrupt: interrupted, after the state was saved.
    """

    def fit(hooks: Sequence[Hook], state: State = None, start: int = 0) -> State:
        return loop.fit(
            plan.method,
            key,
            data,
            plan.steps,
            chunk=plan.chunk,
            hooks=hooks,
            state=state,
            start=start,
        )

    with one_thread():
        if checkpoints is None:
            return fit(hooks)
        whole = {
            **(identity or {}),
            "data": fingerprint.rows([data.values, data.weight], data.weight),
            "mask": fingerprint.rows([data.mask], data.weight),
            "key": fingerprint.digest([jax.random.key_data(key)]),
            "steps": plan.steps,
            "chunk": plan.chunk,
        }
        with Checkpoints(checkpoints, whole) as kept:
            found = kept.latest(outline(plan.method, key, data))
            if found is None:
                state = fit([*hooks, kept])
            elif kept.replay(hooks):
                return jax.tree.map(jax.numpy.asarray, found.state)
            else:
                state = fit([*hooks, kept], found.state, found.t)
            kept.finish(state)
            return state


def completions(
    plan: Plan,
    seed: int,
    data: Observed,
    hooks: Sequence[Hook],
    *,
    answer: Answer = "estimate",
    draws: int = 0,
    last: int = 0,
    checkpoints: CheckpointPolicy | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Train, then complete the same rows: the one completion to report, and the draws asked for.

    Args:
        plan: see `train`, as for most arguments.
        seed: of everything random.
        data: the rows.
        hooks: hooks.
        answer: the one completion to report: the `estimate`, or a `draw`.
        draws: how many random completions to return besides; the first is then their median.
        last: complete only so many steps at the end of a series, by themselves; 0 = all.
        checkpoints: where checkpoints lie.
        identity: of the run, see `train`.
        progress: say on a terminal when the completions begin.

    Returns:
        `1 + draws` arrays shaped like the data; and what the method tells of its choices.
    """
    key_fit, key_complete = keys(seed)
    state = train(plan, key_fit, data, hooks, checkpoints, identity)
    stage(f"drawing {draws} completions" if draws else "filling", show=progress)
    with one_thread():
        past, data = series.part(data, last)
        if draws:
            many = draw_many(plan.method, key_complete, state, data, draws)
            found = np.concatenate([np.asarray(middle(many, plan.categories))[None], many])
        elif answer == "draw":
            found = np.asarray(draw_many(plan.method, key_complete, state, data, 1))
        else:
            found = np.asarray(loop.complete(plan.method, key_complete, state, data))[None]
        choices = {} if plan.tells is None else plan.tells(state)
        return [np.concatenate([past, one], axis=1) if last else one for one in found], choices

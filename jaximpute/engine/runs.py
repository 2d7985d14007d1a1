"""Run a method that was built for some data: to its end, or from where it was stopped."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaximpute import registry
from jaximpute._errors import OutOfMemoryError
from jaximpute._terminal import stage
from jaximpute.data import series
from jaximpute.engine import fingerprint, loop
from jaximpute.engine.draws import draw_many
from jaximpute.engine.hooks.checkpoint import Checkpoints, Keeping
from jaximpute.engine.parallel import outline
from jaximpute.engine.threads import one_thread
from jaximpute.maths.averages import middle
from jaximpute.registry import Plan
from jaximpute.types import Answer, Hook, Observed, PRNGKey, State


def train(
    plan: Plan,
    key: PRNGKey,
    data: Observed,
    watching: Sequence[Hook] = (),
    keeping: Keeping | None = None,
    about: Mapping[str, Any] | None = None,
    words: Mapping[str, Any] | None = None,
) -> State:
    """`engine.loop.fit` of a plan; with checkpoints, if it is told where to keep them.

    A run that is resumed is shown again, chunk by chunk, to its hooks, so that curves are whole and
    patience knows the lowest value; its state is bit-identical to that of a run in one piece.

    Args:
        plan: the method and how long to run it.
        key: see `engine.loop.fit`.
        data: the rows.
        watching: hooks; those of the plan are not added.
        keeping: where checkpoints lie, and whether to resume from them.
        about: of the run, by name: what must be equal for one run to resume another, besides data,
            mask and key.
        words: `label` and `advice` of `engine.loop.fit`.

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
            **(words or {}),
        )

    with one_thread(), explained(data, about):
        if keeping is None:
            return fit(watching)
        described = {
            **(about or {}),
            "data": fingerprint.rows([data.values, data.weight], data.weight),
            "mask": fingerprint.rows([data.mask], data.weight),
            "key": fingerprint.digest([jax.random.key_data(key)]),
            "steps": plan.steps,
            "chunk": plan.chunk,
        }
        with Checkpoints(keeping, described) as kept:
            found = kept.latest(outline(plan.method, key, data))
            if found is None:
                state = fit([*watching, kept])
            elif kept.replay(watching):
                return jax.tree.map(jax.numpy.asarray, found.state)
            else:
                state = fit([*watching, kept], found.state, found.t)
            kept.finish(state)
            return state


def completions(
    plan: Plan,
    seed: int,
    data: Observed,
    watching: Sequence[Hook],
    *,
    answer: Answer = "estimate",
    draws: int = 0,
    last: int = 0,
    keeping: Keeping | None = None,
    about: Mapping[str, Any] | None = None,
    words: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Train, then complete the same rows: the one completion to report, and the draws asked for.

    Args:
        plan: see `train`, as for most arguments.
        seed: of everything random.
        data: the rows.
        watching: hooks.
        answer: the one completion to report: the `estimate`, or a `draw`.
        draws: how many random completions to return besides; the first is then their median.
        last: complete only so many steps at the end of a series, by themselves; 0 = all.
        keeping: where checkpoints lie.
        about: of the run.
        words: for errors.
        progress: say on a terminal when the completions begin.

    Returns:
        `1 + draws` arrays shaped like the data; and what the method tells of its choices.
    """
    key_fit, key_complete = jax.random.split(jax.random.key(seed))
    state = train(plan, key_fit, data, watching, keeping, about, words)
    stage(f"drawing {draws} completions" if draws else "filling", show=progress)
    with one_thread(), explained(data, about):
        past, data = series.part(data, last)
        if draws:
            many = draw_many(plan.method, key_complete, state, data, draws)
            found = np.concatenate([np.asarray(middle(many, plan.categories))[None], many])
        elif answer == "draw":
            found = np.asarray(draw_many(plan.method, key_complete, state, data, 1))
        else:
            found = np.asarray(loop.complete(plan.method, key_complete, state, data))[None]
        told = {} if plan.tells is None else plan.tells(state)
        return [np.concatenate([past, one], axis=1) if last else one for one in found], told


@contextlib.contextmanager
def explained(data: Observed, about: Mapping[str, Any] | None) -> Iterator[None]:
    """Turn want of memory into an error that names the settings to lower.

    Args:
        data: the rows.
        about: of the run; `method` is its name.

    Raises:
        OutOfMemoryError: memory ran out within.
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except Exception as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise OutOfMemoryError(_advice(data, (about or {}).get("method"))) from error


_COSTLY = ("batch", "width", "window", "layers", "block", "members", "keep", "max_iterations")


def _advice(data: Observed, method: str | None) -> str:
    rows, *event = data.values.shape
    shape = " x ".join(map(str, event))
    if method is None:
        return f"out of memory on {rows} rows of {shape}; take a smaller batch or fewer rows"
    return f"out of memory with '{method}' on {rows} rows of {shape}. {cheaper(method)}"


def cheaper(method: str) -> str:
    """What to change for a method to need less memory."""
    offered = registry.options(method)
    lower = [
        name if offered[name].default is None else f"{name} (by default {offered[name].default})"
        for name in _COSTLY
        if name in offered
    ]
    first = f"Lower {', '.join(lower)}; or take" if lower else "Take"
    return (
        f"{first} --preset fast, fewer rows or columns, or a simpler method; jaximpute methods "
        "lists them"
    )

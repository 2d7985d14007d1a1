"""Methods learned from part of the data, or from one part after the other."""

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute._errors import DataError
from jaximpute.data import codec as coding
from jaximpute.data.codec import Codec
from jaximpute.data.columns import Column
from jaximpute.engine import loop, parallel
from jaximpute.engine.precision import precision
from jaximpute.engine.runs import keys
from jaximpute.masking import from_nan, observe
from jaximpute.registry import Plan
from jaximpute.tasks.fitted import Fitted, build, computing
from jaximpute.types import Hook, Info, Method, Observed, State


def learn(
    fitted: Fitted,
    pools: Iterator[np.ndarray],
    columns: Sequence[Column],
    hooks_of: Callable[[Plan], Sequence[Hook]] = lambda plan: plan.hooks,
    check: Callable[[Fitted, Observed], None] | None = None,
) -> tuple[Fitted, int]:
    """Learn from pools of rows, each in memory only while it is learned from.

    A method whose state holds no row (networks trained by batches) is given the next pool after
    every chunk of steps; one that learns at once, or keeps the rows it has seen, the first only.

    Args:
        fitted: an inductive method that has learned nothing; its shape is that of the pools.
        pools: parts of the data of one shape, `(rows, *event)`, NaN where missing.
        columns: what they hold.
        hooks_of: hooks for a plan.
        check: looks at the built method and the first pool before anything is learned.

    Returns:
        The method with what it learned, and from how many pools.

    Raises:
        DataError: a column is observed, but in no row of the first pool.
        DivergenceError, OutOfMemoryError: see `tasks.advice.explained`.
    """
    codec = fitted.codec
    if not codec.width:
        return fitted, 0
    first = next(pools)
    _check_seen(first, codec, columns)
    with precision(codec.exact):
        data = observe(encoded(codec, first))
    fitted = fitted._replace(shape=data.values.shape)
    plan = build(fitted, data)

    def later() -> Iterator[Observed]:
        for pool in pools:
            yield from_nan(jnp.asarray(encoded(codec, pool)))

    with computing(fitted, fitted.shape):
        if check is not None:
            check(fitted._replace(plan=plan), data)
        rotates = plan.steps > plan.chunk and not keeps_rows(plan.method, data)
        key = keys(fitted.seed).fit
        state, number = _fit(plan, key, data, later(), rotates, hooks_of(plan))
    return fitted._replace(plan=plan, state=state), number


def keeps_rows(method: Method, data: Observed) -> bool:
    """Whether a method's state holds the rows it was given, so that they cannot be exchanged."""
    specs = parallel.layouts(parallel.row_specs(method, data))
    return any(parallel.AXIS in spec for spec in specs)


def encoded(codec: Codec, values: np.ndarray) -> np.ndarray:
    """Cells as the codec's columns, of any number of leading axes."""
    matrix = coding.encode(codec, values.reshape(-1, values.shape[-1]))
    return matrix.reshape(*values.shape[:-1], codec.width)


def _fit(
    plan: Plan,
    key: jax.Array,
    data: Observed,
    later: Iterator[Observed],
    rotates: bool,
    hooks: Sequence[Hook],
) -> tuple[State, int]:
    """The last state, and from how many pools."""
    stopped = []

    def watch(t: int, state: State, info: Info) -> bool:
        stops = [hook(t, state, info) for hook in hooks]  # every hook is called
        stopped.append(any(stops))
        return stopped[-1]

    state, done, number = None, 0, 0
    while True:
        until = min(done + plan.chunk, plan.steps) if rotates else plan.steps
        state = loop.fit(
            plan.method,
            jax.random.clone(key),  # one run, in parts: step t takes its own key from it
            data,
            until,
            chunk=plan.chunk,
            hooks=[watch],
            state=state,
            start=done,
        )
        done, number = until, number + 1
        if done >= plan.steps or (stopped and stopped[-1]):
            return state, number
        data = next(later)


def _check_seen(pool: np.ndarray, codec: Codec, columns: Sequence[Column]) -> None:
    seen = ~np.isnan(pool).all(axis=tuple(range(pool.ndim - 1)))
    names = ", ".join(f"'{columns[i].name}'" for i in codec.columns if not seen[i])
    if names:
        raise DataError(
            f"column {names} is observed so rarely that none of the {len(pool)} rows to learn from "
            "shows it; raise sample_rows (--sample-rows), or leave it out"
        )

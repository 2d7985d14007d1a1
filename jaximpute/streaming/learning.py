"""Methods learned from part of the data, or from one part after the other.

Those that complete only the rows they learn from are built, and run anew on each block.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import registry
from jaximpute._errors import DataError
from jaximpute.data import codec as coding
from jaximpute.data.codec import Codec
from jaximpute.data.columns import Column
from jaximpute.engine import loop, parallel
from jaximpute.engine.precision import precision
from jaximpute.engine.runs import explained
from jaximpute.engine.threads import one_thread
from jaximpute.masking import from_nan, observe
from jaximpute.registry import Plan
from jaximpute.types import Answer, Hook, Info, Kind, Method, Observed, State


class Learned(NamedTuple):
    """A method that was learned, and how its columns are coded.

    Attributes:
        name: of the method.
        codec: of the columns.
        shape: of what it learned from, or is run on, at a time, in the codec's columns.
        method: None if there was nothing to learn, or nothing is missing.
        state: what it learned.
        key: of random completions.
        pools: how many parts of the data it has learned from.
        plan: of a method that completes only the rows it learns from: a run for each block.
        words: of that plan, for errors.
    """

    name: str
    codec: Codec
    shape: tuple[int, ...]
    method: Method | None
    state: State
    key: jax.Array
    pools: int = 1
    plan: Plan | None = None
    words: Mapping[str, Any] = {}


def learn(
    pools: Iterator[np.ndarray],
    codec: Codec,
    columns: Sequence[Column],
    name: str,
    kind: Kind,
    *,
    preset: str = "balanced",
    options: Mapping[str, Any] | None = None,
    answer: Answer = "estimate",
    seed: int = 0,
    watching: Callable[[Plan], Sequence[Hook]] = lambda plan: plan.hooks,
) -> Learned:
    """Learn from pools of rows, each in memory only while it is learned from.

    A method whose state holds no row (networks trained by batches) is given the next pool after
    every chunk of steps; one that learns at once, or keeps the rows it has seen, the first only.

    Args:
        pools: parts of the data of one shape, `(rows, *event)`, NaN where missing.
        codec: of the columns of all data.
        columns: what they hold.
        name: of an inductive method.
        kind: of the data.
        preset: of the method.
        options: of the method.
        answer: what will be asked, see `registry.build`.
        seed: of everything random.
        watching: hooks for a plan.

    Returns:
        What was learned.

    Raises:
        DataError: a column is observed, but in no row of the first pool.
        DivergenceError: see `engine.loop.fit`.
    """
    first = next(pools)
    shape = (*first.shape[:-1], codec.width)
    key_fit, key_complete = jax.random.split(jax.random.key(seed))
    if not codec.width:
        return Learned(name, codec, shape, None, None, key_complete, 0)
    _check_seen(first, codec, columns)
    with precision(codec.exact):
        data = observe(encoded(codec, first))
    plan = _plan(name, data, codec, kind, preset, options, answer)

    def later() -> Iterator[Observed]:
        for pool in pools:
            yield from_nan(jnp.asarray(encoded(codec, pool)))

    words = registry.words(name, preset, options)
    with working(codec, data, name):
        rotates = plan.steps > plan.chunk and not keeps_rows(plan.method, data)
        state, number = _fit(plan, key_fit, data, later(), rotates, watching(plan), words)
    return Learned(name, codec, shape, plan.method, state, key_complete, number)


def unlearned(
    name: str,
    codec: Codec,
    shape: tuple[int, ...],
    kind: Kind,
    *,
    preset: str,
    options: Mapping[str, Any],
    answer: Answer,
    seed: int,
) -> Learned:
    """A method that completes only the rows it learns from, for blocks of one shape.

    Args:
        name: of a transductive method.
        codec: of the columns of all data.
        shape: of a block, in the codec's columns.
        kind: of the data.
        preset: of the method.
        options: of the method.
        answer: what will be asked, see `registry.build`.
        seed: of everything random.
    """
    _, key = jax.random.split(jax.random.key(seed))
    if not codec.width:
        return Learned(name, codec, shape, None, None, key, 0)
    like = observe(np.zeros(shape, np.float32))
    plan = _plan(name, like, codec, kind, preset, options, answer)
    words = registry.words(name, preset, options)
    return Learned(name, codec, shape, plan.method, None, key, 0, plan, words)


def keeps_rows(method: Method, data: Observed) -> bool:
    """Whether a method's state holds the rows it was given, so that they cannot be exchanged."""
    specs = parallel.layouts(parallel.row_specs(method, data))
    return any(parallel.AXIS in spec for spec in specs)


def restore(
    name: str,
    codec: Codec,
    shape: tuple[int, ...],
    leaves: Sequence[np.ndarray],
    kind: Kind,
    *,
    preset: str,
    options: Mapping[str, Any],
    answer: Answer,
    seed: int,
    pools: int,
) -> Learned:
    """What `learn` returned, from the leaves of its state; or `unlearned`, which has none.

    Raises:
        DataError: the leaves are not those of this method.
    """
    if not registry.entry(name, kind).inductive:
        return unlearned(
            name, codec, shape, kind, preset=preset, options=options, answer=answer, seed=seed
        )
    _, key_complete = jax.random.split(jax.random.key(seed))
    if not pools:
        return Learned(name, codec, shape, None, None, key_complete, pools)
    with precision(codec.exact):
        like = observe(np.zeros(shape))
        plan = _plan(name, like, codec, kind, preset, options, answer)
        wanted = jax.eval_shape(plan.method.init, jax.random.key(0), like)
        held = [jnp.asarray(leaf) for leaf in leaves]
    described = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)]
    if described != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError(f"what was learned does not fit the '{name}' of this version; begin again")
    state = jax.tree.unflatten(jax.tree.structure(wanted), held)
    return Learned(name, codec, shape, plan.method, state, key_complete, pools)


def _plan(
    name: str,
    data: Observed,
    codec: Codec,
    kind: Kind,
    preset: str,
    options: Mapping[str, Any] | None,
    answer: Answer,
) -> registry.Plan:
    return registry.build(
        name,
        data,
        kind=kind,
        preset=preset,
        categories=codec.categories,
        options=options,
        answer=answer,
    )


@contextlib.contextmanager
def working(codec: Codec, data: Observed, name: str) -> Iterator[None]:
    """Around all that computes: one thread of BLAS, the precision, and want of memory explained."""
    with (
        one_thread(),
        explained(data, {"method": name}),
        precision(codec.exact),
    ):
        yield


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
    words: Mapping[str, Any],
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
            **words,
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

"""Methods learned from part of the data, or from one part after the other, and applied to all.

Those that complete only the rows they learn from are run anew on each block.
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
from jaximpute.engine.draws import middle
from jaximpute.engine.precision import precision
from jaximpute.engine.rows import MOST_ROWS, complete_rows, draw_rows
from jaximpute.engine.runs import explained
from jaximpute.engine.threads import one_thread
from jaximpute.masking import from_nan, observe
from jaximpute.registry import Plan
from jaximpute.tasks import report
from jaximpute.types import Hook, Info, Kind, Method, Observed, State

_CELLS = 2**16  # of the rows that are completed together


class Completed(NamedTuple):
    """Cells completed, and which of them had to be brought within their bounds.

    Attributes:
        values: `(*shape)` cells, in which those of columns that are not learned stay missing; or
            several completions of them.
        clipped: `(*shape)` how often, of all random completions.
    """

    values: np.ndarray
    clipped: np.ndarray


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
        data = observe(_encoded(codec, first))
    plan = registry.build(
        name, data, kind=kind, preset=preset, categories=codec.categories, options=options
    )

    def later() -> Iterator[Observed]:
        for pool in pools:
            yield from_nan(jnp.asarray(_encoded(codec, pool)))

    words = registry.words(name, preset, options)
    with _working(codec, data, name):
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
        seed: of everything random.
    """
    _, key = jax.random.split(jax.random.key(seed))
    if not codec.width:
        return Learned(name, codec, shape, None, None, key, 0)
    like = observe(np.zeros(shape, np.float32))
    plan = registry.build(
        name, like, kind=kind, preset=preset, categories=codec.categories, options=options
    )
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
    seed: int,
    pools: int,
) -> Learned:
    """What `learn` returned, from the leaves of its state; or `unlearned`, which has none.

    Raises:
        DataError: the leaves are not those of this method.
    """
    if not registry.entry(name, kind).inductive:
        return unlearned(name, codec, shape, kind, preset=preset, options=options, seed=seed)
    _, key_complete = jax.random.split(jax.random.key(seed))
    if not pools:
        return Learned(name, codec, shape, None, None, key_complete, pools)
    with precision(codec.exact):
        like = observe(np.zeros(shape))
        plan = registry.build(
            name, like, kind=kind, preset=preset, categories=codec.categories, options=options
        )
        wanted = jax.eval_shape(plan.method.init, jax.random.key(0), like)
        held = [jnp.asarray(leaf) for leaf in leaves]
    described = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)]
    if described != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError(f"what was learned does not fit the '{name}' of this version; begin again")
    state = jax.tree.unflatten(jax.tree.structure(wanted), held)
    return Learned(name, codec, shape, plan.method, state, key_complete, pools)


def complete(learned: Learned, values: np.ndarray, most: int = MOST_ROWS) -> Completed:
    """Complete rows, each on its own: the answer does not depend on which others are given.

    Every compiled call has one shape, so that not even the rounding depends on how many there are.

    Args:
        learned: what `learn` returned.
        values: `(n, *event)` float64 cells, NaN where missing.
        most: rows in a compiled call, if they are small; fewer are padded to as many.

    Returns:
        `(n, *event)` cells. What a method that draws returns is one draw.
    """

    def once(rows: np.ndarray, places: np.ndarray, batch: int) -> np.ndarray:
        return complete_rows(learned.method, learned.key, learned.state, rows, batch)[None]  # type: ignore[arg-type]

    done = _completions(learned, values, 1, once, most, drawn=_draws(learned))
    return Completed(done.values[0], done.clipped)


def complete_together(learned: Learned, values: np.ndarray, number: int) -> Completed:
    """Complete rows from one another: a run of its own, of a method that can do no more.

    Args:
        learned: what `unlearned` returned.
        values: `(n, *event)` float64 cells, NaN where missing, of the shape it is for.
        number: of the block, for what is random.

    Returns:
        `(n, *event)` cells.

    Raises:
        DivergenceError: see `engine.loop.fit`.
    """
    flat = values.reshape(-1, values.shape[-1])
    matrix = _encoded(learned.codec, values)
    plan = learned.plan
    if plan is not None and np.isnan(matrix).any():
        with precision(learned.codec.exact):
            data = from_nan(jnp.asarray(matrix))  # a block may show nothing of a column
        keys = jax.random.split(jax.random.fold_in(jax.random.clone(learned.key), number))
        with _working(learned.codec, data, learned.name):
            state = loop.fit(
                plan.method,
                keys[0],
                data,
                plan.steps,
                chunk=plan.chunk,
                hooks=plan.hooks,
                **learned.words,
            )
            matrix = np.array(loop.complete(plan.method, keys[1], state, data))
        report.refuse_divergence(matrix, f"'{learned.name}'", "Take another method or seed")
    coded = matrix.reshape(len(flat), -1)
    decoded = coding.decode(learned.codec, coded, flat, drawn=_draws(learned))
    clipped = coding.impossible(learned.codec, coded, flat).astype(int)
    return Completed(decoded.reshape(values.shape), clipped.reshape(values.shape))


def draw(
    learned: Learned, values: np.ndarray, n: int, first: int, most: int = MOST_ROWS
) -> Completed:
    """Draw rows several times, each on its own: its draws depend on its number and its cells.

    Args:
        learned: what `learn` returned, of a method that draws.
        values: `(rows, *event)` float64 cells, NaN where missing.
        n: number of draws.
        first: the number of the first row, which the others follow.
        most: see `complete`.

    Returns:
        `(1 + n, rows, *event)` cells: the median of the draws, and they.
    """

    def several(rows: np.ndarray, places: np.ndarray, batch: int) -> np.ndarray:
        method, key, state = learned.method, learned.key, learned.state
        many = draw_rows(method, key, state, rows, first + places, n, batch)  # type: ignore[arg-type]
        return np.concatenate([middle(many, learned.codec.categories)[None], many])

    done = _completions(learned, values, 1 + n, several, most, drawn=True)
    central = coding.middle(learned.codec, done.values[0], done.values[1:])
    return done._replace(values=np.concatenate([central[None], done.values[1:]]))


def _completions(
    learned: Learned,
    values: np.ndarray,
    number: int,
    completed: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
    most: int,
    *,
    drawn: bool,
) -> Completed:
    """So many completions of cells, from those of coded rows with holes and their places."""
    flat = values.reshape(-1, values.shape[-1])
    matrix = _encoded(learned.codec, values)
    holed = np.flatnonzero(np.isnan(matrix).any(axis=tuple(range(1, matrix.ndim))))
    done = np.empty((number, 0, *matrix.shape[1:]), matrix.dtype)
    if learned.method is None:
        holed = holed[:0]
    elif holed.size:
        batch = max(1, min(most, _CELLS // int(np.prod(matrix.shape[1:]))))
        with one_thread(), precision(learned.codec.exact):
            done = completed(matrix[holed], holed, batch)
        report.refuse_divergence(done, f"'{learned.name}'", "Take another method or seed")
    decoded, clipped = [], np.zeros(flat.shape, int)
    for i, one in enumerate(done):
        matrix[holed] = one
        coded = matrix.reshape(len(flat), -1)
        decoded.append(coding.decode(learned.codec, coded, flat, drawn=drawn))
        if i or number == 1:  # of several, the first is their median
            clipped += coding.impossible(learned.codec, coded, flat)
    cells = np.stack(decoded).reshape(number, *values.shape)
    return Completed(cells, clipped.reshape(values.shape))


def _draws(learned: Learned) -> bool:
    method = learned.plan.method if learned.plan is not None else learned.method
    return method is not None and method.tag == "draws"


@contextlib.contextmanager
def _working(codec: Codec, data: Observed, name: str) -> Iterator[None]:
    """Around all that computes: one thread of BLAS, the precision, and want of memory explained."""
    with (
        one_thread(),
        explained(data, {"method": name}),
        precision(codec.exact),
    ):
        yield


def _encoded(codec: Codec, values: np.ndarray) -> np.ndarray:
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

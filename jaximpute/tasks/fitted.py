"""`Fitted`: a method that has learned from a table, with all it needs to complete rows to come."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import registry
from jaximpute._errors import DataError
from jaximpute._version import __version__
from jaximpute.data import codec as coding
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame
from jaximpute.engine import fingerprint
from jaximpute.engine.compiled import keep_compiled
from jaximpute.engine.execution import Running, adapt, lasting, place, wrappers
from jaximpute.engine.hooks import Keeping
from jaximpute.engine.parallel import gathered
from jaximpute.engine.precision import precision
from jaximpute.engine.rows import complete_rows
from jaximpute.engine.runs import train
from jaximpute.masking import observe
from jaximpute.types import Hook, Method, Net, State


class Fitted(NamedTuple):
    """What was learned from a table.

    Attributes:
        name: of the method in the catalogue, which completes rows one by one.
        preset: `fast`, `balanced`, `best` or `paper`.
        options: of the method, by name.
        seed: of all that is random, in learning and in completing.
        codec: between columns and what the method sees.
        rows: how many it learned from; methods are built by it.
        method: None if there was nothing to learn, or until `rebuild` is called.
        state: what the method learned; None if there was nothing.
        told: what the method has to tell of its choices, see `registry.Plan`; None if nothing.
    """

    name: str
    preset: str
    options: Mapping[str, Any] | None
    seed: int
    codec: Codec
    rows: int
    method: Method | None = None
    state: State = None
    told: Mapping[str, Any] | None = None


def fit(
    frame: Frame,
    name: str,
    preset: str,
    options: Mapping[str, Any] | None,
    seed: int,
    watching: Callable[[registry.Plan], Sequence[Hook]] = lambda plan: plan.hooks,
    keeping: Keeping | None = None,
    how: Running | None = None,
) -> Fitted:
    """Learn from a table.

    Args:
        frame: the rows; columns with nothing observed are left out of what is learned.
        name: see `Fitted`, as `preset`, `options` and `seed`.
        preset: see above.
        options: see above.
        seed: see above.
        watching: hooks of the run, given the plan.
        keeping: where checkpoints lie.
        how: on which devices, and with what arithmetic.

    Raises:
        OptionError: an unknown method, preset or option.
    """
    keep_compiled()
    codec = coding.learn(frame, registry.entry(name).exact)
    fitted = Fitted(name, preset, options, seed, codec, len(frame.values))
    if not codec.width:
        return fitted
    how = how or Running()
    with precision(codec.exact):
        data = place(how, observe(coding.encode(codec, frame.values)))
    fitted = fitted._replace(rows=len(data.values))
    plan = adapt(how, _plan(fitted, wrappers(how)), data)
    key, _ = _keys(seed)
    run = fingerprint.run(name, preset, seed, options) | lasting(how)
    words = registry.words(name, preset, options)
    with precision(codec.exact):
        state = train(plan, key, data, watching(plan), keeping, run, words)
        state = jax.tree.map(jnp.asarray, gathered(state)) if how.mesh else state
    told = None if plan.tells is None else plan.tells(state)
    return fitted._replace(method=_plan(fitted).method, state=state, told=told)


class Completed(NamedTuple):
    """Rows, completed.

    Attributes:
        values: `(rows, columns)`; columns of which nothing was learned keep their NaN.
        moved: `(rows, columns)` True where a fill was brought back within its bounds.
    """

    values: np.ndarray
    moved: np.ndarray


def complete(fitted: Fitted, values: np.ndarray, number: int = 0) -> Completed:
    """Complete rows, each by a key made of its own cells.

    Args:
        fitted: what has learned.
        values: `(rows, columns)` float64, NaN = missing.
        number: of a random completion, each of which is another; 0 = the estimate.
    """
    keep_compiled()
    matrix = coding.encode(fitted.codec, values)
    rows = np.flatnonzero(np.isnan(matrix).any(axis=1))
    if rows.size and fitted.method is not None:
        _, key = _keys(fitted.seed)
        key = jax.random.fold_in(key, number) if number else key
        answer: Any = fitted.method.sample if number else fitted.method.estimate
        with precision(fitted.codec.exact):
            matrix[rows] = complete_rows(answer, key, fitted.state, matrix[rows])
    return Completed(
        coding.decode(fitted.codec, matrix, values, drawn=number > 0),
        coding.impossible(fitted.codec, matrix, values),
    )


def rebuild(fitted: Fitted, leaves: Sequence[np.ndarray], where: str) -> Fitted:
    """Build the method anew, and give its state the numbers it had.

    Args:
        fitted: without its method and its state.
        leaves: the state's arrays in the order of `jax.tree.leaves`; none of nothing learned.
        where: what they were read from, for messages.

    Raises:
        DataError: this version cannot build the method, or its state looks different.
    """
    if not leaves:
        return fitted._replace(method=None, state=None)
    try:
        method = _plan(fitted).method
        with precision(fitted.codec.exact):
            rows = observe(np.zeros((fitted.rows, fitted.codec.width)))
            wanted = jax.eval_shape(method.init, jax.random.key(0), rows)
    except MemoryError:
        raise
    except Exception as error:  # settings from a file may make a method fail in any way
        raise DataError(
            f"the imputer in {where} cannot be rebuilt by jaximpute {__version__}: {error}; fit "
            "and save again"
        ) from error
    shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)]
    if shapes != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError(
            f"the imputer in {where} does not fit the '{fitted.name}' of jaximpute "
            f"{__version__}; fit and save again"
        )
    with precision(fitted.codec.exact):
        arrays = list(map(jnp.asarray, leaves))
    state = jax.tree.unflatten(jax.tree.structure(wanted), arrays)
    return fitted._replace(method=method, state=state)


def leaves(fitted: Fitted) -> list[np.ndarray]:
    """The arrays of what was learned, for `rebuild`."""
    return list(map(np.asarray, jax.tree.leaves(fitted.state)))


def _plan(fitted: Fitted, wrap: tuple[Callable[[Net], Net], ...] = ()) -> registry.Plan:
    # rows' values play no part in building a method: one that is read again gets the same
    with precision(fitted.codec.exact):
        data = observe(np.zeros((fitted.rows, fitted.codec.width)))
    return registry.build(
        fitted.name,
        data,
        kind="table",
        preset=fitted.preset,
        categories=fitted.codec.categories,
        options=fitted.options,
        wrap=wrap,
    )


def _keys(seed: int) -> tuple[jax.Array, jax.Array]:
    key_fit, key_rows = jax.random.split(jax.random.key(seed))
    return key_fit, key_rows

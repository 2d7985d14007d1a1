"""`Fitted`: a method built for some data, what it has learned, and all it needs to complete."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaximpute import registry
from jaximpute._errors import DataError, TimeError
from jaximpute._version import __version__
from jaximpute.data import codec as coding
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame
from jaximpute.data.layout import lay_out
from jaximpute.data.series import step_of
from jaximpute.engine import fingerprint
from jaximpute.engine.compiled import keep_compiled
from jaximpute.engine.execution import Execution, adapt, identity, place, wrappers
from jaximpute.engine.hooks import CheckpointPolicy
from jaximpute.engine.parallel import gathered
from jaximpute.engine.precision import precision
from jaximpute.engine.rows import complete_rows
from jaximpute.engine.runs import keys, train
from jaximpute.engine.threads import one_thread
from jaximpute.masking import observe
from jaximpute.registry import Plan
from jaximpute.tasks import limits
from jaximpute.tasks.advice import explained
from jaximpute.types import Answer, Hook, Kind, Method, Net, Observed, State


class Along(NamedTuple):
    """What was learned of the time of series.

    Attributes:
        step: their usual one, in seconds for dates.
        dated: whether they have dates.
        static: the columns with one value for each series, see `data.panels.static_columns`.
    """

    step: float
    dated: bool
    static: tuple[int, ...]


class Fitted(NamedTuple):
    """A method, what it was built for, and what it has learned.

    Attributes:
        name: of the method in the catalogue.
        kind: of the data.
        preset: `fast`, `balanced`, `best` or `paper`.
        options: of the method, by name.
        seed: of all that is random, in learning and in completing.
        codec: between columns and what the method sees.
        shape: `(rows, *event)` of the data it is built for, in the codec's columns.
        answer: what is asked, see `registry.build`.
        plan: the method; None if there was nothing to learn, or until `rebuild` is called.
        state: what the method learned; None if there was nothing, and of a method that completes
            only the rows it learns from.
        along: what was learned of the time; None but for series of frames.
    """

    name: str
    kind: Kind
    preset: str
    options: Mapping[str, Any] | None
    seed: int
    codec: Codec
    shape: tuple[int, ...]
    answer: Answer = "estimate"
    plan: Plan | None = None
    state: State = None
    along: Along | None = None

    @property
    def method(self) -> Method | None:
        """What completes rows; None if there was nothing to learn."""
        return None if self.plan is None else self.plan.method

    @property
    def choices(self) -> Mapping[str, Any]:
        """What the method has to tell of its choices, see `registry.Plan`."""
        if self.plan is None or self.plan.tells is None:
            return {}
        return self.plan.tells(self.state)


def build(
    fitted: Fitted, data: Observed | None = None, wrap: tuple[Callable[[Net], Net], ...] = ()
) -> Plan:
    """The plan of a method for data of the shape that it is for.

    Args:
        fitted: which method, and for what.
        data: of that shape, if at hand; their values play no part, so that a method that is read
            again is the same.
        wrap: see `registry.build`.
    """
    if data is None:
        with precision(fitted.codec.exact):
            data = observe(np.zeros(fitted.shape))
    return registry.build(
        fitted.name,
        data,
        kind=fitted.kind,
        preset=fitted.preset,
        categories=fitted.codec.categories,
        options=fitted.options,
        wrap=wrap,
        answer=fitted.answer,
    )


@contextlib.contextmanager
def computing(fitted: Fitted, shape: Sequence[int]) -> Iterator[None]:
    """Around all that computes: one thread of BLAS, the precision, and errors put into words.

    Args:
        fitted: by what method.
        shape: `(rows, *event)` of the data.
    """
    with (
        one_thread(),
        explained(fitted.name, shape, fitted.preset, fitted.options),
        precision(fitted.codec.exact),
    ):
        yield


def fit(
    frame: Frame,
    name: str,
    preset: str,
    options: Mapping[str, Any] | None,
    seed: int,
    hooks_of: Callable[[Plan], Sequence[Hook]] = lambda plan: plan.hooks,
    checkpoints: CheckpointPolicy | None = None,
    how: Execution | None = None,
) -> Fitted:
    """Learn from a table, or from series.

    Args:
        frame: the rows; columns with nothing observed are left out of what is learned.
        name: see `Fitted`, as `preset`, `options` and `seed`.
        preset: see above.
        options: see above.
        seed: see above.
        hooks_of: hooks of the run, given the plan.
        checkpoints: where checkpoints lie.
        how: on which devices, and with what arithmetic.

    Raises:
        OptionError: an unknown method, preset or option.
        TimeError: the steps of series are irregular.
        DivergenceError, OutOfMemoryError: see `advice.explained`.
    """
    keep_compiled()
    exact = registry.entry(name).exact
    with precision(bool(exact)):
        laid = lay_out(frame, exact)
    codec, along = laid.codec, None
    if frame.stamps is not None:
        if laid.times is not None:
            raise TimeError(
                "the steps of time are irregular, and what is learned is learned by steps. Round "
                "the stamps to steps, or use impute()"
            )
        along = Along(step_of(frame.stamps), frame.stamps.seconds is not None, frame.static)
    shape = (*frame.shape[:-1], codec.width)
    fitted = Fitted(name, frame.kind, preset, options, seed, codec, shape, along=along)
    if laid.data is None:
        return fitted
    how = how or Execution()
    with precision(codec.exact):
        data = place(how, laid.data)
    fitted = fitted._replace(shape=data.values.shape)
    plan = adapt(how, build(fitted, wrap=wrappers(how)), data)
    run = fingerprint.run(name, preset, seed, options) | identity(how)
    with computing(fitted, fitted.shape):
        if (most := how.most) is not None:

            def look(state: State) -> None:
                known = fitted._replace(plan=plan, state=state)
                limits.refuse_completion(known, fitted.shape, data.values.dtype, most)

            limits.refuse_run(name, plan, data, most, look)
        state = train(plan, keys(seed).fit, data, hooks_of(plan), checkpoints, run)
        state = jax.tree.map(jnp.asarray, gathered(state)) if how.mesh else state
    return fitted._replace(plan=build(fitted), state=state)


class Completed(NamedTuple):
    """Rows, completed.

    Attributes:
        values: `(rows, columns)`; columns of which nothing was learned keep their NaN.
        moved: `(rows, columns)` True where a fill was brought back within its bounds.
    """

    values: np.ndarray
    moved: np.ndarray


def complete(
    fitted: Fitted, values: np.ndarray, number: int = 0, most: float | None = None
) -> Completed:
    """Complete rows, each by a key made of its own cells.

    Args:
        fitted: what has learned.
        values: `(rows, columns)` float64, NaN = missing.
        number: of a random completion, each of which is another; 0 = the estimate.
        most: megabytes that it may take; None for no limit.

    Raises:
        OutOfMemoryError: it would take more.
    """
    keep_compiled()
    matrix = coding.encode(fitted.codec, values)
    rows = np.flatnonzero(np.isnan(matrix).any(axis=1))
    if rows.size and fitted.method is not None:
        key = keys(fitted.seed).complete
        key = jax.random.fold_in(key, number) if number else key
        answer: Any = fitted.method.sample if number else fitted.method.estimate
        with computing(fitted, (len(rows), fitted.codec.width)):
            if most is not None:
                cells = 2 * (values.nbytes + matrix.nbytes) / 1e6  # coded, and back
                shape = (len(rows), fitted.codec.width)
                limits.refuse_completion(fitted, shape, matrix.dtype, most, besides=cells)
            matrix[rows] = complete_rows(answer, key, fitted.state, matrix[rows])
    return Completed(
        coding.decode(fitted.codec, matrix, values, drawn=number > 0),
        coding.impossible(fitted.codec, matrix, values),
    )


def rebuild(fitted: Fitted, leaves: Sequence[np.ndarray], where: str, remedy: str) -> Fitted:
    """Build the method anew, and give its state the numbers it had.

    Args:
        fitted: without its method and its state.
        leaves: the state's arrays in the order of `jax.tree.leaves`.
        where: what they were read from, for messages, such as "the imputer in model/".
        remedy: what to do if they do not fit, for messages.

    Raises:
        DataError: this version cannot build the method, or its state looks different.
    """
    if not fitted.codec.width:
        return fitted
    try:
        plan = build(fitted)
        if not registry.entry(fitted.name, fitted.kind).inductive:
            return fitted._replace(plan=plan)
        with precision(fitted.codec.exact):
            rows = observe(np.zeros(fitted.shape))
            wanted = jax.eval_shape(plan.method.init, jax.random.key(0), rows)
    except MemoryError:
        raise
    except Exception as error:  # settings from a file may make a method fail in any way
        raise DataError(
            f"{where} cannot be rebuilt by jaximpute {__version__}: {error}; {remedy}"
        ) from error
    shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)]
    if shapes != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError(
            f"{where} does not fit the '{fitted.name}' of jaximpute {__version__}; {remedy}"
        )
    with precision(fitted.codec.exact):
        arrays = list(map(jnp.asarray, leaves))
    state = jax.tree.unflatten(jax.tree.structure(wanted), arrays)
    return fitted._replace(plan=plan, state=state)


def leaves(fitted: Fitted) -> list[np.ndarray]:
    """The arrays of what was learned, for `rebuild`."""
    return list(map(np.asarray, jax.tree.leaves(fitted.state)))

"""What a run may take of memory (`--max-memory`): looked at before it is begun."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from jaximpute.engine import draws, rows
from jaximpute.engine import memory as memory_of
from jaximpute.engine.runs import keys
from jaximpute.masking import from_nan
from jaximpute.registry import Plan
from jaximpute.tasks.plan import Limit, megabytes, try_out
from jaximpute.types import Method, Observed, State


@runtime_checkable
class Learned(Protocol):
    """What `tasks.fitted.Fitted` has, and is looked at here."""

    @property
    def name(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def method(self) -> Method | None: ...

    @property
    def state(self) -> State: ...


def refuse_run(
    name: str,
    plan: Plan,
    data: Observed,
    most: float,
    look: Callable[[State], None] | None = None,
    besides: float = 0.0,
) -> None:
    """Refuse what a method would do, by one chunk of its steps.

    Args:
        name: of the method.
        plan: what is run.
        data: what it learns from.
        most: megabytes that it may take.
        look: looks at what completes, given a state; None = the same rows are completed.
        besides: megabytes of arrays around it.

    Raises:
        OutOfMemoryError: it takes more; a program that would is not run.
    """
    grown, limit = memory_of.watch(), Limit(name, most, besides)
    trial = try_out(plan, data, 0, limit, look)
    limit.check(float(np.fmax(max(part.peak for part in trial.parts), grown())))


def refuse_completion(
    fitted: Learned,
    shape: Sequence[int],
    dtype: Any,
    most: float,
    *,
    batch: int | None = None,
    many: int = 0,
    besides: float = 0.0,
) -> None:
    """Refuse to complete rows by what was learned; the program is compiled, and not run.

    Args:
        fitted: with its method and its state.
        shape: `(n, *event)` of the rows, in the codec's columns.
        dtype: of these.
        most: megabytes that it may take.
        batch: rows in a compiled call, see `engine.rows.complete_rows`.
        many: random completions, see `engine.rows.draw_rows`; 0 = one estimate.
        besides: megabytes of arrays around it.

    Raises:
        OutOfMemoryError: it takes more.
    """
    method: Any = fitted.method
    size = batch or 2 ** int(np.ceil(np.log2(max(1, min(shape[0], rows.MOST_ROWS)))))
    key = keys(fitted.seed).complete
    cells = jax.ShapeDtypeStruct((size, *shape[1:]), dtype)
    codes = jax.ShapeDtypeStruct((size,), np.int32 if many else np.uint32)
    if many:
        program = draws._draw_each.lower(
            method,
            jax.eval_shape(lambda key: jax.random.split(key, many), key),
            fitted.state,
            jax.eval_shape(from_nan, cells),
            1,
            codes,
        )
    else:
        program = rows._answer_each.lower(method.estimate, key, codes, fitted.state, cells)
    Limit(fitted.name, most, besides).check(megabytes(program.compile()))

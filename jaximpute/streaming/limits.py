"""What a run in blocks may take of memory: predicted by one block, and by what it learns from."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaximpute._errors import OutOfMemoryError
from jaximpute.engine.precision import precision
from jaximpute.masking import from_nan
from jaximpute.streaming import completing, feeds
from jaximpute.streaming.learning import encoded
from jaximpute.streaming.spans import Spans
from jaximpute.streaming.types import Source
from jaximpute.tasks import limits
from jaximpute.tasks.fitted import Fitted, computing
from jaximpute.types import Observed, State


def refuse_cells(source: Source, spans: Spans, draws: int, most: float) -> float:
    """Refuse blocks whose cells alone take more than they may, before any is read.

    Args:
        source: what is completed.
        spans: its blocks.
        draws: how many completions of a block lie in memory, besides one.
        most: megabytes that the run may take.

    Returns:
        Megabytes of these cells: of a block, of the next one that is read meanwhile, of the block
        coded and completed, and of its draws.

    Raises:
        OutOfMemoryError: they are more.
    """
    cells = 8 * (4 + draws) * spans.window * int(np.prod(source.event)) / 1e6
    if cells > most:
        raise OutOfMemoryError(
            f"a block of {spans.block} rows takes about {cells:.4g} MB, and may take {most:.4g} MB "
            "(--max-memory). Lower block_rows (--block-rows)"
        )
    return cells


def refuse_learning(
    fitted: Fitted,
    data: Observed,
    block: Sequence[int],
    timed: bool,
    draws: int,
    most: float,
    besides: float,
) -> None:
    """Refuse to learn from rows, and to complete blocks by what was learned.

    Args:
        fitted: with its plan, and no state.
        data: the rows that are learned from.
        block: shape of a block in the codec's columns.
        timed: whether blocks go along time.
        draws: random completions; 0 = one estimate.
        most: megabytes that it may take.
        besides: what `refuse_cells` returned.

    Raises:
        OutOfMemoryError: it would take more; see `tasks.limits`.
    """
    batch = completing.batch_of(block[1:], block[0] if timed else completing.MOST_ROWS)

    def look(state: State) -> None:
        known, dtype = fitted._replace(state=state), data.values.dtype
        limits.refuse_completion(
            known, block, dtype, most, batch=batch, many=draws, besides=besides
        )

    assert fitted.plan is not None
    limits.refuse_run(fitted.name, fitted.plan, data, most, look, besides)


def refuse_together(
    fitted: Fitted, source: Source, spans: Spans, most: float, besides: float
) -> None:
    """Refuse to complete blocks each from its own rows, by the first of them.

    Args:
        fitted: with its plan.
        source: what is completed.
        spans: its blocks.
        most: megabytes that it may take.
        besides: what `refuse_cells` returned.

    Raises:
        OutOfMemoryError: it would take more.
    """
    window = source.read(*spans.all[0][2:])
    matrix = encoded(fitted.codec, feeds.windows_of(window) if source.along == "time" else window)
    if fitted.plan is None or not np.isnan(matrix).any():
        return
    with precision(fitted.codec.exact):
        data = from_nan(jnp.asarray(matrix))
    with computing(fitted, matrix.shape):
        limits.refuse_run(fitted.name, fitted.plan, data, most, besides=besides)

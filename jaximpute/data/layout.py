"""A frame as methods take it: its learnable columns coded, its rows along the axes of its kind."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaximpute.catalogue import Exact
from jaximpute.data import codec as coding
from jaximpute.data import series
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame
from jaximpute.masking import observe
from jaximpute.types import Observed


class Static(NamedTuple):
    """Columns of the matrix with one value for each series.

    Attributes:
        columns: `(S,)` which.
        bare: `(n, S)` the series that show none of it.
        step: `(n,)` the step of each series at which most is observed.
    """

    columns: np.ndarray
    bare: np.ndarray
    step: np.ndarray


class Layout(NamedTuple):
    """A frame laid out.

    Attributes:
        codec: of its columns.
        matrix: `(rows, codec.width)` coded cells, NaN where missing.
        axis: of time; None unless it is a series.
        data: the same cells as rows, series, images or fields; None if no column can be learned.
        notes: on the times or the grid, for the user.
        static: what has one value for each series; methods see it at all steps.
    """

    codec: Codec
    matrix: np.ndarray
    axis: series.Axis | None
    data: Observed | None
    notes: tuple[str, ...]
    static: Static | None = None

    @property
    def times(self) -> np.ndarray | None:
        """Positions of a series' steps, in units of its usual step; None if regular."""
        return None if self.axis is None else self.axis.positions

    @property
    def categories(self) -> tuple[int, ...]:
        """The category that each column of the matrix is of; see `registry.build`."""
        return self.codec.categories


def lay_out(frame: Frame, exact: Exact = "") -> Layout:
    """Code the columns of a frame and place its rows.

    Args:
        frame: what `data.frames.read` returned.
        exact: of the method, see `catalogue.Entry`; if so, called within `precision(True)`.

    Returns:
        The layout.

    Raises:
        TimeError: the time axis cannot be used.

    Example:
        >>> import numpy as np
        >>> from jaximpute.data.frames import read
        >>> laid = lay_out(read(np.arange(30.0).reshape(5, 3, 2)))  # five series
        >>> laid.matrix.shape, laid.data.values.shape
        ((15, 2), (5, 3, 2))
    """
    axis: series.Axis | None = None
    notes: list[str] = []
    if frame.kind == "series":
        axis, notes = series.make_axis(frame.stamps, frame.shape[1])
        axis = axis._replace(static=frame.static)
    elif frame.grid is not None:
        notes = list(frame.grid.notes)
    codec = coding.learn(frame, exact)
    matrix = coding.encode(codec, frame.values)
    if not codec.width:
        return Layout(codec, matrix, axis, None, tuple(notes))
    if axis is None:
        placed = matrix.reshape(*frame.shape[:-1], codec.width)
    else:
        placed = series.place(axis, matrix, frame.shape[0])
    static = None
    if frame.static:
        placed, static = spread(placed, np.flatnonzero(np.isin(codec.sources, frame.static)))
    return Layout(codec, matrix, axis, observe(placed), tuple(notes), static)


def spread(placed: np.ndarray, static: Sequence[int] | np.ndarray) -> tuple[np.ndarray, Static]:
    """Series with their own value of static columns at all steps.

    Args:
        placed: `(n, T, width)`, NaN where missing.
        static: the columns with one value for each series.
    """
    columns = np.array(static, int)
    seen = ~np.isnan(placed)
    first = np.argmax(seen[:, :, columns], axis=1)[:, None]
    own = np.take_along_axis(placed[:, :, columns], first, axis=1)
    # in series to come such a column may move after all
    alike = (~seen[:, :, columns] | (placed[:, :, columns] == own)).all(axis=1, keepdims=True)
    result = placed.copy()
    result[:, :, columns] = np.where(seen[:, :, columns] | ~alike, placed[:, :, columns], own)
    return result, Static(columns, np.isnan(own[:, 0]), np.argmax(seen.sum(axis=2), axis=1))


def take_back(laid: Layout, completed: np.ndarray) -> np.ndarray:
    """The completed cells of `laid.data` as a matrix, in the order of the frame's rows.

    Args:
        laid: from `lay_out`.
        completed: shaped like `laid.data.values`; rows of padding come last.

    Returns:
        `(rows, codec.width)`. A series that shows nothing of a static column gets one value, that
        of the step at which most is observed: a mean of all would take draws their spread.
    """
    if laid.static is not None:
        completed = constant(completed, laid.static)
    if laid.axis is None:
        return completed.reshape(-1, *laid.matrix.shape[1:])[: len(laid.matrix)]
    return series.take(laid.axis, completed)


def constant(completed: np.ndarray, static: Static) -> np.ndarray:
    """Series `(..., n, T, width)`, completed, with one value where they showed none.

    See `take_back`; the leading axes are those of several completions.
    """
    columns, bare, step = static
    result, every = np.array(completed), np.arange(len(step))
    one = result[..., every, step, :][..., None, columns]
    result[..., columns] = np.where(bare[:, None], one, result[..., columns])
    return result


def few_sizes(n: int) -> int:
    r"""The next of :math:`\{4, 5, 6, 7\} \cdot 2^j`, or `n` itself up to 8."""
    return n if n <= 8 else n + -n % 2 ** ((n - 1).bit_length() - 3)


def in_few_sizes(data: Observed) -> Observed:
    r"""Rows of a table padded, with weight 0, to the next of :math:`\{4, 5, 6, 7\} \cdot 2^j`.

    Programs are compiled for each number of rows, and tables of nearly one size so share them; at
    most a quarter of the rows is padding. Other kinds of data are returned as they are.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> data = in_few_sizes(ji.observe(np.ones((9, 2))))
        >>> data.values.shape, float(data.weight.sum())
        ((10, 2), 9.0)
    """
    n = len(data.values)
    if data.values.ndim != 2 or n <= 8:
        return data
    more = few_sizes(n) - n
    return Observed(
        jnp.pad(data.values, ((0, more), (0, 0))),
        jnp.pad(data.mask, ((0, more), (0, 0))),
        jnp.pad(data.weight, (0, more)),
    )

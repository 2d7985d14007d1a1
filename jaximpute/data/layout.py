"""A frame as methods take it: its learnable columns coded, its rows along the axes of its kind."""

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


class Layout(NamedTuple):
    """A frame laid out.

    Attributes:
        codec: of its columns.
        matrix: `(rows, codec.width)` coded cells, NaN where missing.
        axis: of time; None unless it is a series.
        data: the same cells as rows, series, images or fields; None if no column can be learned.
        notes: on the times or the grid, for the user.
    """

    codec: Codec
    matrix: np.ndarray
    axis: series.Axis | None
    data: Observed | None
    notes: tuple[str, ...]

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
    return Layout(codec, matrix, axis, observe(placed), tuple(notes))


def take_back(laid: Layout, completed: np.ndarray) -> np.ndarray:
    """The completed cells of `laid.data` as a matrix, in the order of the frame's rows.

    Args:
        laid: from `lay_out`.
        completed: shaped like `laid.data.values`; rows of padding come last.

    Returns:
        `(rows, codec.width)`.
    """
    if laid.axis is None:
        return completed.reshape(-1, *laid.matrix.shape[1:])[: len(laid.matrix)]
    return series.take(laid.axis, completed)


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
    unit = 2 ** ((n - 1).bit_length() - 3)
    more = -n % unit
    return Observed(
        jnp.pad(data.values, ((0, more), (0, 0))),
        jnp.pad(data.mask, ((0, more), (0, 0))),
        jnp.pad(data.weight, (0, more)),
    )

"""Views: how the rows a network sees are cut from the state, and averaged back into it."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaximpute.types import View


def identity(shape: tuple[int, ...]) -> View:
    """The rows are the state's own rows."""
    return View(shape[0], lambda x, i: x[i], lambda rows: rows)


def windows(shape: tuple[int, ...], length: int, stride: int = 1, apart: bool = False) -> View:
    r"""Windows over the time axis of series `(n, time, channels)`.

    Row `(s, j)` of the view is `x[s, a_j : a_j + length]` with `a_j = j * stride`; a last window is
    added where the stride leaves a tail uncovered. Folding averages over the windows that cover an
    entry: with :math:`R` the gather, `fold` is :math:`(R^\top R)^{-1} R^\top`, so `fold(take(x))`
    gives `x` back.

    Args:
        shape: of the state, `(n, time, channels)`.
        length: steps in a window, in 1..time; a longer one is cut to `time`.
        stride: steps between window starts, in 1..length: with a longer one, entries between
            windows would belong to none.
        apart: whether each channel is a series of its own.

    Returns:
        A view with `n * windows` rows of shape `(length, channels)`; with `apart`,
        `n * channels * windows` rows of shape `(length, 1)`.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.arange(5.0).reshape(1, 5, 1)
        >>> view = windows(x.shape, length=2, stride=2)
        >>> view.take(x, jnp.arange(view.size))[..., 0].tolist()
        [[0.0, 1.0], [2.0, 3.0], [3.0, 4.0]]
        >>> view.fold(view.take(x, jnp.arange(view.size)))[0, :, 0].tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    if apart:
        return _each_channel(shape, length, stride)
    n, time, channels = shape
    length = min(length, time)
    if not 1 <= stride <= length:
        raise ValueError(f"stride is {stride}; expected 1..{length}, the window length")
    starts = np.arange(0, time - length + 1, stride)
    if starts[-1] != time - length:
        starts = np.append(starts, time - length)
    cover, covered = _cover(starts, length, time)

    def take(x, i):
        series, window = i // len(starts), i % len(starts)
        steps = jnp.asarray(starts)[window][:, None] + jnp.arange(length)[None]
        return x[series[:, None], steps]

    def fold(rows):
        flat = rows.reshape(n, len(starts) * length, channels)
        # a sum of gathers, one per covering window: a scatter-add runs serially on CPU
        total = sum(
            jnp.where(covered[None, :, j, None], flat[:, cover[:, j]], 0)
            for j in range(cover.shape[1])
        )
        return total / covered.sum(1)[None, :, None].astype(rows.dtype)

    return View(n * len(starts), take, fold)


def row_weight(
    view: View, weight: Float[Array, "n"], where: Bool[Array, "n *event"]
) -> Float[Array, "rows"]:
    """The weight of each row of a view; 0 for a row none of whose entries is in `where`."""
    spread = jnp.where(where, weight.reshape(-1, *(1,) * (where.ndim - 1)), 0)
    return view.take(spread, jnp.arange(view.size)).reshape(view.size, -1).max(axis=1)


def _each_channel(shape: tuple[int, ...], length: int, stride: int) -> View:
    n, time, channels = shape
    view = windows((n * channels, time, 1), length, stride)

    def take(x, i):
        return view.take(x.swapaxes(1, 2).reshape(-1, time, 1), i)

    def fold(rows):
        return view.fold(rows).reshape(n, channels, time).swapaxes(1, 2)

    return View(view.size, take, fold)


def _cover(starts: np.ndarray, length: int, time: int) -> tuple[np.ndarray, np.ndarray]:
    """For each time step, the flat positions (window, offset) that hold it, padded, and a mask."""
    steps = (starts[:, None] + np.arange(length)).ravel()
    order = np.argsort(steps, kind="stable")
    counts = np.bincount(steps, minlength=time)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    covered = np.arange(counts.max()) < counts[:, None]
    positions = np.where(covered, first[:, None] + np.arange(counts.max()), 0)
    return order[positions], covered

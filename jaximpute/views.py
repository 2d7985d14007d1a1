"""Views: how the rows a network sees are cut from the state, and averaged back into it."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from jaximpute.types import View


def identity(shape: tuple[int, ...]) -> View:
    """The rows are the state's own rows."""
    return View(shape[0], lambda x, i: x[i], lambda rows: rows, whole=True)


def every(view: View, x: Shaped[Array, "n *event"]) -> Shaped[Array, "rows *rest"]:
    """All rows of a view of a state, in their order.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.arange(3.0).reshape(1, 3, 1)
        >>> every(windows(x.shape, length=2), x)[..., 0].tolist()
        [[0.0, 1.0], [1.0, 2.0]]
    """
    return x if view.whole else view.take(x, jnp.arange(view.size))


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
        chex.assert_axis_dimension(x, 1, time)
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


def tiles(shape: tuple[int, ...], size: Sequence[int], overlap: Sequence[int] | int) -> View:
    r"""Overlapping tiles of fields `(n, time, y, x, channels)`, blended where they meet.

    Along each axis, tiles of one length start at evenly spread places; see `tile_length`. Folding
    is a weighted average: at a distance :math:`d` from the end of a tile of length :math:`l` its
    weight is :math:`\min(d, l - d)`, divided by the sum over the tiles that cover the place, so
    that weights are a partition of unity and one tile fades into the next.
    It is computed as :math:`v_0 + \sum_k w_k (v_k - v_0)`: where all tiles agree, the answer is
    theirs, bit for bit, so `fold(take(x))` is `x`.

    Args:
        shape: of the state, `(n, time, y, x, channels)` or `(n, y, x, channels)`.
        size: lengths of a tile along time, y and x, or y and x, at most but for `tile_length`;
            longer ones than the field's are cut to it.
        overlap: steps that neighbours share at least, along each axis or all, in 0..length - 1.

    Returns:
        A view with `n * tiles` rows of shape `(*size, channels)`.

    Raises:
        ValueError: sizes or overlaps out of range, or of another number of axes.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.arange(30.0).reshape(1, 5, 6, 1)
        >>> view = tiles(x.shape, size=(5, 4), overlap=2)
        >>> view.take(x, jnp.array([1]))[0, 0, :, 0].tolist()
        [2.0, 3.0, 4.0, 5.0]
        >>> bool((view.fold(view.take(x, jnp.arange(view.size))) == x).all())
        True
    """
    n, *axes, channels = shape
    asked = (overlap,) * len(axes) if isinstance(overlap, int) else tuple(overlap)
    if len(size) != len(axes) or len(asked) != len(axes):
        raise ValueError(f"size is {tuple(size)} and overlap {asked}; expected {len(axes)} of each")
    lengths = [tile_length(*each) for each in zip(axes, size, asked, strict=True)]
    starts = [tile_starts(*each) for each in zip(axes, size, asked, strict=True)]
    counts = [len(one) for one in starts]
    per_field = int(np.prod(counts))

    def take(x, i):
        chex.assert_shape(x, (None, *shape[1:]))
        index = jnp.unravel_index(i % per_field, counts)
        begin = [jnp.asarray(one)[k] for one, k in zip(starts, index, strict=True)]

        def cut(sample, *corner):
            whole = (sample, *corner, 0)
            return jax.lax.dynamic_slice(x, whole, (1, *lengths, channels))[0]

        return jax.vmap(cut)(i // per_field, *begin)

    def fold(rows):
        # axes in pairs (tile, place in the tile), joined one after the other
        parts = rows.reshape(n, *counts, *lengths, channels)
        for axis, (begin, length, whole) in enumerate(zip(starts, lengths, axes, strict=True)):
            place = 1 + len(axes) - axis  # of the first axis inside tiles that is not joined yet
            paired = jnp.moveaxis(jnp.moveaxis(parts, 1, 0), place, 1)
            joined = _blend(paired.reshape(len(begin) * length, *paired.shape[2:]), begin, whole)
            # joined axes come last before the channels, in their order
            parts = jnp.moveaxis(joined, 0, -2)
        return parts

    return View(n * per_field, take, fold)


def tile_length(whole: int, size: int, overlap: int) -> int:
    """The length of tiles along an axis of length `whole`.

    Of as few tiles as `size` and `overlap` allow, the least that covers the axis: with a fixed one,
    a field slightly longer than a tile would be cut into two that are nearly the same. A field that
    is longer by no more than the overlap, nor half of what a tile does not share, is one tile.

    Raises:
        ValueError: a size below 1, or an overlap out of range.

    Example:
        >>> [tile_length(whole, 32, 8) for whole in (20, 33, 41, 56, 57)]
        [20, 33, 25, 32, 25]
    """
    if size < 1 or (size < whole and not 0 <= overlap < size):
        raise ValueError(f"overlap is {overlap} of a tile of {size}; expected 0..{size - 1}")
    if whole <= size + min(overlap, (size - overlap) // 2):
        return whole
    number = -(-(whole - overlap) // (size - overlap))
    return -(-(whole + (number - 1) * overlap) // number)


def tile_starts(whole: int, size: int, overlap: int) -> np.ndarray:
    """Where tiles begin along an axis of length `whole`: evenly spread, from its start to its end.

    Example:
        >>> tile_starts(41, 32, 8).tolist()
        [0, 16]
    """
    length = tile_length(whole, size, overlap)
    number = 1 if length == whole else -(-(whole - overlap) // (length - overlap))
    return np.round(np.linspace(0, whole - length, number)).astype(int)


def _blend(flat: jax.Array, starts: np.ndarray, whole: int) -> jax.Array:
    """Places of tiles, one tile after the other along the first axis, as places of the whole."""
    length = flat.shape[0] // len(starts)
    cover, covered = _cover(starts, length, whole)
    inside = cover % length
    weight = np.where(covered, np.minimum(inside + 1, length - inside), 0.0)
    weight = weight / weight.sum(axis=1, keepdims=True)
    first = flat[cover[:, 0]]
    total = first
    for j in range(1, cover.shape[1]):
        w, here = (v[:, j].reshape(-1, *(1,) * (flat.ndim - 1)) for v in (weight, covered))
        change = jnp.asarray(w, flat.dtype) * (flat[cover[:, j]] - first)
        total = total + jnp.where(here, change, 0)
    return total


def row_weight(
    view: View, weight: Float[Array, "n"], where: Bool[Array, "n *event"]
) -> Float[Array, "rows"]:
    """The weight of each row of a view; 0 for a row none of whose entries is in `where`."""
    chex.assert_shape(weight, where.shape[:1])
    spread = jnp.where(where, weight.reshape(-1, *(1,) * (where.ndim - 1)), 0)
    return every(view, spread).reshape(view.size, -1).max(axis=1)


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

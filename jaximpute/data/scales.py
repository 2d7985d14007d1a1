"""Centre and scale of columns of numbers, and answers that are observed values but for rounding."""

import numpy as np

APART = 1e6  # times the median distance from the median: a spread that hides all but a few cells
_NORMAL = 1.4826  # standard deviations in the median distance of a normal column


def learn_scales(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Means and standard deviations, or robust ones where a few cells make all the spread.

    Where the standard deviation is more than a million times the median distance from the median,
    single precision could not tell most cells apart. The centre is then the median :math:`m`, and
    the scale :math:`1.4826 \, \mathrm{median} |x - m|` over the cells that differ from it.

    Args:
        values: `(rows, d)`, NaN where missing.

    Returns:
        `(d,)` centres and `(d,)` scales.

    Example:
        >>> x = np.array([[20.0], [21.0], [22.0], [2.1e9]])
        >>> centre, scale = learn_scales(x)
        >>> float(centre[0]), bool(scale[0] < 10)
        (21.5, True)
    """
    if not values.shape[1]:
        return np.zeros(0), np.ones(0)
    centre, scale = moments(values)
    for i in range(values.shape[1]):
        centre[i], scale[i] = robust(values[:, i], centre[i], scale[i])
    return centre, scale


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over observed cells, safe from overflow and underflow."""
    size = np.nanmax(np.abs(values), axis=0)
    unit = values / size
    centre = np.nanmean(unit, axis=0)
    off = unit - centre
    spread = np.nanmax(np.abs(off), axis=0)
    scale = np.sqrt(np.nanmean((off / spread) ** 2, axis=0)) * spread * size
    return centre * size, np.maximum(scale, np.finfo(float).tiny)


def robust(x: np.ndarray, centre: float, scale: float) -> tuple[float, float]:
    """The centre and scale of one column, or robust ones in their place; see `learn_scales`."""
    x = x[~np.isnan(x)]
    if not x.size:
        return centre, scale
    size = np.abs(x).max()
    unit = x / size if size > 0 else x  # in whose differences and sums nothing overflows
    middle = np.median(unit)
    distance = np.abs(unit - middle)
    apart = distance[distance > 0]
    if not apart.size or not scale / size > APART * np.median(apart):
        return centre, scale
    width = max(_NORMAL * np.median(apart) * size, np.finfo(float).tiny)
    return float(middle * size), float(width)


def snapped(numbers: np.ndarray, observed: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Answers that differ from an observed value by no more than rounding become that value.

    Args:
        numbers: `(rows, d)` answers in float64.
        observed: `(rows, d)` cells, NaN where missing.
        centre: `(d,)` what was taken off them.

    Returns:
        `(rows, d)`.
    """
    result = numbers.copy()
    for j in range(numbers.shape[1]):
        known = np.unique(observed[~np.isnan(observed[:, j]), j])
        if not known.size:
            continue
        x = numbers[:, j]
        near = np.searchsorted(known, x)
        left = known[np.clip(near - 1, 0, known.size - 1)]
        right = known[np.clip(near, 0, known.size - 1)]
        # halves, as the difference of two large numbers may be no number
        nearest = np.where(x / 2 - left / 2 < right / 2 - x / 2, left, right)
        rounding = 4 * np.finfo(float).eps * np.maximum(np.abs(nearest), np.abs(centre[j]))
        result[:, j] = np.where(np.abs(x - nearest) <= rounding, nearest, x)
    return result

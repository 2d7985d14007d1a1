r"""Directions as points of a circle: 350 and 10 degrees are neighbours, and their mean is 0.

A cell :math:`x` with period :math:`p` becomes :math:`(\sin\theta, \cos\theta)` with
:math:`\theta = 2 \pi x / p`, and an answer :math:`(a, b)` becomes the angle of that point.
"""

from typing import Any, NamedTuple

import numpy as np

_NEAR = 1e-9  # of a period: as near as that, an answer is an observed value


class Circle(NamedTuple):
    """A column learned as sine and cosine.

    Attributes:
        column: its number in the frame.
        period: after which it comes back to itself.
        start: answers lie in `[start, start + period)`.
        closed: whether they lie in `(start, start + period]` instead: 360, and never 0.
        whole: whether they are whole numbers.
        centre: `(2,)` the means of sine and cosine.
        scale: root of their total variance, so that the two weigh like one number.
    """

    column: int
    period: float
    start: float
    closed: bool
    whole: bool
    centre: np.ndarray
    scale: float


def learn_circle(
    column: int, period: float, whole: bool, low: float, high: float, mean: np.ndarray
) -> Circle:
    """A column of directions by its range and the means of its sine and cosine.

    Args:
        column: its number in the frame.
        period: after which it comes back to itself.
        whole: whether it holds whole numbers.
        low: its least value.
        high: its greatest.
        mean: `(2,)` means of sine and cosine.
    """
    start = -period / 2 if -period / 2 <= low < 0 else 0.0
    closed = high == start + period and low > start
    # the two have the total variance 1 - |mean|^2; at one place only they have none
    spread = float(np.sqrt(max(1.0 - float(mean @ mean), 1e-12)))
    return Circle(column, period, start, closed, whole, np.asarray(mean, float), spread)


def circle_of(column: int, period: float, whole: bool, x: np.ndarray) -> Circle:
    """`learn_circle` from the observed cells themselves."""
    mean = points(x, period).mean(axis=0)
    return learn_circle(column, period, whole, float(x.min()), float(x.max()), mean)


def points(x: np.ndarray, period: float) -> np.ndarray:
    """Sine and cosine of directions, along a last axis.

    Example:
        >>> points(np.array([0.0, 90.0]), 360.0).round(3).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    # a whole number of turns is taken off in the column's own units, where it is exact
    angle = 2 * np.pi * np.mod(x, period) / period
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def encoded(circle: Circle, x: np.ndarray) -> np.ndarray:
    """`(rows,)` cells as `(rows, 2)` standardised ones."""
    return (points(x, circle.period) - circle.centre) / circle.scale


def decoded(circle: Circle, coded: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The directions of `(rows, 2)` standardised points.

    Args:
        circle: of the column.
        coded: the points.
        observed: directions that are observed; an answer nearer to one than rounding is that one.

    Returns:
        `(rows,)` directions in the circle's range.
    """
    sine, cosine = (coded.astype(np.float64) * circle.scale + circle.centre).T
    x = np.arctan2(sine, cosine) * circle.period / (2 * np.pi)
    if circle.whole:
        x = np.rint(x)
    x = wrapped(x, circle)
    if observed.size:
        known = np.unique(observed)
        spot = np.searchsorted(known, x)
        for place in (spot - 1, spot % known.size):
            close = np.abs(between(x, known[place], circle.period)) <= _NEAR * circle.period
            x = np.where(close, known[place], x)
    return x + 0.0


def wrapped(x: np.ndarray, circle: Circle) -> np.ndarray:
    """Directions brought into the range of a circle."""
    end = circle.start + circle.period
    if circle.closed:
        return end - np.mod(end - x, circle.period)
    inside = circle.start + np.mod(x - circle.start, circle.period)
    return np.where(inside >= end, circle.start, inside)  # a tiny negative one rounds to the end


def quantiles(circle: Circle, x: np.ndarray, levels: Any) -> np.ndarray:
    """Quantiles of directions, counted from their mean direction the shorter way round.

    Args:
        circle: of the column.
        x: `(n, ...)` directions.
        levels: of the quantiles, in [0, 1].

    Returns:
        `(levels, ...)` directions.
    """
    sine, cosine = np.moveaxis(points(x, circle.period).mean(axis=0), -1, 0)
    middle = np.arctan2(sine, cosine) * circle.period / (2 * np.pi)
    off = np.quantile(between(x, middle, circle.period), levels, axis=0)
    return wrapped(middle + off, circle)


def between(a: np.ndarray, b: np.ndarray, period: float | np.ndarray) -> np.ndarray:
    """How far `a` is from `b`, the shorter way round.

    Example:
        >>> between(np.array([10.0]), np.array([350.0]), 360.0).tolist()
        [20.0]
    """
    return np.mod(a - b + period / 2, period) - period / 2


def around(a: np.ndarray, b: np.ndarray, period: float) -> float:
    r"""The 1-Wasserstein distance of two samples of directions, the shorter way round.

    .. math:: \int_0^p |F(x) - G(x) - c| \, dx, \quad c \text{ the median of } F - G

    Args:
        a: directions.
        b: as many others.
        period: after which they come back to themselves.

    Example:
        >>> around(np.array([350.0, 10.0]), np.array([0.0, 20.0]), 360.0)
        10.0

    Source: Rabin, Delon and Gousseau, "Transportation distances on the circle" (2011).
    """
    spots = np.mod(np.concatenate([a, b]), period)
    steps = np.repeat([1 / len(a), -1 / len(b)], [len(a), len(b)])
    order = np.argsort(spots)
    ahead = np.cumsum(steps[order])
    lengths = np.diff(spots[order], append=spots[order][0] + period)
    rank = np.argsort(ahead)
    middle = int(np.searchsorted(np.cumsum(lengths[rank])[:-1], period / 2))
    return float((np.abs(ahead - ahead[rank[middle]]) * lengths).sum())

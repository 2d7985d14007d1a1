"""Directions in a picture: degrees of one turn, lines that break and bars that go on across it."""

from typing import TYPE_CHECKING

import numpy as np

from jaximpute.data.circles import Circle, circle_of, wrapped
from jaximpute.data.possible import FULL_TURN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_QUARTERS = 4


def turn(period: float, observed: np.ndarray) -> Circle:
    """The one turn that is drawn, from where the observed cells have it.

    Args:
        period: of the column.
        observed: its cells, without those that are missing.
    """
    return circle_of(0, period, False, observed if observed.size else np.zeros(1))


def broken(x: np.ndarray, y: np.ndarray, period: float) -> tuple[np.ndarray, np.ndarray]:
    """A line that breaks where it leaves one end of the turn and comes back at the other.

    Args:
        x: `(n,)` where its points are.
        y: `(n,)` directions of one turn, NaN where missing.
        period: of the turn.

    Returns:
        Both with a NaN more after each point from which the shorter way leads across the end.

    Example:
        >>> broken(np.arange(3), np.array([350.0, 10.0, 20.0]), 360.0)[1].tolist()
        [350.0, nan, 10.0, 20.0]
    """
    across = np.flatnonzero(np.abs(np.diff(y)) > period / 2)
    return np.insert(x, across + 1, x[across]), np.insert(y, across + 1, np.nan)


def bars(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, circle: Circle
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals from their lower end on to the upper one, in two parts across the turn's end.

    Args:
        x: `(n,)` where they are.
        low: `(n,)` lower ends, from which the directions turn upwards.
        high: `(n,)` upper ends, the lesser number where the interval goes across.
        circle: that is drawn.

    Returns:
        Where the bars are, and both ends of each, the lesser first.

    Example:
        >>> circle = turn(360.0, np.array([5.0, 350.0]))
        >>> parts = bars(np.array([7]), np.array([340.0]), np.array([20.0]), circle)
        >>> [part.tolist() for part in parts]
        [[7, 7], [340.0, 0.0], [360.0, 20.0]]
    """
    low, high = wrapped(low, circle), wrapped(high, circle)
    across = low > high
    end = circle.start + circle.period
    return (
        np.concatenate([x, x[across]]),
        np.concatenate([low, np.full(across.sum(), circle.start)]),
        np.concatenate([np.where(across, end, high), high[across]]),
    )


def mark(axes: "Axes", circle: Circle) -> None:
    """One whole turn along the y axis, in quarters; of 360 they are degrees."""
    marks = circle.start + circle.period * np.arange(_QUARTERS + 1) / _QUARTERS
    sign = "°" if circle.period == FULL_TURN else ""
    axes.set_yticks(marks, [f"{mark:g}{sign}" for mark in marks])
    room = 0.03 * circle.period
    axes.set_ylim(marks[0] - room, marks[-1] + room)

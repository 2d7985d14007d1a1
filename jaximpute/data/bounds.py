"""Numbers kept within bounds: estimates are clipped, draws are reflected."""

import numpy as np


def clipped(x: np.ndarray, low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Estimates, rounded where whole, at the nearest possible value.

    Args:
        x: `(rows, d)` numbers.
        low: `(d,)` lower bounds, minus infinity for none.
        high: `(d,)` upper bounds.
        whole: `(d,)` True where numbers are whole.

    Example:
        >>> clipped(np.array([[-1.2, 3.6]]), np.zeros(2), np.full(2, np.inf), np.array([0, 1]) > 0)
        array([[0., 4.]])
    """
    return np.clip(np.where(whole, np.rint(x), x), *_ends(low, high, whole)) + 0.0


def reflected(x: np.ndarray, low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> np.ndarray:
    r"""Draws, folded at the bounds they pass: :math:`b + |x - b|` at a lower bound :math:`b`.

    Clipping would put all that lies beyond a bound onto it. Folding leaves the density without such
    a spike, and draws within the bounds as they are. Whole numbers fold half a step beyond the
    bound, so that each of them keeps its own interval.

    Args:
        x: see `clipped`, as for all arguments.
        low: lower bounds.
        high: upper bounds.
        whole: where numbers are whole.

    Example:
        >>> reflected(np.array([[-1.2]]), np.zeros(1), np.full(1, np.inf), np.zeros(1, bool))
        array([[1.2]])
    """
    low, high = _ends(low, high, whole)
    half = np.where(whole, 0.5, 0.0)
    below, above = low - half, high + half
    floored, capped = np.isfinite(below), np.isfinite(above)
    bottom, top = np.where(floored, below, 0.0), np.where(capped, above, 0.0)
    span = np.where(floored & capped, top - bottom, 1.0)
    turn = np.mod(x - bottom, 2 * np.where(span > 0, span, 1.0))
    folded = np.where(
        floored & capped,
        bottom + np.minimum(turn, 2 * span - turn),
        np.where(
            floored,
            bottom + np.abs(x - bottom),
            np.where(capped, top - np.abs(top - x), x),
        ),
    )
    inside = (x >= below) & (x <= above)
    return clipped(np.where(inside, x, folded), low, high, whole)


def beyond(x: np.ndarray, low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Which numbers, as they would be written, lie outside the bounds.

    What passes a bound by rounding only, as single precision does, lies on it.
    """
    low, high = _ends(low, high, whole)
    x = np.where(whole, np.rint(x), x)
    slack = 1e-6 * (np.abs(np.where(np.isfinite(low), low, 0.0)) + 1e-6)
    return (x < low - slack) | (x > high + slack)


def inwards(
    low: np.ndarray,
    value: np.ndarray,
    high: np.ndarray,
    span: tuple[float, float],
    pair: np.ndarray,
    whole: bool | np.bool_,
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of intervals moved inwards, to what a column may hold; never past the value within.

    Args:
        low: `(m,)` lower ends.
        value: `(m,)` in between.
        high: `(m,)` upper ends.
        span: the column's bounds.
        pair: its two values, if it has no others; NaN otherwise.
        whole: whether its numbers are whole.

    Example:
        >>> ends = np.array([-0.7]), np.array([1.0]), np.array([3.4])
        >>> inwards(*ends, (0.0, np.inf), np.full(2, np.nan), True)
        (array([0.]), array([3.]))
    """
    if not np.isnan(pair[0]):
        low = np.where(low <= pair[0], pair[0], value)
        high = np.where(high >= pair[1], pair[1], value)
    elif whole:
        low, high = np.ceil(np.round(low, 9)) + 0.0, np.floor(np.round(high, 9))
    return np.minimum(np.clip(low, *span), value), np.maximum(np.clip(high, *span), value)


def _ends(low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bounds, of whole numbers the nearest whole ones within."""
    return np.where(whole, np.ceil(low), low), np.where(whole, np.floor(high), high)

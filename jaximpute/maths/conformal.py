"""Split conformal intervals: how wide to be so that a given share of new errors lies within."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

LEAST, _MOST_BINS = 50, 8  # scores in a bin; bins of a group
_STEEPEST = 2.0  # power of difficulty
_MOST_KINDS = 10  # of difficulty, in whose shares known and new cells are compared


class Widths(NamedTuple):
    """What to multiply a unit of width by, for cells of a group and a difficulty.

    Attributes:
        edges: of each group, `(bins - 1,)` difficulties at which the next bin begins.
        width: of each group, `(bins,)`.
    """

    edges: tuple[np.ndarray, ...]
    width: tuple[np.ndarray, ...]


def bound(
    scores: Float[np.ndarray, "n"], level: float, weight: Float[np.ndarray, "n"] | None = None
) -> float:
    r"""The least number that a new score does not exceed with probability `level`, or more.

    .. math:: s_{(k)}, \quad k = \lceil (n + 1) \, \mathrm{level} \rceil

    of the sorted scores, if the new one is exchangeable with them; infinite if :math:`k > n`. The
    probability is exactly :math:`k / (n + 1)` where no two scores are equal. With weights it is
    the least :math:`s_{(k)}` with :math:`\sum_{i \le k} w_{(i)} \ge \mathrm{level} (\sum_i w_i +
    \bar w)`, for new scores that are as much likelier to be of some kind as the weights say.

    Args:
        scores: of cells whose truth is known.
        level: in (0, 1).
        weight: of each, not negative; equal by default.

    Example:
        >>> bound(np.arange(1.0, 20.0), 0.9), bound(np.arange(1.0, 9.0), 0.9)
        (18.0, inf)

    Source: Vovk, Gammerman and Shafer, "Algorithmic learning in a random world" (2005); Lei et al.,
    "Distribution-free predictive inference for regression", JASA 113 (2018); Tibshirani et al.,
    "Conformal prediction under covariate shift", NeurIPS 2019.
    """
    weight = np.ones(len(scores)) if weight is None else weight
    order = np.argsort(scores)
    if not weight.sum() > 0:
        return float("inf")
    # a product such as 10 * 0.9 is not to count as a little more than 9
    needed = level * (weight.sum() + weight.mean()) * (1 - 1e-9)
    k = int(np.searchsorted(np.cumsum(weight[order]), needed))
    return float(scores[order[k]]) if k < len(scores) else float("inf")


def least_scores(level: float) -> int:
    """How many scores a finite bound takes.

    Example:
        >>> least_scores(0.9), least_scores(0.8)
        (9, 4)
    """
    return int(np.ceil(round(level / (1 - level), 9)))


def scores(
    truth: Float[np.ndarray, "n"],
    low: Float[np.ndarray, "n"],
    high: Float[np.ndarray, "n"],
    unit: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    r"""By how many units an interval has to be widened on both sides to hold the truth.

    .. math:: \max(l - x, x - h) / u

    negative where the truth lies well within. Of an interval of no length it is
    :math:`|x - \hat x| / u`.

    Args:
        truth: what was hidden.
        low: lower ends.
        high: upper ends.
        unit: positive.

    Example:
        >>> scores(np.array([3.0]), np.zeros(1), np.ones(1), np.full(1, 2.0)).tolist()
        [1.0]

    Source: Romano, Patterson and Candes, "Conformalized quantile regression", NeurIPS 2019.
    """
    return np.maximum(low - truth, truth - high) / unit


def as_likely(
    group: Int[np.ndarray, "n"],
    difficulty: Float[np.ndarray, "n"],
    new_group: Int[np.ndarray, "m"],
    new_difficulty: Float[np.ndarray, "m"],
) -> Float[np.ndarray, "n"]:
    r"""Weights under which cells are as hard, group by group, as those that are asked about.

    Of a bin of difficulty with :math:`c_b` of the :math:`c` known and :math:`t_b` of the :math:`t`
    new cells of a group, up to ten bins at quantiles of the known ones,

    .. math:: w = \frac{(t_b + 1) / (t + B)}{(c_b + 1) / (c + B)}

    Args:
        group: of the known cells.
        difficulty: of these.
        new_group: of the new ones.
        new_difficulty: of these.

    Example:
        >>> known, new = np.array([0.0] * 9 + [1.0] * 9), np.array([0.0] * 19 + [1.0] * 9)
        >>> none = np.zeros(28, int)
        >>> weight = as_likely(none[:18], known, none, new)
        >>> round(float(weight[0] / weight[-1]), 2)
        2.0
    """
    weight = np.ones(len(group))
    for number in np.unique(group).tolist():
        own, asked = difficulty[group == number], new_difficulty[new_group == number]
        edges = np.unique(np.quantile(own, np.arange(1, _MOST_KINDS) / _MOST_KINDS))
        bins = len(edges) + 1
        spot, there = (np.searchsorted(edges, x, side="right") for x in (own, asked))
        known, new = (np.bincount(x, minlength=bins) + 1 for x in (spot, there))
        weight[group == number] = ((new / new.sum()) / (known / known.sum()))[spot]
    return weight


def growth(
    error: Float[np.ndarray, "n"],
    group: Int[np.ndarray, "n"],
    difficulty: Float[np.ndarray, "n"],
    groups: int,
) -> Float[np.ndarray, "groups"]:
    r"""The powers of the difficulty with which absolute errors grow, group by group.

    .. math:: \log |e| \approx a + b \log d, \quad 0 \le b \le 2

    by least squares over the means of up to five bins of difficulty. Of a random walk that is
    interpolated it is one half, and of a smooth curve two. Errors over :math:`d^b` are alike within
    a bin, and a cell that is harder than all known ones has a wider interval.

    Args:
        error: of the known cells, absolute.
        group: of each.
        difficulty: of each, not negative.
        groups: how many there are.

    Returns:
        The powers; groups of fewer than fifty cells take that of all.

    Example:
        >>> hard = np.repeat([1.0, 2.0, 4.0, 8.0], 50)
        >>> growth(3 * hard**0.5, np.zeros(200, int), hard, 1).round(3).tolist()
        [0.5]
    """
    whole = _power(error, difficulty)
    found = []
    for number in range(groups):
        own = group == number
        found.append(_power(error[own], difficulty[own]) if own.sum() >= LEAST else whole)
    return np.array(found)


def _power(error: np.ndarray, difficulty: np.ndarray) -> float:
    edges = np.unique(np.quantile(difficulty, [0.2, 0.4, 0.6, 0.8])) if len(error) else np.empty(0)
    spot = np.searchsorted(edges, difficulty, side="right")
    bins = [spot == i for i in range(len(edges) + 1)]
    points = [(difficulty[one].mean(), error[one].mean()) for one in bins if one.sum() >= 10]
    known = np.array([point for point in points if min(point) > 0]).reshape(-1, 2)
    if len(np.unique(known[:, 0])) < 2:
        return 0.0
    x, y = np.log(known).T
    return float(np.clip(np.polyfit(x, y, 1)[0], 0.0, _STEEPEST))


def calibrate(
    found: Float[np.ndarray, "n"],
    group: Int[np.ndarray, "n"],
    difficulty: Float[np.ndarray, "n"],
    groups: int,
    level: float,
    weight: Float[np.ndarray, "n"] | None = None,
) -> Widths:
    """The bounds of scores by group and, as far as there are enough of them, by difficulty.

    The scores of a group are cut into bins of equal size at quantiles of their difficulty, each of
    fifty scores or more, eight bins at most. A group with fewer than fifty scores takes the bounds
    of all groups together.

    Args:
        found: scores, see `scores`.
        group: of each, such as its column, from 0.
        difficulty: of each; any number that grows with what is hard about a cell.
        groups: how many there are.
        level: in (0, 1).
        weight: of each score, see `bound`.

    Returns:
        The widths; infinite where there are fewer scores than `least_scores`.

    Example:
        >>> errors = np.concatenate([np.arange(100.0), 10 * np.arange(100.0)])
        >>> hard = np.repeat([0.0, 1.0], 100)
        >>> widths = calibrate(errors, np.zeros(200, int), hard, 1, 0.9)
        >>> looked_up(widths, np.zeros(2, int), np.array([0.0, 1.0])).tolist()
        [90.0, 900.0]
    """
    weight = np.ones(len(found)) if weight is None else weight
    whole = _binned(found, difficulty, level, weight)
    edges, width = [], []
    for number in range(groups):
        own = group == number
        enough = own.sum() >= max(LEAST, least_scores(level))
        one = _binned(found[own], difficulty[own], level, weight[own]) if enough else whole
        edges.append(one[0])
        width.append(one[1])
    return Widths(tuple(edges), tuple(width))


def looked_up(
    widths: Widths, group: Int[np.ndarray, "m"], difficulty: Float[np.ndarray, "m"]
) -> Float[np.ndarray, "m"]:
    """The width of each of some cells.

    Args:
        widths: from `calibrate`.
        group: of each cell.
        difficulty: of each.
    """
    result = np.empty(len(group))
    for number in np.unique(group).tolist():
        own = group == number
        spot = np.searchsorted(widths.edges[number], difficulty[own], side="right")
        result[own] = widths.width[number][spot]
    return result


def _binned(
    found: np.ndarray, difficulty: np.ndarray, level: float, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    number = int(np.clip(len(found) // max(LEAST, 2 * least_scores(level)), 1, _MOST_BINS))
    order = np.sort(difficulty)
    cuts = [order[len(order) * i // number] for i in range(1, number)]
    edges = _with_enough_beside(cuts, difficulty)
    spot = np.searchsorted(edges, difficulty, side="right")
    width = [bound(found[spot == i], level, weight[spot == i]) for i in range(len(edges) + 1)]
    return edges, np.array(width)


def _with_enough_beside(cuts: Sequence[float], difficulty: np.ndarray) -> np.ndarray:
    """The cuts that leave enough cells on both sides; equal difficulties are never cut apart."""
    kept: list[float] = []
    for cut in np.unique(cuts).tolist():
        before = (difficulty < cut) & (difficulty >= (kept[-1] if kept else -np.inf))
        if before.sum() >= LEAST and (difficulty >= cut).sum() >= LEAST:
            kept.append(cut)
    return np.array(kept)

"""Non-negative weights of several answers, from cells of which the truth is known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

GROUPS = 20  # of cells that are left out together
_FOLDS = 5
# cells' worth of trust that a column has in the weights common to all
_TRUSTS = (np.inf, 300.0, 100.0, 30.0)
FEWEST = 20  # cells to choose by


class Weighing(NamedTuple):
    """What was chosen.

    Attributes:
        weights: of each answer in each column.
        singles: root mean squared error of each answer.
        chosen: that of the weighted answer, on cells left out of the weights.
    """

    weights: Float[np.ndarray, "k d"]
    singles: Float[np.ndarray, "k"]
    chosen: float


def weigh(
    answers: Float[np.ndarray, "m k"],
    truth: Float[np.ndarray, "m"],
    column: Int[np.ndarray, "m"],
    group: Int[np.ndarray, "m"],
    d: int,
) -> Weighing:
    r"""Weights that minimise the squared error, or all on the best answer where that is as good.

    .. math:: w = \arg\min_{w \ge 0} \|y - A w\|^2, \qquad
        w_c = \arg\min_{w_c \ge 0} \|y_c - A_c w_c\|^2 + \lambda \overline{a^2} \|w_c - w\|^2

    How much a column trusts the common weights, :math:`\lambda`, and whether weights are better
    than the single best answer at all, is chosen by cells that are left out in groups.

    Args:
        answers: standardised, of each method at each cell.
        truth: standardised.
        column: of each cell.
        group: of each cell, in `range(GROUPS)`: dependent cells share one.
        d: number of columns.

    Returns:
        The weights. With fewer than twenty cells, the first answer has it all.

    Source: Breiman, "Stacked regressions", Mach. Learn. 24 (1996).
    """
    m, k = answers.shape
    first = np.zeros((k, d))
    first[0] = 1.0
    if m < FEWEST:
        return Weighing(first, np.full(k, np.nan), float("nan"))
    grams = _grams(answers, truth, column, group, d)
    singles = np.stack([_losses(grams, _only(i, k, d)) for i in range(k)])
    stacks = np.zeros((len(_TRUSTS), GROUPS))
    for fold in range(_FOLDS):
        out = np.arange(GROUPS) % _FOLDS == fold
        known = _Grams(*(part[~out].sum(axis=0) for part in grams))
        for i, trust in enumerate(_TRUSTS):
            stacks[i] = np.where(out, _losses(grams, _fit(known, trust)), stacks[i])
    best, way = int(singles.sum(axis=1).argmin()), int(stacks.sum(axis=1).argmin())
    roots = np.sqrt(singles.sum(axis=1) / m)
    if stacks[way].sum() < singles[best].sum():
        whole = _Grams(*(part.sum(axis=0) for part in grams))
        return Weighing(_fit(whole, _TRUSTS[way]), roots, float(np.sqrt(stacks[way].sum() / m)))
    return Weighing(_only(best, k, d), roots, float(roots[best]))


class _Grams(NamedTuple):
    """Sums of products over the cells of each group and column."""

    aa: np.ndarray  # (..., d, k, k)
    ay: np.ndarray  # (..., d, k)
    yy: np.ndarray  # (..., d)
    n: np.ndarray  # (..., d)


def _grams(answers, truth, column, group, d) -> _Grams:
    k = answers.shape[1]
    place = group * d + column
    aa, ay = np.zeros((GROUPS * d, k, k)), np.zeros((GROUPS * d, k))
    for i in range(k):
        ay[:, i] = np.bincount(place, answers[:, i] * truth, GROUPS * d)
        for j in range(i + 1):
            aa[:, i, j] = np.bincount(place, answers[:, i] * answers[:, j], GROUPS * d)
            aa[:, j, i] = aa[:, i, j]
    yy, n = np.bincount(place, truth**2, GROUPS * d), np.bincount(place, minlength=GROUPS * d)
    shaped = (GROUPS, d)
    return _Grams(*(a.reshape(*shaped, *a.shape[1:]) for a in (aa, ay, yy, n.astype(float))))


def _losses(grams: _Grams, weights: np.ndarray) -> np.ndarray:
    """Squared errors of weighted answers, by group."""
    w = weights.T  # (d, k)
    across = np.einsum("gdij,di,dj->g", grams.aa, w, w)
    return grams.yy.sum(axis=1) - 2 * np.einsum("gdi,di->g", grams.ay, w) + across


def _fit(known: _Grams, trust: float) -> np.ndarray:
    k = known.ay.shape[-1]
    common = _least_squares(known.aa.sum(axis=0), known.ay.sum(axis=0))
    if np.isinf(trust):
        return np.repeat(common[:, None], len(known.ay), axis=1)
    cells = max(known.n.sum(), 1.0)
    hold = trust * np.trace(known.aa.sum(axis=0)) / (k * cells)
    return np.stack(
        [
            _least_squares(aa + hold * np.eye(k), ay + hold * common)
            for aa, ay in zip(known.aa, known.ay, strict=True)
        ],
        axis=1,
    )


def _least_squares(aa: np.ndarray, ay: np.ndarray) -> np.ndarray:
    """Non-negative, from sums of products; the least bit of a ridge where answers agree."""
    root = np.linalg.cholesky(aa + (1e-8 * np.trace(aa) + 1e-30) * np.eye(len(aa)))
    return nnls(root.T, np.linalg.solve(root, ay))[0]


def _only(i: int, k: int, d: int) -> np.ndarray:
    return np.where(np.arange(k)[:, None] == i, 1.0, 0.0) * np.ones((1, d))

"""What the pattern of the holes says: who is missing together, and whether by chance alone."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from jaximpute._errors import DataError

_MOST_ROUNDS, _SETTLED = 500, 1e-8


class Patterns(NamedTuple):
    """The different rows of a mask, the most frequent first.

    Attributes:
        mask: `(k, d)`, True = observed.
        rows: `(k,)` how many rows have each.
        of: `(n,)` the number of each row's pattern.
    """

    mask: Bool[np.ndarray, "k d"]
    rows: Int[np.ndarray, "k"]
    of: Int[np.ndarray, "n"]


class Little(NamedTuple):
    """A test of "missing completely at random".

    Attributes:
        statistic: Little's :math:`d^2`.
        df: its degrees of freedom.
        p_value: of a chi-square distribution.
        patterns: how many there are.
        settled: whether the means and covariance had settled.
    """

    statistic: float
    df: int
    p_value: float
    patterns: int
    settled: bool


def patterns(mask: Bool[np.ndarray, "n d"]) -> Patterns:
    """Which cells are missing together, and in how many rows.

    Args:
        mask: True = observed.

    Example:
        >>> found = patterns(np.array([[True, True], [True, False], [True, True]]))
        >>> found.mask.tolist(), found.rows.tolist()
        ([[True, True], [True, False]], [2, 1])
    """
    kinds, of, rows = np.unique(mask, axis=0, return_inverse=True, return_counts=True)
    order = np.lexsort((-kinds.sum(axis=1), -rows))
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    return Patterns(kinds[order], rows[order], place[of.ravel()])


def together(mask: Bool[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Of the rows that lack one column, the share that lack another; NaN where none lacks it.

    Args:
        mask: True = observed.

    Returns:
        By the column lacked and the other; 1 on the diagonal.

    Example:
        >>> together(np.array([[False, False], [True, False]])).tolist()
        [[1.0, 1.0], [0.5, 1.0]]
    """
    missing = (~mask).astype(float)
    count = missing.sum(axis=0)[:, None]
    return np.divide(
        missing.T @ missing, count, out=np.full((len(count),) * 2, np.nan), where=count > 0
    )


def flux(mask: Bool[np.ndarray, "n d"]) -> Float[np.ndarray, "2 d"]:
    r"""Influx and outflux of each column: how well it is connected to the others.

    .. math::
        I_j = \frac{\sum_k \sum_i (1 - r_{ij}) r_{ik}}{\sum_k \sum_i r_{ik}}, \quad
        O_j = \frac{\sum_k \sum_i r_{ij} (1 - r_{ik})}{\sum_k \sum_i (1 - r_{ik})}

    with :math:`r = 1` where observed. A column with a high influx is missing where others are
    observed, so that they can tell it; one with a high outflux is observed where others are
    missing, so that it can tell them. Of two columns with as much missing the one with the higher
    outflux is the more useful.

    Args:
        mask: True = observed.

    Returns:
        Influx and outflux, in [0, 1]; 0 where nothing is observed, or nothing missing.

    Example:
        >>> flux(np.array([[True, False], [True, True]])).round(2).tolist()
        [[0.0, 0.33], [1.0, 0.0]]

    Source: van Buuren, "Flexible Imputation of Missing Data" (2018), section 4.1.3.
    """
    seen = mask.astype(float)
    lost = 1 - seen
    influx = (lost.T @ seen).sum(axis=1) / max(seen.sum(), 1)
    outflux = (seen.T @ lost).sum(axis=1) / max(lost.sum(), 1)
    return np.stack([influx, outflux])


def little(values: Float[np.ndarray, "n d"]) -> Little:
    r"""Little's test: do rows that lack different cells have the same means?

    .. math::
        d^2 = \sum_s n_s (\bar y_s - \mu_s)^T \Sigma_{ss}^{-1} (\bar y_s - \mu_s), \quad
        \nu = \sum_s p_s - p

    over the patterns :math:`s` of :math:`n_s` rows with :math:`p_s` observed columns, with the
    maximum-likelihood mean and covariance of a Gaussian. A small p-value says that cells are not
    missing completely at random. A large one says little: the test sees differences of means alone,
    needs many rows of each pattern and columns that are nearly Gaussian, and cannot tell missing at
    random, for which methods here are made, from missing not at random.

    Args:
        values: numbers, NaN where missing.

    Returns:
        The statistic and its p-value.

    Raises:
        DataError: fewer than two patterns, a column that is constant or never observed, or columns
            that determine one another.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> x[:50, 1] = np.nan
        >>> found = little(x)
        >>> found.df, found.patterns, bool(found.p_value > 0.05)
        (1, 2, True)

    Source: Little, "A test of missing completely at random for multivariate data with missing
    values", JASA 83 (1988).
    """
    mask = ~np.isnan(values)
    kept = mask.any(axis=1)
    values, mask = values[kept], mask[kept]
    if not len(values) or not mask.any(axis=0).all():
        raise DataError("a column is never observed; leave it out of the test")
    deviation = np.nanstd(values, axis=0)
    if not (deviation > 0).all():
        raise DataError("a column is constant; leave it out of the test")
    found = patterns(mask)
    if len(found.rows) < 2:
        raise DataError("all rows lack the same cells, so there is nothing to compare")
    x = np.where(mask, (values - np.nanmean(values, axis=0)) / deviation, 0.0)
    try:
        mean, covariance, settled = _by_likelihood(x, found)
        statistic = 0.0
        for number, (seen, rows) in enumerate(zip(found.mask, found.rows, strict=True)):
            own = x[found.of == number][:, seen]
            off = own.mean(axis=0) - mean[seen]
            statistic += rows * off @ np.linalg.solve(covariance[np.ix_(seen, seen)], off)
    except np.linalg.LinAlgError as error:
        raise DataError("columns determine one another; leave some out of the test") from error
    df = int(found.mask.sum() - values.shape[1])
    return Little(
        float(statistic), df, float(stats.chi2.sf(statistic, df)), len(found.rows), settled
    )


def _by_likelihood(x: np.ndarray, found: Patterns) -> tuple[np.ndarray, np.ndarray, bool]:
    """Mean and covariance by expectation and maximisation, a pattern at a time."""
    n, d = x.shape
    mean, covariance = np.zeros(d), np.eye(d)
    for _ in range(_MOST_ROUNDS):
        whole, spread = np.empty((n, d)), np.zeros((d, d))
        for number, (seen, rows) in enumerate(zip(found.mask, found.rows, strict=True)):
            own = found.of == number
            gap = ~seen
            whole[own] = x[own]
            if gap.any():
                across = covariance[np.ix_(gap, seen)]
                slope = np.linalg.solve(covariance[np.ix_(seen, seen)], across.T).T
                whole[np.ix_(own, gap)] = mean[gap] + (x[own][:, seen] - mean[seen]) @ slope.T
                left = covariance[np.ix_(gap, gap)] - slope @ across.T
                spread[np.ix_(gap, gap)] += rows * left
        before = mean, covariance
        mean = whole.mean(axis=0)
        covariance = (whole - mean).T @ (whole - mean) / n + spread / n
        moved = max(np.abs(mean - before[0]).max(), np.abs(covariance - before[1]).max())
        if moved < _SETTLED:
            return mean, covariance, True
    return mean, covariance, False

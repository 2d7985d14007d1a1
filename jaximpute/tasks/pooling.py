"""Rubin's rules: one answer from the analyses of several completions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from jaximpute._errors import DataError, OptionError


class Pooled(NamedTuple):
    """A pooled analysis of `m` completions, for `p` parameters.

    Attributes:
        names: of the parameters.
        estimate: their pooled values, `(p,)`.
        error: their standard errors, `(p,)`; what the holes cost is in them.
        df: degrees of freedom of their t distributions, `(p,)`.
        low: lower ends of their confidence intervals, `(p,)`.
        high: upper ends.
        p_value: of the two-sided test against 0, `(p,)`.
        fmi: fraction of missing information, `(p,)`: how much of what complete data would say of a
            parameter is lost.
        enough: completions after which the standard error would hardly move any more, `(p,)`.
        m: completions there were.
        level: of the intervals.
        within: the mean covariance of the analyses, `(p, p)`; its diagonal alone if only variances
            were given.
        between: the covariance of the estimates between completions, `(p, p)`.
        dfcom: degrees of freedom that complete data would have.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    error: np.ndarray
    df: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    fmi: np.ndarray
    enough: np.ndarray
    m: int
    level: float
    within: np.ndarray
    between: np.ndarray
    dfcom: float

    def to_frame(self) -> pd.DataFrame:
        """The table that one would print, a row for each parameter."""
        return pd.DataFrame(
            {
                "estimate": self.estimate,
                "error": self.error,
                "df": self.df,
                "low": self.low,
                "high": self.high,
                "p_value": self.p_value,
                "fmi": self.fmi,
                "enough": self.enough,
            },
            index=pd.Index(self.names, name="parameter"),
        )


class Joint(NamedTuple):
    """A test that several parameters are all equal to given values."""

    statistic: float
    df: tuple[float, float]
    p_value: float


def pool(
    estimates: Any,
    variances: Any,
    *,
    dfcom: float | None = None,
    level: float = 0.95,
    names: Sequence[str] | None = None,
    precision: float = 0.05,
) -> Pooled:
    r"""Pool the estimates from several completions by Rubin's rules.

    With :math:`Q_i` the estimate from completion :math:`i` of :math:`m` and :math:`U_i` its
    variance,

    .. math::
        \bar Q = \tfrac1m \sum_i Q_i, \quad \bar U = \tfrac1m \sum_i U_i, \quad
        B = \tfrac1{m-1} \sum_i (Q_i - \bar Q)^2, \quad T = \bar U + (1 + \tfrac1m) B,

    and with :math:`\lambda = (1 + \frac1m) B / T` the degrees of freedom are

    .. math::
        \nu = \frac{\nu_m \nu_o}{\nu_m + \nu_o}, \quad \nu_m = \frac{m - 1}{\lambda^2}, \quad
        \nu_o = \frac{\nu_c + 1}{\nu_c + 3} \nu_c (1 - \lambda).

    The rules hold for completions that are proper draws: the uncertainty of what was learned is in
    them, as in those of `mice`. Draws of one fitted model leave that out, and intervals from them
    are a little too short where much is missing.

    Args:
        estimates: `(m,)` or `(m, p)`, of each completion.
        variances: squared standard errors, shaped like the estimates; or covariances `(m, p, p)`,
            which `joint` needs.
        dfcom: residual degrees of freedom of the analysis if nothing were missing, such as rows
            less coefficients; None = very many.
        level: of the confidence intervals, in (0, 1).
        names: of the parameters; their numbers by default.
        precision: coefficient of variation of a standard error that counts as settled, positive.

    Returns:
        What was pooled. `enough` is von Hippel's
        :math:`1 + \frac12 (\mathrm{fmi} / \mathrm{precision})^2`.

    Raises:
        OptionError: fewer than two completions, or an argument out of range.
        DataError: shapes that do not belong together, values that are not finite, or negative
            variances.

    Example:
        >>> pooled = pool([1.0, 1.2, 0.8], [0.04, 0.04, 0.04])
        >>> round(float(pooled.estimate[0]), 3), round(float(pooled.error[0]), 3)
        (1.0, 0.306)

    Source: Rubin, "Multiple imputation for nonresponse in surveys" (1987), chapter 3; Barnard and
    Rubin, "Small-sample degrees of freedom with multiple imputation", Biometrika 86 (1999); von
    Hippel, "How many imputations do you need?", Sociol. Methods Res. 49 (2020).
    """
    q, u = _checked(estimates, variances)
    m, p = q.shape
    if m < 2:
        raise OptionError(f"there are {m} estimates; pooling takes those of 2 completions or more")
    if not 0 < level < 1 or not precision > 0 or (dfcom is not None and not dfcom > 0):
        raise OptionError(
            f"level is {level}, precision {precision} and dfcom {dfcom}; expected a share in "
            "(0, 1), and positive numbers"
        )
    if names is not None and len(names) != p:
        raise DataError(f"there are {len(names)} names and {p} parameters")
    complete = np.inf if dfcom is None else float(dfcom)
    within, between = u.mean(axis=0), np.atleast_2d(np.cov(q, rowvar=False, ddof=1))
    inner, outer = np.diag(within), (1 + 1 / m) * np.diag(between)
    total = inner + outer
    lost = np.divide(outer, total, out=np.zeros(p), where=total > 0)
    with np.errstate(divide="ignore"):
        by_m = (m - 1) / lost**2
        seen = np.inf if np.isinf(complete) else (complete + 1) / (complete + 3) * complete
        left = np.broadcast_to(seen * np.where(lost < 1, 1 - lost, 1e-12), (p,))
        df = 1 / (1 / by_m + 1 / left)
    ratio = np.divide(outer, inner, out=np.zeros(p), where=inner > 0)
    fmi = np.where(inner > 0, (ratio + 2 / (df + 3)) / (1 + ratio), 1.0)
    fmi = np.where(outer > 0, fmi, 0.0)
    estimate, error = q.mean(axis=0), np.sqrt(total)
    half = stats.t.ppf((1 + level) / 2, df) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t.sf(np.abs(estimate) / error, df)
    return Pooled(
        names=tuple(names) if names is not None else tuple(map(str, range(p))),
        estimate=estimate,
        error=error,
        df=df,
        low=estimate - half,
        high=estimate + half,
        p_value=p_value,
        fmi=fmi,
        enough=np.ceil(1 + 0.5 * (fmi / precision) ** 2).astype(int),
        m=m,
        level=level,
        within=within,
        between=between,
        dfcom=complete,
    )


def joint(pooled: Pooled, null: Any = 0.0) -> Joint:
    r"""Whether several parameters all have given values, by the pooled Wald test :math:`D_1`.

    .. math::
        D_1 = \frac{(\bar Q - Q_0)^T \bar U^{-1} (\bar Q - Q_0)}{k (1 + r)}, \quad
        r = (1 + \tfrac1m) \frac{\operatorname{tr}(B \bar U^{-1})}{k}

    Args:
        pooled: of covariances, with `k` parameters.
        null: the values under test, a number or `(k,)`.

    Returns:
        The statistic, its two degrees of freedom, and the p-value of its F distribution.

    Raises:
        DataError: the mean covariance cannot be inverted.

    Example:
        >>> u = [np.eye(2)] * 3
        >>> found = joint(pool([[2.0, 0.0], [2.0, 0.1], [2.0, -0.1]], u))
        >>> round(found.statistic, 2), found.df[0]
        (1.99, 2.0)

    Source: Li, Raghunathan and Rubin, "Large-sample significance levels from multiply imputed
    data", JASA 86 (1991); the degrees of freedom of small samples are those of Reiter, "Small-
    sample degrees of freedom for multi-component significance tests with multiple imputation for
    missing data", Biometrika 94 (2007).
    """
    k, m = len(pooled.estimate), pooled.m
    try:
        inverse = np.linalg.inv(pooled.within)
    except np.linalg.LinAlgError as error:
        raise DataError(f"the mean covariance of the {k} parameters has no inverse") from error
    off = pooled.estimate - np.broadcast_to(np.asarray(null, float), (k,))
    r = float((1 + 1 / m) * np.trace(pooled.between @ inverse) / k)
    statistic = float(off @ inverse @ off) / (k * (1 + r))
    df = _second_df(max(r, 1e-12), k, m, pooled.dfcom)
    return Joint(statistic, (float(k), df), float(stats.f.sf(statistic, k, df)))


def _second_df(r: float, k: int, m: int, dfcom: float) -> float:
    t = k * (m - 1)
    if t <= 4:
        return t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2
    a = r * t / (t - 2)
    if np.isinf(dfcom):
        return 4 + (t - 4) * (1 + 1 / a) ** 2
    c0 = 1 / (t - 4)
    whole = (dfcom + 1) / (dfcom + 3) * dfcom
    c1, c2 = whole - 2 * (1 + a), whole - 4 * (1 + a)
    if c2 <= 0:  # fewer rows than the rule was made for
        return 4.0
    z = (
        1 / c2
        + c0 * a**2 * c1 / ((1 + a) ** 2 * c2)
        + c0 * (8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2))
        + c0 * (4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3)
        + c0 * 8 * a**2 / c2**2
    )
    return 4 + 1 / z


def _checked(estimates: Any, variances: Any) -> tuple[np.ndarray, np.ndarray]:
    """`(m, p)` estimates and `(m, p, p)` covariances."""
    q, u = np.asarray(estimates, float), np.asarray(variances, float)
    if q.ndim not in (1, 2):
        raise DataError(f"estimates have shape {q.shape}; expected (m,) or (m, p)")
    flat = q[:, None] if q.ndim == 1 else q
    if u.shape == q.shape:
        u = u.reshape(flat.shape)[:, :, None] * np.eye(flat.shape[1])
    if u.shape != (*flat.shape, flat.shape[1]):
        raise DataError(
            f"variances have shape {np.shape(variances)} beside estimates of {q.shape}; expected "
            "the same, or (m, p, p)"
        )
    bad = ~(np.isfinite(flat).all(axis=1) & np.isfinite(u).all(axis=(1, 2)))
    if bad.any():
        raise DataError(f"the analysis of completion {int(bad.argmax())} is not finite")
    negative = (np.diagonal(u, axis1=1, axis2=2) < 0).any(axis=1)
    if negative.any():
        raise DataError(f"a variance of completion {int(negative.argmax())} is negative")
    return flat, u

"""Two analyses that need no other library: a mean, and a regression by least squares."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OptionError
from jaximpute.data.columns import suggest

Analysis = Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]


def mean_of(column: str) -> Analysis:
    """The mean of a column and its variance, for `Multiple.analyse`.

    Example:
        >>> estimate, variance = mean_of("a")(pd.DataFrame({"a": [1.0, 2.0, 3.0]}))
        >>> estimate.tolist(), variance.round(3).tolist()
        ([2.0], [0.333])
    """

    def fit(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        x = _numbers(frame, column)
        return np.array([x.mean()]), np.array([x.var(ddof=1) / len(x)])

    return fit


def least_squares(formula: str, like: pd.DataFrame) -> tuple[Analysis, tuple[str, ...], float]:
    r"""A linear regression with an intercept.

    With the rows :math:`x_i` of the regressors and :math:`n - p` residual degrees of freedom,

    .. math:: \hat\beta = (X^\top X)^{-1} X^\top y, \qquad
        \operatorname{cov} \hat\beta = \frac{\|y - X \hat\beta\|^2}{n - p} (X^\top X)^{-1}.

    Args:
        formula: `"after ~ arm + before"`: the column explained, and those that explain it, added.
            A column of texts, categories or booleans is an indicator for each level but the first.
        like: the data with its holes, whose columns and levels are taken.

    Returns:
        The analysis for `Multiple.analyse`, the names of its parameters, and :math:`n - p`.

    Raises:
        OptionError: the formula has another form, or a column does not exist.
        DataError: no more rows than parameters, or a column has nothing observed. Later: a cell is
            missing, or regressors determine one another.

    Example:
        >>> frame = pd.DataFrame({"y": [1.0, 3.0, 5.0, 7.1], "x": [0.0, 1.0, 2.0, 3.0]})
        >>> fit, names, left = least_squares("y ~ x", frame)
        >>> names, fit(frame)[0].round(2).tolist(), left
        (('intercept', 'x'), [0.98, 2.03], 2.0)
    """
    explained, explaining = _parts(formula, [str(name) for name in like.columns])
    levels = {name: _levels(like[name]) for name in explaining}
    names = ["intercept"]
    for name in explaining:
        own = levels[name]
        names += [name] if own is None else [f"{name} = {level}" for level in own[1:]]
    left = float(len(like) - len(names))
    if left < 1:
        raise DataError(
            f"'{formula}' has {len(names)} parameters, and there are {len(like)} rows; expected "
            "more rows than parameters"
        )

    def fit(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        y = _numbers(frame, explained)
        blocks = [np.ones((len(frame), 1))]
        blocks += [_design(frame, name, levels[name]) for name in explaining]
        x = np.concatenate(blocks, axis=1)
        if np.linalg.matrix_rank(x) < x.shape[1]:
            raise DataError(f"the columns that explain in '{formula}' determine one another")
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ (x.T @ y)
        residual = y - x @ beta
        return beta, (residual @ residual) / left * inverse

    return fit, tuple(names), left


def _parts(formula: str, names: Sequence[str]) -> tuple[str, list[str]]:
    sides = [side.strip() for side in formula.split("~")]
    explaining = [part.strip() for part in sides[-1].split("+")]
    if len(sides) != 2 or not all([sides[0], *explaining]):
        raise OptionError(f"'{formula}' is no regression; expected the form 'after ~ arm + before'")
    for name in (sides[0], *explaining):
        if name not in names:
            raise OptionError(f"no column is called '{name}'{suggest(name, names)}")
    return sides[0], explaining


def _levels(column: pd.Series) -> list[Any] | None:
    """The levels of a column that holds some; None for numbers."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return None
    found = sorted(column.dropna().unique().tolist(), key=str)
    if not found:
        raise DataError(f"column '{column.name}' has nothing observed")
    return found


def _design(frame: pd.DataFrame, name: str, levels: list[Any] | None) -> np.ndarray:
    if levels is None:
        return _numbers(frame, name)[:, None]
    _refuse_holes(frame, name)
    cells = frame[name].to_numpy(dtype=object)
    return (
        np.stack([cells == level for level in levels[1:]], axis=1)
        .astype(float)
        .reshape(len(frame), len(levels) - 1)
    )


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    _refuse_holes(frame, name)
    return frame[name].to_numpy(dtype=float)


def _refuse_holes(frame: pd.DataFrame, name: str) -> None:
    if left := int(frame[name].isna().sum()):
        raise DataError(f"{left} cells of column '{name}' were left empty; the report says why")

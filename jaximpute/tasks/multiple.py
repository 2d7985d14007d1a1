"""`impute_many`: several random completions, and intervals from them."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError, ImputationWarning, OptionError
from jaximpute.data import fields, gridwriting, possible
from jaximpute.data.circles import between
from jaximpute.data.columns import Column
from jaximpute.data.frames import Container, Frame, read, write
from jaximpute.tasks import filling
from jaximpute.tasks.choose import resolve
from jaximpute.tasks.pooling import Pooled, pool
from jaximpute.tasks.report import Report
from jaximpute.tasks.trials import check_level

FOR_INTERVAL = 100  # draws, unless their number is given


class Source(NamedTuple):
    """The data that were completed, as they were read."""

    frame: Frame
    time: Any
    dims: Sequence[str] | None
    group: Any = None


class Multiple(NamedTuple):
    """Several completions of one container.

    Attributes:
        draws: the completions, each of the container's own type.
        median: of the draws, entry by entry.
        low: lower ends of the intervals; categories and texts hold the median.
        high: upper ends.
        report: what was done; see `tasks.filling.fill`.
        spread: of xarray's objects, a `Dataset` of the median and, beside each variable NAME,
            NAME_std, the standard deviation of the draws: 0 where observed, in the same units. None
            for other containers and for a single draw.
        source: what was completed, for `sensitivity`.
    """

    draws: list[Container]
    median: Container
    low: Container
    high: Container
    report: Report
    spread: Container | None = None
    source: Source | None = None

    def analyse(self, fit: Callable[[Any], Any], **how: Any) -> Pooled:
        """Run an analysis on every completion, and pool what comes out.

        Args:
            fit: of one completion. It returns `(estimates, variances)`, or a fitted model that has
                `params` and `cov_params()`, as those of statsmodels have.
            **how: `dfcom`, `level`, `names` and `precision` of `pool`; of a model, names and
                residual degrees of freedom are its own.

        Returns:
            See `pool`.

        Raises:
            OptionError: fewer than two completions, or `fit` returned something else.
            DataError: the analysis failed on a completion, which is named; see also `pool`.

        Example:
            >>> x = np.random.default_rng(0).normal(size=(60, 2))
            >>> x[::5, 1] = np.nan
            >>> many = impute_many(x, "mice", draws=4)
            >>> pooled = many.analyse(lambda x: (x.mean(axis=0), x.var(axis=0) / len(x)))
            >>> bool(pooled.fmi[0] == 0 and pooled.fmi[1] > 0)
            True
        """
        if len(self.draws) < 2:
            raise OptionError(
                f"there are {len(self.draws)} completions; pooling takes 2 or more (some twenty)"
            )
        found = []
        for number, draw in enumerate(self.draws):
            try:
                found.append(_result(fit(draw)))
            except Exception as error:
                raise DataError(f"the analysis of completion {number} failed: {error}") from error
        estimates, variances, own = zip(*found, strict=True)
        if len({np.shape(one) for one in estimates}) > 1:
            shapes = sorted({str(np.shape(one)) for one in estimates})
            raise DataError(
                f"the analyses have estimates of shapes {', '.join(shapes)}; expected the same of "
                "every completion: a level that one of them lacks makes a coefficient less"
            )
        return pool(np.stack(estimates), np.stack(variances), **{**own[0], **how})


def impute_many(
    data: Container,
    method: Any = "auto",
    draws: int = 5,
    *,
    level: float = 0.9,
    time: Any = None,
    group: Any = None,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    dims: Sequence[str] | None = None,
    never_impute: Any = None,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    progress: bool = False,
    **options: Any,
) -> Multiple:
    r"""Fill in the missing cells several times, at random.

    Each completion is one draw from what the missing cells may have been, given the observed ones.
    An analysis is run on every one of them, and its results are pooled (Rubin's rules); the spread
    between them is what the holes cost. Ends of an interval are the draws at the quantiles
    :math:`(1 \mp \mathrm{level}) / 2`.

    Args:
        data: see `impute`, as for all arguments but two.
        method: one that draws, `auto`, or your own, see `registry.named`.
        draws: number of completions, at least 1; intervals take a hundred or so.
        level: nominal coverage of the intervals, in (0, 1).
        time: the time axis.
        group: what tells series apart.
        seed: of everything random.
        preset: of the method.
        max_gap: longest gap to fill.
        dims: of xarray's objects.
        never_impute: where nothing is to be filled.
        bounds: of what cells may get; draws beyond a bound are reflected at it.
        circular: columns of directions; the lower end of an interval may then be 350, the upper 10.
        progress: show a progress bar.
        **options: of the method.

    Returns:
        The completions, their median and intervals, and the report.

    Raises:
        DataError, TimeError: see `impute`.
        OptionError: see `impute`; or the method does not draw, or `draws` or `level` out of range.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 1)) * [1.0, 2.0]
        >>> x[0, 1] = np.nan
        >>> options = {"score_steps": 5, "sde_steps": 5, "steps": 1, "width": 16}
        >>> many = impute_many(x, "diffusion", draws=3, **options)
        >>> len(many.draws), bool(many.low[0, 1] <= many.median[0, 1] <= many.high[0, 1])
        (3, True)

    Source: Rubin, "Multiple imputation for nonresponse in surveys" (1987), chapter 3.
    """
    if draws < 1:
        raise OptionError(f"draws is {draws}; expected at least 1")
    check_level(level)
    frame = read(data, time, dims, group)
    frame = frame._replace(columns=possible.tell(frame.columns, bounds, circular))
    lies = (frame.strand or frame.grid) if fields.is_gridded(data) and draws > 1 else None
    if lies is not None:
        gridwriting.check_spread(data, lies)
    filled = filling.fill(
        frame, resolve(method, frame.kind, draws=True), seed=seed, preset=preset, max_gap=max_gap,
        never_impute=never_impute, progress=progress, options=options, draws=draws,
        hint=circular is None,
    )  # fmt: skip
    for text in filled.report["warnings"]:
        warnings.warn(text, ImputationWarning, stacklevel=2)
    low, high = interval(frame, filled, level)
    completions = [write(frame, one) for one in filled.draws]
    median, lower, upper = (write(frame, values) for values in (filled.values, low, high))
    spread = None
    if lies is not None:
        spread = gridwriting.with_spread(data, lies, median, deviation(frame, filled), draws)
    source = Source(frame, time, dims, group)
    return Multiple(completions, median, lower, upper, filled.report, spread, source)


def deviation(frame: Frame, filled: filling.Filled) -> np.ndarray:
    """The standard deviation of the draws, cell by cell; 0 where observed, NaN where left empty.

    Args:
        frame: what was completed; its columns hold numbers.
        filled: with two draws or more.

    Returns:
        `(rows, columns)`, in the units of the cells.
    """
    draws = filled.draws
    if turning := [(i, c.period) for i, c in enumerate(frame.columns) if c.period is not None]:
        draws = draws.copy()
        for i, period in turning:
            draws[..., i] = between(draws[..., i], filled.values[..., i], period)
    return np.where(frame.mask, 0.0, np.std(draws, axis=0, ddof=1))


def interval(frame: Frame, filled: filling.Filled, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Cells at the ends of the draws' central intervals; those without an order keep the median.

    Args:
        frame: what was completed.
        filled: with draws.
        level: nominal coverage.

    Returns:
        `(rows, columns)` cells twice, coded like `frame.values`.
    """
    return ends_of(filled.draws, filled.values, frame.columns, level)


def ends_of(
    draws: np.ndarray, median: np.ndarray, columns: Sequence[Column], level: float
) -> tuple[np.ndarray, np.ndarray]:
    """`interval`, of cells.

    Args:
        draws: `(n, ..., columns)` cells.
        median: `(..., columns)`, what columns without an order keep.
        columns: what they hold.
        level: nominal coverage.

    Example:
        >>> draws = np.arange(5.0)[:, None, None]
        >>> low, high = ends_of(draws, draws[2], [Column("a", "number")], 0.5)
        >>> low.item(), high.item()
        (1.0, 3.0)
    """
    ends = [(1 - level) / 2, (1 + level) / 2]
    # quantiles that are draws: between two whole numbers there may be none
    low, high = np.quantile(draws, ends, axis=0, method="nearest")
    for i, column in enumerate(columns):
        if column.period is None:
            continue
        # the draws that are the quantiles of how far they lie from the median, the shorter way
        cells, middle = draws[..., i], median[..., i]
        order = np.argsort(between(cells, middle, column.period), axis=0, kind="stable")
        for which, end in ((low, ends[0]), (high, ends[1])):
            rank = int(np.rint(end * (len(draws) - 1)))
            which[..., i] = np.take_along_axis(cells, order[rank][None], axis=0)[0]
    unordered = np.array([bool(column.levels) for column in columns])
    return np.where(unordered, median, low), np.where(unordered, median, high)


def _result(fitted: Any) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Estimates and variances of an analysis, and what a model says of itself."""
    if hasattr(fitted, "params") and callable(getattr(fitted, "cov_params", None)):
        params = fitted.params
        own: dict[str, Any] = {"names": [str(name) for name in getattr(params, "index", ())]}
        if (df := getattr(fitted, "df_resid", None)) is not None:
            own["dfcom"] = float(df)
        own = {name: value for name, value in own.items() if value or name != "names"}
        return np.asarray(params, float), np.asarray(fitted.cov_params(), float), own
    if not isinstance(fitted, tuple | list) or len(fitted) != 2:
        raise OptionError(
            f"it returned a {type(fitted).__name__}; expected (estimates, variances), or a fitted "
            "model with params and cov_params()"
        )
    estimates, variances = (np.asarray(part, float) for part in fitted)
    return estimates, variances, {}

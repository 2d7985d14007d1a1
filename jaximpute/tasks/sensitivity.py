"""How far from "missing at random" a conclusion survives: filled cells shifted, analyses redone."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import OptionError
from jaximpute.data import codec as coding
from jaximpute.data.bounds import clipped
from jaximpute.data.columns import suggest
from jaximpute.data.frames import Frame, read, write
from jaximpute.tasks.multiple import Multiple
from jaximpute.tasks.pooling import Pooled

_SIGNIFICANT = 0.05


class Sensitivity(NamedTuple):
    """A pooled analysis along a shift of what was filled.

    Attributes:
        delta: `(k,)` the shifts in standard deviations of their columns, in ascending order, 0
            among them.
        pooled: the analysis at each.
        columns: the columns that were shifted.
        shift: `(k, columns)` by how much their filled cells moved, on average and in their own
            units: less than asked for where cells met a bound.
    """

    delta: np.ndarray
    pooled: tuple[Pooled, ...]
    columns: tuple[str, ...]
    shift: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """A row for each shift and parameter, with the columns of `Pooled.to_frame`."""
        keys = [float(delta) for delta in self.delta]
        return pd.concat([one.to_frame() for one in self.pooled], keys=keys, names=["delta"])

    def tipping(
        self, parameter: str | int = 0, concludes: Callable[[Pooled], bool] | None = None
    ) -> tuple[float | None, float | None]:
        """The shifts nearest to 0, below and above it, at which a conclusion is another.

        Args:
            parameter: its name or position, for the conclusion "it differs from 0 with p < 0.05,
                in the direction that it has without a shift".
            concludes: another conclusion, such as `lambda pooled: pooled.estimate[1] > 2`.

        Returns:
            Two of the shifts that were tried; None where the conclusion holds in all of them.

        Raises:
            OptionError: no such parameter.
        """
        own = concludes or self._significant(self.position(parameter))
        found = np.array([bool(own(one)) for one in self.pooled])
        other = found != found[int(np.flatnonzero(self.delta == 0)[0])]
        below, above = self.delta[other & (self.delta < 0)], self.delta[other & (self.delta > 0)]
        return (
            float(below.max()) if below.size else None,
            float(above.min()) if above.size else None,
        )

    def position(self, parameter: str | int) -> int:
        """The position of a parameter by its name or position; an OptionError if there is none."""
        names = self.pooled[0].names
        if isinstance(parameter, int) and 0 <= parameter < len(names):
            return parameter
        if parameter in names:
            return names.index(str(parameter))
        raise OptionError(f"no parameter is called {parameter!r}; parameters: {', '.join(names)}")

    def _significant(self, i: int) -> Callable[[Pooled], bool]:
        sign = np.sign(self.pooled[int(np.flatnonzero(self.delta == 0)[0])].estimate[i])
        return lambda one: bool(one.p_value[i] < _SIGNIFICANT and np.sign(one.estimate[i]) == sign)


def sensitivity(
    many: Multiple,
    *,
    delta: Any,
    columns: Sequence[str],
    fit: Callable[[Any], Any],
    rows: Any = None,
    **how: Any,
) -> Sensitivity:
    r"""Repeat a pooled analysis on completions whose filled cells are shifted by a grid of amounts.

    A completion supposes that cells are missing at random: that two cells with the same observed
    ones beside them are alike whether they are missing or not. Nothing that is observed can tell.
    If those who do not answer drink more than those who do, a filled cell :math:`\hat x` of a
    column with the standard deviation :math:`s` should be

    .. math:: \hat x + \delta s

    with some :math:`\delta > 0` that is not known. So the analysis is made for a range of
    :math:`\delta`, and what is reported is how large it has to be before the conclusion changes,
    for readers to judge whether that is likely.

    Shifted cells stay within what their column may hold, and whole numbers stay whole.

    Args:
        many: what `impute_many` returned, two completions or more.
        delta: the shifts to try, in standard deviations of the observed cells of a column; 0 is
            added.
        columns: names of the columns of numbers to shift (positions, of arrays).
        fit: the analysis of one completion, see `Multiple.analyse`.
        rows: booleans, the rows in which to shift, such as one arm of a trial; all by default.
        **how: of `Multiple.analyse`.

    Returns:
        The pooled analyses along the shift.

    Raises:
        OptionError: fewer than two completions, no or not finite shifts, or columns that do not
            exist, hold no numbers, are directions, or lack nothing.
        DataError: see `Multiple.analyse`.

    Example:
        >>> import jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(60, 2)) + [0.0, 1.0]
        >>> x[::3, 1] = np.nan
        >>> many = ji.impute_many(x, "mice", draws=4)
        >>> def mean(x):
        ...     return x[:, 1].mean(keepdims=True), x[:, 1].var(keepdims=True) / len(x)
        >>> found = sensitivity(many, delta=[-1.0, 1.0], columns=["1"], fit=mean)
        >>> bool(np.diff([one.estimate[0] for one in found.pooled]).min() > 0.2)
        True

    Source: Rubin, "Multiple imputation for nonresponse in surveys" (1987), section 6.6; van Buuren,
    "Flexible Imputation of Missing Data" (2018), section 9.2; Cro et al., "Sensitivity analysis for
    clinical trials with missing continuous outcome data", Statist. Med. 39 (2020).
    """
    if len(many.draws) < 2 or many.source is None:
        raise OptionError(
            f"there are {len(many.draws)} completions of impute_many; a pooled analysis takes 2 or "
            "more (some twenty)"
        )
    deltas = np.unique(np.append(np.asarray(delta, float).ravel(), 0.0))
    if len(deltas) < 2 or not np.isfinite(deltas).all():
        raise OptionError(f"delta is {delta!r}; expected finite shifts, such as [-1, -0.5, 0.5, 1]")
    frame, time, dims, group = many.source
    codec, chosen = shiftable(frame, columns)
    cells = ~frame.mask & _rows(frame, rows)[:, None]
    values = [read(draw, time, dims, group).values for draw in many.draws]
    pooled, moved = [], []
    for step in deltas.tolist():
        shifted, moves = [], []
        for draw, own in zip(many.draws, values, strict=True):
            new, move = _shifted(codec, own, cells, chosen, step)
            shifted.append(write(frame._replace(native=draw), new) if step else draw)
            moves.append(move)
        pooled.append(many._replace(draws=shifted).analyse(fit, **how))
        moved.append(np.mean(moves, axis=0))
    names = tuple(frame.names[i] for i in chosen)
    return Sensitivity(deltas, tuple(pooled), names, np.stack(moved))


def shiftable(frame: Frame, columns: Sequence[str]) -> tuple[coding.Codec, list[int]]:
    """The coding of a frame, and the positions of columns whose filled cells can be shifted.

    Raises:
        OptionError: see `sensitivity`.
    """
    codec = coding.learn(frame)
    chosen = [_column(frame, codec, str(name)) for name in columns]
    if not chosen:
        raise OptionError(f"columns is empty{suggest('', frame.names)}")
    return codec, chosen


def _shifted(
    codec: coding.Codec, values: np.ndarray, cells: np.ndarray, chosen: Sequence[int], step: float
) -> tuple[np.ndarray, list[float]]:
    """Cells with those of the chosen columns moved, NaN elsewhere; and their mean moves."""
    new, moves = np.full(values.shape, np.nan), []
    for i in chosen:
        own = cells[:, i] & ~np.isnan(values[:, i])
        j = codec.numeric.tolist().index(i)
        x = values[own, i][:, None]
        at = slice(j, j + 1)
        there = clipped(x + step * codec.scale[j], codec.low[at], codec.high[at], codec.whole[at])
        new[own, i] = there[:, 0]
        moves.append(float((there - x).mean()) if own.any() else 0.0)
    return new, moves


def _column(frame: Frame, codec: coding.Codec, name: str) -> int:
    if name not in frame.names:
        raise OptionError(f"no column is called '{name}'{suggest(name, frame.names)}")
    i = frame.names.index(name)
    column = frame.columns[i]
    if i not in codec.numeric.tolist():
        what = "directions" if column.period is not None else f"{column.kind}"
        raise OptionError(
            f"column '{name}' holds {what} that cannot be shifted; expected numbers of which some "
            "differ"
        )
    if frame.mask[:, i].all():
        raise OptionError(f"column '{name}' lacks nothing, so there is nothing to shift")
    return i


def _rows(frame: Frame, rows: Any) -> np.ndarray:
    if rows is None:
        return np.ones(len(frame.values), bool)
    found = np.asarray(rows)
    if found.dtype != bool or found.shape != (len(frame.values),):
        raise OptionError(
            f"rows is of type {found.dtype} and shape {found.shape}; expected booleans, one for "
            f"each of the {len(frame.values)} rows"
        )
    return found

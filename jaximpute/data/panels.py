"""Several series below one another: found by what tells rows of the same stamp apart."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError, OptionError, TimeError
from jaximpute.data.columns import suggest

_MOST, _TIMES = 5 * 10**7, 20  # cells of all series at all stamps, and how many for each cell given


def telling_apart(
    columns: Mapping[Any, Sequence[Hashable]], time: Hashable
) -> tuple[Hashable, int] | None:
    """The column whose values tell rows with the same stamp apart, and how many series it names.

    Args:
        columns: of a table, by name.
        time: the one with the stamps.

    Returns:
        The column with fewest values; None if no stamp occurs twice, or no column tells.

    Example:
        >>> telling_apart({"station": ["A", "A", "B", "B"], "day": [1, 2, 1, 2]}, "day")
        ('station', 2)
    """
    stamps = columns[time]
    if len(set(stamps)) == len(stamps):
        return None
    found: list[tuple[int, Hashable]] = []
    for name, cells in columns.items():
        levels = len(set(cells))
        # series have several rows each
        if name != time and 2 * levels <= len(cells):
            pairs = set(zip(cells, stamps, strict=True))
            if len(pairs) == len(cells):
                found.append((levels, name))
    if not found:
        return None
    levels, name = min(found, key=lambda each: each[0])
    return name, levels


def number_groups(columns: Mapping[str, Sequence[Hashable]]) -> np.ndarray:
    """The number of the series that each row belongs to, in the order in which they appear.

    Args:
        columns: that tell the series apart together, by name.

    Returns:
        `(rows,)` whole numbers from 0.

    Raises:
        DataError: a row in which one of them is missing.

    Example:
        >>> number_groups({"station": ["B", "A", "B"]}).tolist()
        [0, 1, 0]
    """
    return number_rows(pd.DataFrame({n: list(c) for n, c in columns.items()}, dtype=object))


def listed(group: Any) -> tuple[Hashable, ...]:
    """The columns that `group=` names."""
    return tuple(group) if isinstance(group, list | tuple) else (group,)


def check_group(
    group: Any, time: Any, names: Sequence[Hashable], *, dated: bool = False, where: str = ""
) -> None:
    """Refuse groups that are no columns, or have no time.

    Args:
        group: the column or columns that tell series apart.
        time: the column of time stamps, the stamps, or None.
        names: of the columns.
        dated: whether an index of dates is the time where none is given.
        where: the columns are, for messages, such as " of stations.parquet".

    Raises:
        OptionError: no time is given, or it is a group itself.
        DataError: a column is not there.
    """
    if time is None and not dated:
        raise OptionError(
            f"group is {group!r}, and no time is given; what tells series apart needs time= "
            "(--time), the column of their stamps"
        )
    if missing := [name for name in listed(group) if name not in names]:
        found = suggest(str(missing[0]), list(map(str, names)))
        raise DataError(f"no column{where} is called {missing[0]!r}{found}")
    if np.isscalar(time) and time in listed(group):
        raise OptionError(f"column {time!r} is both the time and a group")


def number_rows(table: pd.DataFrame) -> np.ndarray:
    """`number_groups`, of columns of any type.

    Args:
        table: the columns.

    Raises:
        DataError: see there.
    """
    for name in table:
        empty = (table[name].isna() | (table[name] == "")).to_numpy()
        if empty.any():
            raise DataError(
                f"column '{name}' is missing in row {int(np.flatnonzero(empty)[0])} "
                f"({int(empty.sum())} rows in all), and tells which series a row belongs to. Fill "
                "it in, or drop those rows"
            )
    return table.groupby(list(table), sort=False, dropna=False).ngroup().to_numpy()


def check_room(groups: int, stamps: int, cells: int, columns: int) -> None:
    """Refuse series that have so few stamps in common that most of what is placed is empty.

    Args:
        groups: number of series.
        stamps: that any of them has.
        cells: rows times columns as given.
        columns: number of them.

    Raises:
        TimeError: too many cells would be placed.
    """
    placed = groups * stamps * columns
    if placed > max(_MOST, _TIMES * cells):
        raise TimeError(
            f"{groups} series have {stamps} different stamps together, which is {placed:.1e} cells "
            f"for {cells:.1e} given. Series of different times should be told by the time since "
            "the start of each"
        )


def numbers_of(shape: Sequence[int], group: np.ndarray | None) -> np.ndarray | None:
    """The number of the series that each row belongs to; None if there is one series.

    Args:
        shape: `(n, T, D)`, see `data.frames.Frame`.
        group: of the stamps, see `data.series.Stamps`.
    """
    if group is not None or shape[0] < 2:
        return group
    return np.repeat(np.arange(shape[0]), shape[1])


class Constancy(NamedTuple):
    """How constant columns are within series; parts add up.

    Attributes:
        one: `(columns,)` whether no series shows two values.
        often: `(columns,)` how many series show it twice or more.
        seen: `(columns,)` how many show it.
        low: `(columns,)` the least value of all.
        high: `(columns,)` the greatest.
    """

    one: np.ndarray
    often: np.ndarray
    seen: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def static(self) -> tuple[int, ...]:
        """The columns with one value for each series, such as a station's elevation.

        In no series does such a column show two values. At least half of the series in which it
        shows any show it twice, and not all show the same: what is measured once in each is not
        static.
        """
        often = 2 * self.often >= np.maximum(self.seen, 1)
        return tuple(np.flatnonzero(self.one & often & (self.low < self.high)).tolist())


def constancy(low: np.ndarray, high: np.ndarray, cells: np.ndarray) -> Constancy:
    """How constant columns are.

    Args:
        low: `(series, columns)` the least value of each in each series; any where it shows none.
        high: the greatest.
        cells: how many are observed.
    """
    seen = cells > 0
    return Constancy(
        ((low == high) | ~seen).all(axis=0),
        (cells > 1).sum(axis=0),
        seen.sum(axis=0),
        np.where(seen, low, np.inf).min(axis=0),
        np.where(seen, high, -np.inf).max(axis=0),
    )


def both(a: Constancy, b: Constancy) -> Constancy:
    """The constancy of two parts, which share no series, together."""
    return Constancy(
        a.one & b.one,
        a.often + b.often,
        a.seen + b.seen,
        np.minimum(a.low, b.low),
        np.maximum(a.high, b.high),
    )


def static_columns(values: np.ndarray, group: np.ndarray) -> tuple[int, ...]:
    """The columns with one value for each series; see `Constancy.static`.

    Args:
        values: `(rows, columns)`, NaN where missing.
        group: `(rows,)` of which series.

    Example:
        >>> cells = np.array([[5.0, 1.0], [5.0, 2.0], [7.0, 3.0], [np.nan, 4.0], [7.0, 5.0]])
        >>> static_columns(cells, np.array([0, 0, 1, 1, 1]))
        (0,)
    """
    by = pd.DataFrame(values).groupby(group, sort=True)
    return constancy(*(part.to_numpy() for part in (by.min(), by.max(), by.count()))).static


def settled(
    values: np.ndarray, filled: np.ndarray, group: np.ndarray, static: Sequence[int]
) -> np.ndarray:
    """Fills of static columns as their series' own value, where it shows one.

    Args:
        values: `(rows, columns)`, NaN where missing.
        filled: the same completed, NaN where left empty.
        group: `(rows,)` of which series.
        static: the columns.

    Returns:
        `(rows, columns)`, not rounded on the way by what completed them.
    """
    result, chosen = filled.copy(), list(static)
    by = pd.DataFrame(values[:, chosen]).groupby(group)
    low, high = by.transform("min").to_numpy(), by.transform("max").to_numpy()
    known = np.where(low == high, low, np.nan)
    fills = np.isnan(values[:, chosen]) & ~np.isnan(filled[:, chosen]) & ~np.isnan(known)
    result[:, chosen] = np.where(fills, known, filled[:, chosen])
    return result

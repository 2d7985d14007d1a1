"""What is missing together with what, which columns can tell which, and is it by chance alone?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaximpute._errors import DataError
from jaximpute.data import missingness as pure
from jaximpute.data.frames import Container, read
from jaximpute.data.missingness import Little


class Missingness(NamedTuple):
    """What the holes of a table or series look like.

    Attributes:
        patterns: a row for each set of columns that are missing together, the most frequent first:
            a boolean for each column (True = observed), `rows`, and how many are `missing`.
        together: by column lacked and another column, the share of rows that lack the other, too.
        flux: by column its share `observed`, `influx` and `outflux`, see `data.missingness.flux`.
        little: Little's test over the columns of numbers, see `data.missingness.little`; None
            where it cannot be made.
        why: the reason for that.
    """

    patterns: pd.DataFrame
    together: pd.DataFrame
    flux: pd.DataFrame
    little: Little | None
    why: str = ""


def missingness(
    data: Container,
    *,
    time: Any = None,
    group: Any = None,
    dims: Sequence[str] | None = None,
) -> Missingness:
    """Describe which cells are missing together.

    Args:
        data: any container that `impute` takes; of images and fields each cell of the grid is a
            row, and each variable a column.
        time: the time axis, as in `impute`; it is no column.
        group: what tells series apart; no column either.
        dims: of xarray's objects.

    Returns:
        Frames by the columns' names, and Little's test.

    Raises:
        DataError, TimeError, OptionError: see `impute`.

    Example:
        >>> found = missingness(np.array([[1.0, np.nan], [2.0, 3.0], [3.0, np.nan]]))
        >>> found.patterns["rows"].tolist(), found.flux["influx"].round(2).tolist()
        ([2, 1], [0.0, 0.5])
    """
    frame = read(data, time, dims, group)
    own = [
        i
        for i, column in enumerate(frame.columns)
        if column.kind not in ("time", "group") or column.reason
    ]
    names = [frame.names[i] for i in own]
    mask = frame.mask[:, own]
    found = pure.patterns(mask)
    patterns = pd.DataFrame(found.mask, columns=names)
    patterns.insert(len(names), "rows", found.rows, allow_duplicates=True)
    patterns.insert(len(names) + 1, "missing", (~found.mask).sum(axis=1), allow_duplicates=True)
    influx, outflux = pure.flux(mask)
    flux = pd.DataFrame(
        {"observed": mask.mean(axis=0), "influx": influx, "outflux": outflux}, index=names
    )
    numbers = [i for i in own if frame.columns[i].holds_numbers]
    try:
        little, why = pure.little(_varying(frame.values[:, numbers])), ""
    except DataError as error:
        little, why = None, str(error)
    together = pd.DataFrame(pure.together(mask), index=names, columns=names)
    return Missingness(patterns, together, flux, little, why)


def _varying(values: np.ndarray) -> np.ndarray:
    """The columns of which some observed cells differ."""
    known = ~np.isnan(values)
    first = values[known.argmax(axis=0), np.arange(values.shape[1])]
    kept = (known & (values != first)).any(axis=0)
    if not kept.any():
        raise DataError("no column holds numbers that differ")
    return values[:, kept]

"""One pass over a source: what its columns hold, and where anything is observed."""

import hashlib
from typing import NamedTuple

import numpy as np

from jaximpute._errors import DataError
from jaximpute.catalogue import Exact
from jaximpute.data import panels
from jaximpute.data.codec import Codec
from jaximpute.engine import fingerprint
from jaximpute.streaming import feeds, moments, panel
from jaximpute.streaming.types import Source

_CELLS = 2**18  # read at a time


class Scan(NamedTuple):
    """What one pass over a source finds.

    Attributes:
        codec: of its columns, by all rows.
        cells: `(columns,)` how many are observed.
        seen: `(*event,)` which places are observed at some time; for steps of time.
        digest: of all cells.
        ends: `(2, columns)` the least and greatest value of each column.
        static: columns with one value for each of several series.
    """

    codec: Codec
    cells: np.ndarray
    seen: np.ndarray | None
    digest: str
    ends: np.ndarray
    static: tuple[int, ...] = ()


def scan(source: Source, exact: Exact = "") -> Scan:
    """Look at all cells once.

    Args:
        source: what to look at.
        exact: of the method, see `catalogue.Entry`.

    Raises:
        DataError: an infinite value; the message names its column and row.
    """
    total, counts, seen, digest = None, None, None, hashlib.sha256()
    first, constancy = np.zeros((0, len(source.columns))), None
    # parts of a length that no setting changes, so that moments round the same way
    many = max(1, _CELLS // (source.unit * int(np.prod(source.event))))
    step = source.unit * many
    edges = [(a, min(a + step, source.length)) for a in range(0, source.length, step)]
    for values, start in feeds.in_order(lambda a, b: (source.read(a, b), a), edges):
        flat = values.reshape(-1, values.shape[-1])
        _refuse_infinite(source, values, start)
        first = first if len(first) else flat
        part = moments.of_block(moments.with_points(flat, source.columns))
        total = part if total is None else moments.merged(total, part)
        levels = moments.count_levels(flat, source.columns)
        counts = levels if counts is None else [a + b for a, b in zip(counts, levels, strict=True)]
        if source.panel is not None:
            part_of = panel.constancy(values)
            constancy = part_of if constancy is None else panels.both(constancy, part_of)
        if source.along == "time":
            here = ~np.isnan(values).all(axis=0)
            seen = here if seen is None else seen | here
        digest.update(fingerprint.digest([values]).encode())
    assert total is not None
    assert counts is not None
    codec = moments.codec_of(total, counts, source.columns, first, exact)
    ends = np.stack([total.low, total.high])[:, : len(source.columns)]
    static: tuple[int, ...] = ()
    if constancy is not None:
        static = tuple(i for i in constancy.static if source.columns[i].holds_values)
    return Scan(codec, total.cells[: len(source.columns)], seen, digest.hexdigest(), ends, static)


def codec_to_learn(found: Scan, source: Source) -> Codec:
    """The codec of all columns; of none, if nothing is missing that could be filled."""
    codec = found.codec
    if (found.cells[codec.columns] < source.rows).any():
        return codec
    none = np.zeros(0)
    return Codec(
        none.astype(int),
        none,
        none,
        none.astype(bool),
        (),
        codec.constants,
        codec.unlearned,
        none,
        none,
        none.reshape(-1, 2),
    )


def _refuse_infinite(source: Source, values: np.ndarray, start: int) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        place = np.argwhere(infinite)[0]
        row = start + int(place[0])
        if source.panel is not None:
            row = panel.row_at(source.panel, row, int(place[1]))
        raise DataError(
            f"{source.columns[place[-1]].called} of {source.path} holds "
            f"{values[tuple(place)]} in row {row}; expected finite numbers. Make "
            "infinite cells missing (NaN) to have them imputed"
        )

"""Where blocks lie along a source, and the windows they are completed in."""

from typing import NamedTuple

import numpy as np

from jaximpute.streaming.types import Source

BLOCK_BYTES = 2**25  # of a block as float64, unless its length is given
_SERIES_BLOCK = 4096
_MARGIN = {"field": 24, "series": 512}  # steps of time beyond a block, on both sides


class Spans(NamedTuple):
    """The blocks.

    Attributes:
        all: `(start, stop, first, last)`: a block, and the window it is completed in.
        block: their length.
        margin: steps beyond.
        window: length of the windows.
    """

    all: list[tuple[int, int, int, int]]
    block: int
    margin: int
    window: int


def spans_of(
    source: Source,
    block: int | None,
    margin: int | None,
    *,
    completions: int = 1,
    full: bool = False,
) -> Spans:
    """Cut a source into blocks.

    Args:
        source: the source.
        block: rows or steps of a block; None = of 32 MB, all completions together, for series at
            most 4096.
        margin: steps of time that windows reach beyond a block, on both sides; None = 24 for fields
            and 512 for series, at most a block.
        completions: how many of a block lie in memory.
        full: whether windows of rows are of one length, too: the last one reaches further back.
    """
    if block is None:
        block = max(1, BLOCK_BYTES // (8 * int(np.prod(source.event)) * completions))
        if source.kind == "series" and source.along == "time":
            block = min(block, _SERIES_BLOCK)  # as long as what is learned from
    block = min(source.length, -(-block // source.align) * source.align)
    if source.along == "rows":
        margin = 0
    elif margin is None:
        margin = min(_MARGIN[source.kind], block)
    starts = range(0, source.length, block)
    window = min(source.length, block + 2 * margin)
    even = margin or full
    every = []
    for start in starts:
        stop = min(start + block, source.length)
        # windows of one length: at the ends of the file they reach further on the other side
        first = min(max(start - margin, 0), source.length - window) if even else start
        last = first + window if even else stop
        every.append((start, stop, first, last))
    return Spans(every, block, margin, window)

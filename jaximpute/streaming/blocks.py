"""A block of a file, completed: once, or several times at random."""

from typing import Any, NamedTuple

import numpy as np

from jaximpute.data import layout
from jaximpute.streaming import completing, feeds, panel
from jaximpute.streaming.completing import Completed
from jaximpute.streaming.scan import Scan
from jaximpute.streaming.spans import Spans
from jaximpute.streaming.types import Source
from jaximpute.tasks import multiple
from jaximpute.tasks.fitted import Fitted


class Ask(NamedTuple):
    """What is asked of a file; see `impute_file`.

    Attributes:
        source: the file.
        spans: its blocks.
        together: whether it completes the rows of a block from one another.
        draws: how many random completions; 0 = one estimate.
        interval: coverage of the intervals that are asked for in place of draws.
        max_gap: longest gap to fill.
        fill_unseen: whether places observed at no time are filled.
    """

    source: Source
    spans: Spans
    together: bool
    draws: int
    interval: float | None
    max_gap: Any
    fill_unseen: bool


class Block(NamedTuple):
    """A block, and what is around it.

    Attributes:
        window: `(rows, *event)` its cells, and those of its margins.
        start: number of its first row in the file.
        begin: position of that row in the window.
        length: how many rows it has.
        number: how many blocks are before it.
    """

    window: np.ndarray
    start: int
    begin: int
    length: int
    number: int

    @property
    def cells(self) -> np.ndarray:
        """Without its margins."""
        return self.window[self.begin : self.begin + self.length]


def complete_block(
    ask: Ask, fitted: Fitted, found: Scan, block: Block
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complete a block.

    Args:
        ask: what is asked.
        fitted: what has learned, or completes blocks from themselves.
        found: what the first pass saw.
        block: its cells.

    Returns:
        Its completed cells, or several completions of them; which cells are new; and which were
        brought back within their bounds.
    """
    window = layout.spread(block.window, found.static)[0] if found.static else block.window
    if ask.draws:
        completed = _draw(ask, fitted, window, block.start, found.static)
    else:
        completed = _once(ask, fitted, window, block)
        if found.static:
            _, shown = layout.spread(block.cells, found.static)
            completed = completed._replace(values=layout.constant(completed.values, shown))
    seen = found.seen if ask.source.kind == "field" and not ask.fill_unseen else None
    left = None
    if (own := ask.source.panel) is not None:
        left = panel.left_empty(own, block.start, block.cells, found.static, ask.max_gap)
    return *_new(block.cells, completed.values, seen, left), completed.clipped


def _once(ask: Ask, fitted: Fitted, window: np.ndarray, block: Block) -> Completed:
    """A block, completed once."""
    timed = ask.source.along == "time"
    rows = feeds.windows_of(window) if timed else window  # as many windows in every block
    if ask.together:
        completed = completing.complete_together(fitted, rows, block.number)
    else:
        completed = completing.complete(fitted, rows, **({"most": len(rows)} if timed else {}))
    parts = (feeds.windows_of(part) if timed else part for part in completed)
    return Completed(*(part[block.begin : block.begin + block.length] for part in parts))


def _draw(
    ask: Ask, fitted: Fitted, window: np.ndarray, start: int, static: tuple[int, ...]
) -> Completed:
    """A block's draws; or their median, and the lower and upper ends of their intervals."""
    done = completing.draw(fitted, window, ask.draws, start)
    found = done.values
    if static:
        found = layout.constant(found, layout.spread(window, static)[1])
    if ask.interval is None:
        return done._replace(values=found[1:])
    ends = multiple.ends_of(found[1:], found[0], ask.source.columns, ask.interval)
    return done._replace(values=np.stack([found[0], *ends]))


def _new(
    cells: np.ndarray,
    completed: np.ndarray,
    seen: np.ndarray | None,
    left: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """A block's completed cells, or several completions of them, and which cells are new.

    New are none at places that are observed at no time (not `seen`), and none that are `left`.
    """
    missing = np.isnan(cells)
    fill = missing & ~np.isnan(completed.reshape(-1, *cells.shape)[0])
    if seen is not None:
        fill &= seen[None]
    if left is not None:
        fill &= ~left
    return np.where(missing & ~fill, np.nan, completed), fill

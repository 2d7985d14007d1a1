"""Sets of levels that a missing cell of a category may have, by cells that were hidden again."""

from typing import NamedTuple

import numpy as np

from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame
from jaximpute.maths import conformal


class Named(NamedTuple):
    """What a method made of hidden cells of booleans, categories and texts.

    Attributes:
        column: `(m,)` the cells' columns.
        truth: `(m,)` codes of the levels that were hidden.
        answer: `(m,)` codes of those that were answered.
        draws: `(draws, m)` codes of random answers; `(0, m)` without.
        part: `(m,)` see `Trials`.
    """

    column: np.ndarray
    truth: np.ndarray
    answer: np.ndarray
    draws: np.ndarray
    part: np.ndarray

    def take(self, which: np.ndarray) -> "Named":
        """Some of the cells."""
        return Named(*(leaf[..., which] for leaf in self))


Sets = dict[int, np.ndarray]


def level_sets(
    frame: Frame, codec: Codec, values: np.ndarray, draws: np.ndarray, found: Named, level: float
) -> Sets:
    r"""The levels that missing cells may have, so that the sets hold the share `level` of them.

    With :math:`p_k` for how often the truth was level :math:`k` where the hidden cells were
    answered like this one, averaged with how often its draws are, a set has all levels with

    .. math:: 1 - p_k \le q

    and the answer itself, where :math:`q` is the conformal bound of :math:`1 - p` of the truths of
    hidden cells, of the column or, where it has fewer than fifty, of all.

    Args:
        frame: the data.
        codec: of its columns.
        values: `(rows, columns)` the completion.
        draws: `(draws, rows, columns)` random completions; none of methods that do not draw.
        found: what the method made of hidden cells.
        level: nominal coverage.

    Returns:
        By column the `(rows, levels)` booleans over the levels of the frame's column; an observed
        cell has its own alone, and one left empty has none.

    Source: Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error
    levels", JASA 114 (2019).
    """
    have = set(np.unique(found.column).tolist())
    sets = {}
    for block in codec.levels:
        i = block.column
        if i not in have or frame.mask[:, i].all():
            continue
        number = len(frame.columns[i].levels)
        inside = values[:, i, None] == np.arange(number)
        gap = ~frame.mask[:, i] & ~np.isnan(values[:, i])
        answer = values[gap, i].astype(int)
        cells = Named(np.full(len(answer), i), answer, answer, draws[:, gap, i].astype(int), answer)
        inside[gap] |= _likely(frame, cells, found, level)
        sets[i] = inside
    return sets


def contained(frame: Frame, found: Named, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Which hidden truths lie in sets that the other half of the hidden cells made; and their size.

    Args:
        frame: the data.
        found: the hidden cells.
        level: nominal coverage.

    Returns:
        `(m,)` booleans, and `(m,)` how many levels the sets have.
    """
    inside, size = np.zeros(len(found.truth), bool), np.zeros(len(found.truth), int)
    for side in (0, 1):
        judged = found.part % 2 == side
        for i in np.unique(found.column[judged]).tolist():
            own = judged & (found.column == i)
            cells = found.take(own)
            likely = _likely(frame, cells, found.take(~judged), level)
            likely[np.arange(len(likely)), cells.answer] = True
            inside[own] = likely[np.arange(len(likely)), cells.truth]
            size[own] = likely.sum(axis=1)
    return inside, size


def _likely(frame: Frame, cells: Named, known: Named, level: float) -> np.ndarray:
    """`(m, levels)` booleans for cells of one column."""
    i = int(cells.column[0]) if len(cells.column) else 0
    number = len(frame.columns[i].levels)
    own = known.take(known.column == i)
    scores = _scores(own, number)
    if len(scores) < max(conformal.LEAST, conformal.least_scores(level)):
        for other in np.unique(known.column[known.column != i]).tolist():
            beside = known.take(known.column == other)
            scores = np.append(scores, _scores(beside, len(frame.columns[other].levels)))
    bound = conformal.bound(scores, level)
    return 1 - _probability(cells, own, number) <= bound


def _scores(known: Named, number: int) -> np.ndarray:
    likely = _probability(known, known, number, leave_out=True)
    return 1 - likely[np.arange(len(likely)), known.truth]


def _probability(cells: Named, known: Named, number: int, *, leave_out: bool = False) -> np.ndarray:
    """`(m, levels)`: how often each level is the truth of cells answered like these."""
    counts = np.zeros((number, number))
    np.add.at(counts, (known.answer, known.truth), 1)
    share = (counts.sum(axis=0) + 1 / number) / (counts.sum() + 1)
    own = counts[cells.answer]
    if leave_out:  # a cell is not to vouch for itself
        own = own.copy()
        own[np.arange(len(own)), cells.truth] -= 1
    likely = (own + share[None]) / (own.sum(axis=1, keepdims=True) + 1)
    if len(cells.draws):
        drawn = (cells.draws[..., None] == np.arange(number)).mean(axis=0)
        likely = (likely + drawn) / 2
    return likely

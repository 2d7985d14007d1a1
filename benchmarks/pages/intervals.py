"""The page on intervals: how many hidden cells they hold, beside what they say."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.harness import jobs
from benchmarks.pages import spirit

BY_CHANCE = ("mcar", "block", "pixels", "blocks")

INTRODUCTION = """# Do intervals hold what they say?

Generated from the rows in `benchmarks/results/` by `python -m benchmarks.document`; do not edit.

`python -m benchmarks.intervals`: cells are hidden from complete data,
`impute_with_report(interval=...)` makes intervals, and those are counted that hold the hidden cell;
of columns of numbers. *Says* is the coverage that the report states without knowing these cells,
from observed cells hidden again. *Width* is the mean length in standard deviations of the columns.
`film` is a Gaussian field of 6 frames of 20 x 20 that moves, with noise; `mixed` and `penguins`
have categories beside numbers. Cost is that of the completion and of all runs behind its intervals.
"""


def read(path: Path) -> list[jobs.Row]:
    """The rows of a file; of two measurements of the same thing, the later one."""
    return jobs.read(path)


def page(rows: Sequence[jobs.Row]) -> str:
    """The whole page: cells missing by chance, and by values."""
    found = pd.DataFrame(jobs.latest(rows))
    chance = found["pattern"].isin(BY_CHANCE)
    parts = [INTRODUCTION, "## Missing by chance\n", _table(found[chance])]
    parts.append(_in_words(found[chance]))
    if (~chance).any():
        parts += [
            "## Missing by values\n\n`mar`: by the values of other columns. `mnar`: the larger a "
            "value, the likelier it is missing; the hidden cells are then not like the observed "
            "ones, and the report cannot know.\n",
            _table(found[~chance]),
        ]
    return "\n".join(parts)


def _levels(rows: pd.DataFrame) -> list[str]:
    return sorted({level for at in rows["at"] for level in at})


def _table(rows: pd.DataFrame) -> str:
    levels = _levels(rows)
    lines = []
    keys = ["data", "kind", "pattern", "ratio", "method"]
    for (data, kind, pattern, ratio, method), own in rows.groupby(keys, sort=False):
        line = [f"{data}, {kind}", f"{pattern}, {ratio:.0%}", method]
        for level in levels:
            means = pd.DataFrame([at[level] for at in own["at"]]).mean()
            line += [f"{means['held']:.1%}", f"{means['told']:.1%}", f"{means['width']:.2f}"]
        cells = f"{own['hidden'].mean():.0f} / {own['cells'].mean():.0f}"
        lines.append([*line, cells, f"{own['cpu_seconds'].mean():.0f}"])
    each = [head for level in levels for head in (f"{float(level):.0%} holds", "says", "width")]
    heads = ["data", "hidden", "method", *each, "cells hidden / again", "CPU-s"]
    return spirit.table(heads, lines)


def _in_words(rows: pd.DataFrame) -> str:
    texts = []
    for level in _levels(rows):
        held = pd.Series([at[level]["held"] for at in rows["at"]])
        texts.append(
            f"a nominal {float(level):.0%} holds {held.mean():.1%}, from {held.min():.1%} to "
            f"{held.max():.1%}"
        )
    count = len(rows[["data", "pattern", "ratio", "method"]].drop_duplicates())
    return f"Over {count} problems {'; '.join(texts)}.\n"

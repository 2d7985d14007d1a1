"""The report of a file that was completed block by block."""

import numpy as np

from jaximpute import registry
from jaximpute.data import possible
from jaximpute.engine import fingerprint
from jaximpute.files import grids
from jaximpute.streaming.resume import Progress
from jaximpute.streaming.scan import Scan
from jaximpute.streaming.spans import BLOCK_BYTES
from jaximpute.streaming.types import Source
from jaximpute.tasks import report
from jaximpute.tasks.fitted import Fitted
from jaximpute.tasks.report import Report


def describe(
    source: Source,
    found: Scan,
    progress: Progress,
    fitted: Fitted,
    *,
    hint: bool = True,
) -> Report:
    """What a run has to say.

    Args:
        source: what was completed.
        found: in it.
        progress: of the run, at its end.
        fitted: the method.
        hint: whether to warn of columns that look like directions.

    Returns:
        Plain values for JSON.
    """
    name, options = fitted.name, fitted.options or {}
    rows = source.rows
    names = [column.name for column in source.columns]
    missing = {names[i]: int(rows - n) for i, n in enumerate(found.cells) if n < rows}
    filled = dict(zip(names, progress.filled, strict=True))
    reasons = {names[i]: reason for i, reason in found.codec.unlearned.items()}
    unseen = "observed at no time, as land is; fill_unseen=True (--fill-unseen) fills them too"
    if source.panel is not None:
        unseen = "in gaps longer than max_gap"
    about: Report = {
        "kind": source.kind,
        "rows": rows,
        "columns": len(names),
        "missing": missing,
        "filled": sum(filled.values()),
        "left_empty": {
            column: {"cells": n - filled[column], "reason": reasons.get(column, unseen)}
            for column, n in missing.items()
            if n > filled[column]
        },
        "not_learned": reasons,
        "time": None
        if source.panel is None
        else {
            "steps": source.panel.length,
            "series": source.length,
            "absent_rows": source.panel.length * source.length - rows,
            "regular": True,
            "step_seconds": source.panel.seconds,
        },
    }
    notes = list(source.native.notes if grids.is_grid_file(source.path) else ())
    size = 8 * source.align * int(np.prod(source.event))
    if size > 4 * BLOCK_BYTES:
        notes.append(
            f"the chunks of {source.path} hold {source.align} steps, and so do blocks, of "
            f"{size / 1e6:.0f} MB; shorter chunks take less memory"
        )
    if progress.done > 1 and not registry.entry(name, source.kind).inductive:
        notes.append(
            f"'{name}' completes only the rows it learns from: each block was completed from its "
            "own rows (the last one with some before it), and others would be with other blocks"
        )
    return {
        "method": name,
        "options": {key: fingerprint.plain(value) for key, value in options.items()},
        "preset": fitted.preset,
        "seed": fitted.seed,
        "answer": fitted.answer,
        **about,
        **report.possible(
            found.codec, [column.name for column in source.columns], np.array(progress.clipped)
        ),
        "losses": progress.losses,
        "metrics": progress.metrics,
        "warnings": [
            *notes,
            *_outside(source, found, hint),
            *report.room_warnings(found.codec, source.columns, np.array(progress.clipped)),
            *report.empty_warnings(about),
            *report.worse_warning(name, progress.metrics),
        ],
        "hashes": {
            "data": progress.data,
            "result": progress.result,
        },
        "versions": fingerprint.versions(),
    }


def _outside(source: Source, found: Scan, hint: bool) -> list[str]:
    """See `possible.notes`; here the ends of columns are known, and not their cells."""
    texts = []
    rows = source.rows
    for i, column in enumerate(source.columns):
        low, high = found.ends[:, i]
        if column.bounds is not None:
            least, most = column.bounds
            if (least is not None and low < least) or (most is not None and high > most):
                texts.append(
                    f"{column.called}: observed cells, from {low:g} to {high:g}, lie "
                    "outside the bounds given; they stay as they are"
                )
        elif (
            hint and 0 < found.cells[i] < rows and possible.looks_circular(column, found.ends[:, i])
        ):
            texts.append(possible.direction_hint(column))
    return texts

"""Tables learned once and completed later: what is behind `fit` and `apply`."""

import time as clock
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from jaximpute import registry
from jaximpute._errors import DataError, OptionError
from jaximpute._terminal import stage
from jaximpute.cli import settings
from jaximpute.cli.settings import FitSettings
from jaximpute.data import frames, tablecolumns
from jaximpute.data.columns import Column, suggest
from jaximpute.data.frames import Frame
from jaximpute.data.recode import recode
from jaximpute.engine import fingerprint, hooks
from jaximpute.engine.execution import Execution
from jaximpute.engine.hooks import CheckpointPolicy
from jaximpute.files import sheets
from jaximpute.tasks import fitted, ordered, report
from jaximpute.tasks.choose import inductive
from jaximpute.tasks.imputer import Imputer


class Learned(NamedTuple):
    """A fitted imputer, and what there is to say about it."""

    imputer: Imputer
    report: dict[str, Any]


class Applied(NamedTuple):
    """A sheet completed, and what there is to say about it."""

    sheet: sheets.Sheet
    report: dict[str, Any]


def learn(
    sheet: sheets.Sheet,
    file: str,
    run: FitSettings,
    kept: CheckpointPolicy | None = None,
    how: Execution | None = None,
) -> Learned:
    """Fit an imputer to the columns of a sheet.

    Args:
        sheet: what `files.sheets.read_file` returned.
        file: its name, for messages.
        run: settings of `fit`.
        kept: where checkpoints lie.
        how: on which devices, and with what arithmetic.

    Returns:
        The imputer and its report.

    Raises:
        DataError: it is no table, or columns hold what cannot be learned.
        OptionError: see `Imputer.fit`; or a column to leave that is not there.
    """
    started = clock.perf_counter()
    how = (how or Execution())._replace(most=settings.parse_memory(run.max_memory))
    frame = frames.read(sheet.table, run.time, None, run.group or None)
    chosen, notes = _learnable(frame, file, run.leave)
    imputer = Imputer(
        run.method,
        preset=run.preset,
        random_state=run.seed,
        keep_empty_features=True,
        options=run.options or None,
        bounds=settings.parse_bounds(run.bounds),
        circular=settings.parse_circular(run.circular),
        time=run.time,
        group=list(run.group) or None,
        max_gap=run.max_gap,
    )
    curve, name = report.Curve([], {}), inductive(run.method, frame.kind, "use impute()")

    def hooks_of(plan: registry.Plan) -> list[Any]:
        bar = [] if run.quiet else [hooks.progress(plan.steps, label=name)]
        stage(f"'{name}': compiling and starting", show=not run.quiet)
        return [curve.record, *plan.hooks, *bar]

    names = [frame.names[i] for i in chosen]
    cells: Any = pd.DataFrame(frame.values[:, chosen], columns=names)
    holes = cells.isna().sum()
    holes = {name: int(n) for name, n in holes.items() if n}
    if frame.kind == "series":
        names = [column.name for column in frame.columns if _tells(column)] + names
        cells = tablecolumns.some(sheet.table, names)
    elif any(frame.columns[i].levels for i in chosen):
        cells = tablecolumns.some(sheet.table, names)
    whole = [frame.names[i] for i in chosen if frame.columns[i].kind == "integer"]
    imputer._fit(cells, whole, hooks_of, kept, how)
    return Learned(
        imputer,
        {
            "method": imputer.method_,
            "options": dict(run.options),
            "preset": run.preset,
            "seed": run.seed,
            "answer": "estimate",
            **_chosen(imputer, [frame.columns[frame.names.index(name)] for name in names]),
            "kind": frame.kind,
            "rows": len(frame.values),
            "columns": len(chosen),
            "missing": holes,
            **report.limits(imputer.codec_, names),
            "seconds": round(clock.perf_counter() - started, 3),
            "losses": curve.losses,
            "metrics": curve.metrics,
            "warnings": [
                *notes,
                *frame.notes,
                *imputer._notes,
                *report.worse_warning(imputer.method_, curve.metrics),
            ],
            "hashes": {
                "data": fingerprint.digest([frame.values]),
                "result": fingerprint.digest(map(np.asarray, jax.tree.leaves(imputer.state_))),
            },
            "versions": fingerprint.versions(),
        },
    )


def _tells(column: Column) -> bool:
    """Whether a column of series is their time, or tells them apart."""
    return column.kind in ("time", "group") and not column.reason


def _chosen(imputer: Imputer, columns: Sequence[Column]) -> dict[str, Any]:
    choices = imputer.fitted_.choices
    if not choices:
        return {}
    return {"chosen": report.chosen(choices, imputer.codec_, columns)}


def complete(sheet: sheets.Sheet, file: str, model: str, most: float | None = None) -> Applied:
    """Complete a sheet by a saved imputer.

    Args:
        sheet: what `files.sheets.read_file` returned.
        file: its name, for messages.
        model: the folder.
        most: megabytes that it may take; None for no limit.

    Returns:
        The completed sheet and a report.

    Raises:
        OutOfMemoryError: it would take more than it may.
        DataError: no model is there, or the sheet lacks its columns, or they hold other kinds of
            values.
    """
    started = clock.perf_counter()
    imputer = Imputer.load(model)
    if not hasattr(imputer, "feature_names_in_"):
        raise DataError(
            f"the model in {model} knows its columns by no names, as it was fitted to an array; "
            "Imputer.load completes arrays by it"
        )
    names = [str(name) for name in imputer.feature_names_in_]
    learned = imputer.columns_ or tuple(
        Column(name, "integer" if i in imputer.codec_.numeric[imputer.codec_.whole] else "number")
        for i, name in enumerate(names)
    )
    table = sheet.table
    if sheet.text is not None:
        table = tablecolumns.as_learned(table, learned)
    frame = frames.read(table, imputer.time, None, imputer.group)
    part = tablecolumns.part(frame, _columns(frame, file, names), names)
    alike, cells = recode(part, learned)
    if imputer.fitted_.along is None:
        done = fitted.complete(imputer.fitted_, cells, most=most)
    else:
        done = ordered.complete(imputer.fitted_, alike, cells, max_gap=imputer.max_gap, most=most)
    values = done.values.copy()
    for i, column in enumerate(learned):
        if column.kind == "integer" or part.columns[i].kind == "integer":
            values[:, i] = np.rint(values[:, i])
    holes = ~alike.mask
    missing = {name: int(n) for name, n in zip(names, holes.sum(axis=0), strict=True) if n}
    completed = tablecolumns.put(table, names, frames.write(alike, values))
    leaves = map(np.asarray, jax.tree.leaves(imputer.state_))
    return Applied(
        sheets.complete(sheet._replace(table=table), completed),
        {
            "method": imputer.method_,
            "options": dict(imputer.options or {}),
            "preset": imputer.preset,
            "seed": imputer.random_state,
            "answer": "estimate",
            "rows": len(cells),
            "columns": len(names),
            "missing": missing,
            "filled": int((holes & ~np.isnan(values)).sum()),
            **report.possible(imputer.codec_, names, done.moved.sum(axis=0)),
            "seconds": round(clock.perf_counter() - started, 3),
            "warnings": [],
            "hashes": {
                "data": fingerprint.digest([frame.values]),
                "model": fingerprint.digest(leaves),
                "result": fingerprint.digest([values]),
            },
            "versions": fingerprint.versions(),
        },
    )


def _learnable(frame: Frame, file: str, leave: Sequence[str]) -> tuple[list[int], list[str]]:
    """The columns to learn, and notes about those that are left."""
    _refuse_ordered(frame, file)
    for name in leave:
        if name not in frame.names:
            raise OptionError(f"no column is called '{name}'{suggest(name, frame.names)}")
    chosen, notes = [], []
    for i, column in enumerate(frame.columns):
        if column.name in leave:
            continue
        if not frame.mask[:, i].any():
            notes.append(f"column '{column.name}': nothing in it is observed; it is not learned")
        elif _tells(column):
            continue
        elif not column.holds_values:
            notes.append(f"column '{column.name}': {column.reason}; apply leaves it as it is")
        else:
            chosen.append(i)
    if not chosen:
        raise DataError(f"{file} has no column to learn")
    return chosen, notes


def _refuse_ordered(frame: Frame, file: str) -> None:
    if frame.kind not in ("table", "series") or frame.strand is not None:
        raise DataError(
            f"{file} holds {frame.kind}s of a grid, and saved models complete tables and series of "
            "a table; use jaximpute impute"
        )


def _columns(frame: Frame, file: str, names: Sequence[str]) -> list[int]:
    """Where the model's columns are."""
    _refuse_ordered(frame, file)
    for name in names:
        if name not in frame.names:
            raise DataError(
                f"{file} has no column '{name}', which the model has learned"
                f"{suggest(name, frame.names)}"
            )
    return [frame.names.index(name) for name in names]

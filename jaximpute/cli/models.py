"""Tables of numbers learned once and completed later: what is behind `fit` and `apply`."""

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
from jaximpute.data import frames
from jaximpute.data.columns import suggest
from jaximpute.data.frames import Frame
from jaximpute.engine import fingerprint, hooks
from jaximpute.engine.execution import Execution
from jaximpute.engine.hooks import CheckpointPolicy
from jaximpute.files import sheets
from jaximpute.tasks import report
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
    """Fit an imputer to the columns of numbers of a sheet.

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
    frame = frames.read(sheet.table)
    chosen, notes = _numeric(frame, file, run.leave)
    imputer = Imputer(
        run.method,
        preset=run.preset,
        random_state=run.seed,
        keep_empty_features=True,
        options=run.options or None,
        bounds=settings.parse_bounds(run.bounds),
        circular=settings.parse_circular(run.circular),
    )
    curve, name = report.Curve([], {}), inductive(run.method, "table", "use impute()")

    def hooks_of(plan: registry.Plan) -> list[Any]:
        bar = [] if run.quiet else [hooks.progress(plan.steps, label=name)]
        stage(f"'{name}': compiling and starting", show=not run.quiet)
        return [curve.record, *plan.hooks, *bar]

    cells = pd.DataFrame(frame.values[:, chosen], columns=[frame.names[i] for i in chosen])
    whole = [frame.names[i] for i in chosen if frame.columns[i].kind == "integer"]
    imputer._fit(cells, whole, hooks_of, kept, how)
    holes = cells.isna().sum()
    return Learned(
        imputer,
        {
            "method": imputer.method_,
            "options": dict(run.options),
            "preset": run.preset,
            "seed": run.seed,
            "answer": "estimate",
            **_chosen(imputer, frame),
            "kind": "table",
            "rows": len(cells),
            "columns": len(chosen),
            "missing": {str(name): int(n) for name, n in holes.items() if n},
            **report.limits(imputer.codec_, list(cells.columns)),
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


def _chosen(imputer: Imputer, frame: Any) -> dict[str, Any]:
    choices = imputer.fitted_.choices
    if not choices:
        return {}
    return {"chosen": report.chosen(choices, imputer.codec_, frame.columns)}


def complete(sheet: sheets.Sheet, file: str, model: str) -> Applied:
    """Complete a sheet by a saved imputer.

    Args:
        sheet: what `files.sheets.read_file` returned.
        file: its name, for messages.
        model: the folder.

    Returns:
        The completed sheet and a report.

    Raises:
        DataError: no model is there, or the sheet lacks its columns, or they hold no numbers.
    """
    started = clock.perf_counter()
    imputer = Imputer.load(model)
    if not hasattr(imputer, "feature_names_in_"):
        raise DataError(
            f"the model in {model} knows its columns by no names, as it was fitted to an array; "
            "Imputer.load completes arrays by it"
        )
    names = [str(name) for name in imputer.feature_names_in_]
    whole = {names[i] for i in imputer.codec_.numeric[imputer.codec_.whole]}
    table = sheet.table
    if sheet.text is not None:
        table = _as_learned(table, names, whole)
    frame = frames.read(table)
    chosen = _columns(frame, file, names)
    cells = pd.DataFrame(frame.values[:, chosen], columns=names)
    values = frame.values.copy()
    done = imputer._complete(imputer._validate(cells, reset=False))
    values[:, chosen] = done.values
    for i in chosen:
        if frame.columns[i].kind == "integer":
            values[:, i] = np.rint(values[:, i])
    missing = {name: int(n) for name, n in cells.isna().sum().items() if n}
    filled = int((np.isnan(frame.values) & ~np.isnan(values)).sum())
    leaves = map(np.asarray, jax.tree.leaves(imputer.state_))
    return Applied(
        sheets.complete(sheet._replace(table=table), frames.write(frame, values)),
        {
            "method": imputer.method_,
            "options": dict(imputer.options or {}),
            "preset": imputer.preset,
            "seed": imputer.random_state,
            "answer": "estimate",
            "rows": len(cells),
            "columns": len(chosen),
            "missing": missing,
            "filled": filled,
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


def _numeric(frame: Frame, file: str, leave: Sequence[str]) -> tuple[list[int], list[str]]:
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
        elif column.reason:
            notes.append(f"column '{column.name}': {column.reason}; apply leaves it as it is")
        elif column.kind not in ("number", "integer"):
            raise DataError(
                f"column '{column.name}' of {file} holds {_HOLDS[column.kind]}, and a saved model "
                f"completes numbers only. Leave it as it is (--leave '{column.name}'), or complete "
                "the file, such columns included, with jaximpute impute"
            )
        else:
            chosen.append(i)
    if not chosen:
        raise DataError(f"{file} has no column of numbers to learn")
    return chosen, notes


_HOLDS = {"boolean": "booleans", "category": "categories", "text": "texts"}


def _refuse_ordered(frame: Frame, file: str) -> None:
    if frame.kind != "table":
        raise DataError(
            f"{file} is a {frame.kind}, and saved models complete tables; use jaximpute impute"
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
        column = frame.columns[frame.names.index(name)]
        if column.kind not in ("number", "integer"):
            raise DataError(
                f"column '{name}' of {file} holds {_HOLDS.get(column.kind, column.kind)}, and the "
                "model has learned numbers there"
            )
    return [frame.names.index(name) for name in names]


def _as_learned(table: Any, names: Sequence[str], whole: set[str]) -> Any:
    """A CSV file's table with columns of the kind that was learned, whatever its cells look like.

    Where a few rows show only whole numbers, or none, the file does not say what the column holds.
    """
    changes = {}
    for name in (name for name in names if name in table.columns):
        column = table[name]
        if column.notna().any() and not pd.api.types.is_integer_dtype(column.dtype):
            continue
        kind = "Int64" if name in whole else "Float64"
        changes[name] = pd.Series(pd.to_numeric(column), column.index).astype(kind)
    return table.assign(**changes)

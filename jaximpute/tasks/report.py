"""What a run has to say about itself: the report, its warnings, and the curve of its losses."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaximpute import registry
from jaximpute.data.codec import Codec
from jaximpute.data.columns import Column
from jaximpute.data.frames import Frame
from jaximpute.data.series import Axis
from jaximpute.types import Info, State

Report = dict[str, Any]

_SHOWN = 10  # names in one warning


class Curve(NamedTuple):
    """Every loss of a run, and the last value of each metric; `record` is the hook.

    Attributes:
        losses: one a step; None where not finite, for which JSON has no number.
        metrics: by name.
    """

    losses: list[float | None]
    metrics: dict[str, float | None]

    def record(self, t: int, state: State, info: Info) -> bool:
        """Keep what a chunk has to tell; never stops the run."""
        del t, state
        self.losses.extend(_finite(loss) for loss in np.ravel(info.loss))
        self.metrics.update({k: _finite(np.ravel(v)[-1]) for k, v in info.metrics.items()})
        return False


def describe(
    frame: Frame, codec: Codec, axis: Axis | None, values: np.ndarray, kept: str = ""
) -> Report:
    """The part of a report about the data: its size, its holes, and what stayed empty and why.

    Args:
        frame: what was to be completed.
        codec: of its columns.
        axis: of time; None for a table.
        values: `(rows, columns)` completed cells, NaN where left empty.
        kept: why cells of columns that are learned were left empty.

    Returns:
        Plain values for JSON.
    """
    names, missing, empty = frame.names, ~frame.mask, np.isnan(values)
    left_empty = {
        names[i]: {
            "cells": int(empty[:, i].sum()),
            "reason": codec.unlearned.get(int(i), kept),
        }
        for i in np.flatnonzero(empty.any(axis=0))
    }
    holes = {names[i]: int(missing[:, i].sum()) for i in np.flatnonzero(missing.any(axis=0))}
    return {
        "kind": frame.kind,
        "rows": len(values),
        "columns": len(frame.columns),
        "missing": holes,
        "filled": int((missing & ~empty).sum()),
        "left_empty": left_empty,
        "not_learned": {names[i]: reason for i, reason in codec.unlearned.items()},
        "time": None if axis is None else _describe_axis(axis, frame.shape[0]),
    }


def limits(codec: Codec, names: Sequence[str]) -> Report:
    """The part of a report about what fills may be: `bounds` and `circular`, by column.

    Args:
        codec: of the columns.
        names: theirs.
    """
    bounds = {
        names[i]: [None if np.isinf(end) else end for end in (low, high)]
        for i, low, high in zip(codec.numeric, codec.low.tolist(), codec.high.tolist(), strict=True)
        if not (np.isinf(low) and np.isinf(high))
    }
    return {
        "bounds": bounds,
        "circular": {names[c.column]: c.period for c in codec.circles},
    }


def possible(codec: Codec, names: Sequence[str], moved: np.ndarray) -> Report:
    """`limits`, and which fills had to be `clipped` to them.

    Args:
        codec: of the columns.
        names: theirs.
        moved: `(columns,)` how many fills were brought back within their bounds.
    """
    clipped = {names[i]: int(moved[i]) for i in np.flatnonzero(moved).tolist()}
    return {**limits(codec, names), "clipped": clipped}


def room_warnings(codec: Codec, columns: Sequence[Column], moved: np.ndarray) -> list[str]:
    """One text for each variable whose file has no room for some of its fills.

    Args:
        codec: of the columns.
        columns: what they hold.
        moved: `(columns,)` how many fills were brought back within their bounds.
    """
    texts = []
    for i, low, high in zip(codec.numeric, codec.low.tolist(), codec.high.tolist(), strict=True):
        room = columns[i].room
        if room is None or not moved[i] or (low > room[0] and high < room[1]):
            continue
        texts.append(
            f"variable '{columns[i].name}': {int(moved[i])} fills are kept within {low:g} to "
            f"{high:g}; the file has room for no more than {room[0]:g} to {room[1]:g}, as it is "
            "packed (dtype, scale_factor, add_offset, valid range)"
        )
    return texts


def empty_warnings(report: Report) -> list[str]:
    """One text for each reason why cells were left empty, with the columns' names."""
    columns = defaultdict(list)
    for name, left in report["left_empty"].items():
        columns[left["reason"]].append((name, left["cells"]))
    texts = []
    for reason, found in columns.items():
        names = ", ".join(f"'{name}'" for name, _ in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        cells = sum(count for _, count in found)
        word = "variable" if report["kind"] in ("field", "image") else "column"
        word += "s" * (len(found) > 1)
        texts.append(f"{word} {names}{more}: missing cells left empty, {cells} in all ({reason})")
    return texts


def worse_warning(method: str, metrics: dict[str, float | None]) -> list[str]:
    """A text with both numbers if what a method returns is worse than its start, on held-out cells.

    That is its best iterate where it keeps one (`best_error`), and its last one elsewhere.
    """
    start, end = metrics.get("start_error"), metrics.get("best_error", metrics.get("error"))
    if start is None or end is None or end <= start:
        return []
    return [
        f"'{method}' ended worse than it started: error {end:.4g} on observed cells held out, from "
        f"{start:.4g}. Compare methods with evaluate, or take a simpler one"
    ]


def gap_warning(method: str, options: Mapping[str, Any], lengths: np.ndarray | None) -> list[str]:
    """A text where gaps of a series are longer than a method, or its start, sees around them.

    Args:
        method: its name.
        options: of the method.
        lengths: of the gap of each cell that was filled; None for other data.
    """
    begins, smoother = registry.entry(method).begins, method
    if begins:
        smoother = options.get(begins, registry.options(method)[begins].default)
    # what it begins from may be no method
    if lengths is None or smoother not in (method, *registry.names()):
        return []
    reach = registry.entry(smoother).reach
    if not reach:
        return []
    own = options.get(reach) if smoother == method else None
    context = registry.options(smoother)[reach].default if own is None else own
    beyond = lengths > context
    if not beyond.any():
        return []
    longer = "" if smoother == method else f"'{smoother}' with "
    return [
        f"{beyond.sum()} missing cells lie in gaps longer than the {context} steps that "
        f"'{method}' looks to either side (the longest has {lengths.max():g}). They were filled "
        "from the nearest observations, or from the season before and after, whichever did best "
        "on gaps like these hidden elsewhere, and are less sure than the others. Set max_gap to "
        f"leave them empty, or take {longer}a longer {reach}"
    ]


def _describe_axis(axis: Axis, count: int) -> Report:
    return {
        "steps": axis.length,
        "series": count,
        "absent_rows": axis.absent(count),
        "regular": axis.positions is None,
        "step_seconds": axis.seconds,
    }


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def chosen(choices: Mapping[str, Any], codec: Codec, columns: Sequence[Column]) -> dict[str, Any]:
    """What a method tells of its choices, its errors by column in the columns' own units.

    Args:
        choices: see `registry.Plan`; `column_errors` are of the codec's columns.
        codec: of the columns.
        columns: of the frame.

    Returns:
        The same for JSON; `column_errors` by name, of columns of numbers.
    """
    if (errors := choices.get("column_errors")) is None:
        return dict(choices)
    scaled = np.asarray(errors)[: len(codec.numeric)] * codec.scale
    by_name = {
        columns[i].name: float(f"{error:.4g}")
        for i, error in zip(codec.numeric.tolist(), scaled, strict=True)
    }
    return {**choices, "column_errors": by_name}


def in_one_line(choices: Mapping[str, Any]) -> str:
    """The choice of a stack, for a terminal.

    Example:
        >>> in_one_line({"weights": {"a": 0.7, "b": 0.0}, "errors": {"a": 0.5, "stack": 0.5}})
        'a 0.70; error on cells hidden again, in standard deviations: a 0.500, stack 0.500'
    """
    parts = [
        f"{name} {weight:.2f}" for name, weight in choices["weights"].items() if weight > 0.005
    ]
    errors = [f"{name} {error:.3f}" for name, error in choices["errors"].items() if error >= 0]
    after = "; error on cells hidden again, in standard deviations: " + ", ".join(errors)
    return ", ".join(parts) + (after if errors else "")

"""What is between reading a container and writing it back: its cells, filled by a method."""

import time as clock
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute._terminal import stage
from jaximpute.data import codec as coding
from jaximpute.data import fields, possible, series
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Frame
from jaximpute.data.layout import Layout, in_few_sizes, lay_out, take_back
from jaximpute.engine import fingerprint, hooks, runs
from jaximpute.engine.compiled import keep_compiled
from jaximpute.engine.draws import no_draws
from jaximpute.engine.precision import precision
from jaximpute.engine.warmup import warm_steps
from jaximpute.tasks import report
from jaximpute.tasks.advice import explained, refuse_divergence
from jaximpute.tasks.report import Curve, Report
from jaximpute.types import Answer, Hook, Kind

ANSWERS = ("estimate", "draw")


class Filled(NamedTuple):
    """`fill`'s answer: cells coded like `Frame.values`, NaN where left empty.

    Attributes:
        values: the one completion to report.
        report: what was done.
        draws: `(draws, rows, columns)` random completions; none unless asked for.
    """

    values: np.ndarray
    report: Report
    draws: np.ndarray


def fill(
    frame: Frame,
    name: str,
    *,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    never_impute: Any = None,
    progress: bool = False,
    options: Mapping[str, Any] | None = None,
    answer: Answer = "estimate",
    draws: int = 0,
    last: int = 0,
    checkpoints: hooks.CheckpointPolicy | None = None,
    hint: bool = True,
) -> Filled:
    """`impute` between reading and writing; warns of nothing, the texts are in the report.

    Args:
        frame: what `data.frames.read` returned.
        name: of the method, see `choose.resolve`.
        seed: of everything random.
        preset: of the method.
        max_gap: longest gap to fill, see `data.series.long_gaps`.
        never_impute: where nothing is to be filled, see `data.fields.never`.
        progress: show a progress bar.
        options: of the method.
        answer: the one completion to report: the best `estimate`, or a random `draw`.
        draws: how many random completions to return besides; the one to report is then their
            median, entry by entry.
        last: complete only so many steps at the end of a series, by themselves; 0 = all.
        checkpoints: where checkpoints lie, and whether to resume from them.
        hint: whether to warn of columns that look like directions.

    Returns:
        `(rows, columns)` cells coded like `frame.values`, and the report: `method`, `options`,
        `preset`, `seed`, `kind`, `answer`, `rows`, `columns`, `missing` cells by column, `filled`,
        `bounds` by column, how many cells were `clipped` to them (of all draws, if there are any),
        `circular` columns, `left_empty` and `not_learned` columns with reasons, `time` axis,
        `seconds`, `losses`, last `metrics`, `warnings`, `hashes` of the data and of the result,
        `versions`.

    Raises:
        OptionError: unknown method, preset or option, a value it does not take, or draws asked of a
            method that makes none.
        DivergenceError: training met numbers that are not finite; the message names the step.
    """
    started = clock.perf_counter()
    keep_compiled()
    options, curve = dict(options or {}), Curve([], {})
    ask = _Ask(name, preset, int(seed), options, answer, draws, last)
    _check(ask, frame.kind)
    stage(f"preparing the data for '{name}'", show=progress)
    exact = registry.entry(name).exact
    with precision(bool(exact)):
        laid = lay_out(frame, exact)
        laid = laid._replace(data=None if laid.data is None else in_few_sizes(laid.data))
    kept, why = _left_empty(frame, laid.axis, max_gap, never_impute)
    notes = [*frame.notes, *laid.notes]
    check = registry.entry(name).grid_check
    if frame.grid is not None and check is not None:
        notes += registry.load(check)(frame.grid, frame.mask, kept, name, options)
    matrices, choices = _completions(ask, frame.kind, laid, curve, checkpoints, progress)
    values, stacked, moved = _decoded(ask, frame, laid.codec, matrices, kept)

    data_report = report.describe(frame, laid.codec, laid.axis, values, why)
    whole = {
        "method": name,
        **({"chosen": report.chosen(choices, laid.codec, frame.columns)} if choices else {}),
        "options": {key: fingerprint.plain(value) for key, value in options.items()},
        "preset": preset,
        "seed": ask.seed,
        "answer": "median of draws" if draws else answer,
        **data_report,
        **report.possible(laid.codec, frame.names, moved),
        "seconds": round(clock.perf_counter() - started, 3),
        "losses": curve.losses,
        "metrics": curve.metrics,
        "warnings": [
            *notes,
            *possible.notes(frame.columns, frame.values, hint=hint),
            *report.room_warnings(laid.codec, frame.columns, moved),
            *report.empty_warnings(data_report),
            *report.worse_warning(name, curve.metrics),
            *report.gap_warning(name, options, _lengths(frame, laid.axis, kept)),
        ],
        "hashes": {
            "data": fingerprint.digest([frame.values]),
            "result": fingerprint.digest([values, *stacked]),
        },
        "versions": fingerprint.versions(),
    }
    return Filled(values, whole, stacked)


class _Ask(NamedTuple):
    """What is asked of which method; see `fill`."""

    name: str
    preset: str
    seed: int
    options: Mapping[str, Any]
    answer: Answer
    draws: int
    last: int

    @property
    def random(self) -> bool:
        """Whether any completion is a random one."""
        return self.draws > 0 or self.answer == "draw"


def _check(ask: _Ask, kind: Kind) -> None:
    registry.check(ask.name, kind=kind, preset=ask.preset, options=ask.options)
    if ask.answer not in ANSWERS:
        raise OptionError(f"answer is '{ask.answer}'; expected one of {', '.join(ANSWERS)}")
    if ask.random and not registry.entry(ask.name, kind).draws:
        raise OptionError(no_draws(kind))


def _completions(
    ask: _Ask,
    kind: Kind,
    laid: Layout,
    curve: Curve,
    checkpoints: hooks.CheckpointPolicy | None,
    progress: bool,
) -> tuple[list[np.ndarray], Mapping[str, Any]]:
    """`1 + draws` matrices, complete; and what the method has to tell of its choices."""
    if laid.data is None:
        return [laid.matrix] * (1 + ask.draws), {}
    name = ask.name
    plan = registry.build(
        name,
        laid.data,
        kind=kind,
        preset=ask.preset,
        times=laid.times,
        categories=laid.categories,
        options=ask.options,
        answer="draw" if ask.random else "estimate",
    )
    if not np.isnan(laid.matrix).any():
        return [laid.matrix] * (1 + ask.draws), {}
    identity = fingerprint.run(name, ask.preset, ask.seed, ask.options)
    identity["times"] = None if laid.times is None else fingerprint.digest([laid.times])
    identity["categories"] = list(laid.categories)
    watchers: list[Hook] = [curve.record, *plan.hooks]
    if progress:
        warmup = warm_steps(plan.method)
        watchers.append(hooks.progress(plan.steps, label=name, warmup=warmup))
        steps = plan.steps + warmup
        more = f"; then the first of {steps} steps" if steps else ""
        stage(f"'{name}': compiling and starting{more}")
    with (
        explained(name, laid.data.values.shape, ask.preset, ask.options),
        precision(bool(registry.entry(name).exact)),
    ):
        completed, choices = runs.completions(
            plan, ask.seed, laid.data, watchers, answer=ask.answer, draws=ask.draws,
            last=ask.last, checkpoints=checkpoints, identity=identity, progress=progress,
        )  # fmt: skip
        matrices = [take_back(laid, one) for one in completed]
        for one in matrices:
            refuse_divergence(one)
    return matrices, choices


def _decoded(
    ask: _Ask, frame: Frame, codec: Codec, matrices: Sequence[np.ndarray], kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The completion to report, the draws, and how many cells of each column met its bounds."""
    draws = ask.draws
    decoded = [
        coding.decode(codec, one, frame.values, drawn=ask.random and (i > 0 or not draws))
        for i, one in enumerate(matrices)
    ]
    for one in decoded:
        one[kept & ~frame.mask] = np.nan
    values, stacked = decoded[0], np.empty((0, *decoded[0].shape))
    if draws:
        stacked = np.stack(decoded[1:])
        values = coding.middle(codec, values, stacked)
    moved = sum(
        (coding.impossible(codec, one, frame.values) & ~kept).sum(axis=0)
        for one in matrices[1 if draws else 0 :]
    )
    return values, stacked, moved


def _left_empty(
    frame: Frame, axis: series.Axis | None, max_gap: Any, never_impute: Any
) -> tuple[np.ndarray, str]:
    """The cells that are not to be filled, and why."""
    if max_gap is not None and axis is None:
        raise OptionError(
            f"max_gap is {max_gap!r}, and a {frame.kind} has no gaps in time; pass time= if it is "
            "a series"
        )
    if never_impute is not None and frame.grid is None:
        raise OptionError(f"never_impute is for images and fields, and this is a {frame.kind}")
    if max_gap is not None and axis is not None:
        too_long = series.long_gaps(axis, frame.mask, max_gap, frame.shape[0])
        return too_long, "in gaps longer than max_gap"
    if frame.grid is None or (never_impute is None and not fields.is_gridded(frame.native)):
        return np.zeros(frame.values.shape, bool), ""
    return fields.never(frame.grid, frame.mask, never_impute)


def _lengths(frame: Frame, axis: series.Axis | None, kept: np.ndarray) -> np.ndarray | None:
    """Of the gaps of a series that were filled."""
    if axis is None:
        return None
    return np.where(kept, 0, series.gap_lengths(axis, frame.mask, frame.shape[0]))

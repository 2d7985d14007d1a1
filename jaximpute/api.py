"""`impute`: one call, any container, nothing changed but the gaps."""

import time as clock
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaximpute import fingerprint, hooks, registry, report, training
from jaximpute._errors import ImputationWarning, OptionError
from jaximpute._precision import precision
from jaximpute._terminal import stage
from jaximpute.automatic import choose
from jaximpute.data import codec as coding
from jaximpute.data import fields, possible, series
from jaximpute.data.frames import Container, Frame, read, write
from jaximpute.draws import no_draws
from jaximpute.layout import lay_out, take_back
from jaximpute.report import Curve, Report
from jaximpute.types import Hook
from jaximpute.warmup import warm_steps


class Result(NamedTuple):
    """A completed container and where it comes from.

    Attributes:
        data: the completed copy.
        mask: True = was observed; of the array's shape, or `(rows, columns)` for frames.
        report: what was done, as plain values for JSON; see `fill`.
    """

    data: Container
    mask: np.ndarray
    report: Report


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


def impute(
    data: Container,
    method: str = "auto",
    *,
    time: Any = None,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    dims: Sequence[str] | None = None,
    never_impute: Any = None,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    progress: bool = False,
    **options: Any,
) -> Container:
    """Fill in the missing cells of a table, series, images or fields.

    Numbers are standardised, booleans, texts and categories become indicators, and the answer is
    decoded back: whole numbers stay whole, categories stay categories. Columns that cannot be
    learned (dates, free text, nothing observed) stay as they are, with a warning that names them.

    Args:
        data: a NumPy or JAX array (rows, columns), (n, time, channels), (n, y, x, channels) or
            (n, time, y, x, channels), a pandas, polars or pyarrow frame or series, or an xarray
            `DataArray` or `Dataset`. NaN, None, NA and null are missing. A frame with a
            `DatetimeIndex`, anything with `time`, and 3-D arrays are series; 4-D arrays are images,
            5-D arrays fields; what xarray holds is one of the three by its dimensions; the rest are
            tables.
        method: a name of `registry.names()`; `auto` picks by kind of data, and with the preset
            `best` it picks for a table the method that does best on some of its own cells.
        time: the column that holds the time stamps, or an array of them. In any order; absent rows
            of a regular grid count as missing; irregular stamps go to methods that take them.
        seed: of everything random; the same seed gives the same answer.
        preset: `fast`, `balanced`, `best` or `paper`.
        max_gap: leave gaps of a series that are longer empty, those at its ends included: a number
            of steps, or a duration such as `"3h"` if the stamps are dates.
        dims: of xarray's objects: the names of the dimensions of time, rows and columns, such as
            `("time", "lat", "lon")`, or of rows and columns alone. Told by the CF conventions'
            attributes or by their names if left out. All other dimensions are samples. What has a
            time alone is one series, a column a station; by `("time",)` each is its own series.
        never_impute: booleans `(y, x)` of a field, True where nothing is to be filled. Without it,
            cells of xarray's fields that are observed at no time, as land is, stay empty; False
            fills them too. Plain arrays are filled everywhere.
        bounds: by a column's name (its position for arrays) the least and greatest value that a
            missing cell may get, None for none: `{"Ozone": (0, None)}`. Without it a column says
            so itself: counts, rain, shares and the like get no negative fills, see
            `data.possible.natural_bounds`; `(None, None)` takes that off.
        circular: columns of directions, filled the shorter way round: names, or by name what they
            come back after, `{"wind_dir": 360}`; an empty list silences the hint at others.
        progress: show what is going on, and a progress bar (on stderr, if that is a terminal).
        **options: of the method; `registry.options(name)` lists them.

    Returns:
        A copy of the container, of the same type, schema, index and column order. Observed cells
        are bit-identical.

    Raises:
        DataError: the data cannot be used as given; the message names column and row.
        TimeError: the time axis cannot be used.
        OptionError: unknown method, preset or option, or a value it does not take.
        DivergenceError: training met numbers that are not finite.

    Warns:
        ImputationWarning: cells were left empty, rows were not in order of time, gaps of a series
            are longer than the method sees, the method ended worse than it started on cells held
            out, observed cells lie outside the bounds given (they stay as they are), or a column
            looks like directions and is not given as one.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> ji.impute(np.array([[1.0, 4.0], [3.0, np.nan]]), method="mean").tolist()
        [[1.0, 4.0], [3.0, 4.0]]
    """
    result = _impute(
        data,
        method,
        time,
        dims,
        bounds,
        circular,
        seed=seed,
        preset=preset,
        max_gap=max_gap,
        never_impute=never_impute,
        progress=progress,
        options=options,
    )
    _warn(result.report["warnings"])
    return result.data


def impute_with_report(
    data: Container,
    method: str = "auto",
    *,
    time: Any = None,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    dims: Sequence[str] | None = None,
    never_impute: Any = None,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """`impute`, with the mask of what was observed and a report of what was done.

    Args:
        data: see `impute`, as for all arguments.
        method: a name, or `auto`.
        time: the time axis.
        seed: of everything random.
        preset: of the method.
        max_gap: longest gap to fill.
        dims: of xarray's objects.
        never_impute: where nothing is to be filled.
        bounds: of what cells may get.
        circular: columns of directions.
        progress: show a progress bar.
        **options: of the method.

    Returns:
        The completed container, the mask and the report.

    Raises:
        DataError, TimeError, OptionError: see `impute`.

    Example:
        >>> import numpy as np
        >>> result = impute_with_report(np.array([[1.0, 4.0], [3.0, np.nan]]), method="mean")
        >>> result.report["missing"], result.report["filled"]
        ({'1': 1}, 1)
    """
    result = _impute(
        data,
        method,
        time,
        dims,
        bounds,
        circular,
        seed=seed,
        preset=preset,
        max_gap=max_gap,
        never_impute=never_impute,
        progress=progress,
        options=options,
    )
    _warn(result.report["warnings"])
    return result


def fill(
    frame: Frame,
    method: str = "auto",
    *,
    seed: int = 0,
    preset: str = "balanced",
    max_gap: Any = None,
    never_impute: Any = None,
    progress: bool = False,
    options: Mapping[str, Any] | None = None,
    draws: int = 0,
    last: int = 0,
    keeping: hooks.Keeping | None = None,
    hint: bool = True,
) -> Filled:
    """`impute` between reading and writing; warns of nothing, the texts are in the report.

    Args:
        frame: what `data.frames.read` returned.
        method: a name, or `auto`.
        seed: of everything random.
        preset: of the method.
        max_gap: longest gap to fill, see `data.series.long_gaps`.
        never_impute: where nothing is to be filled, see `data.fields.never`.
        progress: show a progress bar.
        options: of the method.
        draws: how many random completions to return besides; the one to report is then their
            median, entry by entry.
        last: complete only so many steps at the end of a series, by themselves; 0 = all.
        keeping: where checkpoints lie, and whether to resume from them.
        hint: whether to warn of columns that look like directions.

    Returns:
        `(rows, columns)` cells coded like `frame.values`, and the report: `method`, `options`,
        `preset`, `seed`, `kind`, `tag`, `rows`, `columns`, `missing` cells by column, `filled`,
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
    options = dict(options or {})
    name, scores = method, dict[str, float]()
    if method == "auto" and preset == "best" and frame.kind == "table" and not draws:
        from jaximpute import selecting  # which fills, to see who is best

        name, scores = selecting.best_of(frame, seed)
    elif method == "auto":
        name = choose(frame.kind, draws=draws > 0)
    registry.check(name, kind=frame.kind, preset=preset, options=options)
    tag = registry.entry(name, frame.kind).tag
    if draws and tag != "draws":
        raise OptionError(no_draws(tag, frame.kind))
    exact = registry.entry(name).exact
    stage(f"preparing the data for '{name}'", show=progress)
    with precision(bool(exact)):
        laid = lay_out(frame, exact)
    kept, why = _left_empty(frame, laid.axis, max_gap, never_impute)
    notes = [*frame.notes, *laid.notes]
    if frame.grid is not None and "partition" in registry.options(name):
        notes += fields.check_learning(frame.grid, frame.mask, kept, name, options)

    matrices, drawn = [laid.matrix] * (1 + draws), False
    curve = Curve([], {})
    if laid.data is not None:
        plan = registry.build(
            name,
            laid.data,
            kind=frame.kind,
            preset=preset,
            times=laid.times,
            categories=laid.categories,
            options=options,
        )
        drawn = tag == "draws" and plan.method.fill is not None  # else a median of draws
        about = fingerprint.run(name, preset, seed, options)
        about["times"] = None if laid.times is None else fingerprint.digest([laid.times])
        about["categories"] = list(laid.categories)
        if np.isnan(laid.matrix).any():
            watching: list[Hook] = [curve.record, *plan.hooks]
            if progress:
                warmup = warm_steps(plan.method)
                watching.append(hooks.progress(plan.steps, label=name, warmup=warmup))
                steps = plan.steps + warmup
                more = f"; then the first of {steps} steps" if steps else ""
                stage(f"'{name}': compiling and starting{more}")
            words = registry.words(name, preset, options)
            with precision(bool(exact)):
                completed = training.completions(
                    plan,
                    seed,
                    laid.data,
                    watching,
                    draws=draws,
                    last=last,
                    keeping=keeping,
                    about=about,
                    words=words,
                    progress=progress,
                )
            matrices = [take_back(laid, one) for one in completed]
            for one in matrices:
                report.refuse_divergence(one, **words)
    decoded = [
        coding.decode(laid.codec, one, frame.values, drawn=i > 0 or (drawn and not draws))
        for i, one in enumerate(matrices)
    ]
    for one in decoded:
        one[kept & ~frame.mask] = np.nan
    values, stacked = decoded[0], np.empty((0, *decoded[0].shape))
    if draws:
        stacked = np.stack(decoded[1:])
        values = coding.middle(laid.codec, values, stacked)
    moved = sum(
        (coding.impossible(laid.codec, one, frame.values) & ~kept).sum(axis=0)
        for one in matrices[1 if draws else 0 :]
    )

    data_report = report.describe(frame, laid.codec, laid.axis, values, why)
    return Filled(
        values,
        {
            "method": name,
            **({"chosen_by": scores} if scores else {}),
            "options": {key: fingerprint.plain(value) for key, value in options.items()},
            "preset": preset,
            "seed": int(seed),
            "tag": tag,
            **data_report,
            **report.possible(laid.codec, frame.columns, moved),
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
        },
        stacked,
    )


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


def _impute(data, method, time, dims, bounds, circular, **how: Any) -> Result:
    frame = read(data, time, dims)
    frame = frame._replace(columns=possible.tell(frame.columns, bounds, circular))
    filled = fill(frame, method, hint=circular is None, **how)
    shape = np.shape(data) if isinstance(data, np.ndarray | jax.Array) else frame.values.shape
    return Result(write(frame, filled.values), frame.mask.reshape(shape), filled.report)


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        # up past `impute`, to the line of the user
        warnings.warn(text, ImputationWarning, stacklevel=3)

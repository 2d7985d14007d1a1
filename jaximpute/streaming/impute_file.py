r"""Files larger than memory: learned from a part, completed block by block, written as it goes.

Memory holds a block, the next one, a pool of rows to learn from, and what was learned:

.. math:: \hat x_n = f(x_n^\mathrm{obs}; \theta), \qquad
    \theta = \mathrm{fit}\bigl(x_{n_1}, \ldots, x_{n_s}\bigr)

with columns standardised by the moments of all rows. Rows are completed each on its own, so blocks
change nothing, not one bit. Steps of time are completed in windows that reach beyond their block.
A method that completes only the rows it learns from is run on each block anew.
"""

import hashlib
import time as clock
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jaximpute import registry
from jaximpute._errors import DataError, OptionError
from jaximpute._terminal import stage
from jaximpute._version import __version__
from jaximpute.data import possible
from jaximpute.data.codec import Codec
from jaximpute.engine import fingerprint, hooks
from jaximpute.files import identity, sheets
from jaximpute.streaming import (
    completing,
    feeds,
    formats,
    learning,
    limits,
    outputs,
    panel,
    report,
    resume,
    scan,
)
from jaximpute.streaming import draws as draw_outputs
from jaximpute.streaming.completing import Completed
from jaximpute.streaming.panel import rows_in_series
from jaximpute.streaming.resume import Progress
from jaximpute.streaming.spans import Spans, spans_of
from jaximpute.streaming.types import Source
from jaximpute.tasks import multiple
from jaximpute.tasks.choose import inductive
from jaximpute.tasks.fitted import Fitted, build
from jaximpute.tasks.report import Curve, Report
from jaximpute.tasks.trials import check_level
from jaximpute.types import Answer, Observed


def impute_file(
    source: str,
    output: str | None,
    method: str = "auto",
    *,
    seed: int = 0,
    preset: str = "balanced",
    block_rows: int | None = None,
    sample_rows: int = 8192,
    margin: int | None = None,
    time: str | None = None,
    group: str | Sequence[str] | None = None,
    max_gap: Any = None,
    dims: Sequence[str] | None = None,
    fill_unseen: bool = False,
    bounds: Mapping[Any, Any] | None = None,
    circular: Any = None,
    completions: int | None = None,
    interval: float | None = None,
    max_memory: float | None = None,
    force: bool = False,
    progress: bool = False,
    watch: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Report:
    """Complete a file that need not fit into memory; call it again to go on after a crash.

    One pass finds the moments of the columns. The method learns from `sample_rows` rows drawn from
    many places of the file; methods trained by batches get others after every chunk of steps. Then
    block after block is completed and written beside the output, which appears at the end, whole.
    Observed cells are copied bit for bit. What random methods return is one draw, or several of
    rows: a row's draws follow from its number in the file and its cells.

    What is exact: rows (of tables, or series, images or fields that are one row each) are completed
    on their own, so the result is that of one block, bit for bit, for any `block_rows`. Steps of
    time (Zarr, NetCDF, Parquet with `time`) are completed in windows of `block_rows + 2 * margin`
    steps, of which the block in the middle is kept. A method that looks no further than `margin`
    steps gives what it would give for the whole, if it learned the same (`harmonic`,
    `window_average`, `linear` across shorter gaps); others see no more than the window
    (`optimal_interpolation`), and a draw is its own in each window. A transductive method completes
    the rows of a block from one another, so that blocks matter; the last one is completed together
    with rows before it, to be as long as the others. `sample_rows` means nothing to it, and the
    report has no losses.

    Args:
        source: `.npy`, `.parquet`, `.zarr` or `.nc`; see `jaximpute.streaming.formats.open_source`.
        output: where the result is to appear, in the same format; None writes nothing, and all
            there is is the report with its hashes. Several completions appear as files of a new
            folder, named by a slash at the end (`draws/`): `draw_1.npy` and so on; or of Parquet
            below one another, with a first column `draw`.
        method: a name; `auto` picks one that is inductive.
        seed: of everything random.
        preset: `fast`, `balanced`, `best` or `paper`.
        block_rows: rows or steps in memory at a time; by default of 32 MB, for series at most
            4096. Rounded up to whole chunks of a Zarr store.
        sample_rows: rows, or steps, that are learned from at a time.
        margin: steps of time beyond a block on both sides; by default 24 for fields and
            512 for series, at most a block.
        time: of Parquet: the column of time stamps, which makes it a series.
        group: of Parquet with `time`: the column or columns that tell series below one another
            apart. The rows of each lie together; blocks hold whole series, and each is completed on
            its own, so that it gets the same answer in blocks of any length.
        max_gap: with `group`: leave gaps that are longer empty, see `impute`.
        dims: of Zarr and NetCDF; see `impute`.
        fill_unseen: fill places of a field that are observed at no time, too.
        bounds: by a column's name the least and greatest value that a missing cell may get; see
            `impute`.
        circular: columns of directions; see `impute`.
        completions: how many random completions to write, of a method that draws and of rows, not
            of steps of time; None = one, and for an interval a hundred.
        interval: coverage such as 0.8: of Parquet, the median of the completions, and columns
            `NAME_low` and `NAME_high` behind the others for columns of numbers with holes.
        max_memory: megabytes that the run may take, predicted by one block, one trial step of what
            learns, and the rows it learns from.
        force: replace an output that exists, and throw away an unfinished run that differs.
        progress: show a progress bar while learning.
        watch: called with the number of blocks done and of all, after each.
        options: of the method, by name.

    Returns:
        The report: as of `impute_with_report`, with `blocks`, `block_rows`, `pools` that were
        learned from, and `went_on_at`, the block where an earlier run had stopped.

    Raises:
        DataError: the file cannot be used.
        OptionError: a method that does not draw (the message names those that do), several
            completions where there is no place for them, other wrong settings, or an unfinished
            run for `output` that differs, or a block that is shorter than a series.
        OutOfMemoryError: it would take more than `max_memory`; nothing was learned.
        OutputError: `output` exists, or the disk is full; what is done is kept.
        MissingExtraError: Grain (extra `train`) or the format's library is not installed.

    Example:
        >>> import tempfile, numpy as np
        >>> folder = tempfile.mkdtemp()
        >>> np.save(f"{folder}/x.npy", np.array([[1.0, 4.0], [3.0, np.nan], [5.0, 8.0]]))
        >>> report = impute_file(f"{folder}/x.npy", f"{folder}/filled.npy", "mean", block_rows=2)
        >>> report["blocks"], np.load(f"{folder}/filled.npy").tolist()
        (2, [[1.0, 4.0], [3.0, 6.0], [5.0, 8.0]])
    """
    started, bar = clock.perf_counter(), progress
    for what, given, least in (
        ("block_rows", block_rows, 1),
        ("sample_rows", sample_rows, 1),
        ("margin", margin, 0),
        ("completions (--draws)", completions, 1),
    ):
        if given is not None and given < least:
            raise OptionError(f"{what} is {given}; expected at least {least}")
    if ends := interval is not None:
        check_level(interval)
    draws = completions or (multiple.FOR_INTERVAL if ends else 0)
    if output is not None and not draws:
        sheets.check_output(output, force=force)
    was = identity.fingerprint_of(source)
    groups = () if group is None else (group,) if isinstance(group, str) else tuple(group)
    if max_gap is not None and not groups:
        raise OptionError("max_gap needs whole series; block by block those told apart by group=")
    opened = formats.open_source(source, dims, time, groups)
    opened = opened._replace(columns=possible.tell(opened.columns, bounds, circular))

    def check() -> None:
        if draws:
            draw_outputs.check(opened, output, draws, interval=ends, force=force)
        elif output is not None:
            sheets.check_output(output, force=force)
            outputs.check_format(opened, output)
        if identity.fingerprint_of(source) != was:
            raise DataError(
                f"{source} was changed while it was completed, and nothing is written: the result "
                "would be a mixture. Run the command again when nothing writes to the file"
            )

    check()
    instead = "read the file whole, without block_rows (--block-rows)"
    transductive = (
        not draws and method != "auto" and not registry.entry(method, opened.kind).inductive
    )
    name = method if transductive else inductive(method, opened.kind, instead, draws=draws > 0)
    registry.check(name, kind=opened.kind, preset=preset, options=options)
    feeds.grain()
    lines, sampled = block_rows, sample_rows
    if opened.panel is not None:
        sampled = max(1, sample_rows // opened.panel.length)
        if block_rows is not None:
            lines = rows_in_series(opened.panel, block_rows, "block_rows (--block-rows)")
    spans = spans_of(opened, lines, margin, completions=max(1, draws), full=transductive)
    most = max_memory
    took = 0.0 if most is None else limits.refuse_cells(opened, spans, draws, most)
    run_identity = {
        "source": was,
        **fingerprint.run(name, preset, seed, options),
        "block_rows": spans.block,
        "sample_rows": None if transductive else sample_rows,
        "margin": spans.margin,
        "time": time,
        "group": list(groups),
        "max_gap": fingerprint.plain(max_gap),
        "dims": None if dims is None else list(dims),
        "fill_unseen": fill_unseen,
        "columns": [[column.bounds, column.period] for column in opened.columns],
        "completions": draws,
        "interval": interval,
        "version": __version__,
    }

    def made(codec: Codec, shape: tuple[int, ...]) -> Fitted:
        answer: Answer = "draw" if draws else "estimate"
        return Fitted(name, opened.kind, preset, options, int(seed), codec, shape, answer)

    with resume.open_run(
        opened, output, run_identity, draws, interval=ends, force=force, check=check
    ) as run:
        reached = run.earlier()
        if reached is None:
            stage("looking at all cells once", show=bar)
            found = scan.scan(opened, registry.entry(name).exact)
            codec, curve, pools = scan.codec_to_learn(found, opened), Curve([], {}), 0
            fitted = made(codec, _shape(opened, spans, codec))
            if transductive:
                fitted = fitted._replace(plan=build(fitted)) if codec.width else fitted
                if most is not None:
                    limits.refuse_together(fitted, opened, spans, most, took)
            else:
                rows = feeds.pools(opened, min(sampled, opened.length), int(seed), spans.window)
                if found.static:
                    rows = (panel.spread(pool, found.static) for pool in rows)
                hooks_of = partial(_hooks, name, curve, bar and codec.width > 0)
                block, timed = fitted.shape, opened.along == "time"

                def look(fitted: Fitted, pool: Observed) -> None:
                    if most is not None:
                        limits.refuse_learning(fitted, pool, block, timed, draws, most, took)

                fitted, pools = learning.learn(fitted, rows, opened.columns, hooks_of, look)
            reached = resume.beginning(found, fitted.shape, pools, curve)
            run.begin(resume.arrays_of(found, fitted), reached)
        else:
            found, fitted = resume.restored(opened, reached, run.go_on(reached), made)
        went_on_at = reached.done
        seen = found.seen if opened.kind == "field" and not fill_unseen else None

        def load(*span: int) -> tuple[np.ndarray, tuple[int, ...]]:
            return opened.read(*span[2:]), span

        try:
            for window, (start, stop, first, _) in feeds.in_order(load, spans.all[went_on_at:]):
                begin, length = start - first, stop - start
                cells = window[begin : begin + length]
                shown = panel.spread(window, found.static) if found.static else window
                if draws:
                    completed = _draw(opened, fitted, shown, start, draws, interval, found.static)
                else:
                    number = reached.done if transductive else None
                    completed = _complete(opened, fitted, shown, number, begin, length)
                    if found.static:
                        alike = panel.constant(cells, completed.values, found.static)
                        completed = completed._replace(values=alike)
                left = None
                if opened.panel is not None:
                    left = panel.left_empty(opened.panel, start, cells, found.static, max_gap)
                values, fill = _new(cells, completed.values, seen, left)
                reached = _counted(reached, values, fill, completed.clipped)
                run.write(start, stop, fill, values, reached)
                if watch is not None:
                    watch(reached.done, len(spans.all))
        except KeyboardInterrupt:
            if not run.resumes:
                raise
            raise KeyboardInterrupt(
                f"{reached.done} of {len(spans.all)} blocks are done; the same command goes on "
                "from there"
            ) from None
        run.finish()
    return report.describe(opened, found, reached, fitted, hint=circular is None) | {
        "blocks": len(spans.all),
        "block_rows": spans.block * (1 if opened.panel is None else opened.panel.length),
        "sample_rows": run_identity["sample_rows"],
        "pools": reached.pools,
        "went_on_at": went_on_at,
        "seconds": round(clock.perf_counter() - started, 3),
    }


def _shape(source: Source, spans: Spans, codec: Codec) -> tuple[int, ...]:
    """Of a block, in the codec's columns."""
    many = 1 if source.along == "time" else 0  # steps of time are windows of so many samples
    return (*source.event[:many], spans.window, *source.event[many:-1], codec.width)


def _hooks(name: str, curve: Curve, bar: bool, plan: registry.Plan) -> list[Any]:
    """What watches a method learn: the curve of its losses, and a progress bar."""
    shown = [hooks.progress(plan.steps, label=name)] if bar else []
    stage(f"'{name}': compiling and starting", show=bar)
    return [curve.record, *plan.hooks, *shown]


def _complete(
    source: Source,
    fitted: Fitted,
    window: np.ndarray,
    number: int | None,
    begin: int,
    length: int,
) -> Completed:
    """A block, completed once; with a number, from its own rows."""
    timed = source.along == "time"
    rows = feeds.windows_of(window) if timed else window  # as many windows in every block
    if number is not None:
        completed = completing.complete_together(fitted, rows, number)
    else:
        completed = completing.complete(fitted, rows, **({"most": len(rows)} if timed else {}))
    parts = (feeds.windows_of(part) if timed else part for part in completed)
    return Completed(*(part[begin : begin + length] for part in parts))


def _draw(
    source: Source,
    fitted: Fitted,
    block: np.ndarray,
    start: int,
    draws: int,
    interval: float | None,
    static: tuple[int, ...],
) -> Completed:
    """A block's draws; or their median, and the lower and upper ends of their intervals."""
    done = completing.draw(fitted, block, draws, start)
    found = panel.constant(block, done.values, static) if static else done.values
    if interval is None:
        return done._replace(values=found[1:])
    ends = multiple.ends_of(found[1:], found[0], source.columns, interval)
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


def _counted(
    progress: Progress, values: np.ndarray, fill: np.ndarray, clipped: np.ndarray
) -> Progress:
    """How far a run is after a block: its cells counted, and the hash of all blocks up to it."""

    def with_more(before: list[int], cells: np.ndarray) -> list[int]:
        return (before + cells.reshape(-1, fill.shape[-1]).sum(0)).tolist()

    hashed = f"{progress.result}{fingerprint.digest([values])}".encode()
    return progress._replace(
        filled=with_more(progress.filled, fill),
        clipped=with_more(progress.clipped, np.where(fill, clipped, 0)),
        done=progress.done + 1,
        result=hashlib.sha256(hashed).hexdigest(),
    )

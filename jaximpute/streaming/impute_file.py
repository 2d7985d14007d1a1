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
from jaximpute.data import layout, panels, possible
from jaximpute.data.codec import Codec
from jaximpute.engine import fingerprint, hooks
from jaximpute.files import identity, sheets
from jaximpute.streaming import draws as draw_outputs
from jaximpute.streaming import (
    feeds,
    formats,
    learning,
    limits,
    outputs,
    report,
    resume,
    scan,
)
from jaximpute.streaming.blocks import Ask, Block, complete_block
from jaximpute.streaming.panel import rows_in_series
from jaximpute.streaming.resume import Progress
from jaximpute.streaming.spans import Spans, spans_of
from jaximpute.streaming.types import Source
from jaximpute.tasks import multiple
from jaximpute.tasks.choose import inductive
from jaximpute.tasks.fitted import Fitted, build
from jaximpute.tasks.report import Curve, Report
from jaximpute.tasks.trials import check_level
from jaximpute.types import Answer, Kind, Observed


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
    started = clock.perf_counter()
    _check_numbers(block_rows, sample_rows, margin, completions, interval)
    draws = completions or (0 if interval is None else multiple.FOR_INTERVAL)
    if output is not None and not draws:
        sheets.check_output(output, force=force)
    was = identity.fingerprint_of(source)
    groups = () if group is None else tuple(map(str, panels.listed(group)))
    if max_gap is not None and not groups:
        raise OptionError("max_gap needs whole series; block by block those told apart by group=")
    opened = formats.open_source(source, dims, time, groups)
    opened = opened._replace(columns=possible.tell(opened.columns, bounds, circular))

    def check() -> None:
        if draws:
            draw_outputs.check(opened, output, draws, interval=interval is not None, force=force)
        elif output is not None:
            sheets.check_output(output, force=force)
            outputs.check_format(opened, output)
        if identity.fingerprint_of(source) != was:
            raise DataError(
                f"{source} was changed while it was completed, and nothing is written: the result "
                "would be a mixture. Run the command again when nothing writes to the file"
            )

    check()
    name, together = _named(method, opened.kind, draws)
    registry.check(name, kind=opened.kind, preset=preset, options=options)
    feeds.grain()
    lines, sampled = block_rows, sample_rows
    if opened.panel is not None:
        sampled = max(1, sample_rows // opened.panel.length)
        if block_rows is not None:
            lines = rows_in_series(opened.panel, block_rows, "block_rows (--block-rows)")
    spans = spans_of(opened, lines, margin, completions=max(1, draws), full=together)
    took = 0.0 if max_memory is None else limits.refuse_cells(opened, spans, draws, max_memory)
    ask = Ask(opened, spans, together, draws, interval, max_gap, fill_unseen)
    run_identity = {
        "source": was,
        **fingerprint.run(name, preset, seed, options),
        "block_rows": spans.block,
        "sample_rows": None if together else sample_rows,
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
        opened, output, run_identity, draws, interval=interval is not None, force=force, check=check
    ) as run:
        reached = run.earlier()
        if reached is None:
            stage("looking at all cells once", show=progress)
            found = scan.scan(opened, registry.entry(name).exact)
            curve, codec = Curve([], {}), scan.codec_to_learn(found, opened)
            fitted = made(codec, _shape(opened, spans, codec))
            if together:
                fitted, pools = _prepare(fitted, ask, max_memory, took), 0
            else:
                hooks_of = partial(_hooks, name, curve, progress and codec.width > 0)
                fitted, pools = _learn(
                    fitted, ask, found.static, sampled, hooks_of, max_memory, took
                )
            reached = resume.beginning(found, fitted.shape, pools, curve)
            run.begin(resume.arrays_of(found, fitted), reached)
        else:
            found, fitted = resume.restored(opened, reached, run.go_on(reached), made)
        went_on_at = reached.done
        reached = _complete(ask, fitted, found, run, reached, watch)
        run.finish()
    return report.describe(opened, found, reached, fitted, hint=circular is None) | {
        "blocks": len(spans.all),
        "block_rows": spans.block * (1 if opened.panel is None else opened.panel.length),
        "sample_rows": run_identity["sample_rows"],
        "pools": reached.pools,
        "went_on_at": went_on_at,
        "seconds": round(clock.perf_counter() - started, 3),
    }


def _check_numbers(
    block_rows: int | None,
    sample_rows: int,
    margin: int | None,
    completions: int | None,
    interval: float | None,
) -> None:
    for what, given, least in (
        ("block_rows", block_rows, 1),
        ("sample_rows", sample_rows, 1),
        ("margin", margin, 0),
        ("completions (--draws)", completions, 1),
    ):
        if given is not None and given < least:
            raise OptionError(f"{what} is {given}; expected at least {least}")
    if interval is not None:
        check_level(interval)


def _named(method: str, kind: Kind, draws: int) -> tuple[str, bool]:
    """The method, and whether it completes the rows of a block from one another."""
    if not draws and method != "auto" and not registry.entry(method, kind).inductive:
        return method, True
    instead = "read the file whole, without block_rows (--block-rows)"
    return inductive(method, kind, instead, draws=draws > 0), False


def _prepare(fitted: Fitted, ask: Ask, most: float | None, took: float) -> Fitted:
    """A method that completes each block from its own rows, built for them."""
    if fitted.codec.width:
        fitted = fitted._replace(plan=build(fitted))
    if most is not None:
        limits.refuse_together(fitted, ask.source, ask.spans, most, took)
    return fitted


def _learn(
    fitted: Fitted,
    ask: Ask,
    static: tuple[int, ...],
    sampled: int,
    hooks_of: Callable[[registry.Plan], list[Any]],
    most: float | None,
    took: float,
) -> tuple[Fitted, int]:
    """A method that has learned from rows of many places, and from how many pools of them."""
    source, block = ask.source, fitted.shape
    rows = feeds.pools(source, min(sampled, source.length), fitted.seed, ask.spans.window)
    if static:
        rows = (layout.spread(pool, static)[0] for pool in rows)

    def look(fitted: Fitted, pool: Observed) -> None:
        if most is not None:
            timed = source.along == "time"
            limits.refuse_learning(fitted, pool, block, timed, ask.draws, most, took)

    return learning.learn(fitted, rows, source.columns, hooks_of, look)


def _complete(
    ask: Ask,
    fitted: Fitted,
    found: scan.Scan,
    run: resume.UnkeptRun,
    reached: Progress,
    watch: Callable[[int, int], None] | None,
) -> Progress:
    """Complete block after block, from where the run is, and write each."""
    spans = ask.spans.all

    def load(*span: int) -> tuple[np.ndarray, tuple[int, ...]]:
        return ask.source.read(*span[2:]), span

    try:
        for window, (start, stop, first, _) in feeds.in_order(load, spans[reached.done :]):
            block = Block(window, start, start - first, stop - start, reached.done)
            values, fill, clipped = complete_block(ask, fitted, found, block)
            reached = _counted(reached, values, fill, clipped)
            run.write(start, stop, fill, values, reached)
            if watch is not None:
                watch(reached.done, len(spans))
    except KeyboardInterrupt:
        if not run.resumes:
            raise
        raise KeyboardInterrupt(
            f"{reached.done} of {len(spans)} blocks are done; the same command goes on from there"
        ) from None
    return reached


def _shape(source: Source, spans: Spans, codec: Codec) -> tuple[int, ...]:
    """Of a block, in the codec's columns."""
    many = 1 if source.along == "time" else 0  # steps of time are windows of so many samples
    return (*source.event[:many], spans.window, *source.event[many:-1], codec.width)


def _hooks(name: str, curve: Curve, bar: bool, plan: registry.Plan) -> list[Any]:
    """What watches a method learn: the curve of its losses, and a progress bar."""
    shown = [hooks.progress(plan.steps, label=name)] if bar else []
    stage(f"'{name}': compiling and starting", show=bar)
    return [curve.record, *plan.hooks, *shown]


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

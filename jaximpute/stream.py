r"""Files larger than memory: learned from a part, completed block by block, written as it goes.

Memory holds a block, the next one, a pool of rows to learn from, and what was learned:

.. math:: \hat x_n = f(x_n^\mathrm{obs}; \theta), \qquad
    \theta = \mathrm{fit}\bigl(x_{n_1}, \ldots, x_{n_s}\bigr)

with columns standardised by the moments of all rows. Rows are completed each on its own, so blocks
change nothing, not one bit. Steps of time are completed in windows that reach beyond their block.
"""

import hashlib
import shutil
import time as clock
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaximpute import described, fingerprint, hooks, poolwise, registry, unfinished
from jaximpute._errors import OptionError, OutputError
from jaximpute._version import __version__
from jaximpute.automatic import inductive
from jaximpute.data import codec as coding
from jaximpute.data import feeds, files, gridfiles, scanning, sinks, sources
from jaximpute.data.codec import Codec
from jaximpute.data.scanning import Scan
from jaximpute.data.sources import Source
from jaximpute.data.spans import Spans, spans_of
from jaximpute.poolwise import Learned
from jaximpute.report import Curve, Report


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
    dims: Sequence[str] | None = None,
    fill_unseen: bool = False,
    force: bool = False,
    progress: bool = False,
    watch: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Report:
    """Complete a file that need not fit into memory; call it again to go on after a crash.

    One pass finds the moments of the columns. The method learns from `sample_rows` rows drawn from
    many places of the file; methods trained by batches get others after every chunk of steps. Then
    block after block is completed and written beside the output, which appears at the end, whole.
    Observed cells are copied bit for bit. What random methods return is one draw.

    What is exact: rows (of tables, or series, images or fields that are one row each) are completed
    on their own, so the result is that of one block, bit for bit, for any `block_rows`. Steps of
    time (Zarr, NetCDF, Parquet with `time`) are completed in windows of `block_rows + 2 * margin`
    steps, of which the block in the middle is kept. A method that looks no further than `margin`
    steps gives what it would give for the whole, if it learned the same (`harmonic`,
    `window_average`, `linear` across shorter gaps); others see no more than the window
    (`optimal_interpolation`), and a draw is its own in each window.

    Args:
        source: `.npy`, `.parquet`, `.zarr` or `.nc`; see `jaximpute.data.sources.open_source`.
        output: where the result is to appear, in the same format; None writes nothing, and all
            there is is the report with its hashes.
        method: a name of an inductive method; `auto` picks one.
        seed: of everything random.
        preset: `fast`, `balanced`, `best` or `paper`.
        block_rows: rows or steps in memory at a time; by default of 32 MB, for series at most
            4096. Rounded up to whole chunks of a Zarr store.
        sample_rows: rows, or steps, that are learned from at a time.
        margin: steps of time beyond a block on both sides; by default 24 for fields and
            512 for series, at most a block.
        time: of Parquet: the column of time stamps, which makes it a series.
        dims: of Zarr and NetCDF; see `impute`.
        fill_unseen: fill places of a field that are observed at no time, too.
        force: replace an output that exists, and throw away an unfinished run that differs.
        progress: show a progress bar while learning.
        watch: called with the number of blocks done and of all, after each.
        options: of the method, by name.

    Returns:
        The report: as of `impute_with_report`, with `blocks`, `block_rows`, `pools` that were
        learned from, and `went_on_at`, the block where an earlier run had stopped.

    Raises:
        DataError: the file cannot be used.
        OptionError: a method that cannot complete rows to come (the message names those that can),
            other wrong settings, or an unfinished run for `output` that differs.
        OutputError: `output` exists, or the disk is full; what is done is kept.
        MissingExtraError: Grain (extra `train`) or the format's library is not installed.

    Example:
        >>> import tempfile, numpy as np
        >>> folder = tempfile.mkdtemp()
        >>> np.save(f"{folder}/x.npy", np.array([[1.0, 4.0], [3.0, np.nan], [5.0, 8.0]]))
        >>> about = impute_file(f"{folder}/x.npy", f"{folder}/filled.npy", "mean", block_rows=2)
        >>> about["blocks"], np.load(f"{folder}/filled.npy").tolist()
        (2, [[1.0, 4.0], [3.0, 6.0], [5.0, 8.0]])
    """
    started = clock.perf_counter()
    for what, given, least in (
        ("block_rows", block_rows, 1),
        ("sample_rows", sample_rows, 1),
        ("margin", margin, 0),
    ):
        if given is not None and given < least:
            raise OptionError(f"{what} is {given}; expected at least {least}")
    if output is not None:
        files.check_output(output, force=force)
    opened = sources.open_source(source, dims, time)
    if output is not None:
        sinks.check_format(opened, output)
    instead = "read the file whole, without block_rows (--block-rows)"
    name = inductive(method, opened.kind, instead)
    registry.check(name, kind=opened.kind, preset=preset, options=options)
    feeds.grain()
    spans = spans_of(opened, block_rows, margin)
    about = {
        "source": sources.fingerprint_of(source),
        **fingerprint.run(name, preset, seed, options),
        "block_rows": spans.block,
        "sample_rows": sample_rows,
        "margin": spans.margin,
        "time": time,
        "dims": None if dims is None else list(dims),
        "fill_unseen": fill_unseen,
        "version": __version__,
    }
    settings: dict[str, Any] = {"preset": preset, "options": options, "seed": int(seed)}
    held = None if output is None else unfinished.find(output, about, force=force)
    folder, sink = Path(), sinks.NOWHERE
    if held is None:
        if output is not None:
            _check_room(opened, output)
        found = scanning.scan(opened)
        curve, bar = Curve([], {}), progress and found.codec.width > 0
        learned = _learn(opened, found, name, spans, sample_rows, settings, curve, bar)
        held = _beginning(found, learned, curve)
        if output is not None:
            folder = unfinished.begin(output)
            with unfinished.writing(output):
                unfinished.keep_arrays(folder, _arrays(found, learned))
                sink = sinks.open_sink(opened, folder, fresh=True)
                unfinished.keep(folder, about, held)
    elif output is not None:
        folder = unfinished.folder_of(output)
        found, learned = _restored(opened, held, unfinished.read_arrays(folder), name, settings)
        with unfinished.writing(output):
            sink = sinks.open_sink(opened, folder, fresh=False)
    went_on_at = held["done"]
    seen = found.seen if opened.kind == "field" and not fill_unseen else None

    def load(*span: int) -> tuple[np.ndarray, tuple[int, ...]]:
        return opened.read(*span[2:]), span

    try:
        for window, (start, stop, first, _) in feeds.in_order(load, spans.all[went_on_at:]):
            values, fill = _complete(opened, learned, window, start - first, stop - start, seen)
            held["filled"] = (held["filled"] + fill.reshape(-1, fill.shape[-1]).sum(0)).tolist()
            held["done"] += 1
            held["result"] = _chained(held["result"], values)
            if output is not None:
                with unfinished.writing(output):
                    sink.write(start, stop, fill, values)
                    unfinished.keep(folder, about, held)
            if watch is not None:
                watch(held["done"], len(spans.all))
    except KeyboardInterrupt:
        if output is None:
            raise
        raise KeyboardInterrupt(
            f"{held['done']} of {len(spans.all)} blocks are done; the same command goes on "
            "from there"
        ) from None
    if output is not None:
        with unfinished.writing(output):
            unfinished.finish(sink.finish(), output, folder)
    told = described.describe(opened, found, held, settings, name)
    return told | {
        "blocks": len(spans.all),
        "block_rows": spans.block,
        "sample_rows": sample_rows,
        "pools": learned.pools,
        "went_on_at": went_on_at,
        "seconds": round(clock.perf_counter() - started, 3),
    }


def _complete(
    source: Source,
    learned: Learned,
    window: np.ndarray,
    begin: int,
    length: int,
    seen: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """A block's completed cells, and which of them are new."""
    if source.along == "time":
        windows = feeds.windows_of(window)  # as many in every block
        completed = poolwise.complete(learned, windows, len(windows))
        completed = feeds.windows_of(completed)[begin : begin + length]
    else:
        completed = poolwise.complete(learned, window)
    missing = np.isnan(window[begin : begin + length])
    fill = missing & ~np.isnan(completed)
    if seen is not None:
        fill &= seen[None]
    return np.where(missing & ~fill, np.nan, completed), fill


def _learn(
    source: Source,
    found: Scan,
    name: str,
    spans: Spans,
    sample_rows: int,
    settings: Mapping[str, Any],
    curve: Curve,
    progress: bool,
) -> Learned:
    def watching(plan: registry.Plan) -> list[Any]:
        bar = [hooks.progress(plan.steps, label=name)] if progress else []
        return [curve.record, *plan.hooks, *bar]

    cells = source.length * int(np.prod(source.event[:-1]))
    codec = found.codec
    if (found.cells[codec.columns] == cells).all():  # nothing is missing that could be filled
        none = np.zeros(0)
        codec = Codec(
            none.astype(int), none, none, none.astype(bool), (), codec.constants, codec.unlearned
        )
    return poolwise.learn(
        feeds.pools(source, min(sample_rows, source.length), settings["seed"], spans.window),
        codec,
        source.columns,
        name,
        source.kind,
        watching=watching,
        **settings,
    )


def _arrays(found: Scan, learned: Learned) -> dict[str, np.ndarray]:
    leaves = jax.tree.leaves(learned.state)
    arrays = {f"state/{i:06d}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    return arrays if found.seen is None else arrays | {"seen": found.seen}


def _beginning(found: Scan, learned: Learned, curve: Curve) -> dict[str, Any]:
    return {
        "codec": coding.to_plain(found.codec),
        "cells": found.cells.tolist(),
        "data": found.digest,
        "shape": list(learned.shape),
        "pools": learned.pools,
        "losses": curve.losses,
        "metrics": curve.metrics,
        "filled": np.zeros(len(found.cells), int).tolist(),
        "done": 0,
        "result": "",
    }


def _restored(
    source: Source,
    held: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    name: str,
    settings: Mapping[str, Any],
) -> tuple[Scan, Learned]:
    codec = coding.from_plain(held["codec"])
    found = Scan(codec, np.array(held["cells"]), arrays.get("seen"), held["data"])
    leaves = [arrays[key] for key in sorted(arrays) if key.startswith("state/")]
    learned = poolwise.restore(
        name, codec, tuple(held["shape"]), leaves, source.kind, pools=held["pools"], **settings
    )
    return found, learned


def _check_room(source: Source, output: str) -> None:
    """Whether the result fits on its disk, before the work is done."""
    parent = Path(output).resolve().parent
    # Parquet and NetCDF are put together from parts at the end
    parts = Path(source.path).suffix.lower() in (*sources.PARQUET, *gridfiles.NETCDF)
    needed = sources.size_of(source.path) * (2 if parts else 1)
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise OutputError(
            f"cannot write {output}: it takes about {needed / 1e9:.1f} GB, and {parent} has "
            f"{free / 1e9:.1f} GB left"
        )


def _chained(before: str, values: np.ndarray) -> str:
    """The hash of all blocks up to this one."""
    return hashlib.sha256(f"{before}{fingerprint.digest([values])}".encode()).hexdigest()

"""What a run in blocks keeps of itself while it goes on, and how another goes on from there."""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaximpute._errors import DataError, OutputError
from jaximpute.data import codecplain
from jaximpute.data.codec import Codec
from jaximpute.files import grids, identity
from jaximpute.streaming import draws as draw_outputs
from jaximpute.streaming import outputs, types, workfolder
from jaximpute.streaming.scan import Scan, codec_to_learn
from jaximpute.streaming.types import Sink, Source
from jaximpute.tasks.fitted import Fitted, leaves, rebuild
from jaximpute.tasks.report import Curve


class Progress(NamedTuple):
    """How far a run came, as values for JSON.

    Attributes:
        codec: of all columns, see `data.codecplain`.
        ends: see `Scan`, as `cells`; `data` is its digest.
        cells: see above.
        data: see above.
        shape: `(rows, *event)` that the method is built for.
        pools: parts of the data that it learned from.
        losses: of learning.
        metrics: the last of each.
        filled: cells, of each column.
        clipped: cells brought within their bounds, of each column.
        static: see `Scan`.
        done: blocks.
        result: the hash of these.
    """

    codec: dict[str, Any]
    ends: list[list[float]]
    cells: list[int]
    data: str
    shape: list[int]
    pools: int
    losses: list[float | None]
    metrics: dict[str, float | None]
    filled: list[int]
    clipped: list[int]
    static: list[int]
    done: int = 0
    result: str = ""


class UnkeptRun:
    """A run that writes nothing, keeps nothing, and begins anew each time.

    Args:
        check: raises an error if the source has changed meanwhile.
    """

    resumes = False

    def __init__(self, check: Callable[[], None]):
        self.check = check

    def __enter__(self) -> "UnkeptRun":
        return self

    def __exit__(self, *raised: Any) -> None:
        """Let another run have the place."""

    def earlier(self) -> Progress | None:
        """How far an earlier run of the same kind came, if there was one."""
        return None

    def begin(self, arrays: Mapping[str, np.ndarray], progress: Progress) -> None:
        """Begin to write, and keep what was learned."""

    def go_on(self, progress: Progress) -> dict[str, np.ndarray]:
        """Go on writing where an earlier run stopped, and return what it had learned."""
        return {}

    def write(
        self, start: int, stop: int, fill: np.ndarray, values: np.ndarray, progress: Progress
    ) -> None:
        """Write a block, and keep how far the run came."""

    def finish(self) -> None:
        """Put the whole into its place."""
        self.check()


class KeptRun(UnkeptRun):
    """A run that is kept in a folder beside its output until it ends; see `unfinished`.

    As a context it holds that folder, and no other run may write there.

    Args:
        source: what is completed.
        output: where the whole is to appear.
        run_identity: what must be equal for one run to go on where another stopped.
        opened: `(folder, progress, fresh) -> sink`, which begins to write in a folder or goes on.
        check: raises an error if the output may not be written, or the source has changed.
        needed: bytes that it takes, at the most.
        force: replace an output, and throw away an unfinished run that differs.
    """

    resumes = True

    def __init__(
        self,
        source: str,
        output: str,
        run_identity: Mapping[str, Any],
        opened: Callable[[Path, Progress, bool], Sink],
        check: Callable[[], None],
        *,
        needed: int,
        force: bool,
    ):
        super().__init__(check)
        self.source, self.output, self.identity, self.opened = source, output, run_identity, opened
        self.needed, self.force = needed, force
        self.folder = workfolder.folder_of(output)
        self.sink: Sink
        self._arrays: dict[str, np.ndarray] = {}
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> "KeptRun":
        self._undo.enter_context(workfolder.working(self.output))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._undo.close()

    def earlier(self) -> Progress | None:
        """See `UnkeptRun`.

        Raises:
            OptionError: an unfinished run that differs.
            DataError: what it has learned is damaged, and nothing is forced.
            OutputError: there is none, and no room for one.
        """
        kept = workfolder.find(self.output, self.identity, force=self.force)
        if kept is not None:
            try:
                self._arrays = workfolder.read_arrays(self.folder)
                return Progress(**kept)
            except DataError:
                if not self.force:
                    raise
                workfolder.clear(self.folder)
        free = shutil.disk_usage(self.folder.parent).free
        if free < self.needed:
            raise OutputError(
                f"cannot write {self.output}: it takes about {self.needed / 1e9:.1f} GB, and "
                f"{self.folder.parent} has {free / 1e9:.1f} GB left"
            )
        return None

    def begin(self, arrays: Mapping[str, np.ndarray], progress: Progress) -> None:
        """See `UnkeptRun`."""
        with workfolder.writing(self.output):
            workfolder.keep_arrays(self.folder, arrays)
            self.sink = self.opened(self.folder, progress, True)
            workfolder.keep(self.folder, self.identity, progress._asdict())

    def go_on(self, progress: Progress) -> dict[str, np.ndarray]:
        """See `UnkeptRun`."""
        with workfolder.writing(self.output):
            self.sink = self.opened(self.folder, progress, False)
        return self._arrays

    def write(
        self, start: int, stop: int, fill: np.ndarray, values: np.ndarray, progress: Progress
    ) -> None:
        """See `UnkeptRun`."""
        with workfolder.writing(self.output):
            self.sink.write(start, stop, fill, values)
            workfolder.keep(self.folder, self.identity, progress._asdict())

    def finish(self) -> None:
        """See `UnkeptRun`."""
        with workfolder.writing(self.output):
            whole = self.sink.finish()
            try:
                self.check()
            except DataError:
                workfolder.clear(self.folder)
                raise
            workfolder.finish(whole, self.output, self.source, force=self.force)


def open_run(
    source: Source,
    output: str | None,
    run_identity: Mapping[str, Any],
    draws: int,
    *,
    interval: bool,
    force: bool,
    check: Callable[[], None],
) -> UnkeptRun:
    """Where the blocks of a run go.

    Args:
        source: what is completed.
        output: where the whole is to appear; None writes nothing.
        run_identity: what must be equal for one run to go on where another stopped.
        draws: how many are written; 0 = one completion.
        interval: whether their median and the ends of intervals are written instead.
        force: replace an output, and throw away an unfinished run that differs.
        check: raises an error if the output may not be written, or the source has changed.

    Returns:
        `KeptRun`, or `UnkeptRun`.
    """
    if output is None:
        return UnkeptRun(check)

    def opened(folder: Path, progress: Progress, fresh: bool) -> Sink:
        if not draws:
            return outputs.open_sink(source, folder, fresh=fresh)
        return draw_outputs.open_sink(
            source, output, folder, draws, interval=interval, cells=progress.cells, fresh=fresh
        )

    # Parquet and NetCDF are put together from parts at the end
    parts = Path(source.path).suffix.lower() in (*types.PARQUET, *grids.NETCDF)
    written = 3 if interval else max(1, draws)
    needed = identity.size_of(source.path) * written * (2 if parts else 1)
    return KeptRun(source.path, output, run_identity, opened, check, needed=needed, force=force)


def beginning(found: Scan, shape: tuple[int, ...], pools: int, curve: Curve) -> Progress:
    """How far a run is before its first block.

    Args:
        found: in the source.
        shape: of what the method is built for.
        pools: that it has learned from.
        curve: of its losses.
    """
    nothing = np.zeros(len(found.cells), int).tolist()
    return Progress(
        codec=codecplain.to_plain(found.codec),
        ends=found.ends.tolist(),
        cells=found.cells.tolist(),
        data=found.digest,
        shape=list(shape),
        pools=pools,
        losses=curve.losses,
        metrics=curve.metrics,
        filled=nothing,
        clipped=nothing,
        static=list(found.static),
    )


def arrays_of(found: Scan, fitted: Fitted) -> dict[str, np.ndarray]:
    """What was learned, as arrays with names."""
    arrays = {f"state/{i:06d}": leaf for i, leaf in enumerate(leaves(fitted))}
    return arrays if found.seen is None else arrays | {"seen": found.seen}


def restored(
    source: Source,
    progress: Progress,
    arrays: Mapping[str, np.ndarray],
    made: Callable[[Codec, tuple[int, ...]], Fitted],
) -> tuple[Scan, Fitted]:
    """The inverse of `beginning` and `arrays_of`.

    Args:
        source: what is completed.
        progress: how far the run came.
        arrays: from `arrays_of`.
        made: `(codec, shape) -> fitted`, the method that has learned nothing.

    Raises:
        DataError: the arrays are not those of this method.
    """
    codec, ends = codecplain.from_plain(progress.codec), np.array(progress.ends)
    cells, seen, static = np.array(progress.cells), arrays.get("seen"), tuple(progress.static)
    found = Scan(codec, cells, seen, progress.data, ends, static)
    state = [arrays[key] for key in sorted(arrays) if key.startswith("state/")]
    fitted = made(codec_to_learn(found, source), tuple(progress.shape))
    return found, rebuild(fitted, state, "what was learned", "begin again (--force)")

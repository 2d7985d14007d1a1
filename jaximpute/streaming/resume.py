"""What a run in blocks keeps of itself while it goes on, and how another goes on from there."""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaximpute._errors import DataError, OutputError
from jaximpute.data import codecplain
from jaximpute.files import grids, identity
from jaximpute.streaming import draws as draw_outputs
from jaximpute.streaming import learning, outputs, types, workfolder
from jaximpute.streaming.learning import Learned
from jaximpute.streaming.scan import Scan
from jaximpute.streaming.types import Sink, Source
from jaximpute.tasks.report import Curve

Held = dict[str, Any]


class Nowhere:
    """A run that writes nothing, keeps nothing, and begins anew each time.

    Args:
        check: raises an error if the source has changed meanwhile.
    """

    resumes = False

    def __init__(self, check: Callable[[], None]):
        self.check = check

    def __enter__(self) -> "Nowhere":
        return self

    def __exit__(self, *raised: Any) -> None:
        """Let another run have the place."""

    def earlier(self) -> Held | None:
        """What an earlier run of the same kind kept last, if there was one."""
        return None

    def begin(self, arrays: Mapping[str, np.ndarray], held: Held) -> None:
        """Begin to write, and keep what was learned."""

    def go_on(self, held: Held) -> dict[str, np.ndarray]:
        """Go on writing where an earlier run stopped, and return what it had learned."""
        return {}

    def write(
        self, start: int, stop: int, fill: np.ndarray, values: np.ndarray, held: Held
    ) -> None:
        """Write a block, and keep how far the run came."""

    def finish(self) -> None:
        """Put the whole into its place."""
        self.check()


class Beside(Nowhere):
    """A run that is kept in a folder beside its output until it ends; see `unfinished`.

    As a context it holds that folder, and no other run may write there.

    Args:
        source: what is completed.
        output: where the whole is to appear.
        about: what must be equal for one run to go on where another stopped.
        opened: `(folder, held, fresh) -> sink`, which begins to write in a folder or goes on.
        check: raises an error if the output may not be written, or the source has changed.
        needed: bytes that it takes, at the most.
        force: replace an output, and throw away an unfinished run that differs.
    """

    resumes = True

    def __init__(
        self,
        source: str,
        output: str,
        about: Mapping[str, Any],
        opened: Callable[[Path, Held, bool], Sink],
        check: Callable[[], None],
        *,
        needed: int,
        force: bool,
    ):
        super().__init__(check)
        self.source, self.output, self.about, self.opened = source, output, about, opened
        self.needed, self.force = needed, force
        self.folder = workfolder.folder_of(output)
        self.sink: Sink
        self._arrays: dict[str, np.ndarray] = {}
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> "Beside":
        self._undo.enter_context(workfolder.working(self.output))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._undo.close()

    def earlier(self) -> Held | None:
        """See `Nowhere`.

        Raises:
            OptionError: an unfinished run that differs.
            DataError: what it has learned is damaged, and nothing is forced.
            OutputError: there is none, and no room for one.
        """
        held = workfolder.find(self.output, self.about, force=self.force)
        if held is not None:
            try:
                self._arrays = workfolder.read_arrays(self.folder)
                return held
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

    def begin(self, arrays: Mapping[str, np.ndarray], held: Held) -> None:
        """See `Nowhere`."""
        with workfolder.writing(self.output):
            workfolder.keep_arrays(self.folder, arrays)
            self.sink = self.opened(self.folder, held, True)
            workfolder.keep(self.folder, self.about, held)

    def go_on(self, held: Held) -> dict[str, np.ndarray]:
        """See `Nowhere`."""
        with workfolder.writing(self.output):
            self.sink = self.opened(self.folder, held, False)
        return self._arrays

    def write(
        self, start: int, stop: int, fill: np.ndarray, values: np.ndarray, held: Held
    ) -> None:
        """See `Nowhere`."""
        with workfolder.writing(self.output):
            self.sink.write(start, stop, fill, values)
            workfolder.keep(self.folder, self.about, held)

    def finish(self) -> None:
        """See `Nowhere`."""
        with workfolder.writing(self.output):
            whole = self.sink.finish()
            try:
                self.check()
            except DataError:
                workfolder.clear(self.folder)
                raise
            workfolder.finish(whole, self.output, self.source, force=self.force)


def where(
    source: Source,
    output: str | None,
    about: Mapping[str, Any],
    draws: int,
    *,
    interval: bool,
    force: bool,
    check: Callable[[], None],
) -> Nowhere:
    """Where the blocks of a run go.

    Args:
        source: what is completed.
        output: where the whole is to appear; None writes nothing.
        about: what must be equal for one run to go on where another stopped.
        draws: how many are written; 0 = one completion.
        interval: whether their median and the ends of intervals are written instead.
        force: replace an output, and throw away an unfinished run that differs.
        check: raises an error if the output may not be written, or the source has changed.

    Returns:
        `Beside`, or `Nowhere`.
    """
    if output is None:
        return Nowhere(check)

    def opened(folder: Path, held: Held, fresh: bool) -> Sink:
        if not draws:
            return outputs.open_sink(source, folder, fresh=fresh)
        return draw_outputs.open_sink(
            source, output, folder, draws, interval=interval, cells=held["cells"], fresh=fresh
        )

    # Parquet and NetCDF are put together from parts at the end
    parts = Path(source.path).suffix.lower() in (*types.PARQUET, *grids.NETCDF)
    written = 3 if interval else max(1, draws)
    needed = identity.size_of(source.path) * written * (2 if parts else 1)
    return Beside(source.path, output, about, opened, check, needed=needed, force=force)


def beginning(found: Scan, learned: Learned, curve: Curve) -> Held:
    """What a run keeps of itself before its first block, as values for JSON."""
    return {
        "codec": codecplain.to_plain(found.codec),
        "ends": found.ends.tolist(),
        "cells": found.cells.tolist(),
        "data": found.digest,
        "shape": list(learned.shape),
        "pools": learned.pools,
        "losses": curve.losses,
        "metrics": curve.metrics,
        "filled": np.zeros(len(found.cells), int).tolist(),
        "clipped": np.zeros(len(found.cells), int).tolist(),
        "done": 0,
        "result": "",
    }


def arrays_of(found: Scan, learned: Learned) -> dict[str, np.ndarray]:
    """What was learned, as arrays with names."""
    leaves = jax.tree.leaves(learned.state)
    arrays = {f"state/{i:06d}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    return arrays if found.seen is None else arrays | {"seen": found.seen}


def restored(
    source: Source,
    held: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    name: str,
    settings: Mapping[str, Any],
) -> tuple[Scan, Learned]:
    """The inverse of `beginning` and `arrays_of`.

    Raises:
        DataError: the arrays are not those of this method.
    """
    codec, ends = codecplain.from_plain(held["codec"]), np.array(held["ends"])
    found = Scan(codec, np.array(held["cells"]), arrays.get("seen"), held["data"], ends)
    leaves = [arrays[key] for key in sorted(arrays) if key.startswith("state/")]
    learned = learning.restore(
        name, codec, tuple(held["shape"]), leaves, source.kind, pools=held["pools"], **settings
    )
    return found, learned

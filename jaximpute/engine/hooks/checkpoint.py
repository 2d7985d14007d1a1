"""Checkpoints by Orbax: a run that is killed, interrupted or out of disk goes on where it was."""

import contextlib
import json
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaximpute._errors import DataError, ImputationWarning, OptionError, OutputError
from jaximpute.engine.fingerprint import differing, versions
from jaximpute.engine.hooks import _orbax, _ownership
from jaximpute.engine.hooks._sums import check_sums
from jaximpute.types import Hook, Info, State


def _warn(text: str) -> None:
    warnings.warn(text, ImputationWarning, stacklevel=2)


class CheckpointPolicy(NamedTuple):
    """Where checkpoints lie, and how often they are made.

    Attributes:
        folder: theirs alone.
        resume: go on from the newest one, if there is any; False refuses a folder that holds some.
        every: chunks between two of them, at least.
        most: how many are kept.
        share: of the run's seconds that it may wait for saves, and of its CPU-seconds that saves
            may take, threads that write included; a save that is due waits until it and the last
            one are paid for. 1 = never waits. Makes nothing but the times of saving depend on the
            clock.
        force: delete those of another run, instead of refusing.
        tell: is given warnings.
    """

    folder: str
    resume: bool = False
    every: int = 1
    most: int = 3
    share: float = 0.03
    force: bool = False
    tell: Callable[[str], None] = _warn


class Kept(NamedTuple):
    """A checkpoint: a state, and the number of steps behind it."""

    t: int
    state: State


class Checkpoints:
    """The checkpoints of one run, as a hook and as a context.

    A checkpoint holds the state, the number of steps done, every loss and metric so far, and a
    description of the run: data, mask, configuration and key. It appears whole or not at all, is
    written while the run goes on, and carries a check sum of each array. SIGTERM and Ctrl-C
    within the context let the chunk end, save, and raise `KeyboardInterrupt`; a second one acts at
    once. Several processes share one folder, which all of them reach, and agree between chunks:
    each writes what it holds, a signal to one stops all, and the first one tells.

    Args:
        policy: where and how often.
        identity: plain values by name, equal for runs that may resume one another.

    Raises:
        MissingExtraError: Orbax is not installed.
        OptionError: `every`, `most` or `share` out of range, or the folder is in use.
        OutputError: the folder cannot be made.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> hasattr(ji.hooks.Checkpoints, "latest")
        True
    """

    def __init__(self, policy: CheckpointPolicy, identity: Mapping[str, Any]):
        if policy.every < 1 or policy.most < 1 or not 0 < policy.share <= 1:
            raise OptionError(
                f"every is {policy.every}, most {policy.most} and share {policy.share}; "
                "expected every and most of at least 1, and share in (0, 1]"
            )
        self._orbax = _orbax.library()
        self._policy, self._identity = policy, json.loads(json.dumps(identity, default=str))
        self._folder = Path(policy.folder).resolve()
        self._chunks: list[dict[str, tuple[str, list[float]]]] = []
        self._t = self._saved = self._waited = 0
        self._begun, self._spent = _clocks(), np.zeros(2)
        self._cost: np.ndarray | None = None  # of a save, by both clocks; None before the first
        self._signal: int | None = None
        self._lost = False  # whether a save failed
        self._stop = False  # as all processes agreed after the last chunk
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> "Checkpoints":
        options = self._orbax.CheckpointManagerOptions(
            max_to_keep=self._policy.most, cleanup_tmp_directories=True
        )
        _ownership.claim(self._folder, self._policy.folder)  # what is there may be deleted
        with contextlib.ExitStack() as undo:
            if jax.process_index() == 0:  # for all processes of the run
                undo.enter_context(_ownership.holding(self._folder, self._policy.folder))
            try:
                self._manager = self._orbax.CheckpointManager(self._folder, options=options)
            except OSError as error:
                raise OutputError(
                    f"cannot keep checkpoints in {self._policy.folder}: {error.strerror or error}"
                ) from error
            undo.callback(self._manager.close)
            self._refuse_or_empty()
            undo.enter_context(_orbax.quiet())
            undo.callback(self._let_speak)
            undo.enter_context(self._catching())
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            self._undo.close()
        except Exception as error:  # a result is not lost for want of a place to save it
            self._failed(error)

    def __call__(self, t: int, state: State, info: Info) -> bool:
        """Keep what a chunk has to tell, and its state if it is due.

        A warm-up (t up to 0) has a state of another kind, and is not kept.
        """
        due = self._waited + 1 >= self._policy.every and self._is_paid()
        self._stop, due = _any_process(self._signal is not None, due)
        if t <= 0:
            if self._stop:
                raise KeyboardInterrupt("in the warm-up, before there was anything to save")
            return False
        columns = {"loss": info.loss, **info.metrics}
        values = {name: np.atleast_1d(np.asarray(value)) for name, value in columns.items()}
        self._chunks.append({k: (str(v.dtype), v.tolist()) for k, v in values.items()})
        self._t, self._waited = t, self._waited + 1
        if self._stop:
            self.finish(state)
        elif due:
            self._save(state)
        return False

    def finish(self, state: State) -> None:
        """Save the state if it is not, wait until it is written, and act on a signal."""
        if self._saved != self._t:
            self._save(state)
        try:
            self._manager.wait_until_finished()
        except Exception as error:
            self._failed(error)
        (stop,) = _any_process(self._stop or self._signal is not None)
        if stop:
            self._stop, self._signal = False, None
            raise KeyboardInterrupt(
                f"{self._t} steps are saved in {self._policy.folder}; go on from there with "
                "resume (--resume)"
            )

    def latest(self, like: State) -> Kept | None:
        """The newest checkpoint that is whole.

        Args:
            like: a state of the run, or its shapes.

        Returns:
            None if there is none to resume from.

        Raises:
            OptionError: it is of another run; the message says what differs.
            DataError: all are damaged.

        Warns:
            ImputationWarning: the newest is damaged and an older one is taken.
        """
        damaged: list[int] = []
        for t in sorted(self._manager.all_steps(), reverse=True):
            about = self._read_description(t)
            (unread,) = _any_process(about is None)
            if about is not None and not unread:
                self._refuse_another(about["run"])
            leaves = self._read_leaves(t, like) if about and not unread else None
            (unread,) = _any_process(leaves is None)
            if about is None or leaves is None or unread:
                damaged.append(t)
                continue
            (differs,) = _any_process(check_sums(leaves) != about["check_sums"])
            if differs:
                damaged.append(t)
                continue
            self._mention_versions(about["versions"])
            if damaged:
                self._tell(
                    f"the checkpoint after {damaged[0]} steps in {self._policy.folder} is "
                    f"damaged; going on from the one after {t}"
                )
            for other in damaged:  # they would stand in the way of new ones
                self._manager.delete(other)
            self._chunks, self._t, self._saved = about["chunks"], t, t
            return Kept(t, jax.tree.unflatten(jax.tree.structure(like), leaves))
        if damaged:
            raise DataError(
                f"all checkpoints in {self._policy.folder} are damaged, or of an older version; "
                "without --resume and with --force the run starts anew"
            )
        return None

    def replay(self, hooks: Sequence[Hook]) -> bool:
        """Show the chunks of a checkpoint to hooks, without a state; True if the last one stops."""
        t, stops = 0, [False]
        for chunk in self._chunks:
            columns = {name: jnp.asarray(v, dtype) for name, (dtype, v) in chunk.items()}
            t += len(columns["loss"])
            info = Info(columns.pop("loss"), columns)
            stops = [hook(t, None, info) for hook in hooks]
        return any(stops)

    def _is_paid(self) -> bool:
        """Whether saves take no more than their share, this one and the last one counted."""
        if self._cost is None or self._policy.share == 1:
            return True
        seconds, cpu = _clocks() - self._begun
        # a run on an accelerator spends little: a tenth of the clock counts as spent
        gone = np.array([seconds, max(cpu, seconds / 10)])
        return bool((self._spent + 2 * self._cost <= self._policy.share * gone).all())

    def _save(self, state: State) -> None:
        started = _clocks()
        # copies: the buffers of the state are reused by the next chunk
        leaves = [_copy(leaf) for leaf in jax.tree.leaves(state)]
        about = {
            "run": self._identity,
            "versions": versions(),
            "chunks": list(self._chunks),  # it grows while the copy is written
            "check_sums": check_sums(leaves),
        }
        args = self._orbax.args
        try:
            self._manager.save(
                self._t,
                args=args.Composite(
                    state=args.StandardSave(_orbax.named(leaves)), about=args.JsonSave(about)
                ),
            )
            blocked = _clocks() - started
            if self._cost is None:  # the first is waited for, to see what its threads take
                self._manager.wait_until_finished()
        except Exception as error:
            blocked = _clocks() - started
            self._failed(error)
        cpu = (_clocks() - started)[1] if self._cost is None else self._cost[1]
        self._cost = np.array([blocked[0], cpu])
        self._spent = self._spent + self._cost
        self._saved, self._waited = self._t, 0

    def _failed(self, error: Exception) -> None:
        self._lost = True
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        self._tell(
            f"cannot save to {self._policy.folder} ({first}); the run goes on, and checkpoints "
            "made before stay"
        )

    def _let_speak(self) -> None:
        if self._lost:
            _orbax.late()

    def _read_description(self, t: int) -> dict[str, Any] | None:
        args = self._orbax.args
        wanted = args.Composite(about=args.JsonRestore())
        read = _orbax.attempt(lambda: self._manager.restore(t, args=wanted)["about"])
        return read if read and "check_sums" in read else None

    def _read_leaves(self, t: int, like: State) -> list[Any] | None:
        args, leaves = self._orbax.args, jax.tree.leaves(like)
        wanted = args.Composite(state=args.StandardRestore(_orbax.named(leaves, _orbax.shape)))
        read = _orbax.attempt(lambda: self._manager.restore(t, args=wanted)["state"])
        if read is None:
            return None
        return [
            read[_orbax.name(i)] if leaf.size else np.zeros(leaf.shape, leaf.dtype)
            for i, leaf in enumerate(leaves)
        ]

    def _tell(self, text: str) -> None:
        if jax.process_index() == 0:
            self._policy.tell(text)

    def _refuse_another(self, run: dict[str, Any]) -> None:
        texts = differing(run, self._identity)
        if texts:
            raise OptionError(
                f"the checkpoints in {self._policy.folder} are of another run; what differs: "
                f"{', '.join(texts)}. Run it as it was, or name another folder"
            )

    def _mention_versions(self, was: dict[str, str]) -> None:
        texts = differing(was, versions())
        if texts:
            self._tell(
                f"the checkpoints in {self._policy.folder} were made elsewhere: "
                f"{', '.join(texts)}. The run goes on, and may not end bit for bit as it would have"
            )

    def _refuse_or_empty(self) -> None:
        steps = self._manager.all_steps()
        if not steps or self._policy.resume:
            return
        if not self._policy.force:
            raise OptionError(
                f"{self._policy.folder} holds checkpoints; resume goes on from the newest one "
                "(--resume), force deletes them (--force)"
            )
        for t in steps:
            self._manager.delete(t)

    @contextlib.contextmanager
    def _catching(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # where Python takes no signals
            return
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

        def note(number: int, frame: Any) -> None:
            del frame
            self._signal = number
            for each, handler in before.items():
                signal.signal(each, handler)
            self._policy.tell("stopping after this chunk, to save it; once more stops at once")

        for each in before:
            signal.signal(each, note)
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _clocks() -> np.ndarray:
    """Seconds, and CPU-seconds of all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def _copy(leaf: jax.Array) -> Any:
    return np.array(leaf) if leaf.is_fully_addressable else jnp.copy(leaf)


def _any_process(*flags: bool) -> list[bool]:
    """What holds in any process: the same answer in all of them."""
    if jax.process_count() == 1:
        return list(flags)
    held = np.asarray(multihost_utils.process_allgather(np.array(flags, bool)))
    return [bool(held.reshape(-1, len(flags))[:, i].any()) for i in range(len(flags))]

"""Interrupts: by Ctrl-C, and by a limit of time, which ends a command as Ctrl-C does."""

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_AGAIN = 5.0  # seconds; code that may not raise swallows an interrupt, as the collector's does
_came = threading.Event()


def came(error: BaseException) -> bool:
    """Whether an error is what an interrupt has become: libraries that load turn it into others."""
    return _came.is_set() or isinstance(error.__context__, KeyboardInterrupt)


def listen() -> None:
    """Remember from now on that an interrupt came."""

    def note(number: int, frame: Any) -> None:
        _came.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)


@contextlib.contextmanager
def limit(seconds: float | None) -> Iterator[None]:
    """Interrupt what takes longer, as Ctrl-C would.

    Args:
        seconds: from now; None for no limit.
    """
    if seconds is None:
        yield
        return
    over = threading.Event()
    watch = threading.Thread(None, _watch, "timeout", (seconds, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        _came.clear()


def _watch(seconds: float, over: threading.Event) -> None:
    if over.wait(seconds):
        return
    if sys.stderr is not None:
        sys.stderr.write(f"\nthe time is over (--timeout {seconds:g})\n")
    _came.set()
    saves = getattr(signal.getsignal(signal.SIGINT), "__module__", "") not in (__name__, "_signal")
    _interrupt()
    # what saves at the first would stop at once at the second
    while not saves and not over.wait(_AGAIN):
        _interrupt()


def _interrupt() -> None:
    if hasattr(signal, "pthread_kill"):  # ends calls of the system, too
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()

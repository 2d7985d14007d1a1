"""Whether the HDF5 library comes back from a file: some damaged ones it reads for ever.

It holds Python's lock meanwhile, so that no signal, thread or Ctrl-C ends it. Another process looks
at the file first, which can be ended. One is kept for all files that a program opens.
"""

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from jaximpute._errors import DataError

SECONDS = 60.0
_LOOK = """
import json, sys
import h5py

def look(name, thing):
    global budget
    for value in thing.attrs.values():
        pass
    if isinstance(thing, h5py.Dataset) and 0 < thing.nbytes <= budget:
        budget -= thing.nbytes
        thing[...]

print(flush=True)
for line in sys.stdin:
    budget = 2**26  # of each file
    try:
        with h5py.File(json.loads(line), "r") as file:
            look("/", file)
            file.visititems(lambda name, thing: look(name, thing))
    except Exception:
        pass  # whoever opens it is told
    print(flush=True)
"""


class Looker:
    """The process that looks at files, and what it answers."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.answers: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LOOK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.answers.put(line)
        self.answers.put("")  # it is gone

    def ask(self, path: str) -> None:
        """Have it look at a file."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(path) + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """End it."""
        if self.owner == os.getpid():  # and not that of a process this one was forked from
            self.process.kill()
            self.process.wait()
            self.listener.join()
            if self.process.stdin is not None:
                with contextlib.suppress(OSError):  # what it was not told
                    self.process.stdin.close()


_KEPT: list[Looker] = []


@atexit.register
def _stop() -> None:
    while _KEPT:
        _KEPT.pop().stop()


def check(path: str, seconds: float = SECONDS) -> None:
    """Refuse a file from which the library does not come back.

    Attributes of all groups and variables are read, and the first 64 MB of cells.

    Args:
        path: of an HDF5 file.
        seconds: to wait for it.

    Raises:
        DataError: it is one.
    """
    looker = _looker()
    if looker is None:
        return
    try:
        looker.ask(str(Path(path).resolve()))
        ended = looker.answers.get(timeout=seconds) != ""
        words = "the HDF5 library crashes on it"
    except (queue.Empty, OSError) as error:
        if isinstance(error, OSError):  # gone before it was asked
            _stop()
            return
        ended, words = False, f"the HDF5 library does not come back from it within {seconds:g} s"
    if not ended:
        _stop()
        raise DataError(f"{path} is damaged: {words}")


def _looker() -> Looker | None:
    """The process that is kept; None where none can be started."""
    if _KEPT and _KEPT[0].owner == os.getpid() and _KEPT[0].process.poll() is None:
        return _KEPT[0]
    _KEPT.clear()
    try:
        looker = Looker()
    except (OSError, TypeError):
        return None
    try:
        started = looker.answers.get(timeout=SECONDS) != ""
    except queue.Empty:
        started = False
    if not started:
        looker.stop()
        return None
    _KEPT.append(looker)
    return looker

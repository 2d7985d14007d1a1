"""Inputs in a process of their own, which is ended if one of them does not end by itself."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any


def each(
    attempt: Callable[..., Any], arguments: Sequence[tuple], seconds: float
) -> Iterator[tuple[tuple, Any, str]]:
    """Call a function on inputs, one after another.

    Args:
        attempt: of a module, so that another process can import it.
        arguments: of each call.
        seconds: that a call may take.

    Yields:
        The arguments, the answer (None if there is none), and why there is none.
    """
    worker: tuple[Any, Connection] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for given in arguments:
            worker = worker or _start(attempt, folder)
            process, pipe = worker
            pipe.send(given)
            answer, why = None, ""
            try:
                if pipe.poll(seconds):
                    answer = pipe.recv()
                else:
                    why = f"did not end within {seconds:g} s"
            except EOFError:
                process.join()
                why = f"the process died with {process.exitcode}"
            if why:
                process.kill()
                process.join()
                worker = None
            yield given, answer, why
        if worker is not None:
            worker[1].send(None)
            worker[0].join()


def _start(attempt: Callable[..., Any], folder: str) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(attempt, there, folder), daemon=True)
    process.start()
    there.close()
    return process, here


def _work(attempt: Callable[..., Any], pipe: Connection, folder: str) -> None:
    tempfile.tempdir = folder  # what is left there by a process that was ended goes with the folder
    while (given := pipe.recv()) is not None:
        pipe.send(attempt(*given))

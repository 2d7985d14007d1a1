"""A section of the run on an accelerator: its seconds, its steps, and rows written at once."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from benchmarks.harness import jobs

Row = dict[str, Any]
T = TypeVar("T")
LEAST = 1.0  # seconds that are worth a start
MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "Out of memory")


class TimeUp(Exception):
    """The seconds of a step are over."""


class Section(NamedTuple):
    """What a section is told.

    Attributes:
        name: of the section.
        seconds: it may take.
        toy: whether sizes are tiny.
        out: file of rows.
        torch_python: a Python that may have PyTorch.
        run: when the run began, the same in all its rows.
        keep: folder for profiles; empty for none.
    """

    name: str
    seconds: float
    toy: bool
    out: str
    torch_python: str
    run: str
    keep: str = ""

    def write(self, row: Row) -> None:
        """Add a row to the file, and show it."""
        row = {"section": self.name, **row, "toy": self.toy, "run": self.run}
        jobs.append(Path(self.out), row)
        print(json.dumps(row, default=str), flush=True)


class Clock:
    """What is left of a section's seconds."""

    def __init__(self, seconds: float):
        self.until = time.monotonic() + seconds

    def left(self) -> float:
        return self.until - time.monotonic()

    def check(self, seconds: float = 0.0) -> None:
        """Between two parts of a step: whether there is time for the next.

        Raises:
            TimeUp: less than so many seconds are left.
        """
        if self.left() <= seconds:
            raise TimeUp

    def wait(self, asked: Future[T]) -> T:
        """What is worked out beside, when it is there.

        Raises:
            TimeUp: it is not there in time.
        """
        try:
            return asked.result(max(self.left(), 0))
        except TimeoutError:
            raise TimeUp from None


Step = Callable[[Section, Clock], Iterable[Row]]


def run(section: Section, steps: Mapping[str, tuple[float, Step]], about: Row) -> None:
    """Take the steps in their order, each within its share of what is left.

    Nothing is broken off inside a step, for XLA does not survive that: steps look at their clock,
    and a section that does not end in time is ended from outside.

    Args:
        section: see `Section`.
        steps: by name, a share and what yields the rows of the step.
        about: what all rows say, such as the device.
    """
    whole, shares = Clock(section.seconds), [share for share, _ in steps.values()]
    for i, (name, (share, step)) in enumerate(steps.items()):
        seconds = whole.left() * share / sum(shares[i:])
        why: Row | None = None
        if whole.left() < LEAST:
            why = {"what": "cut", "why": "no seconds are left"}
        else:
            try:
                for row in step(section, Clock(seconds)):
                    section.write({"of": name, **row, **about})
            except TimeUp:
                why = {"what": "cut", "why": f"its {seconds:.0f} seconds were over"}
            except Exception as error:  # one step must not take the others with it
                why = reason(error)
        if why is not None:
            section.write({"of": name, **why, **about})


def reason(error: Exception) -> Row:
    """Why a step has no rows: something is not there, or it failed."""
    if isinstance(error, ImportError):
        return {"what": "skipped", "why": f"needs {error.name or error}"}
    if isinstance(error, FileNotFoundError):
        return {"what": "skipped", "why": str(error)}
    words = (str(error).splitlines() or [""])[0][:300]
    if isinstance(error, MemoryError) or any(word in str(error) for word in MEMORY):
        return {"what": "skipped", "why": f"too little memory: {words}"}
    return {"what": "failed", "why": f"{type(error).__name__}: {words}"}


def main(steps: Mapping[str, tuple[float, Step]]) -> int:
    """A section as a process: it is told what on its standard input."""
    section = Section(**json.load(sys.stdin))
    try:
        import jax

        from jaximpute import __version__

        device = jax.devices()[0]
    except (ImportError, RuntimeError) as error:  # no such platform
        section.write({"what": "skipped", "of": section.name, "why": str(error).splitlines()[0]})
        return 0
    versions = {"jaximpute": __version__, "jax": jax.__version__}
    run(section, steps, {"device": device.device_kind, "versions": versions})
    return 0

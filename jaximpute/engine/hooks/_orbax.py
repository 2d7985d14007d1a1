"""What checkpoints ask of Orbax: the library, and leaves as it names and finds them."""

import contextlib
import gc
import io
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding

from jaximpute._errors import need_extra

_LATE = 0.2  # seconds in which threads of what failed may still speak
_CLOSED = "Event loop is closed"


def library() -> Any:
    """Orbax.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise need_extra("orbax-checkpoint", "train", "checkpoints") from error
    # what fails is told once, by the run; its own log repeats it with tracebacks
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    return orbax.checkpoint


def attempt(read: Callable[[], Any]) -> Any:
    """What a read returns; None if it fails, of whatever is wrong with it.

    Its threads would print a traceback for each array, at once or when they are collected, and
    bury what the run has to tell.
    """
    log = logging.getLogger("asyncio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            with contextlib.suppress(Exception):
                return read()
            late()
            return None
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to ourselves what threads of a failed save say after it, which the run has told of."""
    before = sys.unraisablehook

    def tell(about: Any) -> None:
        if not isinstance(about.exc_value, RuntimeError) or str(about.exc_value) != _CLOSED:
            before(about)

    sys.unraisablehook = tell
    try:
        yield
    finally:
        sys.unraisablehook = before


def late() -> None:
    """Let threads of what failed speak, while it is quiet."""
    time.sleep(_LATE)
    gc.collect()


def named(leaves: Sequence[Any], each: Callable[[Any], Any] = lambda leaf: leaf) -> dict[str, Any]:
    """Leaves by number, without those that hold nothing, which Orbax does not take."""
    found = {name(i): each(leaf) for i, leaf in enumerate(leaves) if leaf.size}
    return {**found, "none": np.zeros(1, np.int8)}


def name(i: int) -> str:
    """Of a leaf, by its number."""
    return f"{i:05d}"


def shape(leaf: Any) -> jax.ShapeDtypeStruct:
    """A leaf as it is to be read: the devices that wrote it may not be there."""
    sharding = getattr(leaf, "sharding", None) or SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

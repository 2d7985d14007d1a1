"""Peak memory of a piece of work, as the operating system sees it."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path


def watch() -> Callable[[], float]:
    """Start to watch this process's memory.

    Python's own tracer does not see what XLA allocates. On Linux the peak is set back first, so
    that each piece of work has its own; elsewhere the peak is that of the process so far, and work
    that needs less than an earlier piece shows 0.

    Returns:
        A function: by how many MB the peak lies above the memory in use (elsewhere: above the peak)
        at the start. NaN where the system does not tell.
    """
    try:
        import resource
    except ImportError:  # Windows
        return lambda: float("nan")

    def peak() -> float:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6

    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    start = peak()
    return lambda: max(peak() - start, 0.0)

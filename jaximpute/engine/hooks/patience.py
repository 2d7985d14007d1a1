"""Stop when nothing improves any more."""

import math

import numpy as np

from jaximpute._errors import OptionError
from jaximpute.types import Hook, Info, State


def patience(metric: str = "loss", chunks: int = 5, *, least: float = 0.0) -> Hook:
    """Stop after `chunks` chunks in a row without a new lowest value of a metric.

    The value of a chunk is the mean over its steps; NaN is never an improvement. The steps of a
    warm-up (t up to 0) do not count.

    Args:
        metric: `loss`, or a name in the method's `info.metrics`; smaller is better.
        chunks: how long to wait, at least 1.
        least: by how much a value must be lower than the lowest so far to count, at least 0.

    Returns:
        A hook, which remembers the lowest value of a run. A run is over when `t` goes back.

    Raises:
        OptionError: a number out of range; and from the hook, a metric that the method does not
            report.

    Example:
        >>> from jaximpute.types import Info
        >>> stop = patience(chunks=2)
        >>> [stop(t, None, Info(loss, {})) for t, loss in enumerate([2.0, 1.0, 1.5, 1.0], 1)]
        [False, False, False, True]
    """
    if chunks < 1 or not least >= 0:
        raise OptionError(f"chunks is {chunks} and least {least}; expected chunks >= 1, least >= 0")
    last, lowest, waited = 0, math.inf, 0

    def hook(t: int, state: State, info: Info) -> bool:
        del state
        nonlocal last, lowest, waited
        if t <= last:
            lowest, waited = math.inf, 0
        last = t
        if t <= 0:
            return False
        values = {"loss": info.loss, **info.metrics}
        if metric not in values:
            raise OptionError(
                f"the method reports no metric '{metric}'; it reports {', '.join(sorted(values))}"
            )
        value = float(np.mean(values[metric]))
        if value < lowest - least:
            lowest, waited = value, 0
        else:
            waited += 1
        return waited >= chunks

    return hook

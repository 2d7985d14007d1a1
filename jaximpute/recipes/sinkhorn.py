"""The Sinkhorn divergence imputer for given data: how many gradient steps, and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.sinkhorn import sinkhorn as make_sinkhorn
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 3},
    "balanced": {},
    "best": {"steps": 30},
    "paper": {"steps": 30, "epsilon": 0.05, "max_iterations": 2000},
}


def sinkhorn(
    data: Observed, *, kind: str, times: Any = None, steps: int = 10, **options: Any
) -> registry.Plan:
    """The Sinkhorn divergence imputer for a table.

    Args:
        data: what it will run on.
        kind: `table`.
        times: not used.
        steps: passes, each of `moves` gradient steps.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del data, kind, times
    return registry.Plan(make_sinkhorn(**options), steps)

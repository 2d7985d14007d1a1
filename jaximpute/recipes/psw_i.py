"""PSW-I for given data: its windows, start, length, and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.psw_i import psw_i as make_psw_i
from jaximpute.recipes._common import rows
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 2},
    "balanced": {},
    "best": {"steps": 10, "batch": 256},
    "paper": {
        "start": "moving_average",
        "steps": 10,
        "batch": 256,
        "iterations": 1000,
        "rho": 1.0,
    },
}


def psw_i(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 5,
    start: str = "linear",
    window: int = 24,
    stride: int = 1,
    **options: Any,
) -> registry.Plan:
    """PSW-I for series, on overlapping windows.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series`.
        times: positions of the steps, for the start.
        categories: the category that each channel is of, for the start.
        steps: passes, each of `moves` gradient steps.
        start: the name of an inductive method, which makes the first completion.
        window: steps in a window.
        stride: steps between window starts.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    first = registry.build(start, data, kind=kind, times=times, categories=categories).method
    _, view = rows(data, kind, window, stride)
    return registry.Plan(make_psw_i(first, view, **options), steps)

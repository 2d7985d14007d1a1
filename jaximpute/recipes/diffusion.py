"""The plain diffusion for given data: its network, rows, start and presets."""

from typing import Any

from jaximpute import processes, registry
from jaximpute._errors import OptionError
from jaximpute.methods.diffusion import diffusion as make_diffusion
from jaximpute.nets import adaln_mlp
from jaximpute.recipes._common import rows, width_for
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 3, "sde_steps": 50},
    "balanced": {},
    "best": {"steps": 40},
    "paper": {},
}


def diffusion(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 10,
    start: str = "gaussian",
    process: str = "vp",
    window: int = 24,
    width: int | None = None,
    layers: int = 3,
    **options: Any,
) -> registry.Plan:
    """The plain diffusion for given data, on windows that do not overlap; see `spirit`.

    Args:
        data: what it will run on.
        kind: `series` or `table`.
        times: positions of the steps of a series, for the start.
        categories: the category that each column is of, for the start.
        steps: rounds of score learning.
        start: the name of an inductive method, which completes the rows to learn from.
        process: `vp` or `ve`.
        window: steps in a window of a series.
        width: hidden width of the score network; None = by the size of a row, up to 256.
        layers: its number of residual blocks.
        options: of the factory.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: no such process.
    """
    if process not in ("vp", "ve"):
        raise OptionError(f"process is '{process}'; expected one of vp, ve")
    first = registry.build(start, data, kind=kind, times=times, categories=categories).method
    event, view = rows(data, kind, window, window)
    net = adaln_mlp(event, width=width or width_for(event), layers=layers)
    noising = getattr(processes, process)()
    return registry.Plan(make_diffusion(net, first, noising, view=view, **options), steps)

"""DiffPuter for given data: its network and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.diffputer import diffputer as make_diffputer
from jaximpute.nets import mlp
from jaximpute.processes import edm
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 2, "updates": 500, "levels": 10, "resamplings": 2},
    "balanced": {},
    "best": {"steps": 8, "levels": 30, "resamplings": 10, "trials": 10},
    # made for a large accelerator: 40 000 evaluations of a wide network per row and round
    "paper": {
        "steps": 10,
        "width": 1024,
        "lr": 1e-4,
        "updates": 10000,
        "batch": 4096,
        "levels": 50,
        "resamplings": 20,
        "trials": 20,
    },
}


def diffputer(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 4,
    width: int = 128,
    **options: Any,
) -> registry.Plan:
    """DiffPuter for given data.

    Args:
        data: what it will run on; only its shape matters.
        kind: `table`.
        times: not used.
        steps: rounds of EM.
        width: of the outer two of four hidden layers, even; the inner two are twice as wide.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del kind, times
    net = mlp(data.values.shape[1:], widths=(width, 2 * width, 2 * width, width))
    return registry.Plan(make_diffputer(net, edm(), **options), steps)

"""KnewImp for given data: its energy network, its length, and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.knewimp import knewimp as make_knewimp
from jaximpute.nets import energy_mlp
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 1},
    "balanced": {},
    "best": {"steps": 2, "score_steps": 400, "width": 256},
    "paper": {"steps": 2, "moves": 500, "bandwidth": 0.5, "clip": False},
}


def knewimp(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 2,
    width: int = 128,
    layers: int = 2,
    **options: Any,
) -> registry.Plan:
    """KnewImp for a table.

    Args:
        data: what it will run on; only its shape matters.
        kind: `table`.
        times: not used.
        steps: rounds of score learning, each followed by moves of the entries.
        width: hidden width of the energy network.
        layers: its number of hidden layers.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del kind, times
    net = energy_mlp(data.values.shape[1:], width=width, layers=layers)
    return registry.Plan(make_knewimp(net, **options), steps)

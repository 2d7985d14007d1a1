"""How learned methods are set up for given data: networks, rows, starts and presets.

A recipe stands between a name with options and a method's factory. Its own defaults, with those of
the factory, are the preset `balanced`.
"""

from functools import partial
from typing import Any

from jaximpute import registry
from jaximpute.methods.spirit import spirit as make_spirit
from jaximpute.nets import adaln_mlp
from jaximpute.types import Observed
from jaximpute.views import identity, windows

# a network's rows wider than this are cut into one row per channel
WIDEST = 2048

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "spirit": {
        "fast": {"steps": 2, "score_steps": 200, "width": 128},
        "balanced": {},
        "best": {"steps": 15},
        # as printed, with the open points settled as the factory's docstring says
        "paper": {
            "start": "moving_average",
            "stride": 24,
            "steps": 6,
            "score_steps": 200,
            "moves": 50,
            "score_on": "all",
            "apply_grad": "adam",
            "weights": True,
        },
    },
}


def spirit(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 5,
    start: str = "gaussian",
    window: int = 24,
    stride: int = 1,
    width: int = 256,
    layers: int = 3,
    **options: Any,
) -> registry.Plan:
    """SPIRIT for given data: on windows of a series, on the rows of a table.

    Args:
        data: what it will run on.
        kind: `series` or `table`.
        times: positions of the steps of a series, for the start.
        steps: passes of the outer loop.
        start: the name of an inductive method, which makes the first completion.
        window: steps in a window of a series.
        stride: steps between window starts.
        width: hidden width of the score network.
        layers: its number of residual blocks.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    shape, first = data.values.shape, registry.build(start, data, kind=kind, times=times).method
    if kind == "table":
        net = adaln_mlp(shape[1:], width=width, layers=layers)
        return registry.Plan(make_spirit(net, first, view=identity, **options), steps)
    length = min(window, shape[1])
    apart = length * shape[2] > WIDEST
    net = adaln_mlp((length, 1 if apart else shape[2]), width=width, layers=layers)
    view = partial(windows, length=length, stride=min(stride, length), apart=apart)
    return registry.Plan(make_spirit(net, first, view=view, **options), steps)

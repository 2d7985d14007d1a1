"""How learned methods are set up for given data: networks, rows, starts and presets.

A recipe stands between a name with options and a method's factory. Its own defaults, with those of
the factory, are the preset `balanced`.
"""

import math
from functools import partial
from typing import Any

from jaximpute import processes, registry
from jaximpute._errors import OptionError
from jaximpute.methods.diffusion import diffusion as make_diffusion
from jaximpute.methods.spirit import spirit as make_spirit
from jaximpute.nets import adaln_mlp
from jaximpute.types import Info, Observed, State
from jaximpute.views import identity, windows

# a network's rows wider than this are cut into one row per channel
WIDEST = 2048

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "spirit": {
        "fast": {"steps": 2, "score_steps": 200},
        "balanced": {},
        "best": {"steps": 15, "score_steps": 800},
        # as printed, with the open points settled as the factory's docstring says
        "paper": {
            "start": "moving_average",
            "stride": 24,
            "centre": False,
            "width": 256,
            "batch": 512,
            "steps": 6,
            "score_steps": 200,
            "moves": 50,
            "eta": 0.002,
            "score_on": "all",
            "apply_grad": "adam",
            "weights": True,
        },
    },
    "diffusion": {
        "fast": {"steps": 3, "sde_steps": 50},
        "balanced": {},
        "best": {"steps": 40},
        "paper": {},
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
    centre: bool | None = None,
    width: int | None = None,
    layers: int = 3,
    batch: int | None = None,
    **options: Any,
) -> registry.Plan:
    """SPIRIT for given data: on windows of a series, on the rows of a table.

    It stops at the first pass that does worse on the held-out entries than the best before it.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series` or `table`.
        times: positions of the steps of a series, for the start.
        steps: passes of the outer loop, at most.
        start: the name of an inductive method, which makes the first completion.
        window: steps in a window of a series.
        stride: steps between window starts.
        centre: see the factory; None = for series only.
        width: hidden width of the score network; None = by the size of a row, up to 256.
        layers: its number of residual blocks.
        batch: rows in a score-learning batch; None = all there are, up to 256.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    first = registry.build(start, data, kind=kind, times=times).method
    event, view = _rows(data, kind, window, stride)
    net = adaln_mlp(event, width=width or _width(event), layers=layers)
    centre = kind == "series" if centre is None else centre
    batch = batch or min(256, view(data.values.shape).size)
    method = make_spirit(net, first, view=view, centre=centre, batch=batch, **options)
    return registry.Plan(method, steps, hooks=(_past_its_best,))


def _past_its_best(t: int, state: State, info: Info) -> bool:
    del t, state
    return bool(info.metrics["error"][-1] > info.metrics["best_error"][-1])


def _width(event: tuple[int, ...]) -> int:
    """A hidden width for rows of a shape: wide rows need what the paper has, narrow ones less."""
    return min(256, max(64, 32 * math.ceil(1.5 * math.prod(event) / 32)))


def diffusion(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
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
    first = registry.build(start, data, kind=kind, times=times).method
    event, view = _rows(data, kind, window, window)
    net = adaln_mlp(event, width=width or _width(event), layers=layers)
    noising = getattr(processes, process)()
    return registry.Plan(make_diffusion(net, first, noising, view=view, **options), steps)


def _rows(data: Observed, kind: str, window: int, stride: int) -> tuple[tuple[int, ...], Any]:
    """The shape of a network's rows, and the view that cuts them."""
    shape = data.values.shape
    if kind == "table":
        return shape[1:], identity
    length = min(window, shape[1])
    apart = length * shape[2] > WIDEST
    view = partial(windows, length=length, stride=min(stride, length), apart=apart)
    return (length, 1 if apart else shape[2]), view

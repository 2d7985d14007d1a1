"""SPIRIT for given data: its network, rows, start and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.methods._rows import rows, width_for
from jaximpute.methods.papers.spirit.algorithm import spirit as make_spirit
from jaximpute.nets import adaln_mlp
from jaximpute.types import Info, Observed, State

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 2, "score_steps": 200},
    "balanced": {},
    "best": {"steps": 15, "score_steps": 800},
    # as printed: patches of 24, three layers of 256, eta, lr, the sum in (12), weights, Adam, and
    # all passes with nothing held out. Not printed, and chosen here: the start, sigma, the batch
    # and the numbers of steps, moves and passes. The factory's docstring says what stays different
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
        "weight_norm": "sum",
        "holdout": 0.0,
    },
}


def spirit(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
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

    It stops at the first pass that does worse on the held-out entries than the best before it;
    with `holdout=0` it makes all of them.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series` or `table`.
        times: positions of the steps of a series, for the start.
        categories: the category that each column is of, for the start.
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
    first = registry.build(start, data, kind=kind, times=times, categories=categories).method
    event, view = rows(data, kind, window, stride)
    net = adaln_mlp(event, width=width or width_for(event), layers=layers)
    centre = kind == "series" if centre is None else centre
    batch = batch or min(256, view(data.values.shape).size)
    method = make_spirit(net, first, view=view, centre=centre, batch=batch, **options)
    watching = () if options.get("holdout") == 0 else (_past_its_best,)
    return registry.Plan(method, steps, hooks=watching)


def _past_its_best(t: int, state: State, info: Info) -> bool:
    del t, state
    return bool(info.metrics["error"][-1] > info.metrics["best_error"][-1])

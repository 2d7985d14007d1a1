"""SPIRIT for given data: its network, rows, start and presets."""

from typing import Any

import numpy as np

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine.hooks.patience import patience
from jaximpute.maths.choice import told
from jaximpute.methods._rows import rows, width_for
from jaximpute.methods.papers.spirit.algorithm import spirit as make_spirit
from jaximpute.methods.papers.spirit.conditional import ConditionalState
from jaximpute.methods.papers.spirit.surroundings import width as width_around
from jaximpute.nets import adaln_mlp
from jaximpute.types import Info, Observed, State

_WAIT = 3  # passes without a new best one
_CELLS = 1_000_000  # of the data, hidings counted, that the base completes again
_EACH, _STEPS = 150, (100, 600)  # cells of the data for a score-learning step, and how many
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 4, "hidings": 4},
    "balanced": {},
    "best": {"steps": 20},
    # as printed: noise on whole rows, patches of 24, three layers of 256, eta, lr, the sum in (12),
    # weights, Adam, and all passes with nothing held out. Not printed, and chosen here: the start,
    # sigma, the batch and the numbers of steps, moves and passes. The factory's docstring says what
    # stays different
    "paper": {
        "noise_on": "all",
        "start": "moving_average",
        "window": 24,
        "stride": 24,
        "centre": False,
        "width": 256,
        "layers": 3,
        "batch": 512,
        "steps": 6,
        "score_steps": 200,
        "moves": 50,
        "sigma": 0.1,
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
    steps: int = 8,
    start: str = "gaussian",
    noise_on: str = "missing",
    window: int = 9,
    stride: int = 1,
    centre: bool | None = None,
    width: int | None = None,
    layers: int = 2,
    batch: int | None = None,
    score_steps: int | None = None,
    hidings: int | None = None,
    **options: Any,
) -> registry.Plan:
    """SPIRIT for given data: on the steps of a series, on the rows of a table.

    It stops after three passes without a new best one; with `holdout=0` it makes all of them. With
    noise on all entries it stops at the first pass that does worse than the best before it.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series` or `table`.
        times: positions of the steps of a series, for the start.
        categories: the category that each column is of, for the start.
        steps: passes, at most.
        start: the name of an inductive method that learns in `init`, which makes the first
            completion.
        noise_on: see the factory.
        window: steps in a window of a series.
        stride: steps between window starts, with noise on all entries.
        centre: see the factory; None = for series only.
        width: hidden width of the score network; None = by the size of a row, up to 256.
        layers: its number of residual blocks.
        batch: rows in a score-learning batch; None = all there are, up to 256.
        score_steps: see the factory; None = 100 to 600, fewer the smaller the data.
        hidings: see the factory; None = 3 to 12, fewer the larger the data.
        options: of the factory.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: a start that takes steps.
    """
    first = registry.build(start, data, kind=kind, times=times, categories=categories)
    if first.steps > 1:  # with one step, some report what they learned before
        raise OptionError(f"start is '{start}', which takes steps; expected one like 'gaussian'")
    score_steps = score_steps or int(np.clip(data.values.size // _EACH, *_STEPS))
    common = {"noise_on": noise_on, "score_steps": score_steps, **options}
    if noise_on == "all":
        event, view = rows(data, kind, window, stride)
        net = adaln_mlp(event, width=width or width_for(event), layers=layers)
        centre = kind == "series" if centre is None else centre
        batch = batch or min(256, view(data.values.shape).size)
        method = make_spirit(net, first.method, view=view, centre=centre, batch=batch, **common)
        watching = () if options.get("holdout") == 0 else (_past_its_best,)
        return registry.Plan(method, steps, hooks=watching)
    shape = data.values.shape
    cond = width_around(shape, window)
    net = adaln_mlp(shape[-1:], width=width or width_for((cond,)), layers=layers, cond=cond)
    method = make_spirit(
        net,
        first.method,
        window=window,
        batch=batch or 256,
        total=steps * score_steps,
        hidings=hidings or int(np.clip(_CELLS // data.values.size, 3, 12)),
        **common,
    )
    hooks = () if options.get("holdout") == 0 else (patience("waiting_error", _WAIT),)

    def tells(state: ConditionalState) -> dict[str, Any]:
        return told(state.choice, start, "spirit", "spirit")

    return registry.Plan(method, steps, hooks=hooks, tells=tells)


def _past_its_best(t: int, state: State, info: Info) -> bool:
    del t, state
    return bool(info.metrics["error"][-1] > info.metrics["best_error"][-1])

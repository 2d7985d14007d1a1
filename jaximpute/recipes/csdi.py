"""CSDI for given data: its network, rows and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.csdi import csdi as make_csdi
from jaximpute.recipes._conditional import setting
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10, "draw_steps": 12},
    "balanced": {},
    "best": {
        "steps": 200,
        "lr": 1e-3,
        "width": 64,
        "layers": 4,
        "heads": 8,
        "draw_steps": 50,
    },
    # healthcare and air quality: 200 epochs of batches of 16 come to about this many steps
    "paper": {
        "steps": 400,
        "lr": 1e-3,
        "width": 64,
        "layers": 4,
        "heads": 8,
        "dropout": 0.1,
        "window": 48,
        "batch": 16,
        "draw_steps": 50,
    },
}


def csdi(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 30,
    window: int = 24,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    dropout: float = 0.0,
    split: str = "random",
    horizon: int = 1,
    sgd_steps: int = 100,
    **options: Any,
) -> registry.Plan:
    """CSDI for given data: on windows of a series, on the rows of a table.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series` or `table`.
        times: positions of the steps of a series.
        steps: rounds of training.
        window: steps in a window of a series.
        width: channels inside the network.
        layers: number of its blocks.
        heads: of each attention.
        dropout: in training.
        split: what is asked for in training: `random`, `historical` (what another row lacks),
            `mix` (one of the two), `block` or `forecast`.
        horizon: steps asked for by `forecast`.
        sgd_steps: steps of training in a round.
        options: of `baselines.csdi`, whose defaults they have.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: no such split.
    """
    made = setting(
        data,
        kind,
        window=window,
        width=width,
        layers=layers,
        heads=heads,
        dropout=dropout,
        split=split,
        horizon=horizon,
    )
    method = make_csdi(
        made.net,
        **made.views,
        split=made.split,
        times=times,
        total=steps * sgd_steps,
        sgd_steps=sgd_steps,
        **options,
    )
    return registry.Plan(method, steps)

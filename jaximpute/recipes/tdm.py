"""Transformed distribution matching for given data: its network, its length, and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.tdm import tdm as make_tdm
from jaximpute.nets import real_nvp
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10},
    "balanced": {},
    "best": {"steps": 50},
    "paper": {"steps": 100, "net_lr": 1e-2, "epsilon": 0.005, "iterations": 500, "clip": False},
}


def tdm(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 30,
    blocks: int = 3,
    width: int | None = None,
    clamp: float = 2.0,
    **options: Any,
) -> registry.Plan:
    """Transformed distribution matching for a table of at least two columns.

    Args:
        data: what it will run on; only its shape matters.
        kind: `table`.
        times: not used.
        steps: passes, each of `moves` gradient steps.
        blocks: see `nets.real_nvp`.
        width: see `nets.real_nvp`.
        clamp: see `nets.real_nvp`.
        options: of the factory.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: a table of one column, or an option out of range.
    """
    del kind, times
    net = real_nvp(data.values.shape[-1], blocks=blocks, width=width, clamp=clamp)
    return registry.Plan(make_tdm(net, **options), steps)

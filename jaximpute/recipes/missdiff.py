"""MissDiff for given data: its network, rows and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.missdiff import missdiff as make_missdiff
from jaximpute.nets import mlp, residual_cnn
from jaximpute.processes import vp
from jaximpute.recipes._common import channels_for, rows, width_for
from jaximpute.types import Observed
from jaximpute.views import identity

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 5, "sde_steps": 50},
    "balanced": {},
    "best": {"steps": 60, "sde_steps": 200},
    "paper": {"steps": 60, "width": 1024, "sde_steps": 100},
}


def missdiff(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 20,
    window: int = 24,
    width: int | None = None,
    layers: int = 3,
    on_mask: bool = False,
    **options: Any,
) -> registry.Plan:
    """MissDiff for given data: windows that do not overlap, the rows of a table, or images.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series`, `table` or `image`.
        times: not used.
        steps: of 200 updates each, by default.
        window: steps in a window of a series.
        width: of the hidden layers, even; None = by the size of a row, 128 to 256. A network of
            images has an eighth as many channels.
            The CNN for images has an eighth as many channels, rounded down to a multiple of 8; None
            = 32.
        layers: how many there are, or residual blocks of the CNN.
        on_mask: see the factory.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del times
    if kind == "image":
        view = identity
        channels = channels_for(width) or 32
        net = residual_cnn(data.values.shape[1:], cond=int(on_mask), width=channels, blocks=layers)
        options = {"batch": 32} | options
    else:
        event, view = rows(data, kind, window, window)
        widths = (width or max(128, width_for(event)),) * layers
        net = mlp(event, conds=int(on_mask), widths=widths)
    method = make_missdiff(net, vp(), view=view, on_mask=on_mask, **options)
    return registry.Plan(method, steps, chunk=5)

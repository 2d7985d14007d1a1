"""GAIN for given data: its two networks, their width and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.gain import gain as make_gain
from jaximpute.nets import mlp
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10},
    "balanced": {},
    "best": {"steps": 100},
    # hidden layers as wide as a row, as the authors' program has them
    "paper": {"steps": 100, "width": 0},
}


def gain(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 30,
    width: int | None = None,
    **options: Any,
) -> registry.Plan:
    """GAIN for given data.

    Args:
        data: what it will run on; only its shape matters.
        kind: `table`.
        times: not used.
        steps: of 100 updates each, by default.
        width: of both hidden layers of both networks; 0 = the number of columns, None = that or
            8, whichever is more. Wider networks mostly do worse.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del kind, times
    event = data.values.shape[1:]
    hidden = max(event[0], 8) if width is None else width or event[0]
    generator, discriminator = (
        mlp(event, conds=1, widths=(hidden, hidden), activation="relu", timed=False)
        for _ in range(2)
    )
    return registry.Plan(make_gain(generator, discriminator, **options), steps, chunk=5)

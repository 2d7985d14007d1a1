"""What a network that learns fields from incomplete samples cannot do on a grid."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaximpute._errors import OptionError
from jaximpute.data.fields import Grid


def check(
    grid: Grid, mask: np.ndarray, kept: np.ndarray, method: str, options: Mapping[str, Any]
) -> list[str]:
    """Refuse what no network can do there, and name what none can learn.

    Args:
        grid: how the variables lie.
        mask: `(cells, variables)`, True = observed.
        kept: those that are left empty.
        method: its name.
        options: its options.

    Returns:
        A note if places are to be filled that no sample shows at any time.

    Raises:
        OptionError: a spectral network on a grid whose steps differ.
    """
    if options.get("net") == "fno" and grid.uneven:
        raise OptionError(
            f"net='fno' works with Fourier modes, and the steps of {' and '.join(grid.uneven)} "
            "differ: a mode is no wave there. Interpolate to an even grid first, or take net='unet'"
        )
    time = (1,) if grid.kind == "field" else ()
    unseen = ~mask.reshape(grid.shape).any(axis=(0, *time))
    wanted = unseen & ~kept.reshape(grid.shape).all(axis=(0, *time))
    if not wanted.any():
        return []
    y, x, channel = (int(i) for i in np.argwhere(wanted)[0])
    return [
        f"{int(wanted.sum())} places are observed in no sample at any time, the first in row {y}, "
        f"column {x}, variable {channel}: '{method}' cannot learn them, and fills them with what "
        "it carries over from others"
    ]

"""What the recipes share: the rows a network sees, and its width."""

import math
from functools import partial
from typing import Any

from jaximpute.types import Observed
from jaximpute.views import identity, windows

# a network's rows wider than this are cut into one row per channel
WIDEST = 2048


def rows(data: Observed, kind: str, window: int, stride: int) -> tuple[tuple[int, ...], Any]:
    """The shape of a network's rows, and the view that cuts them."""
    shape = data.values.shape
    if kind == "table":
        return shape[1:], identity
    length = min(window, shape[1])
    apart = length * shape[2] > WIDEST
    view = partial(windows, length=length, stride=min(stride, length), apart=apart)
    return (length, 1 if apart else shape[2]), view


def channels_for(width: int | None) -> int | None:
    """Channels of an image network from the hidden width of an MLP: an eighth, in whole eights."""
    return None if width is None else max(8, width // 64 * 8)


def width_for(event: tuple[int, ...]) -> int:
    """A hidden width for rows of a shape: wide rows need what the paper has, narrow ones less."""
    return min(256, max(64, 32 * math.ceil(1.5 * math.prod(event) / 32)))

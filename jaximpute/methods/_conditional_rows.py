"""What the recipes of conditional diffusions share: a network and its rows."""

from typing import Any, NamedTuple

from jaximpute.maths import splits
from jaximpute.methods._rows import rows
from jaximpute.nets import csdi_transformer
from jaximpute.types import Net, Observed, Split


class Setting(NamedTuple):
    """A network and the rows it sees, for some data."""

    event: tuple[int, ...]
    net: Net
    views: dict[str, Any]
    split: Split


def setting(
    data: Observed,
    kind: str,
    *,
    window: int,
    width: int,
    layers: int,
    heads: int,
    dropout: float,
    split: str,
    horizon: int,
) -> Setting:
    """A CSDI network for windows at every start, completed side by side."""
    event, learn = rows(data, kind, window, 1)
    _, draw = rows(data, kind, window, window)
    net = csdi_transformer(event, width=width, layers=layers, heads=heads, dropout=dropout)
    views = {"view": learn, "draw_view": draw}
    return Setting(event, net, views, splits.named(split, horizon))

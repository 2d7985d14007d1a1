"""What the recipes of conditional diffusions share: a network and its rows."""

import math
from typing import Any, NamedTuple

from jaximpute._errors import OptionError
from jaximpute.maths import splits
from jaximpute.methods._base import WIDEST
from jaximpute.methods._rows import rows
from jaximpute.nets import csdi_transformer, residual_mlp
from jaximpute.types import Net, Observed, Split

USUAL = 24  # steps of a window
_WHOLE = 512  # values of a series that is a row, unless told otherwise


class Setting(NamedTuple):
    """A network and the rows it sees, for some data.

    Attributes:
        event: shape of a row.
        net: the network.
        views: options of the method that say what its rows are.
        split: what is asked for.
        based: whether it learns on a base.
    """

    event: tuple[int, ...]
    net: Net
    views: dict[str, Any]
    split: Split
    based: bool


def setting(
    data: Observed,
    kind: str,
    *,
    base: str | None,
    net: str | None,
    window: int | None,
    width: int | None,
    layers: int | None,
    heads: int,
    dropout: float,
    split: str,
    horizon: int,
) -> Setting:
    """A network for windows at every start.

    On a base, series are completed by windows with context on both sides; otherwise by windows side
    by side.
    """
    if base not in (None, "window_gaussian"):
        raise OptionError(f"base is '{base}'; expected window_gaussian, or None")
    if net not in (None, "mlp", "transformer"):
        raise OptionError(f"net is '{net}'; expected mlp, transformer or None")
    event = _event(data, kind, window)
    based = base is not None and math.prod(event) <= WIDEST
    if net == "mlp" and not based:
        raise OptionError("net is 'mlp', which wants a base; expected transformer")
    chosen = splits.named(split, horizon)
    if based and net != "transformer":
        mlp = residual_mlp(event, width=width or 256, layers=layers or 3)
        return Setting(event, mlp, _on_base(event), chosen, True)
    shape: dict[str, Any] = {
        "width": width or 32,
        "layers": layers or 2,
        "heads": heads,
        "dropout": dropout,
    }
    if based:
        transformer = csdi_transformer(event, **shape, based=True)
        return Setting(event, transformer, _on_base(event), chosen, True)
    event, learn = rows(data, kind, window or USUAL, 1)
    _, draw = rows(data, kind, window or USUAL, window or USUAL)
    views = {"view": learn, "draw_view": draw}
    return Setting(event, csdi_transformer(event, **shape), views, chosen, False)


def _event(data: Observed, kind: str, window: int | None) -> tuple[int, ...]:
    """Of rows on a base; a table's are series of one step."""
    shape = data.values.shape
    if kind == "table":
        return (1, *shape[1:])
    time, channels = shape[1:]
    usual = time if time * channels <= _WHOLE else USUAL
    return min(window or usual, time), channels


def _on_base(event: tuple[int, ...]) -> dict[str, Any]:
    return {"on_gaussian": True, "window": event[0]}

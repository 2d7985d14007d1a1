"""What the recipes of conditional diffusions share: a network and its rows."""

import math
from typing import Any

from jaximpute._errors import OptionError
from jaximpute.maths import splits
from jaximpute.methods._base import WIDEST
from jaximpute.methods._rows import rows
from jaximpute.nets import csdi_transformer, residual_mlp
from jaximpute.types import Net, Observed

USUAL = 24  # steps of a window
_WHOLE = 512  # values of a series that is a row, unless told otherwise


def setting(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    base: str | None = "window_gaussian",
    net: str | None = None,
    window: int | None = None,
    width: int | None = None,
    layers: int | None = None,
    heads: int = 4,
    dropout: float = 0.0,
    split: str = "historical",
    horizon: int = 1,
    centred: bool = False,
    **options: Any,
) -> tuple[Net, dict[str, Any]]:
    """A network and the rows it sees: windows at every start.

    On a base, series are completed by windows with context on both sides; otherwise by windows side
    by side.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series` or `table`.
        times: positions of the steps of a series.
        base: `window_gaussian`, what is learned on; None for the paper's form. Centred rows, and
            windows of more than 1536 values, have none.
        net: `mlp` or `transformer`; None = `mlp` on a base, whose steps are the cheaper ones.
        window: steps in a window of a series; None = whole series on a base, if they have at most
            512 values, and 24 steps otherwise.
        width: channels inside the network; None = 256 of an MLP, 32 of a transformer.
        layers: number of its blocks; None = 3 and 2.
        heads: of each attention.
        dropout: in training.
        split: what is asked for in training: `random`, `historical` (what another row lacks),
            `mix` (one of the two), `block` or `forecast`.
        horizon: steps asked for by `forecast`.
        centred: see each row relative to its context, see `methods.csdi`.
        options: of the method.

    Returns:
        The network, and the options of the method with those that say what its rows are.

    Raises:
        OptionError: no such split, base or network.
    """
    if base not in (None, "window_gaussian"):
        raise OptionError(f"base is '{base}'; expected window_gaussian, or None")
    if net not in (None, "mlp", "transformer"):
        raise OptionError(f"net is '{net}'; expected mlp, transformer or None")
    event = _event(data, kind, window)
    based = base is not None and not centred and math.prod(event) <= WIDEST
    if net == "mlp" and not based:
        raise OptionError("net is 'mlp', which wants a base; expected transformer")
    options |= {"split": splits.named(split, horizon), "times": times, "centred": centred}
    if based:
        options |= {"on_gaussian": True, "window": event[0]}
    else:
        window = window or USUAL
        event, options["view"] = rows(data, kind, window, 1)
        options["draw_view"] = rows(data, kind, window, window)[1]
    if based and net != "transformer":
        return residual_mlp(event, width=width or 256, layers=layers or 3), options
    shape: dict[str, Any] = {"width": width or 32, "layers": layers or 2, "heads": heads}
    return csdi_transformer(event, **shape, dropout=dropout, based=based), options


def _event(data: Observed, kind: str, window: int | None) -> tuple[int, ...]:
    """Of rows on a base; a table's are series of one step."""
    shape = data.values.shape
    if kind == "table":
        return (1, *shape[1:])
    time, channels = shape[1:]
    usual = time if time * channels <= _WHOLE else USUAL
    return min(window or usual, time), channels

"""Networks of context-query by name, and the surface beneath them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jaximpute import nets
from jaximpute._errors import OptionError, check_chosen
from jaximpute.types import Net


def network(
    net: str,
    event: tuple[int, ...],
    width: int | None,
    factor: float,
    shifts: int,
    places: bool,
    under: Callable[[Net], Net] | None,
    options: dict[str, Any],
    beside: int,
    loops: bool = False,
) -> Net:
    """A network by its name; `under` puts a surface beneath it, and `beside` is a base's answer."""
    defaults = {"mlp": 256, "unet": 24, "fno": 32, "spacetime": 32, "eof": 128}
    if net not in defaults:
        raise OptionError(f"net is '{net}'; expected auto or one of {', '.join(defaults)}")
    if net == "eof" and options.get("objective") == "noise":
        raise OptionError("net='eof' answers with fields; expected objective='data'")
    wide = width or 8 * round(defaults[net] * factor / 8)
    edges = "periodic" if shifts else "zero"
    more: dict[str, Any] = {"beside": beside, "places": places}
    makers: dict[str, Callable[[], Net]] = {
        "mlp": lambda: nets.field_mlp(event, width=wide, **more),
        "unet": lambda: nets.field_unet(event, width=wide, padding=edges, loops=loops, **more),
        "fno": lambda: nets.fno(event, width=wide, **more),
        "spacetime": lambda: nets.spacetime_unet(event, width=wide, **more),
        "eof": lambda: nets.field_eof(event, modes=wide, process=options.get("process")),
    }
    made = makers[net]() if under is None else under(makers[net]())
    return nets.shifted(made, shifts, averaged=3) if shifts else made


def surface_for(
    surface: str, net: str, axes: str, sweeps: int, options: dict[str, Any]
) -> Callable[..., Net] | None:
    """What puts a surface beneath a network."""
    check_chosen(surface=(surface, ("auto", "none", *nets.SURFACES)))
    fits = net != "eof" and options.get("objective") != "noise"
    if surface == "none" or (surface == "auto" and not fits):
        return None
    if not fits:
        raise OptionError(
            f"surface is '{surface}'; expected 'none' for net='eof' or objective='noise'"
        )
    kind = "biharmonic" if surface == "auto" else surface
    return partial(
        nets.interpolated, surface=kind, axes=axes, sweeps=sweeps, process=options.get("process")
    )

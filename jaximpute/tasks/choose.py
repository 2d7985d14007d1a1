"""What `auto` means, before any data has been looked at."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine.draws import no_draws
from jaximpute.types import Kind

_PREFERRED = {
    "table": ("spirit", "gaussian", "mean"),
    "series": ("spirit", "linear", "mean"),
    "image": ("harmonic", "mean"),
    "field": ("optimal_interpolation", "mean"),
}
_DRAWING = {
    "table": ("mice", "diffusion"),
    # by the CRPS of docs/results/bridge.md, with the same network and as many steps of training
    "series": ("csbi0", "csdi", "diffusion"),
    "image": ("miri",),
    "field": ("context_query",),
}


class Choice(NamedTuple):
    """A method that was chosen by trying some.

    Attributes:
        name: of the method.
        scores: of all that were tried, by name; the least is best.
        seconds: that trying took.
    """

    name: str
    scores: Mapping[str, float]
    seconds: float


def choose(kind: Kind, inductive: bool = False, draws: bool = False) -> str:
    """The method that `auto` means for a kind of data.

    Args:
        kind: of the data.
        inductive: whether it has to complete rows to come.
        draws: whether it has to draw at random.

    Returns:
        Its name.
    """
    usable = [
        name for name in registry.names(kind) if registry.entry(name).inductive or not inductive
    ]
    return next(name for name in (_DRAWING if draws else _PREFERRED)[kind] if name in usable)


def inductive(method: Any, kind: Kind, instead: str, *, draws: bool = False) -> str:
    """The name of a method that completes rows it was not given; `auto` picks one.

    Args:
        method: a name, `auto`, or a method, see `registry.named`.
        kind: of the data.
        instead: what else to do with a method that does not, for the message.
        draws: whether it has to draw at random, too.

    Returns:
        Its name.

    Raises:
        OptionError: no such method, or one that completes only the rows it learns from, or does not
            draw; the message names those that can.

    Example:
        >>> inductive("auto", "table", "use impute()")
        'spirit'
    """
    auto = isinstance(method, str) and method == "auto"
    name = choose(kind, inductive=True, draws=draws) if auto else registry.named(method)
    if draws and not registry.entry(name, kind).draws:
        raise OptionError(no_draws(kind))
    if not registry.entry(name, kind).inductive:
        able = [other for other in registry.names(kind) if registry.entry(other).inductive]
        raise OptionError(
            f"method '{name}' only completes the rows it learns from. Either {instead}, or take a "
            f"method that completes other rows of a {kind}: {', '.join(able)}"
        )
    return name

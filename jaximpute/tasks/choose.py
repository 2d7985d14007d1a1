"""What `auto` means, before any data has been looked at."""

from typing import Any

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine.draws import no_draws
from jaximpute.types import Kind

# of draws; estimates are a stack for all kinds
_DRAWING = {"table": "stack", "series": "stack", "image": "stack", "field": "stack"}


def choose(kind: Kind, draws: bool = False) -> str:
    """The method that `auto` means for a kind of data: one that chooses by the data's own cells.

    Args:
        kind: of the data.
        draws: whether it has to draw at random.

    Returns:
        Its name; it completes new rows, too.
    """
    return _DRAWING[kind] if draws else "stack"


def resolve(method: Any, kind: Kind, draws: bool = False) -> str:
    """The name of the method that is asked for.

    Args:
        method: a name, `auto`, or a method, see `registry.named`.
        kind: of the data.
        draws: whether it has to draw at random.

    Raises:
        OptionError: it is no method, or does not draw though it has to.

    Example:
        >>> resolve("auto", "table"), resolve("mean", "table")
        ('stack', 'mean')
    """
    auto = isinstance(method, str) and method == "auto"
    name = choose(kind, draws) if auto else registry.named(method)
    if draws and not registry.entry(name, kind).draws:
        raise OptionError(no_draws(kind))
    return name


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
        'stack'
    """
    name = resolve(method, kind, draws)
    if not registry.entry(name, kind).inductive:
        able = [other for other in registry.names(kind) if registry.entry(other).inductive]
        raise OptionError(
            f"method '{name}' only completes the rows it learns from. Either {instead}, or take a "
            f"method that completes other rows of a {kind}: {', '.join(able)}"
        )
    return name

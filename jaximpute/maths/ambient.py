"""What code further up asks of code further down, without an argument.

Networks that a recipe makes are wrapped, and gradients are gathered over batches. Loads nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

Wrapper: TypeAlias = Callable[[Any], Any]  # from `Net` to `Net`, which would load jax

_wrappers: ContextVar[tuple[Wrapper, ...]] = ContextVar("wrappers", default=())
_wrapped: ContextVar[list[Any]] = ContextVar("wrapped")


@contextmanager
def wrapping(*wrappers: Wrapper) -> Iterator[list[Any]]:
    """Networks that are made within are wrapped: a recipe need not know of it.

    Args:
        wrappers: applied in this order; they replace those of an outer `wrapping`.

    Yields:
        A list, to which each network that is made is added.

    Example:
        >>> import jaximpute as ji
        >>> with wrapping(ji.nets.remat) as made:
        ...     net = ji.nets.mlp((3,))
        >>> made == [net]
        True
    """
    made: list[Any] = []
    chosen, listed = _wrappers.set(wrappers), _wrapped.set(made)
    try:
        yield made
    finally:
        _wrappers.reset(chosen)
        _wrapped.reset(listed)


def wrapped(net: Any) -> Any:
    """A network as the innermost `wrapping` has it; by itself outside of one."""
    for wrapper in _wrappers.get():
        net = wrapper(net)
    _wrapped.get([]).append(net)
    return net


class Gathering:
    """How many batches make a gradient, and whether anything asked."""

    def __init__(self, batches: int):
        self.batches, self.asked = batches, False


gathering: ContextVar[Gathering | None] = ContextVar("gathering", default=None)

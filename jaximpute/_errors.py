"""Named exceptions. Each says what is wrong, where, what was expected and what to do."""

from collections.abc import Iterable
from typing import Any

from jaximpute._terminal import visible


class JaximputeError(Exception):
    """Base of every error this library raises on purpose."""

    def __str__(self) -> str:
        """The message, with nothing in it that a terminal would obey."""
        return visible(super().__str__())


class DataError(JaximputeError, ValueError):
    """The data cannot be used as given (shape, type, infinite values, nothing observed)."""


class TimeError(DataError):
    """The time axis cannot be used (not a time, missing or duplicate stamps)."""


class OptionError(JaximputeError, ValueError):
    """A method or an option that does not exist, or a value it does not take."""


class OutputError(JaximputeError, OSError):
    """A result could not be written; what was there before is untouched."""


class DivergenceError(JaximputeError, FloatingPointError):
    """Training met numbers that are not finite.

    Attributes:
        state: the last state that was finite; None if there was none.
        step: number of steps that it has behind it, for `fit(..., state=state, start=step)`; less
            than 0 in a warm-up, which ends at 0.
        what: what happened and where, to be said of the method by its name; empty if the message
            names it already.
    """

    def __init__(self, message: str, state: Any = None, step: int = 0, what: str = ""):
        super().__init__(message)
        self.state = state
        self.step = step
        self.what = what


class OutOfMemoryError(JaximputeError, MemoryError):
    """The run needs more memory than there is; the message names the settings to lower."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python's or of XLA's says that memory ran out."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


class MissingExtraError(JaximputeError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class ImputationWarning(UserWarning):
    """The result is usable but something about it should be known."""

    def __str__(self) -> str:
        """The message, with nothing in it that a terminal would obey."""
        return visible(super().__str__())


def check_positive(**options: Any) -> None:
    """Numbers that are not positive are named; traced ones cannot be looked at."""
    for name, value in options.items():
        if isinstance(value, int | float) and not value > 0:
            raise OptionError(f"{name} is {value}; expected a positive number")


def check_chosen(**options: tuple[Any, Iterable[str]]) -> None:
    """Values that are not among those that an option takes are named."""
    for name, (chosen, valid) in options.items():
        if chosen not in valid:
            raise OptionError(f"{name} is '{chosen}'; expected one of {', '.join(valid)}")


def need_extra(package: str, extra: str, purpose: str) -> MissingExtraError:
    """The error for an absent optional dependency."""
    return MissingExtraError(
        f"{purpose} needs {package}, which is not installed. "
        f"Install it with: pip install 'jaximpute[{extra}]'"
    )

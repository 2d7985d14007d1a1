"""Named exceptions. Each says what is wrong, where, what was expected and what to do."""


class JaximputeError(Exception):
    """Base of every error this library raises on purpose."""


class DataError(JaximputeError, ValueError):
    """The data cannot be used as given (shape, type, infinite values, nothing observed)."""


class TimeError(DataError):
    """The time axis cannot be used (not a time, missing or duplicate stamps)."""


class OptionError(JaximputeError, ValueError):
    """A method or an option that does not exist, or a value it does not take."""


class OutputError(JaximputeError, OSError):
    """A result could not be written; what was there before is untouched."""


class OutOfMemoryError(JaximputeError, MemoryError):
    """The run needs more memory than there is; the message names the settings to lower."""


class MissingExtraError(JaximputeError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class ImputationWarning(UserWarning):
    """The result is usable but something about it should be known."""


def need_extra(package: str, extra: str, purpose: str) -> MissingExtraError:
    """The error for an absent optional dependency."""
    return MissingExtraError(
        f"{purpose} needs {package}, which is not installed. "
        f"Install it with: pip install 'jaximpute[{extra}]'"
    )

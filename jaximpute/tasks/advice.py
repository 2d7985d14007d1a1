"""Errors of a run put into words: which method failed on which data, and what to change."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaximpute import registry
from jaximpute._errors import DivergenceError, OutOfMemoryError, is_out_of_memory


@contextlib.contextmanager
def explained(
    method: str,
    shape: Sequence[int],
    preset: str = "balanced",
    options: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Name the method, and the options to change, in what its run raises.

    Args:
        method: its name.
        shape: `(rows, *event)` of the data, as the method sees them.
        preset: of the method.
        options: of the method.

    Raises:
        DivergenceError: training diverged within.
        OutOfMemoryError: memory ran out within.
    """
    try:
        yield
    except DivergenceError as error:
        if not error.what:
            raise
        text = f"'{method}' {error.what}. {on_divergence(method, preset, options)}"
        raise DivergenceError(text, error.state, error.step) from error
    except OutOfMemoryError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(_on_want_of_memory(method, shape)) from error


def on_divergence(
    method: str, preset: str = "balanced", options: Mapping[str, Any] | None = None
) -> str:
    """What to do if training diverged: the options that would hold it back, and their values.

    Example:
        >>> on_divergence("mean")
        'Take another preset or another method'
    """
    values = {key: option.default for key, option in registry.options(method).items()}
    values |= registry.presets(method)[preset] | dict(options or {})
    rates = [
        f"{key} (now {values[key]})"
        for key in registry.entry(method).rates
        if isinstance(values.get(key), int | float)
    ]
    lower = f"Lower {' or '.join(rates)}, or take" if rates else "Take"
    fewer = "fewer steps, " if "steps" in values else ""
    return f"{lower} {fewer}another preset or another method"


def _on_want_of_memory(method: str, shape: Sequence[int]) -> str:
    rows, *event = shape
    size = " x ".join(map(str, event))
    return f"out of memory with '{method}' on {rows} rows of {size}. {cheaper(method)}"


def cheaper(method: str) -> str:
    """What to change for a method to need less memory.

    Example:
        >>> cheaper("mean")[:35]
        'Take --preset fast, fewer rows or c'
    """
    offered = registry.options(method)
    lower = [
        name if offered[name].default is None else f"{name} (by default {offered[name].default})"
        for name in registry.entry(method).costly
        if name in offered
    ]
    first = f"Lower {', '.join(lower)}; or take" if lower else "Take"
    return (
        f"{first} --preset fast, fewer rows or columns, or a simpler method; jaximpute methods "
        "lists them"
    )


def refuse_divergence(matrix: np.ndarray) -> None:
    """Let no completion pass that is not finite.

    Raises:
        DivergenceError: some cells are not.
    """
    wrong = ~np.isfinite(matrix)
    if wrong.any():
        what = f"diverged: {wrong.sum()} of {wrong.size} cells are not finite"
        raise DivergenceError(f"the method {what}", what=what)

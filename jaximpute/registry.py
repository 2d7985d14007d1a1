"""Methods by name: what exists, which options each takes, and how one is built for given data."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from jaximpute._errors import OptionError

PRESETS = ("fast", "balanced", "best", "paper")


class Entry(NamedTuple):
    """One line of the registry.

    Attributes:
        summary: one line for humans.
        kinds: the kinds of data it takes: `table`, `series` or both.
        tag: what a completion is: `point`, `mean` or `draws`.
        inductive: whether it completes rows it was not given.
        target: `module:function`. A factory returns a `Method`; a recipe, marked by `recipe=True`,
            takes `(data, kind, preset, times)` first and returns a `Plan`.
        recipe: see target.
    """

    summary: str
    kinds: tuple[str, ...]
    tag: str
    inductive: bool
    target: str
    recipe: bool = False


class Plan(NamedTuple):
    """A method built for some data, and how long to run it.

    Attributes:
        method: the method.
        steps: steps of its outer loop; 0 for methods that learn in `init`.
        chunk: steps per compiled call.
    """

    method: Any
    steps: int = 0
    chunk: int = 1


_TABLE, _SERIES, _BOTH = ("table",), ("series",), ("table", "series")

METHODS: dict[str, Entry] = {
    "mean": Entry(
        "each column's mean", _BOTH, "point", True, "jaximpute.baselines.columns:mean"
    ),
}


def names(kind: str | None = None) -> list[str]:
    """The names of all methods, or of those that take one kind of data."""
    return [name for name, entry in METHODS.items() if kind is None or kind in entry.kinds]


def entry(name: str, kind: str | None = None) -> Entry:
    """The registry's line for a method.

    Raises:
        OptionError: no method has that name, or it does not take that kind of data.
    """
    if name not in METHODS:
        raise OptionError(f"no method is called '{name}'{_hint(name, names())}")
    found = METHODS[name]
    if kind is not None and kind not in found.kinds:
        raise OptionError(
            f"method '{name}' takes {' or '.join(found.kinds)} data, and this is a {kind}; "
            f"methods for a {kind}: {', '.join(names(kind))}"
        )
    return found


def options(name: str) -> dict[str, inspect.Parameter]:
    """The keyword options of a method, from its signature."""
    given = ("data", "kind", "preset", "times")
    parameters = inspect.signature(_load(entry(name))).parameters
    return {key: value for key, value in parameters.items() if key not in given}


def build(
    name: str,
    data: Any,
    *,
    kind: str,
    preset: str = "balanced",
    times: Any = None,
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """A method by name, with its options, for given data.

    Args:
        name: a name of the registry.
        data: the `Observed` it will run on; recipes size networks and windows by it.
        kind: `table` or `series`.
        preset: `fast`, `balanced`, `best` or `paper`; methods without presets ignore it.
        times: `(time,)` positions of a series' steps, in units of its usual step; None if regular.
        options: keyword options; see `options`.

    Returns:
        The method and how long to run it.

    Raises:
        OptionError: unknown method, preset or option, or a value the method does not take.
    """
    found, chosen = entry(name, kind), dict(options or {})
    if preset not in PRESETS:
        raise OptionError(f"no preset is called '{preset}'{_hint(preset, PRESETS)}")
    allowed = _options(name)
    for key in chosen:
        if key not in allowed:
            raise OptionError(f"method '{name}' has no option '{key}'{_hint(key, list(allowed))}")
    target = _load(found)
    if found.recipe:
        return target(data, kind=kind, preset=preset, times=times, **chosen)
    if "times" in inspect.signature(target).parameters:
        chosen["times"] = times
    return Plan(target(**chosen))


_options = options  # `build` has an argument of the same name


def _load(found: Entry) -> Callable[..., Any]:
    module, function = found.target.split(":")
    return getattr(importlib.import_module(module), function)


def _hint(wrong: str, valid) -> str:
    if not valid:
        return "; it has none"
    close = get_close_matches(wrong, valid, n=1)
    maybe = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{maybe} valid: {', '.join(sorted(valid))}"

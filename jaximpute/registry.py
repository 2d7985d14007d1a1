"""Methods by name: what exists, which options each takes, and how one is built for given data."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import resolve_name
from types import UnionType
from typing import Any, NamedTuple, get_args

from jaximpute._errors import OptionError
from jaximpute.catalogue import METHODS, Entry
from jaximpute.maths.ambient import wrapping

PRESETS = ("fast", "balanced", "best", "paper")


class Plan(NamedTuple):
    """A method built for some data, and how long to run it.

    Attributes:
        method: the method.
        steps: steps of its outer loop; 0 for methods that learn in `init`.
        chunk: steps per compiled call.
        hooks: to run it with, for instance one that stops it early.
        categories: the category that each column is of, see `build`.
        tells: `state -> values for the report`, of a method that chooses something for itself.
    """

    method: Any
    steps: int = 0
    chunk: int = 1
    hooks: tuple[Any, ...] = ()
    categories: tuple[int, ...] | None = None
    tells: Callable[[Any], dict[str, Any]] | None = None


def names(kind: str | None = None) -> list[str]:
    """The names of all methods, or of those that take one kind of data.

    Packages that are installed beside this one may add methods: an entry point of the group
    `jaximpute.methods`, named as the method, that loads an `Entry`. A name of the catalogue stays.
    """
    every = {**METHODS, **_installed()}
    return [name for name, found in every.items() if kind is None or kind in found.kinds]


def entry(name: str, kind: str | None = None) -> Entry:
    """The registry's line for a method.

    Raises:
        OptionError: no method has that name, or it does not take that kind of data.
    """
    found = METHODS.get(name) or _installed().get(name) or _own.get(name)
    if found is None:
        raise OptionError(f"no method is called '{name}'{_hint(name, names())}")
    if kind is not None and kind not in found.kinds:
        raise OptionError(
            f"method '{name}' takes {' or '.join(found.kinds)} data, and this is a {kind}; "
            f"methods for a {kind}: {', '.join(names(kind))}"
            + ("; time= (--time) makes a table a series" if kind == "table" else "")
        )
    return found


def named(method: Any) -> str:
    """The name of a method that is given by its name, or given itself.

    Args:
        method: a name; an `Entry`, whose factory and recipe may be functions; a `Plan`; or a
            `Method`, which is then run for as many steps as the option `steps` says, 0 by default.

    Returns:
        A name that `build` and all others here take, in this process.

    Raises:
        OptionError: it is none of these, or cannot complete anything.

    Example:
        >>> import jaximpute as ji
        >>> mine = ji.methods.mean()._replace(fill=None)
        >>> named("mean"), named(mine), named(mine)
        ('mean', 'own', 'own')
    """
    if isinstance(method, str):
        return method
    if not isinstance(method, Entry):
        method = _entry_of(method)
    for name, known in _own.items():
        if known == method:
            return name
    if len(_own) >= _MOST_BUILT:
        del _own[next(iter(_own))]
    base = getattr(method.recipe or method.factory, "__name__", "own")
    _numbers[base] = _numbers.get(base, 0) + 1
    name = base if _numbers[base] == 1 and base not in names() else f"{base}-{_numbers[base]}"
    _own[name] = method
    return name


def is_own(name: str) -> bool:
    """Whether a method was given itself, so that no other process knows its name."""
    return name in _own


def _entry_of(given: Any) -> Entry:
    plan = given if isinstance(given, Plan) else Plan(given)
    abilities = [getattr(plan.method, part, _NOTHING) for part in ("fill", "estimate", "sample")]
    if _NOTHING in abilities:
        raise OptionError(
            f"method is a {type(given).__name__}; expected a name such as 'mean', a Method, a Plan "
            "or a registry.Entry"
        )
    if not any(abilities):
        raise OptionError("the method has no fill, estimate or sample; expected at least one")
    return Entry(
        "a method of one's own",
        ("table", "series", "image", "field"),
        _Made(plan),
        _Made(plan),
        draws=abilities[2] is not None,
        inductive=any(abilities[1:]),
    )


@dataclass(frozen=True)
class _Made:
    """A recipe that returns what was made already."""

    plan: Plan

    def __call__(self, data: Any, *, kind: str, steps: int | None = None) -> Plan:
        del data, kind
        return self.plan if steps is None else self.plan._replace(steps=steps)


@functools.cache
def _installed() -> dict[str, Entry]:
    """The methods of other packages."""
    from importlib.metadata import entry_points

    found = {}
    for point in entry_points(group="jaximpute.methods"):
        line = point.load()
        if not isinstance(line, Entry):
            raise OptionError(
                f"the entry point {point.name} = {point.value} of the group jaximpute.methods is a "
                f"{type(line).__name__}; expected a jaximpute.registry.Entry"
            )
        found[point.name] = line
    return found


# methods that were given themselves; a name is never given twice
_own: dict[str, Entry] = {}
_numbers: dict[str, int] = {}
_NOTHING = object()


def options(name: str) -> dict[str, inspect.Parameter]:
    """The keyword options of a method: those of its recipe, then those of its factory."""
    found = entry(name)
    found_in = [path for path in (found.recipe, found.factory) if path is not None]
    merged: dict[str, inspect.Parameter] = {}
    for path in found_in:
        for key, parameter in inspect.signature(load(path)).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY and key not in _GIVEN + found.settled:
                merged.setdefault(key, parameter)
    return merged


def passing_to(base: Callable[..., Any]) -> Callable[[Any], Any]:
    """A recipe that passes its `options` on to another function shows the options of both."""

    def shown(recipe: Any) -> Any:
        own, others = (inspect.signature(f).parameters for f in (recipe, base))
        merged = {**others, **{name: p for name, p in own.items() if name != "options"}}
        ordered = sorted(merged.values(), key=lambda p: p.kind)
        recipe.__signature__ = inspect.Signature(ordered)
        return recipe

    return shown


def presets(name: str) -> dict[str, dict[str, Any]]:
    """The options that each preset of a method sets; all empty for methods without a recipe."""
    found = entry(name)
    if found.recipe is None:
        return {preset: {} for preset in PRESETS}
    empty: dict[str, dict[str, Any]] = {preset: {} for preset in PRESETS}
    recipe = load(found.recipe)
    module = recipe.__module__ if callable(found.recipe) else _place(found.recipe)[0]
    own = getattr(sys.modules.get(module), "PRESETS", {})
    return empty | own if isinstance(own, dict) else empty


def check(
    name: str, *, kind: str, preset: str = "balanced", options: Mapping[str, Any] | None = None
) -> None:
    """Whether such a method could be built, before any data has been looked at.

    Args:
        name: see `build`, as for all arguments.
        kind: `table`, `series`, `image` or `field`.
        preset: of the method.
        options: of the method.

    Raises:
        OptionError: unknown method, preset or option, or a value of the wrong type.
    """
    entry(name, kind)
    if preset not in PRESETS:
        raise OptionError(f"no preset is called '{preset}'{_hint(preset, PRESETS)}")
    allowed = _options(name)
    for key, value in (options or {}).items():
        if key not in allowed:
            raise OptionError(f"method '{name}' has no option '{key}'{_hint(key, list(allowed))}")
        _check_type(name, allowed[key], value)


def build(
    name: str,
    data: Any,
    *,
    kind: str,
    preset: str = "balanced",
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    options: Mapping[str, Any] | None = None,
    wrap: tuple[Callable[[Any], Any], ...] = (),
    answer: str = "estimate",
) -> Plan:
    """A method by name, with its options, for given data.

    Args:
        name: a name of the registry.
        data: the `Observed` it will run on; recipes size networks and windows by it.
        kind: `table`, `series`, `image` or `field`.
        preset: `fast`, `balanced`, `best` or `paper`; methods without presets ignore it.
        times: `(time,)` positions of a series' steps, in units of its usual step; None if regular.
        categories: for each column the number of the category whose levels it and others indicate,
            -1 for a number; a category of one column is a number with two values. The sine and
            cosine of a direction share a number of -2 or less. None = all plain numbers.
        options: keyword options; see `options`.
        wrap: what to do to each of its networks, such as `nets.remat`.
        answer: what will be asked, `estimate` or `draw`; some methods learn another thing for each.

    Returns:
        The method and how long to run it. One that only draws gets the median of its draws for an
        estimate. For equal arguments and data of one shape it is the same
        method, whose programs are compiled already.

    Raises:
        OptionError: unknown method, preset or option, a value the method does not take, or nothing
            to wrap.
    """
    check(name, kind=kind, preset=preset, options=options)
    chosen = dict(options or {})
    given = tuple(sorted(((k, type(v), v) for k, v in chosen.items()), key=lambda item: item[0]))
    line = entry(name)
    taken = _parameters(line)
    positions = {
        "times": None if times is None else memoryview(times).tobytes(),
        "categories": categories if "categories" in taken or line.draws else None,
        "answer": answer if "answer" in taken else None,
    }
    like = (data.values.shape, str(data.values.dtype))
    signature = (name, kind, preset, *like, *positions.values(), given, wrap)
    try:
        found = _built.get(signature)
    except TypeError:  # an option that cannot be a key, such as a list
        found = _build(name, data, kind, preset, times, categories, answer, chosen, wrap)
        return found._replace(categories=categories)
    if found is None:
        if len(_built) >= _MOST_BUILT:
            del _built[next(iter(_built))]
        found = _build(name, data, kind, preset, times, categories, answer, chosen, wrap)
        _built[signature] = found
    return found._replace(categories=categories)


# methods are compiled by identity: the same one for the same request, and it compiles once
_built: dict[tuple[Any, ...], Plan] = {}
_MOST_BUILT = 64


def _build(
    name: str,
    data: Any,
    kind: str,
    preset: str,
    times: Any,
    categories: tuple[int, ...] | None,
    answer: str,
    chosen: dict[str, Any],
    wrap: tuple[Callable[[Any], Any], ...],
) -> Plan:
    found = entry(name, kind)
    made: list[Any] = []
    maker, taken = load(found.recipe or found.factory), _parameters(found)
    given = {"times": times, "categories": categories, "answer": answer}
    given = {key: value for key, value in given.items() if key in taken}
    if found.recipe is not None:
        chosen = presets(name)[preset] | chosen
        with wrapping(*wrap) as made:
            plan = maker(data, kind=kind, **given, **chosen)
    else:
        plan = Plan(maker(**given, **chosen))
    if plan.steps < 0:
        raise OptionError(f"steps is {plan.steps}; expected 0 or more")
    if wrap and not made:
        raise OptionError(f"method '{name}' has no network; bfloat16 and remat are for networks")
    method = plan.method
    if method.estimate is None and method.sample is not None:
        from jaximpute.maths.averages import median_of  # loads jax

        method = method._replace(estimate=median_of(method.sample, categories=categories))
    return plan._replace(method=method)


_options = options  # `build` has an argument of the same name


# what the library itself passes, and so no option of a user's
_GIVEN = ("data", "kind", "preset", "times", "categories", "answer", "view", "draw_view", "total")


def _check_type(name: str, parameter: inspect.Parameter, value: Any) -> None:
    from jaximpute.types import Scalar  # loads jax, which listing methods does not need

    kinds = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}
    wanted: Any = float if parameter.annotation is Scalar else parameter.annotation
    if isinstance(wanted, UnionType):
        if value is None and type(None) in get_args(wanted):
            return
        named = [one for one in get_args(wanted) if one is not type(None)]
        wanted = named[0] if len(named) == 1 else wanted
    if wanted not in kinds:
        return
    given = "" if parameter.default is None else f", for instance {parameter.default!r}"
    if not isinstance(value, kinds[wanted]) or (isinstance(value, bool) and wanted is not bool):
        raise OptionError(
            f"option '{parameter.name}' of method '{name}' is {value!r}; expected a value of type "
            f"{wanted.__name__}{given}"
        )


def _parameters(found: Entry) -> Mapping[str, inspect.Parameter]:
    """What makes a method takes: the recipe, or the factory if there is none."""
    return inspect.signature(load(found.recipe or found.factory)).parameters


def load(path: str | Callable[..., Any]) -> Any:
    """What a line of the catalogue names: itself, or `module:function`, imported."""
    if not isinstance(path, str):
        return path
    module, function = _place(path)
    return getattr(importlib.import_module(module), function)


def _place(path: str) -> tuple[str, str]:
    module, function = path.split(":")
    return resolve_name(module, "jaximpute.methods"), function


def _hint(wrong: str, valid) -> str:
    if not valid:
        return "; it has none"
    close = get_close_matches(wrong, valid, n=1)
    maybe = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{maybe} valid: {', '.join(sorted(valid))}"

"""The bases of context-query for given data, and what is told of the choice."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.maths.choice import told
from jaximpute.methods.papers.context_query import held
from jaximpute.methods.papers.context_query.based import on_base
from jaximpute.types import Answer, Observed

USUAL = ("kriging", "eof", "biharmonic", "mean")
OWN = {"clip", "rows"}  # options of the factory that networks on a base have, too
_FRAMES = 24  # from which modes are learned
_CELLS = 1_250_000  # that are completed for a network to learn from, about


def resolved(base: Any, plain: bool, options: Mapping[str, Any]) -> Any:
    """The base, or `none`, where options ask for what only a network without one has.

    Raises:
        OptionError: a base by name, and such options.
    """
    known = registry.options("context_query")
    others = sorted(
        name
        for name, value in options.items()
        if name not in OWN and not (name in known and value is known[name].default)
    )
    if base == "none" or not (plain or others):
        return base
    if base == "auto":
        return "none"
    raise OptionError(
        f"base is {base!r}, and only a network without one has "
        f"{', '.join(others) or 'such a feed, surface, network or partition'}; expected base='none'"
    )


def names(base: Any, data: Observed) -> tuple[str, ...]:
    """The bases by name; modes need 24 frames.

    Raises:
        OptionError: neither names nor `auto`.
    """
    if base == "auto":
        frames = math.prod(data.values.shape[: -3 if data.values.ndim == 5 else 1])
        return tuple(name for name in USUAL if name != "eof" or frames >= _FRAMES)
    listed = base.split(",") if isinstance(base, str) else base
    if not base or not isinstance(listed, list | tuple):
        raise OptionError(f"base is {base!r}; expected auto, none, or names of methods")
    return tuple(str(name).strip() for name in listed)


def based(
    data: Observed,
    bases: Sequence[str],
    *,
    kind: str,
    answer: Answer,
    steps: int,
    hidings: int | None,
    **options: Any,
) -> registry.Plan:
    """`on_base` for given data.

    Args:
        data: what it will run on.
        bases: names of inductive methods that learn in `init`.
        kind: `field` or `image`.
        answer: what will be asked.
        steps: of the method.
        hidings: times that places are hidden again; None = by the size of the data, 1 to 4.
        options: of the factory.

    Raises:
        OptionError: a base that takes steps, or none that draws where draws are asked for.
    """
    plans = [registry.build(name, data, kind=kind) for name in bases]
    for name, plan in zip(bases, plans, strict=True):
        if plan.steps:
            raise OptionError(f"base is '{name}', which takes steps; expected one like 'kriging'")
    if answer == "draw" and all(plan.method.sample is None for plan in plans):
        raise OptionError(
            f"of the bases {', '.join(bases)} none draws; expected one like 'kriging'"
        )
    cells = min(len(data.values), held.LEARNED) * math.prod(data.values.shape[1:])
    hidings = hidings or min(max(_CELLS // cells, 1), 4)
    method = on_base(bases=[plan.method for plan in plans], hidings=hidings, **options)
    return registry.Plan(method, steps, tells=partial(_tells, tuple(bases)))


def _tells(bases: tuple[str, ...], state: Any) -> dict[str, Any]:
    """What answers: the base, or how much of the network, and the errors by which."""
    base = bases[int(state.chosen)]
    errors = {
        name: round(float(e) ** 0.5, 4)
        for name, e in zip(bases, np.asarray(state.errors), strict=True)
    }
    report = told(state.choice, base, "network", "context_query", 2)
    report["errors"] = errors | report["errors"] | errors
    return report | {"network": "alone" if bool(state.alone) else f"on {base}"}

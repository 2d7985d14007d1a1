"""Chained equations for given data: how many sweeps."""

from typing import Any

from jaximpute import registry
from jaximpute.baselines.mice import ice as make_ice
from jaximpute.baselines.mice import mice as make_mice
from jaximpute.types import Info, Observed, State

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10},
    "balanced": {},
    "best": {"steps": 100},
    # as scikit-learn has it
    "paper": {"steps": 10, "clip": False},
}

_SETTLED = 2e-4  # how far a missing entry moves in a sweep, in standard deviations


def ice(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 30,
    **options: Any,
) -> registry.Plan:
    """`ice` for given data; it stops when entries hardly move any more.

    Args:
        data: what it will run on.
        kind: `table`.
        times: not used.
        categories: the category that each column is of.
        steps: sweeps, at most.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del data, kind, times
    return registry.Plan(
        make_ice(categories=categories, **options), steps, chunk=5, hooks=(_settled,)
    )


def mice(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 30,
    **options: Any,
) -> registry.Plan:
    """`mice` for given data; see `ice`. A chain of draws never settles."""
    del data, kind, times
    return registry.Plan(make_mice(categories=categories, **options), steps, chunk=5)


def _settled(t: int, state: State, info: Info) -> bool:
    del t, state
    return bool(info.loss[-1] < _SETTLED)

"""Draws of context-query diffusion for given data: Algorithm 4's steps, and presets."""

from typing import Any

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.methods.papers.context_query.recipe import PRESETS as SINGLE
from jaximpute.methods.papers.context_query.recipe import context_query, with_its_options
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {**SINGLE["fast"], "steps": 25},
    "balanced": {},
    "best": {**SINGLE["best"], "steps": 200},
    "paper": {**SINGLE["paper"], "steps": 200},
}


@with_its_options
def context_query_draws(
    data: Observed, *, kind: str, steps: int = 50, **options: Any
) -> registry.Plan:
    """Context-query diffusion with Algorithm 4, each completion a random draw.

    Args:
        data: what it will run on; only its shape matters.
        kind: `field` or `image`.
        steps: of Algorithm 4, at least 1.
        options: see `methods.papers.context_query.recipe`.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: no steps.
    """
    if steps < 1:
        raise OptionError(
            f"steps is {steps}; expected at least 1, or the method context_query for a single step"
        )
    return context_query(data, kind=kind, steps=steps, **options)

"""AmbientDiff for given data: context-query diffusion under a further corruption by pixels."""

from typing import Any

from jaximpute import registry
from jaximpute.methods.papers.context_query.recipe import PRESETS as SINGLE
from jaximpute.methods.papers.context_query.recipe import context_query
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": SINGLE["fast"],
    "balanced": {},
    "best": SINGLE["best"],
    "paper": {**SINGLE["paper"], "partition": "ambient", "query": None},
}


@registry.passing_to(context_query)
def ambientdiff(
    data: Observed,
    *,
    kind: str,
    partition: str = "ambient",
    ratio: Any = 0.7,
    feed: str = "drawn",
    contexts_drawn: int = 1,
    surface: str = "none",
    base: Any = "none",
    **options: Any,
) -> registry.Plan:
    """AmbientDiff: a fixed further corruption, all that is observed asked for, one context fed.

    Args:
        data: what it will run on; only its shape matters.
        kind: `field` or `image`.
        partition: see `methods.papers.context_query.recipe`, as for all arguments.
        ratio: share of the observed places that the further corruption leaves.
        feed: what is fed at sampling.
        contexts_drawn: contexts that are averaged; one, where context-query diffusion takes ten.
        surface: what the network corrects; none, as published.
        base: the same; none, as published.
        options: of that recipe.

    Returns:
        The method and its number of steps.
    """
    given = {"partition": partition, "ratio": ratio, "feed": feed, "contexts_drawn": contexts_drawn}
    return context_query(data, kind=kind, surface=surface, base=base, **given, **options)

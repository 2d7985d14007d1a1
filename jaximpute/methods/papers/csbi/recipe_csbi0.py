"""CSBI0 for given data: CSBI whose forward policy is held at zero.

Without a forward network there is none to train, and what rounds would teach the backward one the
warm-up has taught it already: both minimise score matching. `docs/results/bridge.md` has the scores
with rounds and without. So there are none, but for the preset `paper`.
"""

from functools import partial
from typing import Any

from jaximpute.methods.papers.csbi import recipe as whole

_ROUNDS = ("steps",)
_FORWARD = ("forward_width", "forward_levels", "forward_blocks", "lr_forward")


def _without(preset: str, *names: str) -> dict[str, Any]:
    """A preset of `csbi`, less some of its options."""
    return {key: value for key, value in whole.PRESETS[preset].items() if key not in names}


PRESETS: dict[str, dict[str, Any]] = {
    "fast": _without("fast", *_ROUNDS),
    "balanced": {},
    "best": _without("best", *_ROUNDS),
    "paper": _without("paper", *_FORWARD),
}

csbi0 = partial(whole.csbi, forward_width=0, steps=0)

"""CSBI0 for given data: CSBI whose forward policy is held at zero.

Without a forward network there is none to train, and what rounds would teach the backward one the
warm-up has taught it already: on the waves of appendix C.2 two rounds took as long again and left
the CRPS at 0.053. So there are none, but for the preset `paper`.
"""

from functools import partial
from typing import Any

from jaximpute.recipes import csbi as whole

PRESETS: dict[str, dict[str, Any]] = {
    preset: {
        name: value
        for name, value in options.items()
        if name != "forward_width" and (name != "steps" or preset == "paper")
    }
    for preset, options in whole.PRESETS.items()
}

csbi0 = partial(whole.csbi, forward_width=0, steps=0)

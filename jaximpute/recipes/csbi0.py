"""CSBI0 for given data: CSBI whose forward policy is held at zero."""

from functools import partial
from typing import Any

from jaximpute.recipes import csbi as whole

PRESETS: dict[str, dict[str, Any]] = {
    preset: {name: value for name, value in options.items() if name != "forward_width"}
    for preset, options in whole.PRESETS.items()
}

# without a forward network there is none to train; everything else is CSBI's
csbi0 = partial(whole.csbi, forward_width=0)

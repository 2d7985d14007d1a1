"""jaximpute: fill in missing data, in JAX.

Names are loaded when first used, so that `import jaximpute` is light.
"""

import importlib
from typing import Any

from jaximpute._version import __version__

_NAMES = {
    # the five calls most users need
    "impute": "jaximpute.api",
    "impute_many": "jaximpute.multiple",
    "forecast": "jaximpute.forecasting",
    "evaluate": "jaximpute.evaluation",
    "Imputer": "jaximpute.estimators",
    "plan": "jaximpute.planning",
    # data and types
    "Observed": "jaximpute.types",
    "Net": "jaximpute.types",
    "Method": "jaximpute.types",
    "Info": "jaximpute.types",
    "View": "jaximpute.types",
    "Process": "jaximpute.types",
    "observe": "jaximpute.masking",
    "from_nan": "jaximpute.masking",
    "to_nan": "jaximpute.masking",
    # running a method
    "steps": "jaximpute.loop",
    "run": "jaximpute.loop",
    "fit": "jaximpute.loop",
    "complete": "jaximpute.loop",
    "draw_many": "jaximpute.draws",
    "exposure_audit": "jaximpute.exposure",
    # errors
    "JaximputeError": "jaximpute._errors",
    "DataError": "jaximpute._errors",
    "TimeError": "jaximpute._errors",
    "OptionError": "jaximpute._errors",
    "OutputError": "jaximpute._errors",
    "DivergenceError": "jaximpute._errors",
    "OutOfMemoryError": "jaximpute._errors",
    "MissingExtraError": "jaximpute._errors",
    "ImputationWarning": "jaximpute._errors",
}
_MODULES = (
    "baselines",
    "contexts",
    "hooks",
    "losses",
    "methods",
    "metrics",
    "missing",
    "nets",
    "odes",
    "parallel",
    "partitions",
    "physics",
    "processes",
    "registry",
    "solvers",
    "stream",
    "transport",
    "views",
)

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"jaximpute.{name}")
    else:
        raise AttributeError(f"module 'jaximpute' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

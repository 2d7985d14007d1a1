"""jaximpute: fill in missing data, in JAX.

Names are loaded when first used, so that `import jaximpute` is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaximpute._version import __version__

if TYPE_CHECKING:  # the same names, for editors and type checkers
    from jaximpute import methods as methods
    from jaximpute import metrics as metrics
    from jaximpute import missing as missing
    from jaximpute import nets as nets
    from jaximpute import physics as physics
    from jaximpute import registry as registry
    from jaximpute import views as views
    from jaximpute._errors import DataError as DataError
    from jaximpute._errors import DivergenceError as DivergenceError
    from jaximpute._errors import ImputationWarning as ImputationWarning
    from jaximpute._errors import JaximputeError as JaximputeError
    from jaximpute._errors import MissingExtraError as MissingExtraError
    from jaximpute._errors import OptionError as OptionError
    from jaximpute._errors import OutOfMemoryError as OutOfMemoryError
    from jaximpute._errors import OutputError as OutputError
    from jaximpute._errors import TimeError as TimeError
    from jaximpute.engine import hooks as hooks
    from jaximpute.engine import parallel as parallel
    from jaximpute.engine.draws import draw_many as draw_many
    from jaximpute.engine.loop import complete as complete
    from jaximpute.engine.loop import fit as fit
    from jaximpute.engine.loop import run as run
    from jaximpute.engine.loop import steps as steps
    from jaximpute.masking import from_nan as from_nan
    from jaximpute.masking import observe as observe
    from jaximpute.masking import to_nan as to_nan
    from jaximpute.maths import losses as losses
    from jaximpute.maths import odes as odes
    from jaximpute.maths import processes as processes
    from jaximpute.maths import solvers as solvers
    from jaximpute.maths import transport as transport
    from jaximpute.methods.papers.context_query import contexts as contexts
    from jaximpute.methods.papers.context_query import partitions as partitions
    from jaximpute.methods.papers.context_query.exposure import exposure_audit as exposure_audit
    from jaximpute.streaming.impute_file import impute_file as impute_file
    from jaximpute.tasks.chains import chains as chains
    from jaximpute.tasks.diagnose import missingness as missingness
    from jaximpute.tasks.evaluate import evaluate as evaluate
    from jaximpute.tasks.forecast import forecast as forecast
    from jaximpute.tasks.impute import impute as impute
    from jaximpute.tasks.impute import impute_with_report as impute_with_report
    from jaximpute.tasks.imputer import Imputer as Imputer
    from jaximpute.tasks.multiple import impute_many as impute_many
    from jaximpute.tasks.plan import plan as plan
    from jaximpute.tasks.pooling import joint as joint
    from jaximpute.tasks.pooling import pool as pool
    from jaximpute.tasks.sensitivity import sensitivity as sensitivity
    from jaximpute.types import Info as Info
    from jaximpute.types import Method as Method
    from jaximpute.types import Net as Net
    from jaximpute.types import Observed as Observed
    from jaximpute.types import Process as Process
    from jaximpute.types import View as View

_NAMES = {
    # the five calls most users need
    "impute": "jaximpute.tasks.impute",
    "impute_with_report": "jaximpute.tasks.impute",
    "impute_file": "jaximpute.streaming.impute_file",
    "impute_many": "jaximpute.tasks.multiple",
    "forecast": "jaximpute.tasks.forecast",
    "evaluate": "jaximpute.tasks.evaluate",
    "Imputer": "jaximpute.tasks.imputer",
    "plan": "jaximpute.tasks.plan",
    "pool": "jaximpute.tasks.pooling",
    "joint": "jaximpute.tasks.pooling",
    "missingness": "jaximpute.tasks.diagnose",
    "chains": "jaximpute.tasks.chains",
    "sensitivity": "jaximpute.tasks.sensitivity",
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
    "steps": "jaximpute.engine.loop",
    "run": "jaximpute.engine.loop",
    "fit": "jaximpute.engine.loop",
    "complete": "jaximpute.engine.loop",
    "draw_many": "jaximpute.engine.draws",
    "exposure_audit": "jaximpute.methods.papers.context_query.exposure",
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
_MODULES = {
    "contexts": "jaximpute.methods.papers.context_query.contexts",
    "hooks": "jaximpute.engine.hooks",
    "losses": "jaximpute.maths.losses",
    "methods": "jaximpute.methods",
    "metrics": "jaximpute.metrics",
    "missing": "jaximpute.missing",
    "nets": "jaximpute.nets",
    "odes": "jaximpute.maths.odes",
    "parallel": "jaximpute.engine.parallel",
    "partitions": "jaximpute.methods.papers.context_query.partitions",
    "physics": "jaximpute.physics",
    "processes": "jaximpute.maths.processes",
    "registry": "jaximpute.registry",
    "solvers": "jaximpute.maths.solvers",
    "transport": "jaximpute.maths.transport",
    "views": "jaximpute.views",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    else:
        raise AttributeError(f"module 'jaximpute' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""Every method by its name, loaded when first used: `methods.spirit`, `methods.mean` and so on.

The names are those of the catalogue's factories, and of pieces of the published methods.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaximpute.catalogue import METHODS

if TYPE_CHECKING:  # the same names, for editors and type checkers
    from jaximpute.methods.papers.context_query.algorithm import context_query as context_query
    from jaximpute.methods.papers.context_query.loss import query_loss as query_loss
    from jaximpute.methods.papers.csbi.algorithm import csbi as csbi
    from jaximpute.methods.papers.csbi.algorithm import csbi0 as csbi0
    from jaximpute.methods.papers.csbi.warmup import csbi_warmup as csbi_warmup
    from jaximpute.methods.papers.miri.algorithm import miri as miri
    from jaximpute.methods.papers.spirit.algorithm import spirit as spirit
    from jaximpute.methods.relatives.csdi import csdi as csdi
    from jaximpute.methods.relatives.diffputer import diffputer as diffputer
    from jaximpute.methods.relatives.diffusion import diffusion as diffusion
    from jaximpute.methods.relatives.gain import gain as gain
    from jaximpute.methods.relatives.knewimp import knewimp as knewimp
    from jaximpute.methods.relatives.missdiff import missdiff as missdiff
    from jaximpute.methods.relatives.psw_i import psw_i as psw_i
    from jaximpute.methods.relatives.sinkhorn import sinkhorn as sinkhorn
    from jaximpute.methods.relatives.tdm import tdm as tdm
    from jaximpute.methods.simple.boosted_smoother import boosted_smoother as boosted_smoother
    from jaximpute.methods.simple.columns import mean as mean
    from jaximpute.methods.simple.columns import median as median
    from jaximpute.methods.simple.columns import mode as mode
    from jaximpute.methods.simple.cubic import akima as akima
    from jaximpute.methods.simple.cubic import pchip as pchip
    from jaximpute.methods.simple.eof import eof as eof
    from jaximpute.methods.simple.gaussian import gaussian as gaussian
    from jaximpute.methods.simple.harmonic import biharmonic as biharmonic
    from jaximpute.methods.simple.harmonic import harmonic as harmonic
    from jaximpute.methods.simple.interpolation import linear as linear
    from jaximpute.methods.simple.interpolation import locf as locf
    from jaximpute.methods.simple.interpolation import moving_average as moving_average
    from jaximpute.methods.simple.interpolation import nocb as nocb
    from jaximpute.methods.simple.kalman import kalman as kalman
    from jaximpute.methods.simple.knn import knn as knn
    from jaximpute.methods.simple.kriging import kriging as kriging
    from jaximpute.methods.simple.mice import ice as ice
    from jaximpute.methods.simple.mice import mice as mice
    from jaximpute.methods.simple.neighbour_ridge import neighbour_ridge as neighbour_ridge
    from jaximpute.methods.simple.optimal import optimal_interpolation as optimal_interpolation
    from jaximpute.methods.simple.soft_impute import soft_impute as soft_impute
    from jaximpute.methods.simple.stack import stack as stack
    from jaximpute.methods.simple.trees import trees as trees
    from jaximpute.methods.simple.window import window_average as window_average
    from jaximpute.methods.simple.window_gaussian import window_gaussian as window_gaussian

_FACTORIES = [str(entry.factory) for entry in METHODS.values()]
_PIECES = [
    ".papers.csbi.algorithm:csbi0",
    ".papers.csbi.warmup:csbi_warmup",
    ".papers.context_query.loss:query_loss",
]
_PLACES = {place.split(":")[1]: place for place in [*_FACTORIES, *_PIECES]}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'jaximpute.methods' has no attribute '{name}'")
    module, function = _PLACES[name].split(":")
    value = getattr(importlib.import_module(module, __name__), function)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

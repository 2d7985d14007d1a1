"""Simple imputers, in the same shape as every other method."""

from jaximpute.baselines.columns import mean, median, mode
from jaximpute.baselines.csdi import csdi
from jaximpute.baselines.cubic import akima, pchip
from jaximpute.baselines.diffputer import diffputer
from jaximpute.baselines.gain import gain
from jaximpute.baselines.gaussian import gaussian
from jaximpute.baselines.harmonic import biharmonic, harmonic
from jaximpute.baselines.interpolation import linear, locf, moving_average, nocb
from jaximpute.baselines.kalman import kalman
from jaximpute.baselines.knewimp import knewimp
from jaximpute.baselines.knn import knn
from jaximpute.baselines.mice import ice, mice
from jaximpute.baselines.missdiff import missdiff
from jaximpute.baselines.neighbour_ridge import neighbour_ridge
from jaximpute.baselines.optimal import optimal_interpolation
from jaximpute.baselines.psw_i import psw_i
from jaximpute.baselines.sinkhorn import sinkhorn
from jaximpute.baselines.soft_impute import soft_impute
from jaximpute.baselines.tdm import tdm
from jaximpute.baselines.window import window_average

__all__ = [
    "akima",
    "biharmonic",
    "csdi",
    "diffputer",
    "gain",
    "gaussian",
    "harmonic",
    "ice",
    "kalman",
    "knewimp",
    "knn",
    "linear",
    "locf",
    "mean",
    "median",
    "mice",
    "missdiff",
    "mode",
    "moving_average",
    "neighbour_ridge",
    "nocb",
    "optimal_interpolation",
    "pchip",
    "psw_i",
    "sinkhorn",
    "soft_impute",
    "tdm",
    "window_average",
]

"""Simple imputers, in the same shape as every other method."""

from jaximpute.baselines.columns import mean, median, mode
from jaximpute.baselines.cubic import akima, pchip
from jaximpute.baselines.gaussian import gaussian
from jaximpute.baselines.harmonic import biharmonic, harmonic
from jaximpute.baselines.interpolation import linear, locf, moving_average, nocb
from jaximpute.baselines.kalman import kalman
from jaximpute.baselines.knn import knn
from jaximpute.baselines.optimal import optimal_interpolation
from jaximpute.baselines.soft_impute import soft_impute
from jaximpute.baselines.window import window_average

__all__ = [
    "akima",
    "biharmonic",
    "gaussian",
    "harmonic",
    "kalman",
    "knn",
    "linear",
    "locf",
    "mean",
    "median",
    "mode",
    "moving_average",
    "nocb",
    "optimal_interpolation",
    "pchip",
    "soft_impute",
    "window_average",
]

"""Simple imputers, in the same shape as every other method."""

from jaximpute.baselines.columns import mean, median, mode
from jaximpute.baselines.csdi import csdi
from jaximpute.baselines.cubic import akima, pchip
from jaximpute.baselines.gaussian import gaussian
from jaximpute.baselines.interpolation import linear, locf, moving_average, nocb
from jaximpute.baselines.kalman import kalman
from jaximpute.baselines.knn import knn
from jaximpute.baselines.soft_impute import soft_impute

__all__ = [
    "akima",
    "csdi",
    "gaussian",
    "kalman",
    "knn",
    "linear",
    "locf",
    "mean",
    "median",
    "mode",
    "moving_average",
    "nocb",
    "pchip",
    "soft_impute",
]

"""Metrics: errors on chosen entries, scores of draws, distances between samples."""

from jaximpute.maths.distances import squared_distances
from jaximpute.metrics.chains import r_hat
from jaximpute.metrics.draws import coverage, crps_csdi, crps_from_draws
from jaximpute.metrics.errors import mae, mre, mse, rmse
from jaximpute.metrics.samples import energy_distance, mmd, sliced_wasserstein

__all__ = [
    "coverage",
    "crps_csdi",
    "crps_from_draws",
    "energy_distance",
    "mae",
    "mmd",
    "mre",
    "mse",
    "r_hat",
    "rmse",
    "sliced_wasserstein",
    "squared_distances",
]

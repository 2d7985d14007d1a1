"""Peers from other libraries, by the names that `benchmarks.tables` gives them."""

import warnings
from collections.abc import Callable

import numpy as np

SWEEPS = 30


def iterative_ridge(holed: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's IterativeImputer: Bayesian ridge, means."""
    made = _iterative(holed, seed)
    return made, made


def iterative_ridge_draws(holed: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same with posterior draws: the mean of five, and the first."""
    draws = [_iterative(holed, 5 * seed + i, sample_posterior=True) for i in range(5)]
    return np.mean(draws, axis=0), draws[0]


def iterative_trees(holed: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same with extremely randomised trees, as missForest uses forests: 50 trees, 5 sweeps."""
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(n_estimators=50, random_state=seed)
    made = _iterative(holed, seed, estimator=trees, max_iter=5)
    return made, made


def hyperimpute(holed: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """HyperImpute 0.1.17, in an environment with scikit-learn < 1.6 and pandas < 3."""
    import pandas as pd
    from hyperimpute.plugins.imputers import Imputers

    plugin = Imputers().get("hyperimpute", random_state=seed)
    made = np.asarray(plugin.fit_transform(pd.DataFrame(holed)))
    means = np.broadcast_to(np.nanmean(holed, axis=0), holed.shape)
    if np.allclose(made[np.isnan(holed)], means[np.isnan(holed)]):
        raise RuntimeError("HyperImpute returned column means: pandas is too new for it")
    return made, made


PEERS: dict[str, Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]] = {
    "sklearn_ridge": iterative_ridge,
    "sklearn_ridge_draws": iterative_ridge_draws,
    "sklearn_trees": iterative_trees,
    "hyperimpute": hyperimpute,
}


def _iterative(holed: np.ndarray, seed: int, **settings: object) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    limits = {"min_value": np.nanmin(holed, axis=0), "max_value": np.nanmax(holed, axis=0)}
    imputer = IterativeImputer(
        **({"max_iter": SWEEPS} | settings | limits), random_state=seed, keep_empty_features=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return imputer.fit_transform(holed)

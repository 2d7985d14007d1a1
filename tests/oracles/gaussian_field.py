"""A Gaussian field, of which everything is known: conditional means and the error of ensembles.

`x0 ~ N(0, S)`, `y = alpha x0 + sigma noise` on an index set `c` (a context, or the whole mask).
"""

from itertools import product
from typing import NamedTuple

import numpy as np


def covariance(h: int, w: int, length: float = 2.0) -> np.ndarray:
    """Squared-exponential covariance of an h x w grid, with a little that is independent."""
    places = np.array(list(product(range(h), range(w))), float)
    square = ((places[:, None] - places[None]) ** 2).sum(-1)
    return np.exp(-square / (2 * length**2)) + 1e-3 * np.eye(h * w)


def gain(S: np.ndarray, c: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    """`G` with `E[x0 | y_c] = G y` and zero columns outside `c`."""
    G = np.zeros_like(S)
    inside = alpha**2 * S[np.ix_(c, c)] + sigma**2 * np.eye(int(c.sum()))
    G[:, c] = np.linalg.solve(inside, alpha * S[c]).T
    return G


def variance(S: np.ndarray, c: np.ndarray, alpha: float, sigma: float) -> float:
    """`tr Var[x0 | y_c]`, the least squared error."""
    return float(np.trace(S) - alpha * np.trace(gain(S, c, alpha, sigma)[:, c] @ S[c]))


class Ensemble(NamedTuple):
    """The error of averaging over K contexts is `best + bias2 + var / K`."""

    best: float
    bias2: float
    var: float
    context: float  # mean of tr Var[x0 | context]


def ensemble(
    S: np.ndarray, mask: np.ndarray, contexts: list[np.ndarray], alpha: float, sigma: float
) -> Ensemble:
    """For contexts drawn uniformly from a list, given the mask."""
    C = np.zeros_like(S)
    C[np.ix_(mask, mask)] = alpha**2 * S[np.ix_(mask, mask)] + sigma**2 * np.eye(int(mask.sum()))
    gains = [gain(S, c, alpha, sigma) for c in contexts]
    mean, full = np.mean(gains, axis=0), gain(S, mask, alpha, sigma)

    def size(D):
        return float(np.trace(D @ C @ D.T))

    return Ensemble(
        variance(S, mask, alpha, sigma),
        size(mean - full),
        float(np.mean([size(G - mean) for G in gains])),
        float(np.mean([variance(S, c, alpha, sigma) for c in contexts])),
    )


def blocks(h: int, w: int, rows: int, columns: int) -> np.ndarray:
    """`(blocks, h * w)`: the places of each block of a grid."""
    y, x = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    label = (y // (h // rows)) * columns + x // (w // columns)
    return np.array([(label == b).ravel() for b in range(rows * columns)])

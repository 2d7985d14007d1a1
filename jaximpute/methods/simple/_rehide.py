"""Rows completed by a Gaussian as if each of their targets were missing, one at a time."""

import numpy as np

_AT_ONCE = 2**22  # numbers in a stack of matrices
_DOUBTFUL = 3.0  # standard errors: a smaller difference of two shares is chance


def together(rng: np.random.Generator, mask: np.ndarray, members: np.ndarray) -> np.ndarray:
    r"""What else to hide in each row with each target: the holes of rows that lack the target.

    With :math:`a_{jk}` the share of rows without target :math:`j` that lack column :math:`k`, and
    :math:`b_{jk}` that of the rows with it, holes of a random row without :math:`j` are copied with
    probability :math:`\max_k (a_{jk} - b_{jk}) / (1 - b_{jk})`: never, where holes do not go
    together.

    Args:
        rng: of rows.
        mask: `(n, d)` True = observed.
        members: `(targets, most)` columns of each target, `d` where it has fewer.

    Returns:
        `(n, targets, d)`, True = hide; only of rows that have the target, and of other columns.
    """
    n, d = mask.shape
    also = np.zeros((n, len(members), d), bool)
    for t, padded in enumerate(members):
        own = padded[padded < d]
        with_it = np.flatnonzero(mask[:, own[0]])
        without = np.flatnonzero(~mask[:, own[0]])
        if not (with_it.size and without.size):
            continue
        a, b = (~mask[without]).mean(axis=0), (~mask[with_it]).mean(axis=0)
        error = np.sqrt(a * (1 - a) / len(without) + b * (1 - b) / len(with_it))
        more = np.where(a - b > _DOUBTFUL * error, (a - b) / np.maximum(1 - b, 1 / n), 0.0)
        more[own] = 0.0
        copied = with_it[rng.random(len(with_it)) < more.max()]
        also[copied, t] = ~mask[rng.choice(without, len(copied))]
        also[:, t, own] = False
    return also


def hidden_in_turn(
    x: np.ndarray,
    mask: np.ndarray,
    mean: np.ndarray,
    cov: np.ndarray,
    members: np.ndarray,
    also: np.ndarray,
) -> np.ndarray:
    r"""Conditional means of all coordinates without one target of the row, for each target.

    With :math:`P = \Sigma_{oo}^{-1}`, :math:`\alpha = P (x_o - \mu_o)` and a target that has the
    observed coordinates :math:`g`, by one factorisation a row,

    .. math:: E[x \mid x_{o \setminus g}] = E[x \mid x_o] - \Sigma_{\cdot o} P_{og}
        P_{gg}^{-1} \alpha_g .

    Args:
        x: `(n, d)` rows; what is not observed is ignored.
        mask: `(n, d)` True = observed; in each row a target is observed whole or not at all.
        mean: `(d,)` of the Gaussian.
        cov: `(d, d)` of the Gaussian.
        members: `(targets, most)` columns of each target, `d` where it has fewer.
        also: `(n, targets, d)` what else is hidden; such rows are factorised once more.

    Returns:
        `(n, targets, d)` completed rows, float64; observed coordinates as they are, but for those
        of the target.
    """
    n, d = x.shape
    mean, cov = np.asarray(mean, float), np.asarray(cov, float)
    out = np.empty((n, len(members), d))
    step = max(1, _AT_ONCE // d**2)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        out[rows] = _some(np.where(mask[rows], x[rows], 0.0), mask[rows], mean, cov, members)
    for t, padded in enumerate(members):
        again = np.flatnonzero(also[:, t].any(axis=1))
        for start in range(0, len(again), step):
            some = again[start : start + step]
            kept = mask[some] & ~also[some, t]
            kept[:, padded[padded < d]] = False
            out[some, t] = np.where(kept, x[some], _whole(x[some], kept, mean, cov)[0])
    return out


def _whole(x, mask, mean, cov):
    both = mask[:, :, None] & mask[:, None, :]
    inverse = np.where(both, np.linalg.inv(np.where(both, cov, np.eye(len(mean)))), 0.0)
    alpha = (inverse @ np.where(mask, x - mean, 0.0)[..., None])[..., 0]
    return mean + alpha @ cov, inverse, alpha


def _some(x, mask, mean, cov, members):
    whole, inverse, alpha = _whole(x, mask, mean, cov)
    out = np.empty((len(x), len(members), len(mean)))
    for t, padded in enumerate(members):
        own = padded[padded < len(mean)]
        shown = mask[:, own[0]]
        block = inverse[:, own[:, None], own] + ~shown[:, None, None] * np.eye(len(own))
        residual = np.linalg.solve(block, alpha[:, own, None])[..., 0]
        left = whole - np.einsum("ik,ijk->ij", residual, inverse[:, :, own]) @ cov
        keep = mask.copy()
        keep[:, own] = False
        out[:, t] = np.where(keep, x, left)
    return out

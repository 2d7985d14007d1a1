"""Rows completed by a Gaussian as if each of their targets were missing, one at a time."""

import numpy as np

_AT_ONCE = 2**22  # numbers in a stack of matrices


def hidden_in_turn(
    x: np.ndarray, mask: np.ndarray, mean: np.ndarray, cov: np.ndarray, members: np.ndarray
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
    return out


def _some(x, mask, mean, cov, members):
    both = mask[:, :, None] & mask[:, None, :]
    inverse = np.where(both, np.linalg.inv(np.where(both, cov, np.eye(len(mean)))), 0.0)
    alpha = (inverse @ np.where(mask, x - mean, 0.0)[..., None])[..., 0]
    whole = mean + alpha @ cov
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

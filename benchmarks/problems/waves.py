"""The synthetic series of CSBI's appendix C.2: eight waves of a random phase, with targets."""

import numpy as np

LENGTH, NOISE, BLOCK = 50, 0.02, 20


def signals(t: np.ndarray) -> np.ndarray:
    """The eight signals, each at its own times: the last axis of `t` and of the answer."""
    s, c, own = (np.moveaxis(v, -1, 0) for v in (np.sin(2 * np.pi * t), np.cos(2 * np.pi * t), t))
    waves = [
        s[0],
        c[1],
        s[2] ** 2,
        2 * s[3] ** 2 * c[3],
        s[4] ** 2 * c[4] + 0.3 * own[4],
        s[5] ** 3 - 0.3 * own[5],
        c[6] ** 2 * np.exp(-0.1 * own[6]) - 0.2 * own[6],
        c[7] ** 2 * s[7] * np.exp(0.4 * own[7]) + 0.2 * own[7],
    ]
    return np.stack(waves, axis=-1)


def make(n: int, seed: int = 0, *, phases: str = "shared") -> tuple[np.ndarray, np.ndarray]:
    """`n` windows `(n, 50, 8)` and their phases `(n, 8)`.

    Args:
        n: number of windows.
        seed: of phases and noise.
        phases: `shared` by the features of a window, as printed, or `independent`, as in the
            samples that were released.

    Returns:
        The windows, with noise, and the phases.
    """
    rng = np.random.default_rng(seed)
    omega = rng.uniform(size=(n, 1 if phases == "shared" else 8)) * np.ones((1, 8))
    t = np.linspace(0, 1, LENGTH)[None, :, None] + omega[:, None]
    return signals(t) + NOISE * rng.normal(size=t.shape), omega


def tones(n: int, seed: int = 0) -> np.ndarray:
    """`n` windows `(n, 24, 2)` of two waves, a quarter apart, of one random frequency and phase.

    Their joint law is far from Gaussian: the mean of what is hidden is no linear function of the
    rest, and a covariance knows no frequency.
    """
    rng = np.random.default_rng(seed)
    frequency, phase = rng.uniform(1, 3, (n, 1)), rng.uniform(size=(n, 1))
    angle = 2 * np.pi * (frequency * np.linspace(0, 1, 24)[None] + phase)
    both = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    return both + 0.05 * rng.normal(size=both.shape)


def targets() -> np.ndarray:
    """`(50, 8)`, True where a value is to be imputed: 20 steps in each feature."""
    where = np.zeros((LENGTH, 8), bool)
    for feature in range(8):
        start = 10 * (feature % 4)
        where[start : start + BLOCK, feature] = True
    return where


def oracle(x: np.ndarray, where: np.ndarray, phases: str, draws: int, seed: int = 0) -> np.ndarray:
    """Draws `(draws, n, 50, 8)` of one who knows the formulas: phases by least squares, and noise.

    Args:
        x: windows.
        where: the targets, not looked at.
        phases: `shared` or `independent`.
        draws: how many.
        seed: of the draws.

    Returns:
        The draws.
    """
    grid = np.linspace(0, 1, 2000, endpoint=False)
    t = np.linspace(0, 1, LENGTH)[None, :, None] + grid[:, None, None] * np.ones((1, 1, 8))
    table = signals(t)  # (grid, time, feature)
    seen = ~where
    cost = (
        np.einsum("nlk,lk->nk", x**2, seen)[:, None]
        - 2 * np.einsum("nlk,glk,lk->ngk", x, table, seen)
        + np.einsum("glk,lk->gk", table**2, seen)[None]
    )
    if phases == "shared":
        best = np.repeat(cost.sum(axis=2).argmin(axis=1)[:, None], 8, axis=1)
    else:
        best = cost.argmin(axis=1)
    mean = np.stack([table[best[:, k], :, k] for k in range(8)], axis=-1)
    noise = np.random.default_rng(seed).normal(size=(draws, *mean.shape))
    return mean[None] + NOISE * noise

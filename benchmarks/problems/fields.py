"""Fields for the benchmark: a Gaussian field that a constant wind carries along, and its answer.

Everything is linear and Gaussian, so the best possible error under any mask is known.
"""

import numpy as np


def modes(
    size: int, frames: int, wind: tuple[float, float], cut: float = 6.5, slope: float = 1.0
) -> np.ndarray:
    """`(frames * size * size, modes)`: what each Fourier mode of the first frame makes of the film.

    The field is `modes @ z` with standard normal `z`, of variance 1 everywhere.
    """
    k = np.fft.fftfreq(size, 1 / size)
    ky, kx = (axis.ravel() for axis in np.meshgrid(k, k, indexing="ij"))
    radius = np.hypot(ky, kx)
    # one of each conjugate pair
    half = (radius > 0) & (radius <= cut) & ((ky > 0) | ((ky == 0) & (kx > 0)))
    ky, kx, radius = ky[half], kx[half], radius[half]
    t, y, x = np.meshgrid(np.arange(frames), np.arange(size), np.arange(size), indexing="ij")
    place_y, place_x = y - wind[0] * t, x - wind[1] * t
    angle = 2 * np.pi / size * (place_y[..., None] * ky + place_x[..., None] * kx)
    strength = np.tile(radius**-slope, 2)
    film = np.concatenate([np.cos(angle), np.sin(angle)], axis=-1) * strength
    return (film / np.sqrt((strength**2).sum() / 2)).reshape(-1, 2 * half.sum())


def fields(seed: int, n: int, basis: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`(n, frames, size, size, 1)` draws."""
    z = np.random.default_rng(seed).normal(size=(n, basis.shape[1]))
    return (z @ basis.T).reshape(n, *shape).astype(np.float32)


def block_masks(seed: int, n: int, size: int, seen: int, grid: int = 3) -> np.ndarray:
    """`(n, 1, size, size, 1)`: `seen` of the blocks of a grid are observed."""
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(grid * grid), (n, 1)), axis=1)
    along = np.minimum(np.arange(size) // (size // grid), grid - 1)
    return (order < seen).reshape(n, grid, grid)[:, along][:, :, along][:, None, :, :, None]


def pixel_masks(seed: int, n: int, size: int, share: float) -> np.ndarray:
    """`(n, 1, size, size, 1)`: each place is observed with the same probability."""
    return np.random.default_rng(seed).random((n, 1, size, size, 1)) < share


def best_error(basis: np.ndarray, masks: np.ndarray, noise: float = 0.0105) -> float:
    """The mean squared error over missing entries of the exact conditional mean."""
    total = missing = 0.0
    for mask in masks.reshape(len(masks), -1):
        seen = basis[mask]
        precision = seen.T @ seen / noise**2 + np.eye(basis.shape[1])
        rest = basis[~mask]
        total += np.einsum("ij,ji->", rest, np.linalg.solve(precision, rest.T))
        missing += (~mask).sum()
    return total / missing

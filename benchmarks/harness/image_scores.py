"""Scores of completed images: PSNR, SSIM, and distances between patches and random features.

All take pixels in [0, 1], of shape `(n, y, x, channels)`.
"""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems.images import halved
from benchmarks.problems.series import Problem
from jaximpute import metrics

_CEILING = 100.0  # dB of a perfect image
_WINDOW = 5  # pixels to each side of the centre: 11 x 11
_PATCH, _PATCHES, _LEVELS = 7, 4096, 3
_FEATURES = (16, 32, 64)


def score(problem: Problem, completed: np.ndarray) -> dict[str, float]:
    """Every score of one completion, its pixels first clipped to [0, 1].

    Args:
        problem: see `problems.images.punch`.
        completed: the images.

    Returns:
        `mae`, `mse` and `rmse` over hidden entries, of all images together; `psnr` and
        `psnr_missing`; `ssim` and `ssim_missing`; `patch_sw`; `random_frechet`. See the functions.
    """
    truth, hidden = problem.truth, problem.hidden
    x = np.where(hidden, np.clip(completed, 0, 1), truth).astype(np.float32)
    errors = (x - truth)[hidden]
    similar = ssim(truth, x)
    return {
        "mae": float(np.abs(errors).mean()),
        "mse": float((errors**2).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "psnr": psnr(truth, x, np.ones_like(hidden)),
        "psnr_missing": psnr(truth, x, hidden),
        "ssim": float(similar.mean()),
        "ssim_missing": float(similar[hidden].mean()),
        "patch_sw": patch_sliced_wasserstein(truth, x),
        "random_frechet": random_frechet(truth, x),
    }


def psnr(truth: np.ndarray, x: np.ndarray, where: np.ndarray) -> float:
    """Mean over images of `10 log10(1 / MSE)`, the MSE being over chosen entries of the image.

    An image without errors counts 100 dB; one without chosen entries not at all.
    """
    chosen = where.sum(axis=(1, 2, 3))
    squared = np.where(where, (x - truth) ** 2, 0).sum(axis=(1, 2, 3), dtype=np.float64)
    mse = squared[chosen > 0] / chosen[chosen > 0]
    return float(np.minimum(-10 * np.log10(np.maximum(mse, 1e-30)), _CEILING).mean())


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The structural similarity around each pixel, channel by channel, of the images' shape.

    Gaussian windows of 11 x 11 pixels, deviation 1.5, cut off and renormalised at the edges;
    range 1, `K1 = 0.01`, `K2 = 0.03`; moments without Bessel's correction.

    Source: Wang et al., "Image quality assessment" (2004), equation (13).
    """
    down, along = _gauss(x.shape[1]), _gauss(x.shape[2])

    def average(a):
        return np.einsum("ij,njkc,lk->nilc", down, a, along, optimize=True)

    x, y = x.astype(np.float64), y.astype(np.float64)
    mx, my = average(x), average(y)
    vx, vy = average(x * x) - mx**2, average(y * y) - my**2
    covariance, c1, c2 = average(x * y) - mx * my, 0.01**2, 0.03**2
    return ((2 * mx * my + c1) * (2 * covariance + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def patch_sliced_wasserstein(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """Sliced Wasserstein distance of 7 x 7 patches, times 100, mean over up to three scales.

    The scales are those of a Laplacian pyramid (each less what the next smaller one tells of it;
    the last one whole) that have room for a patch; 4096 patches at the same random places of both.

    Source: as in Karras et al., "Progressive growing of GANs" (2018), but for the halving, which is
    by averages of 2 x 2 pixels, and patches are not standardised.
    """
    rng, found = np.random.default_rng(seed), []
    for level, (a, b) in enumerate(zip(_pyramid(x), _pyramid(y), strict=True)):
        images = rng.integers(len(a), size=_PATCHES)
        top = rng.integers(a.shape[1] - _PATCH + 1, size=_PATCHES)
        left = rng.integers(a.shape[2] - _PATCH + 1, size=_PATCHES)
        steps = np.arange(_PATCH)
        rows, columns = top[:, None, None] + steps[:, None], left[:, None, None] + steps
        cut = [
            jnp.asarray(z[images[:, None, None], rows, columns].reshape(_PATCHES, -1))
            for z in (a, b)
        ]
        found.append(float(metrics.sliced_wasserstein(jax.random.key(level), *cut)))
    return 100 * float(np.mean(found))


def random_frechet(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """Frechet distance of Gaussians fitted to the features of a random network.

    Three layers of random 3 x 3 convolutions (16, 32 and 64 channels, weights drawn by a fixed
    seed), each followed by ReLU and all but the last by averages of 2 x 2; then mean and deviation
    over the image of each channel, which are 128 features, in units of the true ones' deviations.
    The squared distance is divided by their number, so 1 is one deviation in each. It is *not* the
    FID, whose network is trained, and no number of the one can be set beside one of the other.
    """
    a, b = (_random_features(z, seed) for z in (x, y))
    spread = np.maximum(a.std(axis=0), 1e-6)
    a, b = a / spread, b / spread
    ca, cb = np.cov(a.T), np.cov(b.T)
    # the trace of the root of ca cb is that of the symmetric root(ca) cb root(ca)
    values, vectors = np.linalg.eigh(ca)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ cb @ root)
    between = np.sqrt(np.maximum(mixed, 0)).sum()
    squared = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * between
    return float(max(squared, 0.0) / a.shape[1])


def _random_features(x: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    widths = (x.shape[-1], *_FEATURES)
    kernels = [
        (rng.normal(size=(3, 3, a, b)) * np.sqrt(2 / (9 * a))).astype(np.float32)
        for a, b in pairwise(widths)
    ]

    @jax.jit
    def features(z):
        for i, kernel in enumerate(kernels):
            if i and min(z.shape[1:3]) > 1:
                z = z[:, : z.shape[1] // 2 * 2, : z.shape[2] // 2 * 2]
                z = z.reshape(len(z), z.shape[1] // 2, 2, z.shape[2] // 2, 2, -1).mean((2, 4))
            z = jax.lax.conv_general_dilated(
                z, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            z = jax.nn.relu(z)
        return jnp.concatenate([z.mean((1, 2)), z.std((1, 2))], axis=-1)

    parts = [features(jnp.asarray(x[i : i + 500] - 0.5)) for i in range(0, len(x), 500)]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def _pyramid(x: np.ndarray) -> list[np.ndarray]:
    levels = []
    while (
        len(levels) < _LEVELS - 1
        and min(x.shape[1:3]) >= 2 * _PATCH
        and not (x.shape[1] % 2 or x.shape[2] % 2)
    ):
        smaller = halved(x)
        levels.append(x - smaller.repeat(2, axis=1).repeat(2, axis=2))
        x = smaller
    return [*levels, x]


def _gauss(size: int) -> np.ndarray:
    away = np.abs(np.arange(size)[:, None] - np.arange(size)[None])
    weight = np.where(away <= _WINDOW, np.exp(-(away**2) / (2 * 1.5**2)), 0)
    return weight / weight.sum(axis=1, keepdims=True)

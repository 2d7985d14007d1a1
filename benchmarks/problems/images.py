"""The problems of `benchmarks.images`: images by name, and holes by seed, shared by all methods."""

import zlib
from functools import lru_cache

import jax
import numpy as np

from benchmarks.problems.series import Problem, local

CIFAR = "cifar10_train5000_jpeg.npz"
PATTERNS = ("pixel", "channel")


@lru_cache(maxsize=2)
def images(spec: str) -> np.ndarray:
    """`(n, y, x, channels)` pixels in [0, 1] by a name: `cifar10`, `cifar10:300x16`, `waves:20x12`.

    `cifar10` is 5000 training images of CIFAR-10, 500 of each class in random order, re-encoded as
    JPEG where they were obtained (about 30 dB from the originals). `:300x16` takes the first 300
    and averages blocks of pixels until they are 16 x 16. `waves` are smooth, made up, and need no
    file.

    Raises:
        FileNotFoundError: no such file in the folder that `JAXIMPUTE_DATA` names.
        ValueError: a name that is none of these, or a size that does not divide 32.
    """
    name, _, size = spec.partition(":")
    if name == "waves":
        return _waves(*map(int, size.split("x")))
    if name != "cifar10":
        raise ValueError(f"no images are called '{name}'; expected cifar10 or waves")
    about = "it holds array images, uint8 (n, 32, 32, 3), of https://www.cs.toronto.edu/~kriz/cifar.html"
    with np.load(local(CIFAR, about), allow_pickle=False) as file:
        pixels = file["images"]
    many, side = map(int, size.split("x")) if size else pixels.shape[:2]
    if pixels.shape[1] % side:
        raise ValueError(f"{side} does not divide {pixels.shape[1]}, the size of the images")
    pixels = pixels[:many] / np.float32(255)
    return halved(pixels, pixels.shape[1] // side)


def punch(spec: str, ratio: float, seed: int, pattern: str = "pixel") -> Problem:
    """The problem for images, a share of hidden pixels, a seed and a pattern; always the same.

    `pixel` hides all channels of a pixel together, `channel` each on its own.
    """
    x = images(spec)
    number = zlib.crc32(f"{spec} {ratio} {pattern}".encode())
    key = jax.random.fold_in(jax.random.key(seed), number)
    shape = x.shape if pattern == "channel" else (*x.shape[:-1], 1)
    hidden = np.broadcast_to(np.asarray(jax.random.uniform(key, shape)) < ratio, x.shape)
    return Problem(x, np.where(hidden, np.nan, x), hidden)


def halved(x: np.ndarray, times: int = 2) -> np.ndarray:
    """Images made smaller by averaging blocks of `times` x `times` pixels."""
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height // times, times, width // times, times, channels)
    return blocks.mean(axis=(2, 4))


def _waves(many: int, side: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    along, across, phase = rng.uniform(0, 6, (3, many, 1, 1, 1))
    colour = rng.normal(size=(many, 1, 1, 3))
    wave = np.sin(along * y[None, ..., None] + across * x[None, ..., None] + phase + colour)
    return (0.5 + 0.4 * wave).astype(np.float32)

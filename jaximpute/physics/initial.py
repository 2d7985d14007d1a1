"""Initial states: Gaussian random fields of a given spectrum, and one key for each sample."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.types import PRNGKey


def many(
    simulate: Callable[[PRNGKey], Any], key: PRNGKey, n: int, *, start: int = 0, batch: int = 8
) -> Any:
    """Samples `start, ..., start + n - 1` of a data set, each from a key of its own.

    Sample `i` is simulated with `fold_in(key, i)`: up to rounding, it does not depend on how many
    are asked for, on where the request starts, or on the batch.

    Args:
        simulate: `key -> sample`, any pytree of arrays.
        key: of the data set.
        n: number of samples, at least 1.
        start: number of the first.
        batch: samples side by side; the rest wait in a loop.

    Returns:
        The samples, stacked along a leading axis.

    Raises:
        OptionError: `n` or `batch` below 1.

    Example:
        >>> import jax
        >>> a = many(jax.random.uniform, jax.random.key(0), 3)
        >>> b = many(jax.random.uniform, jax.random.key(0), 1, start=2)
        >>> bool(a[2] == b[0])
        True
    """
    if n < 1 or batch < 1:
        raise OptionError(f"n is {n} and batch {batch}; expected at least 1 of each")

    def one(i):
        return simulate(jax.random.fold_in(key, i))

    return jax.lax.map(one, start + jnp.arange(n), batch_size=min(batch, n))


def wavenumbers(
    shape: tuple[int, ...], lengths: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Angular wavenumbers `(ky, kx)` of a grid in the order of `fft2`, broadcast to its shape.

    The Nyquist wavenumber of an even number of cells is 0 here: its derivative has no real part.

    Args:
        shape: cells in y and x.
        lengths: of the domain in y and x; the number of cells by default (cells of size 1).
    """
    lengths = (float(shape[0]), float(shape[1])) if lengths is None else lengths

    def axis(n, length):
        k = np.fft.fftfreq(n, 1 / n)
        k[np.abs(k) == n / 2] = 0
        return 2 * math.pi * k / length

    ky, kx = axis(shape[0], lengths[0]), axis(shape[1], lengths[1])
    return np.broadcast_to(ky[:, None], shape), np.broadcast_to(kx[None], shape)


def band(
    shape: tuple[int, int], *, low: int | float = 1, high: int | float = 3
) -> Float[np.ndarray, "y x"]:
    r"""Amplitudes of a field whose waves have `low` to `high` crests across the domain, all equal.

    Args:
        shape: cells in y and x.
        low: least number of crests, :math:`|k|`, above 0.
        high: most; below half the number of cells.

    Returns:
        Amplitudes for `field` and `modes`, of unit variance.

    Raises:
        OptionError: no wave of the grid lies between `low` and `high`.

    Example:
        >>> float((band((8, 8)) ** 2).mean().round(6))
        1.0
    """
    k = _crests(shape)
    return _unit((k >= low) & (k <= high) & ~_nyquist(shape), f"{low}..{high} crests", shape)


def peaked(shape: tuple[int, int], peak: Any) -> Float[Array, "y x"]:
    r"""Amplitudes of McWilliams' random vorticity: energy that peaks at `peak` crests and decays.

    .. math:: E(k) \propto k^6 / (k + 2 k_0)^{18}, \qquad a(k)^2 \propto k\, E(k)

    Args:
        shape: cells in y and x.
        peak: :math:`k_0`, which may be a traced number, for random ones.

    Returns:
        Amplitudes for `field`, of unit variance, of the vorticity.

    Example:
        >>> a = peaked((32, 32), 4.0)
        >>> bool(a[0, 5] > a[0, 1]) and bool(a[0, 5] > a[0, 14])
        True

    Source: McWilliams, "The emergence of isolated coherent vortices in turbulent flow" (1984), with
    the exponents used for two-dimensional benchmarks since.
    """
    k = jnp.asarray(np.where(_nyquist(shape) | (_crests(shape) == 0), 1.0, _crests(shape)), float)
    log_square = 7 * jnp.log(k) - 18 * jnp.log(k + 2 * peak)
    kept = jnp.asarray(~_nyquist(shape) & (_crests(shape) > 0))
    square = jnp.where(kept, jnp.exp(log_square - jnp.max(log_square)), 0)
    return jnp.sqrt(square / square.mean())


def field(key: PRNGKey, amplitude: Any) -> Float[Array, "y x"]:
    r"""A Gaussian random field: white noise, filtered.

    .. math:: x = F^{-1}(a \cdot F \epsilon), \qquad \epsilon \sim N(0, I)

    Args:
        key: of the noise.
        amplitude: `(y, x)`, real and the same at :math:`k` and :math:`-k`, in the order of `fft2`.

    Returns:
        A field whose variance is the mean of the squared amplitudes.

    Example:
        >>> import jax
        >>> field(jax.random.key(0), band((8, 12))).shape
        (8, 12)
    """
    amplitude = jnp.asarray(amplitude, float)
    noise = random.normal(key, amplitude.shape, amplitude.dtype)
    return jnp.fft.ifft2(amplitude * jnp.fft.fft2(noise)).real


def modes(amplitude: np.ndarray) -> Float[np.ndarray, "modes y x"]:
    r"""The waves that `field` is made of: :math:`x = \sum_r z_r \phi_r` with
    :math:`z \sim N(0, I)` has its law.

    A cosine and a sine for each pair :math:`\pm k` of positive amplitude. Linear dynamics applied
    to each of them give the law of the whole sequence: see `jaximpute.physics.bayes`.

    Args:
        amplitude: as for `field`, a concrete array.

    Returns:
        One wave for each degree of freedom.

    Example:
        >>> len(modes(band((8, 8), high=1)))
        4
    """
    amplitude = np.asarray(amplitude, np.float64)
    ny, nx = amplitude.shape
    y, x = np.arange(ny)[:, None] / ny, np.arange(nx)[None] / nx
    found = []
    for i, j in np.argwhere(amplitude > 0):
        opposite = (-i % ny, -j % nx)
        phase = 2 * math.pi * (i * y + j * x)
        scale = amplitude[i, j] / math.sqrt(ny * nx)
        if opposite == (i, j):
            found.append(scale * np.cos(phase))
        elif (i, j) < opposite:
            found += [math.sqrt(2) * scale * np.cos(phase), math.sqrt(2) * scale * np.sin(phase)]
    return np.stack(found)


def _crests(shape: tuple[int, int]) -> np.ndarray:
    """Number of crests across the domain, `|k|` in whole waves."""
    ky, kx = (np.fft.fftfreq(n, 1 / n) for n in shape)
    return np.sqrt(ky[:, None] ** 2 + kx[None] ** 2)


def _nyquist(shape: tuple[int, int]) -> np.ndarray:
    y, x = (2 * np.abs(np.fft.fftfreq(n, 1 / n)) == n for n in shape)
    return y[:, None] | x[None]


def _unit(kept: np.ndarray, what: str, shape: tuple[int, int]) -> np.ndarray:
    if not kept.any():
        raise OptionError(f"no wave of a grid of {shape} cells has {what}; widen the band")
    return kept / math.sqrt(kept.mean())

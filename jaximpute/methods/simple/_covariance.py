"""Stationary covariances of fields in space and time: measured, or of a Matérn form."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

NUGGETS = (1e-4, 3e-3, 1e-1, 3e-1)  # variances of noise to choose from
LEVELS = (0.0, 1.0)  # variances of a field's own level, to choose from
STRETCHES = (1.0, 4.0)  # of the fitted lengths: long ones carry slopes across wide holes
_LENGTHS = tuple(0.3 * 1.3**i for i in range(26))  # in cells, up to 211
_TRUST = 100.0  # pairs of entries from which a measured correlation is worth as much as a model


class Lags(NamedTuple):
    """A table over lags `-half..half` along `(t, y, x)`, read by one number per lag.

    Attributes:
        half: the largest lag along each axis.
        shape: of the table.
        strides: of the table, flattened: lag `h` is at `zero + h @ strides`.
        zero: place of lag 0.
    """

    half: tuple[int, ...]
    shape: tuple[int, ...]
    strides: np.ndarray
    zero: int


def lags(shape: tuple[int, ...], reach: int) -> Lags:
    """The lags that two entries within `reach` cells of a third one can have."""
    half = tuple(min(2 * reach, size - 1) for size in shape)
    full = tuple(2 * h + 1 for h in half)
    strides = np.array([full[1] * full[2], full[2], 1])
    return Lags(half, full, strides, int(np.array(half) @ strides))


def candidates(
    x: Float[Array, "n t y x"],
    mask: Bool[Array, "n t y x"],
    weight: Float[Array, "n"],
    table: Lags,
) -> Float[Array, "k lags"]:
    """Covariances to choose from, of standardised fields.

    Matérn's of three degrees of smoothness, with lengths fitted to the correlations along each axis
    or longer, and the measured one itself.
    """
    measured, pairs = correlogram(x, mask, weight, table)
    models = jnp.stack(
        [_matern(measured, pairs, table, kernel, s) for s in STRETCHES for kernel in _KERNELS]
    )
    own = _positive(measured, pairs, models[1], table)
    return jnp.concatenate([models, own[None]]).reshape(len(models) + 1, -1)


def correlogram(
    x, mask, weight, table: Lags
) -> tuple[Float[Array, "t y x"], Float[Array, "t y x"]]:
    r"""Correlation at each lag over the pairs of entries that are both observed, and their number.

    .. math:: \rho(h) = \frac{\sum_p m_p m_{p+h} x_p x_{p+h}}{\sum_p m_p m_{p+h}}

    All lags at once, as products of Fourier transforms.
    """
    padded = [size + h for size, h in zip(x.shape[1:], table.half, strict=True)]

    def power(a):
        return jnp.abs(jnp.fft.rfftn(a, padded)) ** 2

    def one(total, row):
        x, mask, weight = row
        products = jnp.stack([power(jnp.where(mask, x, 0)), power(mask.astype(x.dtype))])
        return total + jnp.where(weight > 0, weight * products, 0), None

    spectrum = jax.eval_shape(power, x[0])
    zero = jnp.zeros((2, *spectrum.shape), x.dtype)
    total, _ = jax.lax.scan(one, zero, (x, mask, weight))

    def at_lags(a):
        a = jnp.fft.irfftn(a, padded).astype(x.dtype)
        for axis, h in enumerate(table.half):
            a = jnp.take(a, jnp.arange(-h, h + 1) % padded[axis], axis=axis)
        return a

    products, pairs = at_lags(total[0]), jnp.maximum(at_lags(total[1]), 0)
    # transforms leave a trace of a pair where there is none
    pairs = jnp.where(pairs > 0.5 + 1e-5 * pairs.max(), pairs, 0)
    return jnp.where(pairs > 0, products / jnp.maximum(pairs, 1), 0), pairs


def _matern(measured, pairs, table: Lags, kernel, stretch: float) -> Float[Array, "t y x"]:
    lengths = jnp.asarray(_LENGTHS, measured.dtype)
    square = jnp.zeros((), measured.dtype)
    for axis, h in enumerate(table.half):
        line = [slice(half, half + 1) for half in table.half]
        line[axis] = slice(h + 1, None)
        steps = jnp.arange(1, h + 1, dtype=measured.dtype)
        here, count = measured[tuple(line)].ravel(), pairs[tuple(line)].ravel()
        # the short lags are what weights are made of
        trust = count / steps**2
        misfit = (trust[None] * (here[None] - kernel(steps[None] / lengths[:, None])) ** 2).sum(1)
        length = jnp.where(trust.sum() > 0, stretch * lengths[jnp.argmin(misfit)], 3.0)
        shape = [1, 1, 1]
        shape[axis] = -1
        square = square + ((jnp.arange(-h, h + 1) / length) ** 2).reshape(shape)
    return kernel(jnp.sqrt(square))


def _positive(measured, pairs, model, table: Lags) -> Float[Array, "t y x"]:
    """The measured correlation, the model's where pairs are few, without negative frequencies."""
    share = pairs / (pairs + _TRUST)
    mixed = share * measured + (1 - share) * model
    spectrum = jnp.fft.fftn(jnp.fft.ifftshift(mixed)).real
    kept = jnp.fft.fftshift(jnp.fft.ifftn(jnp.maximum(spectrum, 0)).real).astype(mixed.dtype)
    return kept / jnp.maximum(kept[table.half], jnp.finfo(mixed.dtype).tiny)


_KERNELS = (
    lambda r: jnp.exp(-r),
    lambda r: (1 + jnp.sqrt(3.0) * r) * jnp.exp(-jnp.sqrt(3.0) * r),
    lambda r: (1 + jnp.sqrt(5.0) * r + 5 * r**2 / 3) * jnp.exp(-jnp.sqrt(5.0) * r),
)

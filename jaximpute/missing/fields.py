"""Entries of fields that go missing by place: pixels, blocks, swaths, all but a few stations.

Fields are `(n, time, y, x, channels)` and images `(n, y, x, channels)`. Each row has a mask of its
own, the same in all its frames and channels, as that of a sensor that does not see a place.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaximpute._errors import DataError, OptionError
from jaximpute.maths import random
from jaximpute.missing._common import Missing, check_rate, spare
from jaximpute.types import PRNGKey


def pixels(p: float) -> Missing:
    """Each pixel is hidden with probability `p`, in all frames and channels of its row.

    Args:
        p: expected share of entries hidden, in (0, 1).

    Returns:
        `(key, x) -> mask`, True = observed; it raises `DataError` unless `x` is images or fields.

    Raises:
        OptionError: `p` out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = pixels(0.5)(jax.random.key(0), jnp.ones((1, 3, 8, 8, 2)))
        >>> bool((mask == mask[:, :1, :, :, :1]).all())
        True
    """
    check_rate(p)
    return _static(lambda key, n, y, x: random.bernoulli(key, 1 - p, (n, y, x)))


def blocks(observed: int, *, across: int = 3) -> Missing:
    r"""The area is cut into `across` x `across` blocks, of which `observed` are seen.

    Blocks have :math:`\lfloor H / c \rfloor \times \lfloor W / c \rfloor` pixels; the last ones
    take the remainder (64 pixels in three are 21, 21 and 22).

    Args:
        observed: number of blocks seen, drawn anew for each row, in 1..`across`² - 1.
        across: blocks along each side, at least 2.

    Returns:
        `(key, x) -> mask`, True = observed; it raises `DataError` unless `x` is images or fields,
        with at least `across` pixels along each side.

    Raises:
        OptionError: a number out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = blocks(5)(jax.random.key(0), jnp.ones((1, 7, 6, 1)))
        >>> int(mask[0, ::3, ::2, 0][:3].sum())
        5

    Source: the 8/9 and 5/9 masks of Zhou et al., "Incomplete data, complete dynamics" (2026).
    """
    if across < 2 or not 1 <= observed < across**2:
        raise OptionError(
            f"observed is {observed} and across {across}; expected 1..across**2 - 1 blocks of "
            "across >= 2 along each side"
        )

    def seen(key, n, y, x):
        rank = jax.random.permutation(
            key, jnp.tile(jnp.arange(across**2), (n, 1)), axis=1, independent=True
        )
        chosen = (rank < observed).reshape(n, across, across)
        return chosen[:, _block_of(y, across)[:, None], _block_of(x, across)[None]]

    return _static(seen, least=across)


def swath(p: float, *, width: float = 0.25) -> Missing:
    r"""A satellite's view: parallel strips are seen, at a random angle and offset for each row.

    With :math:`s = y \sin\theta + x \cos\theta`, in units of the longer side, a pixel is seen where
    :math:`(s + o) \bmod (w / (1 - p)) < w`.

    Args:
        p: expected share of entries hidden, in (0, 1).
        width: of a strip, :math:`w`, as a share of the longer side; positive.

    Returns:
        `(key, x) -> mask`, True = observed; it raises `DataError` unless `x` is images or fields.

    Raises:
        OptionError: an option out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = swath(0.5)(jax.random.key(0), jnp.ones((50, 16, 16, 1)))
        >>> bool(abs(mask.mean() - 0.5) < 0.1)
        True
    """
    check_rate(p)
    if not width > 0:
        raise OptionError(f"width is {width}; expected a positive share of the longer side")

    def seen(key, n, y, x):
        k_angle, k_offset = jax.random.split(key)
        angle = random.uniform(k_angle, (n, 1, 1), maxval=jnp.pi)
        period = width / (1 - p)
        offset = random.uniform(k_offset, (n, 1, 1), maxval=period)
        down, along = jnp.arange(y)[None, :, None], jnp.arange(x)[None, None, :]
        position = (jnp.sin(angle) * down + jnp.cos(angle) * along) / max(y, x)
        return (position + offset) % period < width

    return _static(seen)


def stations(count: int) -> Missing:
    """Only `count` pixels are seen, the same for all rows: places where something stands.

    Args:
        count: number of stations, at least 1; drawn without replacement.

    Returns:
        `(key, x) -> mask`, True = observed; it raises `DataError` unless `x` is images or fields
        with more than `count` pixels.

    Raises:
        OptionError: `count` below 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = stations(3)(jax.random.key(0), jnp.ones((2, 4, 5, 5, 1)))
        >>> int(mask[0, 0].sum()), bool((mask[0] == mask[1]).all())
        (3, True)
    """
    if count < 1:
        raise OptionError(f"count is {count}; expected at least 1 station")

    def seen(key, n, y, x):
        if count >= y * x:
            raise DataError(f"there are {y} x {x} pixels, and {count} stations would see them all")
        places = jax.random.permutation(key, y * x) < count
        return jnp.broadcast_to(places.reshape(1, y, x), (n, y, x))

    return _static(seen)


def _static(seen, least: int = 1) -> Missing:
    """A simulator from `seen(key, n, y, x) -> (n, y, x)`, the same in all frames and channels."""

    def simulate(key: PRNGKey, values: jax.Array) -> Bool[Array, "n *event"]:
        if values.ndim not in (4, 5):
            raise DataError(
                f"x has shape {values.shape}; expected fields (n, time, y, x, channels) or images "
                "(n, y, x, channels)"
            )
        n, (y, x) = values.shape[0], values.shape[-3:-1]
        if min(y, x) < least:
            raise DataError(f"frames have {y} x {x} pixels; expected at least {least} each way")
        k_seen, k_spare = jax.random.split(key)
        frame = spare(k_spare, seen(k_seen, n, y, x)[..., None])
        if values.ndim == 5:
            frame = frame[:, None]
        return jnp.broadcast_to(frame, values.shape)

    return simulate


def _block_of(size: int, across: int) -> Array:
    """Which block each pixel along a side lies in."""
    return jnp.minimum(jnp.arange(size) // (size // across), across - 1)

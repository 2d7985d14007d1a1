"""What every imputer of images and fields needs: their axes, their means, one frame at a time."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import DataError, OptionError
from jaximpute.masking import channel_moments, restore
from jaximpute.maths.hole_boxes import hole_shaped
from jaximpute.types import Observed, PRNGKey


def as_fields(data: Observed) -> tuple[Float[Array, "n c t y x"], Bool[Array, "n c t y x"]]:
    """Values and mask with channels first and a time axis, of one frame for images.

    Raises:
        DataError: the data is neither images nor fields.
    """
    if data.values.ndim not in (4, 5):
        raise DataError(
            f"data has shape {data.values.shape}; a method of space takes images "
            "(n, y, x, channels) or fields (n, time, y, x, channels)"
        )

    def move(a):
        a = a[:, None] if a.ndim == 4 else a
        return jnp.moveaxis(a, -1, 1)

    return move(data.values), move(data.mask)


def back(values: Float[Array, "n c t y x"], data: Observed) -> Float[Array, "n *event"]:
    """Values of `as_fields` in the shape of the data."""
    return jnp.moveaxis(values, 1, -1).reshape(data.values.shape)


def standardised(
    data: Observed, mean: Float[Array, "c"], scale: Float[Array, "c"]
) -> tuple[Float[Array, "n c t y x"], Bool[Array, "n c t y x"]]:
    """`as_fields`, each channel centred and scaled; 0 where unobserved."""
    x, mask = as_fields(data)
    x = (x - mean[None, :, None, None, None]) / scale[None, :, None, None, None]
    return jnp.where(mask, x, 0), mask


def restored(values: Float[Array, "n c t y x"], mean, scale, data: Observed) -> jax.Array:
    """The inverse of `standardised`, in the shape of the data and clamped to it."""
    return restore(back(values, data), mean, scale, data)


def hold_out(
    key: PRNGKey, mask: Bool[Array, "n c t y x"]
) -> tuple[Bool[Array, "n c t y x"], Bool[Array, "n c t y x"]]:
    """Observed entries that are still shown, and a tenth, in boxes shaped like the holes."""
    shown, hidden = hole_shaped()(key, jnp.moveaxis(mask, 1, -1))
    return jnp.moveaxis(shown, -1, 1), jnp.moveaxis(hidden, -1, 1)


def learn_moments(key, data: Observed) -> tuple[Float[Array, "c"], Float[Array, "c"]]:
    """Mean and standard deviation of each channel: all that a method without parameters learns."""
    del key
    as_fields(data)  # refuses other data
    return channel_moments(data)


def axes_of(names: str, option: str) -> tuple[int, ...]:
    """Axes of `(t, y, x)` by their letters.

    Raises:
        OptionError: another letter, or one twice.
    """
    if not set(names) <= set("tyx") or len(set(names)) < len(names):
        raise OptionError(
            f"{option} is '{names}'; expected letters of 'tyx', each once: time, rows, columns"
        )
    return tuple(sorted("tyx".index(name) for name in names))

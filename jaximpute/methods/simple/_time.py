"""What every method along the time axis needs: its positions, and one fill per channel."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaximpute._errors import DataError, TimeError
from jaximpute.masking import channel_moments, clamp
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed


def check_times(times: ArrayLike | None) -> np.ndarray | None:
    """Positions of the steps, from 0, or None for steps one apart.

    Raises:
        TimeError: not one finite, strictly increasing row of numbers.
    """
    if times is None:
        return None
    t = np.asarray(times, dtype=np.float64)
    if t.ndim != 1 or t.size == 0 or not np.isfinite(t).all():
        raise TimeError(f"times has shape {t.shape}; expected a row of finite numbers, (time,)")
    if (np.diff(t) <= 0).any():
        step = int(np.argmax(np.diff(t) <= 0))
        raise TimeError(
            f"times must increase; times[{step}] is {t[step]} and times[{step + 1}] is "
            f"{t[step + 1]}. Sort the series by time and merge steps with the same stamp"
        )
    # in double precision: single keeps too few digits of, say, seconds since 1970
    return t - t[0]


def positions(times: np.ndarray | None, data: Observed) -> Float[Array, "time"]:
    """The positions of the steps of these series.

    Raises:
        DataError: the data is not series.
        TimeError: the series have another length than `times`.
    """
    if data.values.ndim != 3:
        raise DataError(
            f"data has shape {data.values.shape}; a method along time takes series, "
            "(n, time, channels)"
        )
    length, dtype = data.values.shape[1], data.values.dtype
    if times is None:
        return jnp.arange(length, dtype=dtype)
    if len(times) != length:
        raise TimeError(f"times has {len(times)} steps and the series {length}")
    return jnp.asarray(times, dtype)


def channelwise(fill: Callable, times: np.ndarray | None = None) -> Method:
    """A method from `fill(t, x, mask) -> values`, each `(time,)`, on one channel of one series.

    A channel never observed in a series gets its mean over the rows given to `init`.
    """

    def learn(key, data):
        del key
        return channel_moments(data)[0]

    def estimate(key, state: Float[Array, "d"], data: Observed) -> jax.Array:
        del key
        t = positions(times, data)
        channels = jax.vmap(fill, in_axes=(None, 1, 1), out_axes=1)
        values = jax.vmap(channels, in_axes=(None, 0, 0))(t, data.values, data.mask)
        seen = data.mask.any(axis=1, keepdims=True)
        return clamp(jnp.where(seen, values, state[None, None]), data)

    return static_method(learn, estimate=estimate)

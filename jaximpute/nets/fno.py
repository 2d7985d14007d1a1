"""The Fourier neural operator, for fields on periodic or nearly periodic domains."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaximpute.maths import random
from jaximpute.nets.contract import from_nnx
from jaximpute.nets.field_unet import field_event
from jaximpute.nets.mlp import time_features
from jaximpute.nets.starts import Linear
from jaximpute.types import Net


class Spectral(nnx.Module):
    """A linear map of the lowest Fourier modes over (time, y, x), each with a matrix of its own."""

    def __init__(self, width: int, size: tuple[int, ...], modes: tuple[int, ...], rngs: nnx.Rngs):
        # real fields need one sign of frequency along the last axis, and both along the others
        self.low = tuple(_signed(m, n) for m, n in zip(modes[:2], size[:2], strict=True))
        self.last = max(1, min(modes[2], size[2] // 2))
        shape = (2, *(len(one) for one in self.low), self.last, width, width)
        draw = random.uniform(rngs.params(), shape, minval=-1.0, maxval=1.0)
        self.kernel = nnx.Param(draw / width)

    def __call__(self, h):
        # there is no transform in half precision
        wide = jnp.promote_types(h.dtype, jnp.float32)
        spectrum = jnp.fft.rfftn(h.astype(wide), axes=(1, 2, 3))
        t, y = (np.array(one) for one in self.low)
        kept = spectrum[:, t][:, :, y][:, :, :, : self.last]
        real, imaginary = self.kernel[...].astype(wide)
        mixed = jnp.einsum("ntyxi,tyxio->ntyxo", kept, jax.lax.complex(real, imaginary))
        onto = np.ix_(np.arange(h.shape[0]), t, y, np.arange(self.last))
        out = jnp.zeros_like(spectrum).at[onto].set(mixed)
        return jnp.fft.irfftn(out, s=h.shape[1:4], axes=(1, 2, 3)).astype(h.dtype)


def _signed(modes: int, size: int) -> tuple[int, ...]:
    """The lowest frequencies of both signs, as indices of a transform of that size."""
    modes = min(modes, size // 2)
    if modes == 0:
        return (0,)
    return (*range(modes), *range(size - modes, size))


class FNO(nnx.Module):
    """Values and context lifted, spectral layers beside pointwise ones, projected back."""

    def __init__(self, event, width, layers, modes, more, rngs: nnx.Rngs):
        self.event, self.width = event, width
        self.embed = Linear(width, width, rngs=rngs)
        self.lift = Linear(2 * event[-1] + more + width + 3, width, rngs=rngs)
        self.spectral = nnx.List([Spectral(width, event[:3], modes, rngs) for _ in range(layers)])
        self.pointwise = nnx.List([Linear(width, width, rngs=rngs) for _ in range(layers)])
        self.project = Linear(width, 2 * width, rngs=rngs)
        self.outside = Linear(2 * width, event[-1], kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, x, t, context, *more):
        n, places = x.shape[0], self.event[:3]
        t = jnp.broadcast_to(t, (n,))
        c = jax.nn.silu(self.embed(time_features(t, self.width).astype(x.dtype)))
        grid = jnp.stack(
            jnp.meshgrid(*(jnp.linspace(0, 1, s) for s in places), indexing="ij"), axis=-1
        )
        parts = [
            x.reshape(n, *self.event),
            context.reshape(n, *self.event),
            *(part.reshape(n, *places, -1) for part in more),
            jnp.broadcast_to(c[:, None, None, None], (n, *places, self.width)),
            jnp.broadcast_to(grid[None].astype(x.dtype), (n, *places, 3)),
        ]
        h = self.lift(jnp.concatenate(parts, axis=-1))
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            h = h + jax.nn.gelu(spectral(h) + pointwise(h))
        return self.outside(jax.nn.gelu(self.project(h))).reshape(x.shape)


def fno(
    event: tuple[int, ...],
    *,
    width: int = 32,
    layers: int = 4,
    modes: tuple[int, int, int] = (4, 8, 8),
    beside: int = 0,
    places: bool = False,
) -> Net:
    r"""A Fourier neural operator over time and space.

    Each layer is :math:`h + \mathrm{gelu}(\mathcal{F}^{-1} R\, \mathcal{F} h + W h)` with a matrix
    for each of the lowest modes. The diffusion time and the position enter as channels.

    Args:
        event: shape of a field, `(time, y, x, channels)`, or `(y, x, channels)`.
        width: channels, even.
        layers: number of layers.
        modes: frequencies kept along time, y and x (of each sign along the first two), cut to what
            the grid has.
        beside: channels of a second condition, `(n, time, y, x, beside)`; 0 = there is none.
        places: whether the last condition is where each entry lies, `(n, time, y, x, 3)`: of tiles,
            in the field that they are cut from.

    Returns:
        A `Net` whose first `cond` has the shape of `x`, the context. It answers 0 at its start.

    Raises:
        OptionError: the event is no field.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = fno((4, 8, 8, 1), width=8)
        >>> x, t = jnp.ones((2, 4, 8, 8, 1)), jnp.full(2, 0.1)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x,)), x, t, (x,)).shape
        (2, 4, 8, 8, 1)

    Source: Li et al., "Fourier Neural Operator for Parametric PDEs" (2021), section 4; the residual
    connection and the time as channels are those of "Incomplete Data, Complete Dynamics", section
    H.4, and ours.
    """
    whole = field_event(event)
    return from_nnx(lambda rngs: FNO(whole, width, layers, modes, beside + 3 * places, rngs))

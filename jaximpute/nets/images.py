"""Velocity networks for images: a residual CNN and a small U-Net.

XLA runs a convolution inside a loop an order of magnitude slower on CPU, so there they are one
matrix product of nine shifted copies; see `field_unet.convolve`.
"""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute.maths.local_average import local_average
from jaximpute.nets.contract import from_nnx
from jaximpute.nets.field_unet import Conv, double
from jaximpute.types import Net

_GROUP = 8  # channels normalised together
_SPREADS = (0.7, 1.5, 4.0)  # of the averages, in pixels


class Residual(nnx.Module):
    """Two convolutions with group normalisation, added to what came in."""

    def __init__(self, channels: int, rngs: nnx.Rngs):
        self.first, self.second = (Conv(channels, channels, rngs) for _ in range(2))
        self.norms = nnx.List(
            [
                nnx.GroupNorm(channels, num_groups=None, group_size=_GROUP, rngs=rngs)
                for _ in range(2)
            ]
        )

    def __call__(self, h):
        inner = jax.nn.relu(self.norms[0](self.first(h)))
        return jax.nn.relu(h + self.norms[1](self.second(inner)))


class ResidualCNN(nnx.Module):
    """Full resolution throughout; what goes in is shown to the last layer again."""

    def __init__(
        self, channels: int, cond: int, width: int, blocks: int, averages: bool, rngs: nnx.Rngs
    ):
        planes = (1 + cond + averages * cond * len(_SPREADS)) * channels + 1
        self.averages = averages
        self.inside = Conv(planes, width, rngs)
        self.norm = nnx.GroupNorm(width, num_groups=None, group_size=_GROUP, rngs=rngs)
        self.blocks = nnx.List([Residual(width, rngs) for _ in range(blocks)])
        self.outside = Conv(width + 2 * planes, channels, rngs, zero=True)

    def __call__(self, x, t, *cond):
        nearby = [
            local_average(shown, cond[-1] > 0, spread)
            for shown in (x, *cond[:-1])
            for spread in _SPREADS
            if self.averages
        ]
        planes = _planes(x, t, *cond, *nearby)
        h = jax.nn.relu(self.norm(self.inside(planes)))
        for block in self.blocks:
            h = block(h)
        # normalisation takes an image's own level away, and the blocks cannot bring it back
        return self.outside(
            jnp.concatenate([h, planes, planes * t.astype(x.dtype).reshape(-1, 1, 1, 1)], -1)
        )


class UNet(nnx.Module):
    """Residual blocks at falling and rising resolution, joined by sums."""

    def __init__(self, channels: int, cond: int, widths: tuple[int, ...], rngs: nnx.Rngs):
        self.inside = Conv((1 + cond) * channels + 1, widths[0], rngs)
        self.down = nnx.List([Residual(width, rngs) for width in widths])
        pairs = list(pairwise(widths))
        self.widen = nnx.List([Conv(a, b, rngs) for a, b in pairs])
        self.narrow = nnx.List([Conv(b, a, rngs) for a, b in pairs])
        self.up = nnx.List([Residual(width, rngs) for width in widths[:-1]])
        self.outside = Conv(widths[0], channels, rngs, zero=True)

    def __call__(self, x, t, *cond):
        h, left = self.down[0](self.inside(_planes(x, t, *cond))), []
        for widen, block in zip(self.widen, list(self.down)[1:], strict=True):
            left.append(h)
            h = block(widen(_halve(h)))
        for narrow, block in zip(reversed(self.narrow), reversed(self.up), strict=True):
            skip = left.pop()
            h = block(skip + narrow(double(h))[:, : skip.shape[1], : skip.shape[2]])
        return self.outside(h)


def residual_cnn(
    event: tuple[int, ...],
    *,
    cond: int = 2,
    width: int = 64,
    blocks: int = 4,
    averages: bool = False,
) -> Net:
    """The residual CNN with which MIRI learns velocities of images, at full resolution.

    Group normalisation takes the place of the authors' batch normalisation, whose running averages
    would be state outside the parameters. It takes an image's own level away, so the last layer
    sees the input again, as it is and times the time.

    Args:
        event: shape of an image, `(height, width, channels)`.
        cond: number of conditioning images; two for MIRI's filled layout, three for its padded one.
        width: channels inside, a multiple of 8.
        blocks: residual blocks. Four see 21 x 21 pixels.
        averages: whether the last condition says which entries of the state and of the other
            conditions are given (above 0). The network is then also shown averages of these around
            each pixel, at three scales.

    Returns:
        A `Net`; the time enters as a constant plane.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = residual_cnn((6, 5, 3), width=8, blocks=1)
        >>> x, t = jnp.ones((2, 6, 5, 3)), jnp.zeros(2)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x, x)), x, t, (x, x)).shape
        (2, 6, 5, 3)

    Source: the public code of MIRI (Yu et al., 2025): four blocks of 64 channels.
    """
    return from_nnx(lambda rngs: ResidualCNN(event[-1], cond, width, blocks, averages, rngs))


def unet(event: tuple[int, ...], *, cond: int = 2, widths: tuple[int, ...] = (32, 64, 128)) -> Net:
    """A small U-Net, which sees the whole image at a fraction of the full-resolution cost.

    Args:
        event: shape of an image, `(height, width, channels)`, of any size.
        cond: number of conditioning images.
        widths: channels at each resolution, halved from one to the next; multiples of 8.

    Returns:
        A `Net`; the time enters as a constant plane.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = unet((7, 5, 1), widths=(8, 16))
        >>> x, t = jnp.ones((2, 7, 5, 1)), jnp.zeros(2)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x, x)), x, t, (x, x)).shape
        (2, 7, 5, 1)
    """
    return from_nnx(lambda rngs: UNet(event[-1], cond, widths, rngs))


def _planes(x: jax.Array, t: jax.Array, *cond: jax.Array) -> jax.Array:
    """The state, the conditions and the time, as channels."""
    time = jnp.broadcast_to(t.astype(x.dtype).reshape(-1, 1, 1, 1), (*x.shape[:3], 1))
    return jnp.concatenate([x, *cond, time], axis=-1)


def _halve(h: Float[Array, "n h w c"]) -> jax.Array:
    """Means of 2 x 2 pixels; an odd last row or column is repeated."""
    n, height, width, c = h.shape
    h = jnp.pad(h, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return h.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, c).mean(axis=(2, 4))

"""A small U-Net for fields, with the frames as channels."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.nets.contract import from_nnx
from jaximpute.nets.mlp import time_features
from jaximpute.nets.starts import Linear, he_normal
from jaximpute.types import Net


def convolve(
    x: Float[Array, "n h w c"], kernel: Float[Array, "3 3 c d"], padding: str, loops: bool
) -> Float[Array, "n h w d"]:
    """A 3 x 3 convolution of the size of `x`.

    `loops` writes it as one matrix product of shifted copies on CPU: outside loops that takes twice
    as long as the library's convolution, inside them an eighth.
    """
    mode = {"zero": "constant", "periodic": "wrap"}[padding]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)
    if loops:
        return jax.lax.platform_dependent(padded, kernel, cpu=_by_shifts, default=_by_library)
    return _by_library(padded, kernel)


def _by_library(padded, kernel):
    return jax.lax.conv_general_dilated(
        padded, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _by_shifts(padded, kernel):
    h, w = padded.shape[1] - 2, padded.shape[2] - 2
    shifts = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


class Conv(nnx.Module):
    """A 3 x 3 convolution with a bias."""

    def __init__(self, inside, outside, rngs, zero=False, padding="zero", loops=True):
        spread = nnx.initializers.zeros if zero else he_normal
        self.kernel = nnx.Param(spread(rngs.params(), (3, 3, inside, outside), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(outside))
        self.padding, self.loops = padding, loops

    def __call__(self, x):
        out = convolve(x, self.kernel[...], self.padding, self.loops)
        return out + self.bias[...].reshape(1, 1, 1, -1)


class Residual(nnx.Module):
    """Two convolutions, the second scaled and shifted by the time, added to what came in."""

    def __init__(self, width: int, embedding: int, conv, rngs: nnx.Rngs):
        self.first, self.second = conv(width, width), conv(width, width)
        group = math.gcd(width, 8)
        self.norms = nnx.List(
            [nnx.GroupNorm(width, num_groups=None, group_size=group, rngs=rngs) for _ in range(2)]
        )
        self.modulation = Linear(
            embedding, 2 * width, kernel_init=nnx.initializers.zeros, rngs=rngs
        )

    def __call__(self, h, c):
        scale, shift = jnp.split(self.modulation(c)[:, None, None], 2, axis=-1)
        inner = self.first(jax.nn.silu(self.norms[0](h)))
        inner = self.norms[1](inner) * (1 + scale) + shift
        return h + self.second(jax.nn.silu(inner))


class FieldUNet(nnx.Module):
    """Residual blocks at falling and rising resolution, joined by sums."""

    def __init__(self, event, width, levels, padding, loops, beside, places, rngs: nnx.Rngs):
        frames, _, _, channels = event
        shown = frames * (2 * channels + beside) + 3 * places
        self.event, self.width, self.places = event, width, places

        def conv(inside, outside, zero=False):
            return Conv(inside, outside, rngs, zero, padding, loops)

        widths = [width * min(2**i, 4) for i in range(levels)]
        self.embed = Linear(width, width, rngs=rngs)
        self.inside = conv(shown, widths[0])
        self.down = nnx.List([Residual(w, width, conv, rngs) for w in widths])
        self.up = nnx.List([Residual(w, width, conv, rngs) for w in widths[:-1]])
        self.widen = nnx.List([conv(a, b) for a, b in pairwise(widths)])
        self.narrow = nnx.List([conv(b, a) for a, b in pairwise(widths)])
        self.outside = conv(widths[0], frames * channels, zero=True)

    def __call__(self, x, t, context, *more):
        n = x.shape[0]
        t = jnp.broadcast_to(t, (n,))
        c = jax.nn.silu(self.embed(time_features(t, self.width).astype(x.dtype)))
        seen = [self.planes(a) for a in (x, context, *more[: len(more) - self.places])]
        if self.places:  # where the first frame is says where all are
            seen.append(more[-1].reshape(n, -1, *self.event[1:3], 3)[:, 0])
        h = self.inside(jnp.concatenate(seen, axis=-1))
        h, left = self.down[0](h, c), []
        for widen, block in zip(self.widen, list(self.down)[1:], strict=True):
            left.append(h)
            h = block(widen(halve(h)), c)
        for narrow, block in zip(reversed(self.narrow), reversed(self.up), strict=True):
            skip = left.pop()
            h = block(skip + narrow(double(h))[:, : skip.shape[1], : skip.shape[2]], c)
        frames, height, wide, channels = self.event
        out = self.outside(jax.nn.silu(h)).reshape(n, height, wide, frames, channels)
        return out.transpose(0, 3, 1, 2, 4).reshape(x.shape)

    def planes(self, x):
        """Frames and channels as channels."""
        frames, height, wide, _ = self.event
        x = x.reshape(len(x), frames, height, wide, -1).transpose(0, 2, 3, 1, 4)
        return x.reshape(len(x), height, wide, -1)


def halve(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Means of 2 x 2 places; an odd edge is doubled first."""
    _, h, w, _ = x.shape
    x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def double(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Each place four times."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def field_event(event: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The shape of a field; an image is one of one frame.

    Raises:
        OptionError: neither `(time, y, x, channels)` nor `(y, x, channels)`.
    """
    if len(event) == 3:
        event = (1, *event)
    if len(event) != 4:
        raise OptionError(
            f"a field has shape {event}; expected (time, y, x, channels), or (y, x, channels)"
        )
    frames, height, wide, channels = event
    return frames, height, wide, channels


def field_unet(
    event: tuple[int, ...],
    *,
    width: int = 24,
    levels: int | None = None,
    padding: str = "zero",
    loops: bool = False,
    beside: int = 0,
    places: bool = False,
) -> Net:
    """A 2-D U-Net for short films of small fields, the frames as channels; a CPU can train it.

    Args:
        event: shape of a field, `(time, y, x, channels)`, or `(y, x, channels)`.
        width: channels at full resolution, even; deeper levels have up to four times as many.
        levels: resolutions; None = halving down to about 3 pixels, four at most.
        padding: `zero`, or `periodic` for fields without edges (of sizes that halve evenly).
        loops: whether it will run inside compiled loops on CPU. The parameters are the same.
        beside: channels of a second condition, `(n, time, y, x, beside)`; 0 = there is none.
        places: whether the last condition is where each entry lies, `(n, time, y, x, 3)`.

    Returns:
        A `Net` whose first `cond` has the shape of `x`, the context. It answers 0 at its start.

    Raises:
        OptionError: the event is no field, or the padding unknown.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = field_unet((4, 12, 12, 1))
        >>> x, t = jnp.ones((2, 4, 12, 12, 1)), jnp.full(2, 0.1)
        >>> params = net.init(jax.random.key(0), x, t, (x,))
        >>> sum(leaf.size for leaf in jax.tree.leaves(params))
        390124
    """
    event = field_event(event)
    if padding not in ("zero", "periodic"):
        raise OptionError(f"padding is '{padding}'; expected zero or periodic")
    if levels is None:
        levels = max(1, min(4, int(math.log2(min(event[1:3]) / 3)) + 1))
    return from_nnx(
        lambda rngs: FieldUNet(event, width, levels, padding, loops, beside, places, rngs)
    )

"""A factorised space-time U-Net: convolutions over space, attention over time at each place.

The layout is that of the network released with "Incomplete Data, Complete Dynamics" (ICLR 2026), in
which activations are everything: the blocks can be recomputed in the backward pass, and their
activations kept in half precision. Sums, norms and softmax are in single precision throughout.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.field_unet import double, field_event, halve
from jaximpute.nets.mlp import time_features
from jaximpute.nets.starts import Linear, he_normal
from jaximpute.types import Net


class SpaceConv(nnx.Module):
    """A convolution over space, the same in every frame."""

    def __init__(self, inside, outside, size, dtype, rngs: nnx.Rngs, zero=False):
        spread = nnx.initializers.zeros if zero else he_normal
        self.kernel = nnx.Param(spread(rngs.params(), (size, size, inside, outside), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(outside))
        self.dtype = dtype

    def __call__(self, x):
        n, frames, *space = x.shape
        out = jax.lax.conv_general_dilated(
            x.reshape(n * frames, *space).astype(self.dtype),
            self.kernel[...].astype(self.dtype),
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        out = out + self.bias[...].astype(self.dtype).reshape(1, 1, 1, -1)
        return out.reshape(n, frames, *out.shape[1:])


class Norm(nnx.Module):
    """Root-mean-square normalisation over channels, in single precision."""

    def __init__(self, width: int):
        self.scale = nnx.Param(jnp.ones(width))

    def __call__(self, h):
        wide = h.astype(jnp.float32)
        size = jax.lax.rsqrt(jnp.mean(wide**2, axis=-1, keepdims=True) + 1e-6)
        scale = self.scale[...].reshape(*(1,) * (h.ndim - 1), -1)
        return (wide * size * scale).astype(h.dtype)


def rotate(x: Float[Array, "n l heads d"]) -> Float[Array, "n l heads d"]:
    """Rotary embedding of the position along the second axis."""
    half = x.shape[-1] // 2
    rate = 1e4 ** (-jnp.arange(half) / half)
    angle = jnp.arange(x.shape[1])[:, None] * rate[None]
    cos, sin = (f(angle)[None, :, None].astype(x.dtype) for f in (jnp.cos, jnp.sin))
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


class Attention(nnx.Module):
    """Attention over `time` at each place, over `space` in each frame, or linear over space."""

    def __init__(self, width, heads, size, over, dtype, rngs: nnx.Rngs):
        self.heads, self.size, self.over, self.dtype = heads, size, over, dtype
        self.norm = Norm(width)
        inner = heads * size
        self.qkv = Linear(width, 3 * inner, use_bias=False, dtype=dtype, rngs=rngs)
        self.out = Linear(inner, width, kernel_init=nnx.initializers.zeros, dtype=dtype, rngs=rngs)

    def __call__(self, h):
        n, frames, height, wide, width = h.shape
        inner = self.norm(h)
        if self.over == "time":
            inner = inner.transpose(0, 2, 3, 1, 4).reshape(n * height * wide, frames, width)
        else:
            inner = inner.reshape(n * frames, height * wide, width)
        q, k, v = jnp.split(self.qkv(inner), 3, axis=-1)
        q, k, v = (part.reshape(*part.shape[:2], self.heads, self.size) for part in (q, k, v))
        if self.over == "linear":
            mixed = _linear(q, k, v)
        else:
            if self.over == "time":
                q, k = rotate(q), rotate(k)
            mixed = jax.nn.dot_product_attention(q, k, v)
        mixed = self.out(mixed.reshape(*mixed.shape[:2], -1))
        if self.over == "time":
            mixed = mixed.reshape(n, height, wide, frames, width).transpose(0, 3, 1, 2, 4)
        return h + mixed.reshape(h.shape)


def _linear(q, k, v):
    """Linear attention: softmax of the queries over channels and of the keys over places."""
    q = jax.nn.softmax(q.astype(jnp.float32), axis=-1).astype(v.dtype) * q.shape[-1] ** -0.5
    k = jax.nn.softmax(k.astype(jnp.float32), axis=1).astype(v.dtype)
    return jnp.einsum("nlhd,nhde->nlhe", q, jnp.einsum("nlhd,nlhe->nhde", k, v))


class Block(nnx.Module):
    """Two convolutions that hear the time, between them and after them a norm, and what came in."""

    def __init__(self, inside, outside, embedding, dtype, rngs: nnx.Rngs):
        self.first = SpaceConv(inside, outside, 3, dtype, rngs)
        self.second = SpaceConv(outside, outside, 3, dtype, rngs)
        self.norms = nnx.List([Norm(outside), Norm(outside)])
        self.film = Linear(embedding, 2 * outside, dtype=dtype, rngs=rngs)
        self.skip = None if inside == outside else SpaceConv(inside, outside, 1, dtype, rngs)

    def __call__(self, h, c):
        scale, shift = jnp.split(self.film(c)[:, None, None, None], 2, axis=-1)
        inner = self.norms[0](self.first(h)) * (1 + scale) + shift
        inner = jax.nn.silu(self.norms[1](self.second(jax.nn.silu(inner))))
        return inner + (h if self.skip is None else self.skip(h))


def applied(module: nnx.Module, checkpoint: bool, *inputs: jax.Array) -> jax.Array:
    """What a module answers; the backward pass computes it again if `checkpoint`."""
    if not checkpoint:
        return module(*inputs)
    graph, weights = nnx.split(module)
    return jax.checkpoint(lambda weights, *inputs: nnx.merge(graph, weights)(*inputs))(
        weights, *inputs
    )


class Level(nnx.Module):
    """Two blocks at one resolution, attention over space (linear, or full) and over time."""

    def __init__(self, inside, width, embedding, space, heads, dtype, checkpoint, rngs: nnx.Rngs):
        self.checkpoint = checkpoint
        self.blocks = nnx.List(
            [
                Block(inside, width, embedding, dtype, rngs),
                Block(width, width, embedding, dtype, rngs),
            ]
        )
        self.space = Attention(width, 4, 32, space, dtype, rngs)
        self.time = Attention(width, heads[0], heads[1], "time", dtype, rngs)

    def __call__(self, h, c):
        for block in self.blocks:
            h = applied(block, self.checkpoint, h, c)
        # each by itself: what one of them takes while it is computed again is all that is added
        return applied(self.time, self.checkpoint, applied(self.space, self.checkpoint, h))


class SpaceTimeUNet(nnx.Module):
    """Levels of falling and rising resolution in space; the frames stay apart throughout."""

    def __init__(self, event, width, multipliers, heads, dtype, checkpoint, more, rngs: nnx.Rngs):
        self.event, self.width, self.dtype, self.checkpoint = event, width, dtype, checkpoint
        embedding = 4 * width
        widths = [width * m for m in multipliers]
        self.embed = Linear(width, embedding, rngs=rngs)
        self.embed_again = Linear(embedding, embedding, rngs=rngs)
        self.inside = SpaceConv(2 * event[-1] + more, width, 7, dtype, rngs)
        self.first_time = Attention(width, heads[0], heads[1], "time", dtype, rngs)
        rest = (embedding, "linear", heads, dtype, checkpoint, rngs)
        self.down = nnx.List(
            [Level(a, b, *rest) for a, b in zip([width, *widths[:-1]], widths, strict=True)]
        )
        self.middle = Level(widths[-1], widths[-1], embedding, "space", *rest[2:])
        self.up = nnx.List(
            [Level(2 * b, a, *rest) for a, b in zip([width, *widths[:-1]], widths, strict=True)]
        )
        self.outside = SpaceConv(2 * width, event[-1], 1, dtype, rngs, zero=True)

    def __call__(self, x, t, context, *more):
        n = x.shape[0]
        t = jnp.broadcast_to(t, (n,))
        c = self.embed_again(jax.nn.gelu(self.embed(time_features(t, self.width))))
        c = jax.nn.silu(c).astype(self.dtype)
        shape = (n, *self.event[:3], -1)
        seen = [part.reshape(shape).astype(self.dtype) for part in (x, context, *more)]
        h = self.inside(jnp.concatenate(seen, axis=-1))
        h = start = applied(self.first_time, self.checkpoint, h)
        left = []
        for i, level in enumerate(self.down):
            h = level(h if i == 0 else _each_frame(halve, h), c)
            left.append(h)
        h = self.middle(h, c)
        for i, level in reversed(list(enumerate(self.up))):
            skip = left.pop()
            h = h[:, :, : skip.shape[2], : skip.shape[3]]
            h = level(jnp.concatenate([h, skip], axis=-1), c)
            h = h if i == 0 else _each_frame(double, h)
        out = self.outside(jnp.concatenate([h, start], axis=-1))
        return out.astype(x.dtype).reshape(x.shape)


def _each_frame(f, h):
    out = f(h.reshape(-1, *h.shape[2:]))
    return out.reshape(*h.shape[:2], *out.shape[1:])


def spacetime_unet(
    event: tuple[int, ...],
    *,
    width: int = 32,
    multipliers: tuple[int, ...] = (1, 2, 2),
    heads: tuple[int, int] = (2, 16),
    half: bool = False,
    checkpoint: bool = True,
    beside: int = 0,
    places: bool = False,
) -> Net:
    """A factorised space-time U-Net, for long films on an accelerator.

    Convolutions see one frame, rotary attention over time sees one place, linear attention (full at
    the bottom) sees one frame whole.

    Args:
        event: shape of a field, `(time, y, x, channels)`, or `(y, x, channels)`.
        width: channels at full resolution, even.
        multipliers: of the width at each resolution; each but the first halves it.
        heads: number and (even) size of the heads over time. The released network has 2 of size 4,
            which fused attention kernels do not take.
        half: whether activations are in bfloat16.
        checkpoint: whether blocks and attentions are recomputed in the backward pass: a third more
            arithmetic, and a fifteenth of what is kept for it.
        beside: channels of a second condition, `(n, time, y, x, beside)`; 0 = there is none.
        places: whether the last condition is where each entry lies, `(n, time, y, x, 3)`.

    Returns:
        A `Net` whose first `cond` has the shape of `x`, the context. It answers 0 at its start.

    Raises:
        OptionError: the event is no field.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = spacetime_unet((2, 8, 8, 1), width=8, multipliers=(1, 2))
        >>> x, t = jnp.ones((1, 2, 8, 8, 1)), jnp.full(1, 0.1)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x,)), x, t, (x,)).shape
        (1, 2, 8, 8, 1)

    Source: "Incomplete Data, Complete Dynamics" (ICLR 2026), called a Karras U-Net there; its code
    has this layout, after the video U-Net of Ho et al., "Video Diffusion Models" (2022).
    """
    whole = field_event(event)
    dtype = jnp.bfloat16 if half else jnp.float32
    more = beside + 3 * places
    return from_nnx(
        lambda rngs: SpaceTimeUNet(whole, width, multipliers, heads, dtype, checkpoint, more, rngs)
    )

"""CSDI's conditional network: attention over time and over features, gated by side information.

One-by-one convolutions are linear maps here, the side information is projected before it is spread
over the window (the projection of a concatenation is a sum of projections), and the blocks are
stacked and scanned, a few at a time, so that compilation does not grow with their number.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute.maths import random
from jaximpute.nets.contract import from_nnx
from jaximpute.nets.starts import Linear
from jaximpute.types import Net

TIME, FEATURE, STEP = 128, 16, 128
UNROLLED = 4  # blocks in one turn of the scan: as many as the papers have


def waves(position: Float[Array, "*shape"], width: int, longest: float = 1e4):
    """Sines and cosines of a position at `width / 2` wavelengths, geometric from 2 pi."""
    rate = jnp.exp(-math.log(longest) * jnp.arange(0, width, 2) / width).astype(position.dtype)
    angle = position[..., None] * rate.reshape(*(1,) * position.ndim, -1)
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Encoder(nnx.Module):
    """A transformer layer on `(n, tokens, d)`: attention among tokens, then a layer on each."""

    def __init__(self, width: int, heads: int, dropout: float, rngs: nnx.Rngs):
        self.heads, self.dropout = heads, dropout
        self.qkv = Linear(width, 3 * width, rngs=rngs)
        self.out = Linear(width, width, rngs=rngs)
        self.first = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.up = Linear(width, width, rngs=rngs)
        self.down = Linear(width, width, rngs=rngs)
        self.second = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)

    def __call__(self, h, key):
        keys = (None,) * 3 if key is None else jax.random.split(key, 3)
        h = self.first(h + self.drop(self.attend(h), keys[0]))
        inner = self.drop(jax.nn.silu(self.up(h)), keys[1])
        return self.second(h + self.drop(self.down(inner), keys[2]))

    def attend(self, h):
        n, tokens, width = h.shape
        q, k, v = self.qkv(h).reshape(n, tokens, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        # heads before tokens, and divided last: on CPU twice as fast as `dot_product_attention`
        score = jnp.einsum("nhqd,nhkd->nhqk", q / math.sqrt(q.shape[-1]), k)
        weight = jnp.exp(score - jax.lax.stop_gradient(score.max(axis=-1, keepdims=True)))
        mixed = jnp.einsum("nhqk,nhkd->nhqd", weight, v) / weight.sum(axis=-1, keepdims=True)
        return self.out(mixed.swapaxes(1, 2).reshape(n, tokens, width))

    def drop(self, h, key):
        if key is None or self.dropout == 0:
            return h
        kept = random.bernoulli(key, 1 - self.dropout, h.shape)
        return jnp.where(kept, h / (1 - self.dropout), 0)


class Block(nnx.Module):
    """A gated residual block: time attention, feature attention, side information."""

    def __init__(self, width: int, heads: int, dropout: float, series: bool, rngs: nnx.Rngs):
        self.step = Linear(STEP, width, rngs=rngs)
        self.time = Encoder(width, heads, dropout, rngs) if series else None
        self.feature = Encoder(width, heads, dropout, rngs)
        self.middle = Linear(width, 2 * width, rngs=rngs)
        self.side = Linear(TIME + FEATURE + 1, 2 * width, rngs=rngs)
        self.out = Linear(width, 2 * width, rngs=rngs)

    def __call__(self, x, step, time, feature, mask, key):
        n, length, d, width = x.shape
        k_time, k_feature = (None, None) if key is None else jax.random.split(key)
        h = x + self.step(step)[:, None, None]
        if self.time is not None:
            h = self.time(h.swapaxes(1, 2).reshape(n * d, length, width), k_time)
            h = h.reshape(n, d, length, width).swapaxes(1, 2)
        if d > 1 or self.time is None:
            h = self.feature(h.reshape(n * length, d, width), k_feature)
        h = self.middle(h.reshape(n, length, d, width)) + self.spread(time, feature, mask)
        gate, signal = jnp.split(h, 2, axis=-1)
        onward, skip = jnp.split(self.out(jax.nn.sigmoid(gate) * jnp.tanh(signal)), 2, axis=-1)
        return (x + onward) / math.sqrt(2), skip

    def spread(self, time, feature, mask):
        """The side information, projected part by part."""
        of_time, of_feature, of_mask = jnp.split(self.side.kernel[...], (TIME, TIME + FEATURE))
        rows = (time @ of_time)[:, :, None] + (feature @ of_feature)[None, None]
        bias: Any = self.side.bias
        return rows + mask[..., None] * of_mask[None, None] + bias[...][None, None, None]


class CSDITransformer(nnx.Module):
    """Two input channels, stacked blocks, skips summed, a small head that starts at zero."""

    def __init__(self, event, width, layers, heads, dropout, based, rngs: nnx.Rngs):
        series = len(event) == 2

        @nnx.split_rngs(splits=layers)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def stack(rngs):
            return Block(width, heads, dropout, series, rngs)

        self.layers = layers
        self.inside = Linear(4 if based else 2, width, rngs=rngs)
        self.feature = nnx.Embed(event[-1], FEATURE, rngs=rngs)
        self.embed = Linear(STEP, STEP, rngs=rngs)
        self.embed_again = Linear(STEP, STEP, rngs=rngs)
        self.blocks = stack(rngs)
        self.head = Linear(width, width, rngs=rngs)
        self.out = Linear(width, 1, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, x, t, values, mask, times, scale=None, rngs=None):
        shape, outside = x.shape, [x] if scale is None else [x, values, scale]
        if x.ndim == 2:  # a table: series of one step
            values, mask, *outside = (a[:, None] for a in (values, mask, *outside))
        shown = mask.astype(x.dtype)
        outside = [jnp.where(mask, 0, a) for a in outside]
        h = jnp.stack([jnp.where(mask, values, 0), *outside], axis=-1)
        h = jax.nn.silu(self.inside(h))
        # a hundred steps to the unit of t, as in the paper's grids
        step = jax.nn.silu(self.embed(waves(100 * t, STEP).astype(x.dtype)))
        step = jax.nn.silu(self.embed_again(step))
        time = waves(times.astype(t.dtype), TIME).astype(x.dtype)
        feature = self.feature.embedding[...]
        graph, blocks = nnx.split(self.blocks)
        keys = None if rngs is None else jax.random.split(rngs(), self.layers)

        def through(carry, layer):
            h, total = carry
            weights, key = layer
            h, skip = nnx.merge(graph, weights)(h, step, time, feature, shown, key)
            return (h, total + skip), None

        start, some = (h, jnp.zeros_like(h)), min(self.layers, UNROLLED)
        # what a scan keeps for its backward pass is copied into stacks and out again
        (_, total), _ = jax.lax.scan(through, start, (blocks, keys), unroll=some)
        h = jax.nn.silu(self.head(total / math.sqrt(self.layers)))
        return self.out(h)[..., 0].reshape(shape)


def csdi_transformer(
    event: tuple[int, ...],
    *,
    width: int = 64,
    layers: int = 4,
    heads: int = 8,
    dropout: float = 0.0,
    based: bool = False,
) -> Net:
    r"""CSDI's network, for rows of series `(time, channels)` or of tables `(d,)`.

    Each block adds the embedded diffusion time, attends over time in each channel and over
    channels at each time, adds the side information (128 waves of the position in time, 16 learned
    numbers for each channel, the context mask), gates, and hands on half of what comes out.

    `apply(params, x, t, (values, mask, times), key=None)`: `x` noisy rows, `t` of shape `(n,)` in
    [0, 1], `values` and `mask` (True = context) of the shape of `x`, and `times` of shape
    `(n, time)`, positions in steps. What `x` holds in the context, and `values` outside it, is not
    looked at. Tables have times of shape `(n, 1)`, and no attention over time.

    Args:
        event: shape of a row.
        width: channels inside, a multiple of `heads`.
        layers: number of blocks.
        heads: of each attention.
        dropout: in the transformer layers, in [0, 1); the paper's code has 0.1.
        based: the condition has a fourth part, and `values` and it are looked at outside the
            context too: mean and log scale of what a base says, in whose units `x` is; see
            `residual_mlp`.

    Returns:
        The network. It answers 0 at its start.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = csdi_transformer((50, 8))
        >>> x, t = jnp.ones((2, 50, 8)), jnp.full(2, 0.5)
        >>> cond = (x, jnp.full(x.shape, True), jnp.zeros((2, 50)))
        >>> params = net.init(jax.random.key(0), x, t, cond)
        >>> sum(leaf.size for leaf in jax.tree.leaves(params))
        413633

    Source: CSDI (Tashiro et al., 2021), section 4 and appendix E; CSBI (Chen et al., 2023),
    appendix C.4.

    Departures from the printed papers, and why: SiLU for every activation (CSBI differentiates the
    network twice); the diffusion time enters as waves of a real number, not as an integer index,
    so that continuous processes can use it.
    """
    return from_nnx(lambda rngs: CSDITransformer(event, width, layers, heads, dropout, based, rngs))

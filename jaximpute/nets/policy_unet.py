"""CSBI's forward policy: a small U-Net over the window, time by channels, without conditions.

Convolutions are matrix products of shifted copies: on CPU a convolution inside a loop is an order
of magnitude slower than outside one, and everything here runs inside loops.
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.csdi_transformer import waves
from jaximpute.nets.starts import Linear, lecun_normal
from jaximpute.types import Net


class Conv(nnx.Module):
    """A 3 x 3 convolution with zeros around, every `stride`-th answer."""

    def __init__(self, inside: int, outside: int, rngs: nnx.Rngs, stride: int = 1, zero=False):
        start = nnx.initializers.zeros if zero else lecun_normal
        self.stride = stride
        self.linear = Linear(9 * inside, outside, kernel_init=start, rngs=rngs)

    def __call__(self, h):
        _, height, width, _ = h.shape
        padded = jnp.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
        shifts = [
            padded[:, i : i + height : self.stride, j : j + width : self.stride]
            for i in range(3)
            for j in range(3)
        ]
        return self.linear(jnp.concatenate(shifts, axis=-1))


class Norm(nnx.Module):
    """Group normalisation, with at most 32 groups."""

    def __init__(self, width: int, rngs: nnx.Rngs):
        self.norm = nnx.GroupNorm(width, num_groups=min(32, width), rngs=rngs)

    def __call__(self, h):
        return self.norm(h)


class Residual(nnx.Module):
    """Two convolutions, the second normalisation scaled and shifted by the diffusion time."""

    def __init__(self, inside: int, outside: int, rngs: nnx.Rngs):
        self.first, self.second = Norm(inside, rngs), Norm(outside, rngs)
        self.up = Conv(inside, outside, rngs)
        self.step = Linear(4 * outside, 2 * outside, rngs=rngs)
        self.down = Conv(outside, outside, rngs, zero=True)
        self.skip = Linear(inside, outside, rngs=rngs) if inside != outside else None

    def __call__(self, h, step):
        scale, shift = jnp.split(self.step(step)[:, None, None], 2, axis=-1)
        inner = self.second(self.up(jax.nn.silu(self.first(h)))) * (1 + scale) + shift
        return (h if self.skip is None else self.skip(h)) + self.down(jax.nn.silu(inner))


class Attention(nnx.Module):
    """Attention among all places of the window."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs):
        self.heads = heads
        self.norm = Norm(width, rngs)
        self.qkv = Linear(width, 3 * width, rngs=rngs)
        self.out = Linear(width, width, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, h):
        n, height, width, _ = h.shape
        mixed = self.qkv(self.norm(h)).reshape(n, height * width, 3, self.heads, -1)
        q, k, v = mixed.transpose(2, 0, 3, 1, 4)
        weight = jax.nn.softmax(jnp.einsum("nhqd,nhkd->nhqk", q / math.sqrt(q.shape[-1]), k))
        mixed = jnp.einsum("nhqk,nhkd->nhqd", weight, v).swapaxes(1, 2).reshape(h.shape)
        return h + self.out(mixed)


class Stage(nnx.Module):
    """A residual block, and attention below the finest level."""

    def __init__(self, inside: int, width: int, heads: int, attend: bool, rngs: nnx.Rngs):
        self.residual = Residual(inside, width, rngs)
        self.attention = Attention(width, heads, rngs) if attend else None

    def __call__(self, h, step):
        h = self.residual(h, step)
        return h if self.attention is None else self.attention(h)


class PolicyUNet(nnx.Module):
    """Down through the levels, a middle, and up again with what was passed on the way down."""

    def __init__(self, width: int, levels: int, blocks: int, heads: int, rngs: nnx.Rngs):
        self.width = width
        self.embed = Linear(width, 4 * width, rngs=rngs)
        self.embed_again = Linear(4 * width, 4 * width, rngs=rngs)
        self.inside = Conv(1, width, rngs)

        def stages(inside, level, n):
            attend = level > 0
            return nnx.List([Stage(inside, width, heads, attend, rngs) for _ in range(n)])

        finer = range(levels - 1)
        self.down = nnx.List([stages(width, level, blocks) for level in range(levels)])
        self.shrink = nnx.List([Conv(width, width, rngs, stride=2) for _ in finer])
        self.middle = Stage(width, width, heads, True, rngs)
        self.middle_again = Residual(width, width, rngs)
        self.up = nnx.List([stages(2 * width, level, blocks + 1) for level in range(levels)])
        self.grow = nnx.List([Conv(width, width, rngs) for _ in finer])
        self.norm = Norm(width, rngs)
        self.outside = Conv(width, 1, rngs, zero=True)

    def __call__(self, x, t):
        step = self.embed_again(jax.nn.silu(self.embed(waves(100 * t, self.width).astype(x.dtype))))
        step = jax.nn.silu(step)
        h = self.inside(x.reshape(x.shape[0], -1, x.shape[-1], 1))
        passed = [h]
        for level, stages in enumerate(self.down):
            for stage in stages:
                passed.append(h := stage(h, step))
            if level < len(self.shrink):
                passed.append(h := self.shrink[level](h))
        h = self.middle_again(self.middle(h, step), step)
        for level in reversed(range(len(self.up))):
            for stage in self.up[level]:
                h = stage(jnp.concatenate([h, passed.pop()], axis=-1), step)
            if level > 0:
                _, height, width, _ = passed[-1].shape
                h = h.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
                h = self.grow[level - 1](h)
        return self.outside(jax.nn.silu(self.norm(h)))[..., 0].reshape(x.shape)


def policy_unet(*, width: int = 32, levels: int = 3, blocks: int = 2, heads: int = 2) -> Net:
    """A U-Net over windows `(time, channels)` of any size, as CSBI's forward policy.

    `apply(params, x, t, (), key=None)` with `x` of shape `(n, time, channels)` and `t` in [0, 1].

    Args:
        width: channels inside, at every level; even, and a multiple of `heads`.
        levels: resolutions, each half as fine as the one before.
        blocks: residual blocks of a level on the way down; there is one more on the way up.
        heads: of the attention, which is left out at the finest level.

    Returns:
        The network. It answers 0 at its start.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = policy_unet()
        >>> x, t = jnp.ones((2, 50, 8)), jnp.full(2, 0.5)
        >>> params = net.init(jax.random.key(0), x, t, ())
        >>> sum(leaf.size for leaf in jax.tree.leaves(params))
        664769

    Source: CSBI (Chen et al., 2023), appendix C.4, "U-Net for the forward policy".
    """
    return from_nnx(lambda rngs: PolicyUNet(width, levels, blocks, heads, rngs))

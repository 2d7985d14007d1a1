"""SPIRIT's score network: an MLP with adaptive layer normalisation."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.starts import Linear
from jaximpute.types import Net


def time_features(t: Float[Array, "n"], width: int) -> Float[Array, "n {width}"]:
    """Sines and cosines of log t at `width / 2` frequencies; `t` is a noise level or a time."""
    frequency = jnp.exp(jnp.linspace(0.0, math.log(100.0), width // 2)).astype(t.dtype)
    angle = jnp.log(t[:, None] + 1e-5) * frequency[None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Block(nnx.Module):
    """A residual layer whose normalisation is scaled, shifted and gated by the condition."""

    def __init__(self, width: int, rngs: nnx.Rngs):
        # the affine part of the normalisation comes from the condition
        self.norm = nnx.LayerNorm(width, use_scale=False, use_bias=False, rngs=rngs)
        self.modulation = Linear(width, 3 * width, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.up = Linear(width, width, rngs=rngs)
        self.down = Linear(width, width, rngs=rngs)

    def __call__(self, h, c):
        scale, shift, gate = jnp.split(self.modulation(c), 3, axis=-1)
        inner = self.norm(h) * (1 + scale) + shift
        return h + (1 + gate) * self.down(jax.nn.silu(self.up(inner)))


class AdaLNMLP(nnx.Module):
    """Rows and conditions flattened, a linear layer in, residual blocks, a linear layer out."""

    def __init__(self, event: tuple[int, ...], width: int, layers: int, cond: int, rngs: nnx.Rngs):
        size = math.prod(event)
        self.event = event
        self.inside = Linear(size + cond, width, rngs=rngs)
        self.embed = Linear(width, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        # a zero start makes the first score 0: no particle moves before anything is learned
        self.outside = Linear(width, size, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.width = width

    def __call__(self, x, t, *cond):
        c = jax.nn.silu(self.embed(time_features(t, self.width).astype(x.dtype)))
        parts = [a.astype(x.dtype).reshape(x.shape[0], -1) for a in (x, *cond)]
        h = self.inside(jnp.concatenate(parts, axis=1))
        for block in self.blocks:
            h = block(h, c)
        return self.outside(self.norm(h)).reshape(x.shape[0], *self.event)


def adaln_mlp(event: tuple[int, ...], *, width: int = 256, layers: int = 3, cond: int = 0) -> Net:
    r"""An MLP score network with adaptive layer normalisation, as SPIRIT uses.

    Each of the `layers` residual blocks computes
    :math:`h + (1 + g)\,W_2\,\mathrm{silu}(W_1(\mathrm{LN}(h)(1 + a) + b))` with :math:`a, b, g`
    linear in an embedding of the noise level `t`.

    Args:
        event: shape of one row, for instance `(24, 7)`; rows are flattened inside.
        width: hidden width, even.
        layers: number of residual blocks.
        cond: numbers that a row is conditioned on, of all conditions together.

    Returns:
        A `Net` whose conditions are flattened beside the row.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = adaln_mlp((4, 2), width=16)
        >>> x, t = jnp.ones((3, 4, 2)), jnp.full(3, 0.1)
        >>> net.apply(net.init(jax.random.key(0), x, t, ()), x, t, ()).shape
        (3, 4, 2)

    Source: SPIRIT (Chen et al., 2026), appendix C.2: three layers, width 256; the layer's form
    follows the adaptive-normalisation MLPs it cites.
    """
    return from_nnx(lambda rngs: AdaLNMLP(event, width, layers, cond, rngs))

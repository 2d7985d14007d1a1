"""An MLP for rows as deviations from what a base expects of them."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.csdi_transformer import waves
from jaximpute.nets.starts import Linear
from jaximpute.types import Net

_TIME = 64


class Block(nnx.Module):
    """A residual layer that is told the time: half as dear as one that is modulated by it."""

    def __init__(self, width: int, rngs: nnx.Rngs):
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.time = Linear(_TIME, width, rngs=rngs)
        self.up = Linear(width, width, rngs=rngs)
        self.down = Linear(width, width, rngs=rngs)

    def __call__(self, h, time):
        return h + self.down(jax.nn.silu(self.up(self.norm(h)) + self.time(time)))


class ResidualMLP(nnx.Module):
    """Deviations, means, scales and mask side by side; residual blocks that know the time."""

    def __init__(self, event: tuple[int, ...], width: int, layers: int, rngs: nnx.Rngs):
        size = math.prod(event)
        self.inside = Linear(4 * size, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.outside = Linear(width, size, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, x, t, mean, context, times, scale):
        del times  # an MLP knows its places
        time = waves(100 * t, _TIME).astype(x.dtype)
        parts = (jnp.where(context, 0, x), mean, jnp.where(context, 0, scale), context)
        flat = [part.astype(x.dtype).reshape(x.shape[0], -1) for part in parts]
        h = self.inside(jnp.concatenate(flat, axis=-1))
        for block in self.blocks:
            h = block(h, time)
        return self.outside(self.norm(h)).reshape(x.shape)


def residual_mlp(event: tuple[int, ...], *, width: int = 256, layers: int = 3) -> Net:
    r"""A network for what a base leaves open, for rows of any shape.

    `apply(params, x, t, (mean, context, times, scale))`: `x` noisy deviations from the mean in
    units of the scale, `t` of shape `(n,)` in [0, 1], `mean` and `scale` (its logarithm) what the
    base says given the context (True = known), where the mean is the value itself; `times` are not
    looked at.

    Args:
        event: shape of a row.
        width: of the layers.
        layers: residual blocks.

    Returns:
        The network. It answers 0 at its start.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = residual_mlp((6, 2), width=16)
        >>> x, t = jnp.ones((3, 6, 2)), jnp.full(3, 0.1)
        >>> cond = (x, jnp.full(x.shape, True), jnp.zeros((3, 6)), x)
        >>> float(jnp.abs(net.apply(net.init(jax.random.key(0), x, t, cond), x, t, cond)).max())
        0.0

    Source: the residual blocks are those of Gorishniy et al., "Revisiting deep learning models for
    tabular data" (2021), told the time.
    """
    return from_nnx(lambda rngs: ResidualMLP(event, width, layers, rngs))

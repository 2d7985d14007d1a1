"""MIRI's velocity network for tables: a plain MLP."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.starts import Linear, variance_scaling
from jaximpute.types import Net


class VelocityMLP(nnx.Module):
    """The state, the conditions and the time side by side, through SiLU layers."""

    def __init__(
        self,
        event: tuple[int, ...],
        cond: int,
        width: int,
        layers: int,
        zero: bool,
        rngs: nnx.Rngs,
    ):
        size = math.prod(event)
        self.event = event
        # a third of the variance of LeCun's rule, uniform: what the authors' library does
        spread = variance_scaling(1 / 3, uniform=True)
        widths = [(1 + cond) * size + 1, *[width] * layers]
        self.hidden = nnx.List(
            [Linear(a, b, kernel_init=spread, rngs=rngs) for a, b in pairwise(widths)]
        )
        last = nnx.initializers.zeros if zero else spread
        self.outside = Linear(width, size, kernel_init=last, rngs=rngs)

    def __call__(self, x, t, *cond):
        n = x.shape[0]
        rows = [block.reshape(n, -1) for block in (x, *cond)]
        time = jnp.broadcast_to(t.astype(x.dtype), (n,))[:, None]
        h = jnp.concatenate([*rows, time], axis=1)
        for layer in self.hidden:
            h = jax.nn.silu(layer(h))
        return self.outside(h).reshape(n, *self.event)


def velocity_mlp(
    event: tuple[int, ...],
    *,
    cond: int = 2,
    width: int = 256,
    layers: int = 3,
    zero: bool = False,
) -> Net:
    """The MLP with which MIRI learns velocities of tables.

    Args:
        event: shape of one row; rows are flattened inside.
        cond: number of conditioning arrays, each of the shape of a row: two for MIRI's filled
            layout, three for its padded one.
        width: hidden width (the authors' code has 1001).
        layers: hidden layers.
        zero: begin with a velocity of 0, so that a flow that has learned nothing moves nothing.

    Returns:
        A `Net`; `t` is a time in [0, 1], entered as it is.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = velocity_mlp((3,), width=16)
        >>> x, t = jnp.ones((5, 3)), jnp.zeros(5)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x, x)), x, t, (x, x)).shape
        (5, 3)

    Source: the public code of MIRI (Yu et al., 2025): three hidden layers with SiLU. The paper
    does not describe its networks.
    """
    return from_nnx(lambda rngs: VelocityMLP(event, cond, width, layers, zero, rngs))

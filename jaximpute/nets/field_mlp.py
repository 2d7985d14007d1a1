"""A network without locality, for fields on small grids."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.mlp import time_features
from jaximpute.nets.starts import Linear
from jaximpute.types import Net


class Block(nnx.Module):
    """A residual layer that the time scales and shifts.

    It has no normalisation: how large the values shown are says how large the answer should be.
    """

    def __init__(self, width: int, rngs: nnx.Rngs):
        self.modulation = Linear(width, 2 * width, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.up = Linear(width, width, rngs=rngs)
        self.down = Linear(width, width, rngs=rngs)

    def __call__(self, h, c):
        scale, shift = jnp.split(self.modulation(c), 2, axis=-1)
        return h + self.down(jax.nn.silu(self.up(h * (1 + scale) + shift)))


class FieldMLP(nnx.Module):
    """Values and context flattened, residual blocks that hear the time, a linear layer out."""

    def __init__(self, event, width: int, layers: int, beside: int, places: bool, rngs: nnx.Rngs):
        size = math.prod(event)
        self.event, self.width, self.places = event, width, places
        shown = 2 * size + size // event[-1] * beside + 3 * places
        self.inside = Linear(shown, width, rngs=rngs)
        self.embed = Linear(width, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(layers)])
        self.outside = Linear(width, size, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, x, t, context, *more):
        c = jax.nn.silu(self.embed(time_features(t, self.width).astype(x.dtype)))
        given = (x, context, *more[: len(more) - self.places])
        flat = [part.reshape(x.shape[0], -1) for part in given]
        if self.places:  # it knows its places from each other, and not where the whole lies
            flat.append(more[-1].reshape(x.shape[0], -1, 3).mean(axis=1))
        h = self.inside(jnp.concatenate(flat, axis=-1))
        for block in self.blocks:
            h = block(h, c)
        return self.outside(h).reshape(x.shape)


def field_mlp(
    event: tuple[int, ...],
    *,
    width: int = 256,
    layers: int = 2,
    beside: int = 0,
    places: bool = False,
) -> Net:
    """An MLP for whole fields: values and context in, values out.

    It learns each place anew, so it wants small grids; where blocks hide what lies far from what is
    observed, it does better than convolutions of the same cost.

    Args:
        event: shape of a field, `(time, y, x, channels)` or any other.
        width: hidden width, even.
        layers: number of residual blocks.
        beside: channels of a second condition, `(n, time, y, x, beside)`; 0 = there is none.
        places: whether the last condition is where each entry lies, `(n, time, y, x, 3)`.

    Returns:
        A `Net` whose first `cond` has the shape of `x`, the context. It answers 0 at its start.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = field_mlp((2, 4, 4, 1), width=16)
        >>> x, t = jnp.ones((3, 2, 4, 4, 1)), jnp.full(3, 0.1)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x,)), x, t, (x,)).shape
        (3, 2, 4, 4, 1)
    """
    return from_nnx(lambda rngs: FieldMLP(event, width, layers, beside, places, rngs))

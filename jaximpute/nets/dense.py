"""A plain MLP, with or without time, and with any number of further inputs."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaximpute.nets.contract import from_nnx
from jaximpute.nets.mlp import time_features
from jaximpute.nets.starts import Linear, xavier_normal
from jaximpute.types import Net

_ACTIVATIONS = {"relu": jax.nn.relu, "silu": jax.nn.silu}


class MLP(nnx.Module):
    """Rows and conditions flattened side by side; time is added after the first layer."""

    def __init__(
        self,
        event: tuple[int, ...],
        conds: int,
        widths: tuple[int, ...],
        activation: str,
        timed: bool,
        rngs: nnx.Rngs,
    ):
        size = math.prod(event)
        inputs = (size * (1 + conds), *widths[:-1])
        normal = xavier_normal
        self.layers = nnx.List(
            [
                Linear(a, b, kernel_init=normal, rngs=rngs)
                for a, b in zip(inputs, widths, strict=True)
            ]
        )
        self.outside = Linear(widths[-1], size, kernel_init=normal, rngs=rngs)
        self.embed = Linear(widths[0], widths[0], rngs=rngs) if timed else None
        self.event, self.activation = event, activation

    def __call__(self, x, t, *cond):
        parts = [a.astype(x.dtype).reshape(x.shape[0], -1) for a in (x, *cond)]
        h, activate = jnp.concatenate(parts, axis=-1), _ACTIVATIONS[self.activation]
        for k, layer in enumerate(self.layers):
            h = layer(h)
            if k == 0 and self.embed is not None:
                h = h + self.embed(time_features(t, h.shape[-1]).astype(h.dtype))
            h = activate(h)
        return self.outside(h).reshape(x.shape[0], *self.event)


def mlp(
    event: tuple[int, ...],
    *,
    conds: int = 0,
    widths: tuple[int, ...] = (256, 256),
    activation: str = "silu",
    timed: bool = True,
) -> Net:
    """An MLP on flattened rows and conditions.

    Args:
        event: shape of one row and of each condition.
        conds: number of conditions, for instance 1 for a mask.
        widths: of the hidden layers; the first is even if `timed`.
        activation: `silu` or `relu`.
        timed: whether the noise level or time `t`, positive, is seen; it is ignored otherwise.

    Returns:
        A `Net`; it starts from Glorot's normal weights.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = mlp((3,), conds=1, widths=(16,))
        >>> x, t, mask = jnp.ones((2, 3)), jnp.full(2, 0.1), jnp.full((2, 3), True)
        >>> net.apply(net.init(jax.random.key(0), x, t, (mask,)), x, t, (mask,)).shape
        (2, 3)
    """
    return from_nnx(lambda rngs: MLP(event, conds, widths, activation, timed, rngs))

"""An energy network: rows to numbers, by an MLP of Swish units with a slope of their own."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from jaximpute._errors import OptionError
from jaximpute.nets.contract import from_nnx
from jaximpute.nets.starts import Linear
from jaximpute.types import Net


class Swish(nnx.Module):
    r""":math:`h\, \mathrm{sigmoid}(\beta h)` with a learned :math:`\beta` for each unit."""

    def __init__(self, width: int):
        self.beta = nnx.Param(jnp.ones(width))

    def __call__(self, h):
        return h * jax.nn.sigmoid(self.beta[...][None] * h)


class Energy(nnx.Module):
    """Rows flattened, hidden layers, one number."""

    def __init__(self, event: tuple[int, ...], width: int, layers: int, rngs: nnx.Rngs):
        sizes = [math.prod(event)] + [width] * layers
        self.layers = nnx.List([Linear(i, o, rngs=rngs) for i, o in pairwise(sizes)])
        self.swish = nnx.List([Swish(width) for _ in range(layers)])
        # a zero start makes the first score 0: no row moves before anything is learned
        self.outside = Linear(width, 1, kernel_init=nnx.initializers.zeros, rngs=rngs)

    def __call__(self, x, t):
        """One energy for each row; `t` is not used."""
        del t
        h = x.reshape(x.shape[0], -1)
        for layer, swish in zip(self.layers, self.swish, strict=True):
            h = swish(layer(h))
        return self.outside(h)[:, 0]


def energy_mlp(event: tuple[int, ...], *, width: int = 128, layers: int = 2) -> Net:
    r"""An energy :math:`E_\theta`, whose negative gradient in a row is a score.

    Args:
        event: shape of one row; rows are flattened inside.
        width: hidden width, at least 1.
        layers: number of hidden layers, at least 1.

    Returns:
        A `Net` whose `apply` gives one number for each row; it ignores `t` and takes no
        conditioning inputs.

    Raises:
        OptionError: a number out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = energy_mlp((3,), width=16)
        >>> x, t = jnp.ones((4, 3)), jnp.zeros(4)
        >>> net.apply(net.init(jax.random.key(0), x, t, ()), x, t, ()).shape
        (4,)

    Source: KnewImp (Chen et al., 2024), whose public settings have two layers of 128 or 256 units.
    """
    if width < 1 or layers < 1:
        raise OptionError(f"width is {width} and layers {layers}; expected both at least 1")
    return from_nnx(lambda rngs: Energy(event, width, layers, rngs))

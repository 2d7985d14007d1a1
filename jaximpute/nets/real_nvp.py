"""An invertible network: affine couplings (RealNVP), each half of a row moved by the other."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.nets.contract import from_nnx
from jaximpute.nets.starts import Linear
from jaximpute.types import Net


class Coupling(nnx.Module):
    """One half of a row, stretched and shifted by functions of the other half."""

    def __init__(self, given: int, moved: int, width: int, clamp: float, rngs: nnx.Rngs):
        self.layers = nnx.List([Linear(given, width, rngs=rngs), Linear(width, width, rngs=rngs)])
        self.outside = Linear(width, 2 * moved, rngs=rngs)
        self.clamp = clamp

    def __call__(self, given: Float[Array, "n g"]) -> tuple[jax.Array, jax.Array]:
        """The log of the stretch, within the clamp, and the shift."""
        h = given
        for layer in self.layers:
            h = jax.nn.selu(layer(h))
        raw, shift = jnp.split(self.outside(h), 2, axis=-1)
        return self.clamp * (2 / math.pi) * jnp.arctan(raw), shift


class RealNVP(nnx.Module):
    """Blocks of two couplings: the second half by the first, then the first by the new second."""

    def __init__(self, d: int, blocks: int, width: int, clamp: float, rngs: nnx.Rngs):
        first, second = d // 2, d - d // 2
        self.first = first
        self.down = nnx.List([Coupling(first, second, width, clamp, rngs) for _ in range(blocks)])
        self.up = nnx.List([Coupling(second, first, width, clamp, rngs) for _ in range(blocks)])

    def __call__(self, x, t):
        """Rows, transformed; `t` is not used."""
        del t
        a, b = x[:, : self.first], x[:, self.first :]
        for down, up in zip(self.down, self.up, strict=True):
            stretch, shift = down(a)
            b = b * jnp.exp(stretch) + shift
            stretch, shift = up(b)
            a = a * jnp.exp(stretch) + shift
        return jnp.concatenate([a, b], axis=1)

    def inverse(self, y: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The rows that were transformed into `y`."""
        a, b = y[:, : self.first], y[:, self.first :]
        for down, up in zip(reversed(self.down), reversed(self.up), strict=True):
            stretch, shift = up(b)
            a = (a - shift) * jnp.exp(-stretch)
            stretch, shift = down(a)
            b = (b - shift) * jnp.exp(-stretch)
        return jnp.concatenate([a, b], axis=1)


def real_nvp(d: int, *, blocks: int = 3, width: int | None = None, clamp: float = 2.0) -> Net:
    r"""An invertible network on rows of `d` columns.

    Each block moves one half of the row and then the other,

    .. math::
        b \leftarrow b \odot e^{s_1(a)} + t_1(a), \qquad
        a \leftarrow a \odot e^{s_2(b)} + t_2(b), \qquad
        s = \tfrac{2c}{\pi} \arctan(\cdot)

    with :math:`s, t` from an MLP of two hidden SELU layers, so that no block stretches or shrinks a
    column by more than :math:`e^c`.

    Args:
        d: number of columns, at least 2.
        blocks: number of blocks, at least 1.
        width: hidden width of the MLPs; `2 * d` by default.
        clamp: :math:`c`, the largest log-stretch of a coupling, positive.

    Returns:
        A `Net` that ignores `t` and takes no conditioning inputs.

    Raises:
        OptionError: a number out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = real_nvp(3)
        >>> x, t = jnp.ones((4, 3)), jnp.zeros(4)
        >>> net.apply(net.init(jax.random.key(0), x, t, ()), x, t, ()).shape
        (4, 3)

    Source: Dinh et al., "Density estimation using Real NVP" (2017); sizes and clamp as in TDM (Zhao
    et al., 2023).
    """
    if d < 2 or blocks < 1 or not clamp > 0:
        raise OptionError(
            f"d is {d}, blocks {blocks} and clamp {clamp}; expected at least 2 columns (one half "
            "of a row moves the other), 1 block, and a positive clamp"
        )
    return from_nnx(lambda rngs: RealNVP(d, blocks, width or 2 * d, clamp, rngs))

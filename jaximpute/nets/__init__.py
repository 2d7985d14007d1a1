"""Networks as pairs of pure functions, and adapters from Flax."""

from jaximpute.nets.contract import from_linen, from_nnx
from jaximpute.nets.dense import mlp
from jaximpute.nets.mlp import adaln_mlp

__all__ = ["adaln_mlp", "from_linen", "from_nnx", "mlp"]

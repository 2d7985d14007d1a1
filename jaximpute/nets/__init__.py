"""Networks as pairs of pure functions, and adapters from Flax."""

from jaximpute.nets.contract import from_linen, from_nnx
from jaximpute.nets.energy import energy_mlp
from jaximpute.nets.mlp import adaln_mlp
from jaximpute.nets.real_nvp import real_nvp

__all__ = ["adaln_mlp", "energy_mlp", "from_linen", "from_nnx", "real_nvp"]

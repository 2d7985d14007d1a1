"""Networks as pairs of pure functions, and adapters from Flax."""

from jaximpute.nets.contract import from_linen, from_nnx
from jaximpute.nets.csdi_transformer import csdi_transformer
from jaximpute.nets.dense import mlp
from jaximpute.nets.energy import energy_mlp
from jaximpute.nets.images import residual_cnn, unet
from jaximpute.nets.mlp import adaln_mlp
from jaximpute.nets.policy_unet import policy_unet
from jaximpute.nets.real_nvp import real_nvp
from jaximpute.nets.velocity import velocity_mlp

__all__ = [
    "adaln_mlp",
    "csdi_transformer",
    "energy_mlp",
    "from_linen",
    "from_nnx",
    "mlp",
    "policy_unet",
    "real_nvp",
    "residual_cnn",
    "unet",
    "velocity_mlp",
]

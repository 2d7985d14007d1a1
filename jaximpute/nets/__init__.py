"""Networks as pairs of pure functions, and adapters from Flax."""

from jaximpute.nets.contract import from_linen, from_nnx
from jaximpute.nets.csdi_transformer import csdi_transformer
from jaximpute.nets.field_mlp import field_mlp
from jaximpute.nets.field_unet import field_unet
from jaximpute.nets.fno import fno
from jaximpute.nets.mlp import adaln_mlp
from jaximpute.nets.spacetime_unet import spacetime_unet

__all__ = [
    "adaln_mlp",
    "csdi_transformer",
    "field_mlp",
    "field_unet",
    "fno",
    "from_linen",
    "from_nnx",
    "spacetime_unet",
]

"""Networks as pairs of pure functions, and adapters from Flax."""

from jaximpute.nets.contract import from_linen, from_nnx
from jaximpute.nets.csdi_transformer import csdi_transformer
from jaximpute.nets.dense import mlp
from jaximpute.nets.energy import energy_mlp
from jaximpute.nets.field_eof import field_eof
from jaximpute.nets.field_mlp import field_mlp
from jaximpute.nets.field_unet import field_unet
from jaximpute.nets.fno import fno
from jaximpute.nets.images import residual_cnn, unet
from jaximpute.nets.interpolated import SURFACES, interpolated
from jaximpute.nets.mlp import adaln_mlp
from jaximpute.nets.policy_unet import policy_unet
from jaximpute.nets.real_nvp import real_nvp
from jaximpute.nets.residual_mlp import residual_mlp
from jaximpute.nets.shifted import shifted
from jaximpute.nets.spacetime_unet import spacetime_unet
from jaximpute.nets.velocity import velocity_mlp
from jaximpute.nets.wrappers import in_bfloat16, remat

__all__ = [
    "SURFACES",
    "adaln_mlp",
    "csdi_transformer",
    "energy_mlp",
    "field_eof",
    "field_mlp",
    "field_unet",
    "fno",
    "from_linen",
    "from_nnx",
    "in_bfloat16",
    "interpolated",
    "mlp",
    "policy_unet",
    "real_nvp",
    "remat",
    "residual_cnn",
    "residual_mlp",
    "shifted",
    "spacetime_unet",
    "unet",
    "velocity_mlp",
]

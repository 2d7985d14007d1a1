"""Networks as pairs of pure functions, and adapters from Flax."""

from jaximpute.nets.contract import from_linen, from_nnx
from jaximpute.nets.csdi_transformer import csdi_transformer
from jaximpute.nets.mlp import adaln_mlp
from jaximpute.nets.policy_unet import policy_unet

__all__ = ["adaln_mlp", "csdi_transformer", "from_linen", "from_nnx", "policy_unet"]

"""The published methods, one file each."""

from jaximpute.methods.csbi import csbi, csbi0
from jaximpute.methods.csbi_warmup import csbi_warmup
from jaximpute.methods.diffusion import diffusion
from jaximpute.methods.spirit import spirit

__all__ = ["csbi", "csbi0", "csbi_warmup", "diffusion", "spirit"]

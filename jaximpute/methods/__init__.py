"""The published methods, one file each."""

from jaximpute.methods.diffusion import diffusion
from jaximpute.methods.spirit import spirit

__all__ = ["diffusion", "spirit"]

"""The published methods, one file each."""

from jaximpute.methods.diffusion import diffusion
from jaximpute.methods.miri import miri, miri_mean
from jaximpute.methods.spirit import spirit

__all__ = ["diffusion", "miri", "miri_mean", "spirit"]

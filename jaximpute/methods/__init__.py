"""The published methods, one file each."""

from jaximpute.methods.context_query import context_query, query_loss
from jaximpute.methods.diffusion import diffusion
from jaximpute.methods.miri import miri, miri_mean
from jaximpute.methods.spirit import spirit

__all__ = [
    "context_query",
    "diffusion",
    "miri",
    "miri_mean",
    "query_loss",
    "spirit",
]

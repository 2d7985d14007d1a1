"""The published methods, one file each."""

from jaximpute.methods.context_query import context_query, query_loss
from jaximpute.methods.diffusion import diffusion
from jaximpute.methods.spirit import spirit

__all__ = ["context_query", "diffusion", "query_loss", "spirit"]

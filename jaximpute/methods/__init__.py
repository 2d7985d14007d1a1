"""The published methods, one file each."""

from jaximpute.methods.context_query import context_query, query_loss
from jaximpute.methods.csbi import csbi, csbi0
from jaximpute.methods.csbi_warmup import csbi_warmup
from jaximpute.methods.diffusion import diffusion
from jaximpute.methods.miri import miri, miri_mean
from jaximpute.methods.spirit import spirit

__all__ = [
    "context_query",
    "csbi",
    "csbi0",
    "csbi_warmup",
    "diffusion",
    "miri",
    "miri_mean",
    "query_loss",
    "spirit",
]

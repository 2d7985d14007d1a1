r"""Missingness simulators: who goes missing, and why.

Each factory returns a pure, jittable `(key, x) -> mask` for complete data `x` of shape
`(n, *event)`; `True` = stays observed. The last axis is the columns (channels), and `p` is always
the expected share of entries hidden. Every mask leaves at least one entry of each column observed:
see `spare`.
"""

from jaximpute.missing._common import Missing, spare
from jaximpute.missing.again import again, hidden_again
from jaximpute.missing.entries import mar, mcar, mnar_quantile, mnar_self
from jaximpute.missing.fields import blocks, pixels, stations, swath
from jaximpute.missing.patterns import block, resample_own

__all__ = [
    "Missing",
    "again",
    "block",
    "blocks",
    "hidden_again",
    "mar",
    "mcar",
    "mnar_quantile",
    "mnar_self",
    "pixels",
    "resample_own",
    "spare",
    "stations",
    "swath",
]

"""A codec as values for JSON, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaximpute.data.circles import Circle
from jaximpute.data.codec import Codec, Levels


def to_plain(codec: Codec) -> dict[str, Any]:
    """A codec as values for JSON, in which floats keep every bit."""
    return {
        "numeric": codec.numeric.tolist(),
        "centre": codec.centre.tolist(),
        "scale": codec.scale.tolist(),
        "whole": codec.whole.tolist(),
        "levels": [
            [block.column, block.codes.tolist(), block.share.tolist(), block.scale]
            for block in codec.levels
        ],
        "constants": [[column, value] for column, value in codec.constants.items()],
        "unlearned": [[column, reason] for column, reason in codec.unlearned.items()],
        "low": [None if np.isinf(end) else end for end in codec.low.tolist()],
        "high": [None if np.isinf(end) else end for end in codec.high.tolist()],
        "pair": [[None if np.isnan(x) else x for x in ends] for ends in codec.pair.tolist()],
        "circles": [[*circle._replace(centre=circle.centre.tolist())] for circle in codec.circles],
        "exact": codec.exact,
    }


def from_plain(plain: Mapping[str, Any]) -> Codec:
    """The inverse of `to_plain`."""
    circles = [Circle(*parts) for parts in plain["circles"]]
    return Codec(
        np.array(plain["numeric"], int),
        np.array(plain["centre"], float),
        np.array(plain["scale"], float),
        np.array(plain["whole"], bool),
        tuple(
            Levels(column, np.array(codes, float), np.array(share, float), scale)
            for column, codes, share, scale in plain["levels"]
        ),
        dict(plain["constants"]),
        dict(plain["unlearned"]),
        np.array([-np.inf if end is None else end for end in plain["low"]], float),
        np.array([np.inf if end is None else end for end in plain["high"]], float),
        np.array(plain["pair"], float).reshape(-1, 2),
        tuple(circle._replace(centre=np.array(circle.centre, float)) for circle in circles),
        plain["exact"],
    )

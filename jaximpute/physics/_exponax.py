"""Flows by exponax, whose first axis is x and whose vorticity has the opposite sign."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import DataError, need_extra


def frames(
    vorticity: Float[Array, "y x"], flow: Any, number: int, dt: Any, substeps: int
) -> Float[Array, "frames y x"]:
    """Frames of a flow by exponential time differencing of fourth order.

    Args:
        vorticity: the first frame, as many cells along y as along x.
        flow: a `navier_stokes.Flow`.
        number: of frames, the first included.
        dt: length of a step.
        substeps: steps from frame to frame.

    Raises:
        MissingExtraError: exponax is not installed.
        DataError: the grid is not square.
    """
    size = vorticity.shape[0]
    if vorticity.shape != (size, size):
        raise DataError(
            f"vorticity has {vorticity.shape} cells; exponax takes as many along y as along x; "
            "expected a square, or engine='own'"
        )
    step = _stepper(size, flow, dt)

    def frame(state, _):
        after = jax.lax.fori_loop(0, substeps, lambda _, w: step(w), state)
        return after, -state[0].T

    return jax.lax.scan(frame, -vorticity.T[None], length=number)[1]


def _stepper(size: int, flow: Any, dt: Any) -> Any:
    try:
        from exponax import stepper
    except ImportError as error:
        raise need_extra("exponax", "physics", "engine='exponax'") from error
    common = {"diffusivity": flow.viscosity, "drag": -jnp.asarray(flow.drag), "order": 4}
    # turned about and of the other sign, the force along x is the same but for its sign
    return stepper.KolmogorovFlowVorticity(
        2,
        2 * math.pi,
        size,
        dt,
        injection_mode=flow.crests,
        injection_scale=-jnp.asarray(flow.force),
        **common,
    )

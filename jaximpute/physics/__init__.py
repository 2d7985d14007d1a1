"""Simulated fields with known laws: data to complete, and the best that any method could do.

Fields are periodic on a rectangle, with arrays `(y, x)` or `(y, x, variables)`; a simulator adds a
leading axis of frames. Everything is a pure function of arrays, and sample `i` of a data set
depends on its key and on `i` alone: see `initial.many`.
"""

from jaximpute.physics import (
    advection,
    bayes,
    divergence,
    initial,
    navier_stokes,
    shallow_water,
)

__all__ = ["advection", "bayes", "divergence", "initial", "navier_stokes", "shallow_water"]

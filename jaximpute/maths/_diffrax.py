"""What the wrappers of diffrax add to it; imported late, because diffrax takes a second."""

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import PRNGKeyArray

SOLVERS = {"euler": diffrax.Euler, "heun": diffrax.Heun, "tsit5": diffrax.Tsit5}


def counted(steps: int, dtype: DTypeLike) -> dict[str, Any]:
    """Times of a solution that counts its steps, from 0 to their number.

    diffrax compares them, of plain numbers while it traces, of arrays by a callback in the program:
    one that holds a callback is compiled anew at each start. Plain numbers have the type that jax
    has by default; for others, as float32 where x64 is on, the callback stays.
    """
    if jnp.dtype(dtype) == jnp.result_type(float):
        return {"t0": 0.0, "t1": float(steps), "dt0": 1.0}
    return {
        "t0": jnp.zeros((), dtype),
        "t1": jnp.asarray(steps, dtype),
        "dt0": jnp.ones((), dtype),
    }


class ScalarNoise(diffrax.ControlTerm):
    """`g(t) dW` with a scalar g: diffrax would otherwise want a matrix."""

    def prod(self, vf, control):
        return vf * control


class Hooked(diffrax.Euler):
    """Euler steps, each followed by a correction and a projection of the new state."""

    hook: Callable
    key: PRNGKeyArray

    def init(self, terms, t0, t1, y0, args):
        return jnp.zeros((), jnp.int32)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        y1, error, _, _, result = super().step(terms, t0, t1, y0, args, None, made_jump)
        y1 = self.hook(jax.random.fold_in(self.key, solver_state), t1, y1)
        return y1, error, {"y0": y0, "y1": y1}, solver_state + 1, result


class Projected(diffrax.AbstractSolver):
    """Another solver's steps, each followed by a projection of the new state."""

    solver: diffrax.AbstractSolver
    project: Callable
    interpolation_cls: ClassVar = diffrax.LocalLinearInterpolation

    @property
    def term_structure(self):
        return self.solver.term_structure

    def order(self, terms):
        return self.solver.order(terms)

    def init(self, terms, t0, t1, y0, args):
        return self.solver.init(terms, t0, t1, y0, args)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        # a jump: the last stage of the step before was evaluated where the state no longer is
        y1, error, _, solver_state, result = self.solver.step(
            terms, t0, t1, y0, args, solver_state, True
        )
        y1 = self.project(t1, y1)
        return y1, error, {"y0": y0, "y1": y1}, solver_state, result

    def func(self, terms, t0, y0, args):
        return self.solver.func(terms, t0, y0, args)

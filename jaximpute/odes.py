"""Ordinary differential equations on fixed steps: a thin wrapper of diffrax."""

from collections.abc import Callable
from typing import ClassVar

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.types import Scalar

Velocity = Callable[[jax.Array, Float[Array, ""]], jax.Array]
Project = Callable[[Float[Array, ""], jax.Array], jax.Array]

_SOLVERS = {"euler": diffrax.Euler, "heun": diffrax.Heun, "tsit5": diffrax.Tsit5}
# velocities evaluated in a step, by solver
EVALUATIONS = {"euler": 1, "heun": 2, "tsit5": 6}


class _Projected(diffrax.AbstractSolver):
    """Another solver's steps, each followed by a projection of the new state."""

    solver: diffrax.AbstractSolver
    project: Project
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


def integrate(
    velocity: Velocity,
    x: Float[Array, "*shape"],
    *,
    t0: Scalar = 0.0,
    t1: Scalar = 1.0,
    steps: int,
    solver: str = "heun",
    project: Project | None = None,
) -> Float[Array, "*shape"]:
    r"""Solve :math:`dx/dt = v(x, t)` from `t0` to `t1` in equal steps.

    Time is counted in steps, so that their number is exact in any precision and a backward run
    (`t1 < t0`) is an ordinary one.

    Args:
        velocity: `(x, t) -> array`, with a scalar `t`.
        x: the state at `t0`, of any shape.
        t0: where time starts.
        t1: where it ends; it may lie before `t0`.
        steps: number of steps, at least 1.
        solver: `euler` (one evaluation of the velocity in a step), `heun` (two) or `tsit5` (six).
        project: `(t, x) -> x`, applied after every step, for instance to clip.

    Returns:
        The state at `t1`.

    Raises:
        OptionError: no such solver, or fewer than one step.

    Example:
        >>> import jax.numpy as jnp
        >>> x = integrate(lambda x, t: -x, jnp.ones(2), steps=8, solver="tsit5")
        >>> bool(abs(x[0] - jnp.exp(-1.0)) < 1e-5)
        True
    """
    if solver not in _SOLVERS:
        raise OptionError(f"solver is '{solver}'; expected one of {', '.join(_SOLVERS)}")
    if steps < 1:
        raise OptionError(f"steps is {steps}; expected at least 1")
    h = (t1 - t0) / steps
    # narrow types cannot count to 257
    wide = jnp.promote_types(x.dtype, jnp.float32)

    def when(s):
        return t0 + h * s

    def field(s, x, args):
        return h * velocity(x, when(s))

    method: diffrax.AbstractSolver = _SOLVERS[solver]()
    if project is not None:
        method = _Projected(method, lambda s, x: project(when(s), x))
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        method,
        t0=jnp.zeros((), wide),
        t1=jnp.asarray(steps, wide),
        dt0=jnp.ones((), wide),
        y0=x.astype(wide),
        saveat=diffrax.SaveAt(t1=True),
        adjoint=diffrax.ForwardMode(),
        max_steps=steps,
        throw=False,
    )
    return solution.ys[0].astype(x.dtype)

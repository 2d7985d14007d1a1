"""Ordinary differential equations on fixed steps: a thin wrapper of diffrax."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import check_chosen, check_positive
from jaximpute.types import Scalar

Velocity = Callable[[jax.Array, Float[Array, ""]], jax.Array]
Project = Callable[[Float[Array, ""], jax.Array], jax.Array]

# velocities evaluated in a step, by solver
EVALUATIONS = {"euler": 1, "heun": 2, "tsit5": 6}


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
    check_chosen(solver=(solver, EVALUATIONS))
    check_positive(steps=steps)
    import diffrax

    from jaximpute.maths import _diffrax

    h = (t1 - t0) / steps
    # narrow types cannot count to 257
    wide = jnp.promote_types(x.dtype, jnp.float32)

    def when(s):
        return t0 + h * s

    def field(s, x, args):
        found = velocity(x, when(s))
        chex.assert_equal_shape([x, found])
        return h * found

    method: diffrax.AbstractSolver = _diffrax.SOLVERS[solver]()
    if project is not None:
        method = _diffrax.Projected(method, lambda s, x: project(when(s), x))
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        method,
        **_diffrax.counted(steps, wide),
        y0=x.astype(wide),
        saveat=diffrax.SaveAt(t1=True),
        adjoint=diffrax.ForwardMode(),
        max_steps=steps,
        throw=False,
    )
    return solution.ys[0].astype(x.dtype)


def exponential(
    clean: Velocity,
    marginal: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    x: Float[Array, "*shape"],
    times: Float[Array, "m"],
) -> Float[Array, "*shape"]:
    r"""The probability flow of a diffusion, its linear part solved exactly.

    With :math:`\lambda = \log(\alpha / \sigma)` and D the mean of the clean rows, a step from t to
    s is

    .. math:: x_s = \frac{\sigma_s}{\sigma_t} x_t + \alpha_s (1 - e^{-h}) \tilde D, \qquad
        h = \lambda_s - \lambda_t

    where :math:`\tilde D` is D extrapolated to the middle of the step from this time and the one
    before: second order, at one evaluation a step.

    Args:
        clean: `(x, t) -> array`, the mean of the clean rows given noisy ones, with a scalar `t`.
        marginal: of a `Process`.
        x: the state at the first time.
        times: falling, and more than 0.

    Returns:
        The state at the last time.

    Example:
        >>> import jax.numpy as jnp
        >>> marginal = lambda t: (1.0, t)
        >>> gaussian = lambda x, t: x / (1 + t**2)  # the clean rows are N(0, 1)
        >>> times = 10.0 ** jnp.linspace(1, -2, 20)
        >>> float(exponential(gaussian, marginal, jnp.sqrt(jnp.array([101.0])), times)[0].round(1))
        1.0

    Source: Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic
    models" (2022), algorithm 2 (2M).
    """

    def log_ratio(t):
        alpha, sigma = marginal(t)
        return jnp.log(alpha / sigma)

    def step(carry, now):
        x, before, gap = carry
        t, s = now
        h = log_ratio(s) - log_ratio(t)
        found = clean(x, t)
        # no step before the first one: nothing to extrapolate from
        ahead = found + jnp.where(gap > 0, h / (2 * jnp.where(gap > 0, gap, 1)), 0) * (
            found - before
        )
        alpha, sigma = marginal(s)
        x = sigma / marginal(t)[1] * x - alpha * jnp.expm1(-h) * ahead
        return (x.astype(found.dtype), found, h.astype(gap.dtype)), None

    carry = x, jnp.zeros_like(x), jnp.zeros((), x.dtype)
    (x, _, _), _ = jax.lax.scan(step, carry, (times[:-1], times[1:]))
    return x

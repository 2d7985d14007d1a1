"""Thin wrappers of diffrax, with the settings that are fast on fixed steps."""

from collections.abc import Callable

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaximpute.types import PRNGKey, Process

Project = Callable[[PRNGKey, Float[Array, ""], jax.Array], jax.Array]


class _ScalarNoise(diffrax.ControlTerm):
    """`g(t) dW` with a scalar g: diffrax would otherwise want a matrix."""

    def prod(self, vf, control):
        return vf * control


class _Projected(diffrax.Euler):
    """Euler steps, each followed by a projection of the new state."""

    project: Project
    key: PRNGKeyArray

    def init(self, terms, t0, t1, y0, args):
        return jnp.zeros((), jnp.int32)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        y1, error, _, _, result = super().step(terms, t0, t1, y0, args, None, made_jump)
        # diffrax runs time backwards by negating it
        y1 = self.project(jax.random.fold_in(self.key, solver_state), jnp.abs(t1), y1)
        return y1, error, {"y0": y0, "y1": y1}, solver_state + 1, result


def reverse_sde(
    process: Process,
    score: Callable[[jax.Array, Float[Array, ""]], jax.Array],
    key: PRNGKey,
    x: Float[Array, "n *event"],
    *,
    steps: int = 100,
    t_end: float = 1e-3,
    project: Project | None = None,
) -> Float[Array, "n *event"]:
    r"""Run a process backwards under a score, by Euler-Maruyama.

    .. math:: dx = [f(x, t) - g(t)^2 \nabla\log p_t(x)]\,dt + g(t)\,d\bar W, \quad t: 1 \to t_{end}

    Args:
        process: what is reversed.
        score: `(x, t) -> array`.
        key: for the noise and the projections.
        x: the state at t = 1, for instance a draw of `process.prior`.
        steps: number of Euler steps, at least 1.
        t_end: where to stop, in (0, 1): the score is not defined at 0.
        project: `(key, t, x) -> x`, applied after every step, for instance to put observed entries
            back at their noise level.

    Returns:
        The state at `t_end`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaximpute.processes import ve
        >>> process = ve(0.01, 5.0)  # data N(2, 0.5^2), whose score is known at every time
        >>> score = lambda x, t: -(x - 2.0) / (0.25 + process.marginal(t)[1] ** 2)
        >>> k_prior, k_run = jax.random.split(jax.random.key(0))
        >>> x = reverse_sde(process, score, k_run, process.prior(k_prior, (2000, 1)), steps=200)
        >>> bool(abs(x.mean() - 2.0) < 0.15), bool(abs(x.std() - 0.5) < 0.1)
        (True, True)

    Source: Song et al. (2021), eq. (6); SPIRIT (Chen et al., 2026), eq. (4).
    """
    k_path, k_project = jax.random.split(key)

    def drift(t, x, args):
        return process.drift(x, t) - process.diffusion(t) ** 2 * score(x, t)

    path = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct(x.shape, x.dtype), k_path)
    noise = _ScalarNoise(lambda t, x, args: process.diffusion(t), path)
    keep = (lambda key, t, x: x) if project is None else project
    solution = diffrax.diffeqsolve(
        diffrax.MultiTerm(diffrax.ODETerm(drift), noise),
        _Projected(project=keep, key=k_project),
        t0=1.0,
        t1=t_end,
        dt0=-(1.0 - t_end) / steps,
        y0=x,
        saveat=diffrax.SaveAt(t1=True),
        adjoint=diffrax.ForwardMode(),
        max_steps=steps + 1,
        throw=False,
    )
    return solution.ys[0]

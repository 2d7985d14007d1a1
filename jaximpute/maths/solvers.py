"""Thin wrappers of diffrax, with the settings that are fast on fixed steps."""

import math
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute.maths import random
from jaximpute.types import PRNGKey, Process, Scalar

Field = Callable[[jax.Array, Float[Array, ""]], jax.Array]
Project = Callable[[PRNGKey, Float[Array, ""], jax.Array], jax.Array]


def euler_maruyama(
    drift: Field,
    diffusion: Callable[[Float[Array, ""]], jax.Array],
    key: PRNGKey,
    x: Float[Array, "n *event"],
    *,
    t0: float,
    t1: float,
    steps: int = 100,
    correct: Project | None = None,
    project: Project | None = None,
    save: bool = False,
) -> Float[Array, "..."]:
    r"""Solve :math:`dx = f(x, t)\,dt + g(t)\,dW` in equal steps, forwards or backwards in time.

    Args:
        drift: `(x, t) -> array`, f; of a reverse equation if `t1 < t0`.
        diffusion: `t -> scalar`, g.
        key: for the noise and the hooks.
        x: the state at `t0`.
        t0: where time starts, not negative.
        t1: where it ends, not negative.
        steps: number of steps, at least 1.
        correct: `(key, t, x) -> x`, applied after every step (see `langevin`).
        project: `(key, t, x) -> x`, applied after that, for instance to put observed entries back.
        save: return the whole path.

    Returns:
        The state at `t1`, or with `save` the states after each step, of shape `(steps, n, *event)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> k_run, k_start = jax.random.split(jax.random.key(0))
        >>> x = jax.random.normal(k_start, (4000, 1))  # what this Ornstein-Uhlenbeck process keeps
        >>> x = euler_maruyama(
        ...     lambda x, t: -x, lambda t: jnp.sqrt(2.0), k_run, x, t0=0.0, t1=1.0, steps=50
        ... )
        >>> bool(abs(x.std() - 1.0) < 0.05)
        True
    """
    import diffrax

    from jaximpute.maths import _diffrax

    chex.assert_type(x, float)
    k_path, k_hooks = jax.random.split(key)
    h = (t1 - t0) / steps
    path = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct(x.shape, x.dtype), k_path)

    def when(s):
        return (t0 + h * s).astype(x.dtype)

    def hook(key, s, x):
        k_correct, k_project = jax.random.split(key)
        x = x if correct is None else correct(k_correct, when(s), x)
        return x if project is None else project(k_project, when(s), x)

    # time is counted in steps: their number is then exact, and running backwards nothing special
    solution = diffrax.diffeqsolve(
        diffrax.MultiTerm(
            diffrax.ODETerm(lambda s, x, args: h * drift(x, when(s))),
            _diffrax.ScalarNoise(lambda s, x, args: math.sqrt(abs(h)) * diffusion(when(s)), path),
        ),
        _diffrax.Hooked(hook=hook, key=k_hooks),
        **_diffrax.counted(steps, jnp.promote_types(x.dtype, jnp.float32)),
        y0=x,
        saveat=diffrax.SaveAt(steps=True) if save else diffrax.SaveAt(t1=True),
        adjoint=diffrax.ForwardMode(),
        max_steps=steps,
        throw=False,
    )
    assert solution.ys is not None
    return solution.ys if save else solution.ys[0]


def langevin(
    score: Field, *, snr: Scalar = 0.1, steps: int = 1, where: jax.Array | None = None
) -> Project:
    r"""The Langevin corrector: steps towards :math:`p_t` that leave it as it is.

    .. math:: x \leftarrow x + \epsilon\, s(x, t) + \sqrt{2 \epsilon}\,\xi, \qquad
        \epsilon = 2 \Big(r \frac{\|\xi\|}{\|s\|}\Big)^2

    with norms averaged over the rows.

    Args:
        score: `(x, t) -> array`, of the density at time t.
        snr: :math:`r`, signal to noise, positive.
        steps: corrections in a row, at least 1.
        where: `(n, *event)`, the entries that are corrected; norms are over these alone, and the
            rest stays as it is. None = all.

    Returns:
        A hook for `euler_maruyama` and `reverse_sde`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> correct = langevin(lambda x, t: -x, snr=0.4, steps=40)
        >>> x = correct(jax.random.key(0), jnp.ones(()), 2 * jnp.ones((500, 2)))
        >>> bool(abs(x.mean()) < 0.3)
        True

    Source: Song et al. (2021), algorithm 4.
    """

    def inside(v):
        return v if where is None else jnp.where(where, v, 0)

    def norm(v):
        return jnp.sqrt(jnp.sum(v**2, axis=tuple(range(1, v.ndim)))).mean()

    def correct(key: PRNGKey, t: Float[Array, ""], x: jax.Array) -> jax.Array:
        def once(x, i):
            noise = inside(random.normal(jax.random.fold_in(key, i), x.shape, x.dtype))
            gradient = inside(score(x, t))
            chex.assert_equal_shape([x, gradient])
            tiny = jnp.finfo(x.dtype).tiny
            size = 2 * (snr * norm(noise) / jnp.maximum(norm(gradient), tiny)) ** 2
            # no score, no scale to step by
            size = jnp.where(norm(gradient) > 0, size, 0)
            return x + size * gradient + jnp.sqrt(2 * size) * noise, None

        return jax.lax.scan(once, x, jnp.arange(steps))[0]

    return correct


def reverse_sde(
    process: Process,
    score: Field,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    *,
    steps: int = 100,
    t_end: float = 1e-3,
    correct: Project | None = None,
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
        correct: see `euler_maruyama`.
        project: `(key, t, x) -> x`, applied after every step, for instance to put observed entries
            back at their noise level.

    Returns:
        The state at `t_end`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaximpute.maths.processes import ve
        >>> process = ve(0.01, 5.0)  # data N(2, 0.5^2), whose score is known at every time
        >>> score = lambda x, t: -(x - 2.0) / (0.25 + process.marginal(t)[1] ** 2)
        >>> k_prior, k_run = jax.random.split(jax.random.key(0))
        >>> x = reverse_sde(process, score, k_run, process.prior(k_prior, (2000, 1)), steps=200)
        >>> bool(abs(x.mean() - 2.0) < 0.15), bool(abs(x.std() - 0.5) < 0.1)
        (True, True)

    Source: Song et al. (2021), eq. (6); SPIRIT (Chen et al., 2026), eq. (4).
    """

    def drift(x, t):
        found = score(x, t)
        chex.assert_equal_shape([x, found])
        return process.drift(x, t) - process.diffusion(t) ** 2 * found

    return euler_maruyama(
        drift,
        process.diffusion,
        key,
        x,
        t0=1.0,
        t1=t_end,
        steps=steps,
        correct=correct,
        project=project,
    )

r"""Draws by a bridge: Algorithm 4, and the probability flow by two kinds of solvers.

A sampler takes policies `(x, t) -> z`, with `t` of shape `(n,)`, and draws `x` of the prior, and
returns rows. All of them stop at the same noise, however few their steps, and end with the mean of
the clean rows there:

.. math:: \frac{1}{\alpha}\Big(x + \frac{\sigma^2}{g} z^b\Big), \qquad
    \sigma / \alpha = 0.005 \text{ of a standard deviation}

So what this mean lacks in spread does not depend on the number of steps.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.maths.odes import exponential, integrate
from jaximpute.maths.solvers import euler_maruyama, langevin
from jaximpute.methods.papers.csbi.bridge import Policy, step_noise
from jaximpute.types import PRNGKey, Process, Scalar

SAMPLERS = ("sde", "heun", "tsit5", "exponential")
LAST_NOISE = 0.005  # over the signal, where draws end and the warm-up begins


def draw(
    sampler: str,
    process: Process,
    back: Policy,
    fore: Policy,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    *,
    steps: int,
    snr: Scalar = 0.0,
    where: Bool[Array, "n *event"] | None = None,
) -> Float[Array, "n *event"]:
    """Data from draws of the prior, by the sampler of a name in `SAMPLERS`."""
    if sampler == "sde":
        return sde(process, back, fore, key, x, steps=steps, snr=snr, where=where)
    if sampler == "exponential":
        return exponential_flow(process, back, fore, x, steps=steps)
    return flow(process, back, fore, x, steps=steps, solver=sampler)


def sde(
    process: Process,
    back: Policy,
    fore: Policy,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    *,
    steps: int,
    snr: Scalar = 0.0,
    where: Bool[Array, "n *event"] | None = None,
) -> Float[Array, "n *event"]:
    r"""Algorithm 4: eq. (11b) in equal steps of time, each with a Langevin correction or none.

    The corrector's score is :math:`(z^b + z^f) / g`; the forward policy is used for nothing else.
    """
    end = last_time(process)
    h = (1 - end) / max(steps - 1, 1)

    def drift(x, t):
        rate = step_noise(process, t, h) ** 2 / process.diffusion(t)
        return process.drift(x, t) - rate * back(x, _rows(t, x))

    def score(x, t):
        return (back(x, _rows(t, x)) + fore(x, _rows(t, x))) / process.diffusion(t)

    # a traced ratio is not known to be 0
    plain = isinstance(snr, int | float) and snr == 0
    if steps > 1:
        x = euler_maruyama(
            drift,
            lambda t: step_noise(process, t, h),
            key,
            x,
            t0=1.0,
            t1=end,
            steps=steps - 1,
            correct=None if plain else langevin(score, snr=snr, where=where),
        )
    return _mean_of_clean(process, back, x, end)


def flow(
    process: Process,
    back: Policy,
    fore: Policy,
    x: Float[Array, "n *event"],
    *,
    steps: int,
    solver: str = "heun",
) -> Float[Array, "n *event"]:
    r"""The probability flow in equal steps of time.

    .. math:: \frac{dx}{dt} = f - \frac{g}{2}\,(z^b - z^f)
    """
    end = last_time(process)

    def velocity(x, t):
        pull = back(x, _rows(t, x)) - fore(x, _rows(t, x))
        return process.drift(x, t) - process.diffusion(t) / 2 * pull

    if steps > 1:
        x = integrate(velocity, x, t0=1.0, t1=end, steps=steps - 1, solver=solver)
    return _mean_of_clean(process, back, x, end)


def exponential_flow(
    process: Process,
    back: Policy,
    fore: Policy,
    x: Float[Array, "n *event"],
    *,
    steps: int,
) -> Float[Array, "n *event"]:
    r"""The probability flow with its linear part solved exactly, in equal steps of its noise level.

    The flow is that of a diffusion whose score is :math:`(z^b - z^f) / g`, see `odes.exponential`.
    """

    def clean(x, t):
        """The mean of the clean rows that such a diffusion would have."""
        return _mean_of_clean(process, lambda x, t: back(x, t) - fore(x, t), x, t)

    times = falling_times(process, steps).astype(x.dtype)
    return _mean_of_clean(process, back, exponential(clean, process.marginal, x, times), times[-1])


def last_time(process: Process) -> float:
    """The time at which a process has as little noise as draws end with."""
    with jax.ensure_compile_time_eval():
        return float(_times_of(process, jnp.log(LAST_NOISE)))


def falling_times(process: Process, steps: int) -> Float[Array, "{steps}"]:
    """Times from 1 to `last_time`, one for a step, equally far apart in the log of noise to signal.

    Example:
        >>> from jaximpute.maths.processes import ve
        >>> [round(float(t), 2) for t in falling_times(ve(0.01, 10.0), 4)]
        [1.0, 0.63, 0.27, 0.02]
    """
    alpha, sigma = process.marginal(jnp.ones(()))
    levels = jnp.linspace(jnp.log(sigma / alpha), jnp.log(LAST_NOISE), steps)
    return _times_of(process, levels)


def _times_of(process: Process, levels: jax.Array) -> jax.Array:
    """The times at which the log of noise to signal, which rises with time, has these values."""
    log_time = jnp.linspace(jnp.log(1e-7), 0.0, 4001)
    alpha, sigma = process.marginal(jnp.exp(log_time))
    return jnp.exp(jnp.interp(levels, jnp.log(sigma / alpha), log_time))


def _mean_of_clean(process: Process, back: Policy, x: jax.Array, t) -> jax.Array:
    """The mean of the clean rows, for a step without a forward policy."""
    t = jnp.asarray(t, x.dtype)
    alpha, sigma = process.marginal(t)
    return (x + sigma**2 / process.diffusion(t) * back(x, _rows(t, x))) / alpha


def _rows(t, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(t, x.shape[:1]).astype(x.dtype)

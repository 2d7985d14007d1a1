"""A network whose answer is linear in what it is shown, by weights that depend on where."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaximpute._errors import OptionError
from jaximpute.maths import processes, random
from jaximpute.nets.contract import from_nnx
from jaximpute.types import Net, Process

LEAST = 1e-3  # of the noise variance: what single precision can still solve
_TOGETHER = 32  # systems side by side on an accelerator
# a device's fast products keep three digits, and these feed a factorisation
exact = partial(jnp.matmul, precision="highest")


class FieldEOF(nnx.Module):
    """Learned modes, fitted to what is shown."""

    def __init__(self, event, modes, process: Process, rngs: nnx.Rngs):
        size = math.prod(event)
        modes = min(modes, size)
        self.process = process
        self.mean = nnx.Param(jnp.zeros(size))
        # of unit variance everywhere, and no more related than chance has it
        self.modes = nnx.Param(random.normal(rngs.params(), (modes, size)) / modes**0.5)
        self.log_noise = nnx.Param(jnp.full((), -3.0))

    def __call__(self, x, t, context):
        n = x.shape[0]
        seen = context.reshape(n, -1)
        alpha, sigma = (v[:, None] for v in self.process.marginal(jnp.broadcast_to(t, (n,))))
        mean, modes = self.mean[...][None], self.modes[...]
        noise = sigma**2 + LEAST + jnp.exp(self.log_noise[...])
        y = seen * (x.reshape(n, -1) - alpha * mean)
        return (mean + exact(fit(modes, alpha * seen, y, noise), modes)).reshape(x.shape)


def fit(
    modes: Float[Array, "k d"],
    gain: Float[Array, "n d"],
    y: Float[Array, "n d"],
    noise: Float[Array, "n 1"],
) -> Float[Array, "n k"]:
    r"""Ridge regression of each row on the modes as that row sees them.

    .. math:: (\Phi_g \Phi_g^\top + s^2 I)\, z = \Phi_g y, \qquad \Phi_g = \Phi\, \mathrm{diag}(g)

    Its gradient solves the same system once more, and goes through no factorisation.

    Args:
        modes: :math:`\Phi`.
        gain: :math:`g`, 0 where a row is not seen.
        y: the rows.
        noise: :math:`s^2`, positive.

    Returns:
        Weights :math:`z`.
    """
    fixed = jax.lax.stop_gradient(modes)

    def times(z):
        return exact(exact(z, modes) * gain**2, modes.T) + noise * z

    def solve(_, b):
        def each(solver, **how):
            return lambda rows: jax.lax.map(lambda row: solver(fixed, *row), rows, **how)

        together = each(_solve, batch_size=min(_TOGETHER, len(b)))
        return jax.lax.platform_dependent((gain, noise, b), cpu=each(_alone), default=together)

    return jax.lax.custom_linear_solve(times, exact(gain * y, modes.T), solve, symmetric=True)


def _solve(modes, gain, noise, b):
    shown = modes * gain[None]
    system = exact(shown, shown.T) + jnp.diag(jnp.broadcast_to(noise, len(modes)))
    return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(system), True), b)


# see `jaximpute.maths.gaussians`: batched factorisations on a CPU can wait for each other for ever
_alone = jax.custom_batching.sequential_vmap(_solve)


def field_eof(event: tuple[int, ...], *, modes: int = 128, process: Process | None = None) -> Net:
    r"""Learned modes in space and time, fitted to the context: a Gaussian field's best answer.

    .. math:: x_\theta = \mu + \Phi^\top z, \qquad
        z = \arg\min_z \frac{\|x_t - \alpha_t (\mu + \Phi^\top z)\|_{\mathrm{ctx}}^2}
        {\sigma_t^2 + s^2} + \|z\|^2

    with :math:`\mu, \Phi, s` learned. For :math:`x_0 = \mu + \Phi^\top z` with
    :math:`z \sim N(0, I)` this is :math:`\mathbb{E}[x_0 \mid \mathrm{context}]` at every time and
    for every context. The modes are the empirical orthogonal functions of oceanography up to a
    rotation, learned from what was queried instead of a covariance. What is not linear it does not
    see, and each place is learned by itself: for small grids, many fields.

    Args:
        event: shape of a field, `(time, y, x, channels)` or any other.
        modes: how many, at least 1; at most one for each entry is used.
        process: that of the method which trains it, whose answers are data, not noise;
            `processes.vp()` if None.

    Returns:
        A `Net` whose `cond` is one array of the shape of `x`, the context.

    Raises:
        OptionError: no modes.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = field_eof((2, 4, 4, 1), modes=3)
        >>> x, t = jnp.ones((2, 2, 4, 4, 1)), jnp.full(2, 0.1)
        >>> net.apply(net.init(jax.random.key(0), x, t, (x,)), x, t, (x,)).shape
        (2, 2, 4, 4, 1)

    Source: ours. For modes learned from gappy data see Beckers and Rixen, "EOF calculations and
    data filling from incomplete oceanographic datasets" (2003).
    """
    if modes < 1:
        raise OptionError(f"modes is {modes}; expected at least 1")
    process = processes.vp() if process is None else process
    return from_nnx(lambda rngs: FieldEOF(event, modes, process, rngs))

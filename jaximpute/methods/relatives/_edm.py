"""The preconditioned denoiser of Karras et al. (2022): its loss, and draws of missing entries."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.maths import random
from jaximpute.types import Net, Params, PRNGKey, Process

SPREAD = 0.5  # of the data the preconditioning expects
_LEVEL = -1.2, 1.2  # mean and spread of the logarithm of the noise level in training


def denoise(
    net: Net, params: Params, x: Float[Array, "n *event"], sigma: Float[Array, "n"], key=None
) -> Float[Array, "n *event"]:
    r"""The clean row expected behind a noisy one, table 1 of the paper.

    .. math:: D(x; \sigma) = \frac{s^2}{s^2 + \sigma^2} x
        + \frac{\sigma s}{\sqrt{s^2 + \sigma^2}}\, F_\theta\Big(\frac{x}{\sqrt{s^2 + \sigma^2}},
        \sigma\Big), \qquad s = 1/2
    """
    level = sigma.reshape(-1, *(1,) * (x.ndim - 1))
    total = jnp.sqrt(SPREAD**2 + level**2)
    raw = net.apply(params, x / total, sigma, (), key)
    return (SPREAD / total) ** 2 * x + level * SPREAD / total * raw


def loss(net: Net, params: Params, key: PRNGKey, x: Float[Array, "n *event"]) -> Float[Array, ""]:
    """Squared error of the denoised rows, weighted so that every level starts at one."""
    k_level, k_noise, k_net = jax.random.split(key, 3)
    mean, spread = _LEVEL
    sigma = jnp.exp(mean + spread * jax.random.normal(k_level, x.shape[:1], x.dtype))
    level = sigma.reshape(-1, *(1,) * (x.ndim - 1))
    noisy = x + level * random.normal(k_noise, x.shape, x.dtype)
    weight = (SPREAD**2 + level**2) / (level * SPREAD) ** 2
    return (weight * (denoise(net, params, noisy, sigma, k_net) - x) ** 2).mean()


def draw(
    net: Net,
    params: Params,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    *,
    process: Process,
    levels: int,
    resamplings: int,
    churn: float = 1.0,
) -> Float[Array, "n *event"]:
    """Missing entries drawn by Heun steps down the noise levels, each taken several times.

    After each step the observed entries are put back at their new noise level. All but the last
    time the row is then made noisier again, up to the level the step began at, so that what was
    drawn can settle with what is observed (RePaint).

    Args:
        net: the raw network F.
        params: its parameters.
        key: for all noise.
        x: rows; what is not observed is ignored.
        mask: True = observed.
        process: its marginal at equally spaced times gives the levels.
        levels: how many, at least 2.
        resamplings: times each step is taken, at least 1.
        churn: noise added before each step, `S_churn` of the paper.

    Returns:
        The rows, with noise at the lowest level left on all their entries.
    """
    sigmas = process.marginal(jnp.linspace(1.0, 0.0, levels, dtype=x.dtype))[1]
    gamma = min(churn / levels, math.sqrt(2) - 1)
    k_start, k_run = jax.random.split(key)

    def normal(key):
        return random.normal(key, x.shape, x.dtype)

    def slope(y, sigma):
        return (y - denoise(net, params, y, jnp.full(y.shape[:1], sigma, y.dtype))) / sigma

    def heun(key, y, now, after):
        raised = now * (1 + gamma)
        y = y + jnp.sqrt(raised**2 - now**2) * normal(key)
        first = slope(y, raised)
        second = slope(y + (after - raised) * first, after)
        return y + (after - raised) * (first + second) / 2

    def level(y, inputs):
        i, now, after = inputs

        def once(j, y):
            k = jax.random.fold_in(k_run, i * resamplings + j)
            k_step, k_observed, k_back = jax.random.split(k, 3)
            y = heun(k_step, y, now, after)
            y = jnp.where(mask, x + after * normal(k_observed), y)
            back = y + jnp.sqrt(now**2 - after**2) * normal(k_back)
            return jnp.where(j == resamplings - 1, y, back)

        return jax.lax.fori_loop(0, resamplings, once, y), None

    start = process.prior(k_start, x.shape).astype(x.dtype)
    steps = (jnp.arange(levels - 1), sigmas[:-1], sigmas[1:])
    return jax.lax.scan(level, start, steps)[0]

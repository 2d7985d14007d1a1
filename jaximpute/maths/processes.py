"""Noising processes `dx = f(x, t) dt + g(t) dW` on t in [0, 1], from data to noise."""

import math

import jax.numpy as jnp

from jaximpute.maths import random
from jaximpute.types import Process


def vp(beta_min: float = 0.1, beta_max: float = 20.0) -> Process:
    r"""The variance-preserving process, with a linear rate.

    .. math:: dx = -\tfrac12 \beta(t)\,x\,dt + \sqrt{\beta(t)}\,dW, \quad
        \beta(t) = \beta_{\min} + t\,(\beta_{\max} - \beta_{\min})

    Args:
        beta_min: rate at t = 0, positive.
        beta_max: rate at t = 1.

    Returns:
        The process; its marginal is `alpha(t) x_0 + sigma(t) noise` with alpha^2 + sigma^2 = 1.

    Example:
        >>> alpha, sigma = vp().marginal(0.5)
        >>> round(float(alpha**2 + sigma**2), 5)
        1.0

    Source: Song et al., "Score-Based Generative Modeling through SDEs" (2021), eq. (32).
    """

    def rate(t):
        return beta_min + t * (beta_max - beta_min)

    def marginal(t):
        integral = beta_min * t + t**2 * (beta_max - beta_min) / 2
        # expm1 keeps sigma exact near t = 0, where 1 - alpha^2 would cancel
        return jnp.exp(-integral / 2), jnp.sqrt(-jnp.expm1(-jnp.asarray(integral)))

    return Process(
        marginal,
        lambda x, t: -rate(t) / 2 * x,
        lambda t: jnp.sqrt(rate(t)),
        lambda key, shape: random.normal(key, shape),
    )


def sub_vp(beta_min: float = 0.1, beta_max: float = 20.0) -> Process:
    r"""The sub-variance-preserving process: the signal of `vp`, with less noise at every time.

    .. math:: dx = -\tfrac12 \beta(t)\,x\,dt + \sqrt{\beta(t)(1 - \alpha(t)^4)}\,dW, \quad
        \sigma(t) = 1 - \alpha(t)^2

    Args:
        beta_min: rate at t = 0, positive.
        beta_max: rate at t = 1.

    Returns:
        The process.

    Example:
        >>> alpha, sigma = sub_vp().marginal(0.5)
        >>> bool(sigma < vp().marginal(0.5)[1])
        True

    Source: Song et al. (2021), eq. (29).
    """
    plain = vp(beta_min, beta_max)

    def marginal(t):
        alpha, sigma = plain.marginal(t)
        return alpha, sigma**2

    def diffusion(t):
        _, sigma = plain.marginal(t)
        # 1 - alpha^4 = (1 - alpha^2)(1 + alpha^2), without cancellation
        return plain.diffusion(t) * sigma * jnp.sqrt(2 - sigma**2)

    return Process(marginal, plain.drift, diffusion, plain.prior)


def ve(sigma_min: float = 0.01, sigma_max: float = 10.0) -> Process:
    r"""The variance-exploding process, geometric in its noise level.

    .. math:: dx = g(t)\,dW, \quad g(t) = \sigma(t)\sqrt{2\ln(\sigma_{\max}/\sigma_{\min})}, \quad
        \sigma(t) = \sigma_{\min} (\sigma_{\max}/\sigma_{\min})^t

    Args:
        sigma_min: noise level at t = 0, positive.
        sigma_max: noise level at t = 1, larger than the spread of the data.

    Returns:
        The process; its marginal is `x_0 + sqrt(sigma(t)^2 - sigma_min^2) noise`.

    Example:
        >>> alpha, sigma = ve(0.1, 10.0).marginal(1.0)
        >>> float(alpha), round(float(sigma), 3)
        (1.0, 10.0)

    Source: Song et al. (2021), eq. (30).
    """
    log_ratio = math.log(sigma_max / sigma_min)

    def marginal(t):
        variance = sigma_min**2 * jnp.expm1(2 * log_ratio * jnp.asarray(t))
        return jnp.ones_like(variance), jnp.sqrt(variance)

    return Process(
        marginal,
        lambda x, t: jnp.zeros_like(x),
        lambda t: sigma_min * jnp.exp(log_ratio * t) * math.sqrt(2 * log_ratio),
        lambda key, shape: marginal(1.0)[1] * random.normal(key, shape),
    )


def edm(sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Process:
    r"""Noise that grows as the power `rho` of time, so that equal steps are short where it is low.

    .. math:: x_t = x_0 + \sigma(t)\,\epsilon, \quad \sigma(t) = \big[\sigma_{\min}^{1/\rho}
        + t\,(\sigma_{\max}^{1/\rho} - \sigma_{\min}^{1/\rho})\big]^\rho

    Args:
        sigma_min: noise level at t = 0, positive: the process starts from data that noisy.
        sigma_max: noise level at t = 1, far larger than the spread of the data.
        rho: the power, at least 1.

    Returns:
        The process; it has no drift.

    Example:
        >>> sigma = edm().marginal(0.5)[1]
        >>> round(float(sigma), 3)
        2.515

    Source: Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models"
    (2022), equation (5).
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)

    def level(t):
        return (low + jnp.asarray(t) * (high - low)) ** rho

    def diffusion(t):
        growth = rho * (high - low) * (low + jnp.asarray(t) * (high - low)) ** (rho - 1)
        return jnp.sqrt(2 * level(t) * growth)

    return Process(
        lambda t: (jnp.ones_like(level(t)), level(t)),
        lambda x, t: jnp.zeros_like(x),
        diffusion,
        lambda key, shape: sigma_max * random.normal(key, shape),
    )

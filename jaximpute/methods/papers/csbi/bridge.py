r"""The pieces of a Schrodinger bridge: policies, what they are trained on, and the paths they make.

The forward and backward policies are :math:`z^f = g\nabla\log\psi` and
:math:`z^b = g\nabla\log\hat\varphi`; the bridge runs as

.. math:: dx = [f + g z^f]\,dt + g\,dW, \qquad dx = [f - g z^b]\,dt + g\,d\bar W

(CSBI, eq. 11), and :math:`z^f + z^b = g\nabla\log p_t`. Time is a grid of `i / steps`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.masking import masked_mean
from jaximpute.maths import random
from jaximpute.maths.solvers import euler_maruyama
from jaximpute.methods._conditional import Batch, per_row
from jaximpute.types import Net, Params, PRNGKey, Process

Policy = Callable[..., jax.Array]


class Bridge(NamedTuple):
    """A process on a grid of times.

    Attributes:
        process: what moves where both policies are zero.
        steps: of the grid, which is `1 / steps, ..., 1`.
    """

    process: Process
    steps: int


def step_noise(process: Process, t: jax.Array, h: float) -> jax.Array:
    r"""Root of the mean of :math:`g^2` over the step of length `h` that ends at `t`.

    Euler steps with it have the variance of the process, however few they are: with g taken at
    either end of a step it would be off by a tenth at a hundred steps.
    """
    before = jnp.maximum(t - h, 0)
    (now_a, now_s), (old_a, old_s) = process.marginal(t), process.marginal(before)
    return jnp.sqrt((now_s**2 - (now_a / old_a * old_s) ** 2) / h)


def backward_policy(net: Net, process: Process, scaled: bool) -> Policy:
    r"""The backward policy `(params, x, t, cond, key=None) -> z` of a conditional network.

    Scaled, the network F sees inputs of variance one, for standardised data, and answers with
    variance one at every time:

    .. math:: z = -g \Big( \frac{x}{v} + \frac{\alpha}{\sigma\sqrt v}\, F(x / \sqrt v) \Big), \quad
        v = \alpha^2 + \sigma^2

    which is the score of white noise of variance one, plus what the network knows: the
    preconditioning of Karras et al. (2022) for data of spread one (`methods/relatives/_edm.py` has
    it for a denoiser). Otherwise it answers z itself, as printed.
    """

    def policy(params, x, t, cond, key=None):
        if not scaled:
            return net.apply(params, x, t, cond, key)
        alpha, sigma, size = _scale(process, x, t)
        inner = net.apply(params, x / size, t, cond, key)
        return -per_row(process.diffusion(t), x) * (x / size + alpha / sigma * inner) / size

    return policy


def forward_policy(net: Net | None, process: Process, scaled: bool) -> Policy:
    """The forward policy `(params, x, t, cond=(), key=None) -> z`; zero without a network."""

    def policy(params, x, t, cond=(), key=None):
        if net is None:
            return jnp.zeros_like(x)
        return net.apply(params, x / _scale(process, x, t)[2] if scaled else x, t, (), key)

    return policy


def _scale(process: Process, x: jax.Array, t: jax.Array) -> tuple[jax.Array, ...]:
    """Signal, noise, and the spread of both together, of rows whose data have spread one."""
    alpha, sigma = (per_row(part, x) for part in process.marginal(t))
    return alpha, sigma, jnp.sqrt(alpha**2 + sigma**2)


def hold(process: Process, rows: Batch, x: jax.Array, t: jax.Array) -> jax.Array:
    r"""States of rows with their context where the process takes it without noise.

    .. math:: x_{\mathrm{cond}} \leftarrow \alpha(t)\, x_{\mathrm{cond}}

    For a variance-exploding process this is eq. (13), which has the same context at both ends of a
    path, and line 5 of Algorithm 4. Both policies see the same state then, so that they sum to
    :math:`g\nabla\log p_t(x_{\mathrm{target}} \mid x_{\mathrm{cond}})` whatever the forward one is.
    """
    alpha = per_row(process.marginal(t)[0], x)
    return jnp.where(rows.context, alpha * rows.values, x)


def given(process: Process, rows: Batch, policy: Callable[..., jax.Array]) -> Policy:
    """A policy `(x, t) -> z` on paths of rows: it sees their context held, and leaves it alone."""

    def held(x, t):
        return jnp.where(rows.context, 0, policy(hold(process, rows, x, t), t))

    return held


def score_matching(
    policy: Policy,
    process: Process,
    params: Params,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    where: Bool[Array, "n *event"],
    t: Float[Array, "n"],
    cond: tuple[jax.Array, ...],
) -> Float[Array, ""]:
    r"""The warm-up: denoising score matching of the backward policy.

    .. math:: \mathbb{E}\; \mathrm{mean}_{\mathrm{where}}\;
        \frac{\alpha^2 + \sigma^2}{\alpha^2} \Big\| \frac{\sigma}{g} z_\theta + \epsilon \Big\|^2

    The weight makes the target of a scaled policy's network one of variance one at every time.
    """
    k_noise, k_net = jax.random.split(key)
    alpha, sigma = (per_row(part, x) for part in process.marginal(t))
    g = per_row(process.diffusion(t), x)
    noise = random.normal(k_noise, x.shape, x.dtype)
    z = policy(params, alpha * x + sigma * noise, t, cond, k_net)
    return masked_mean((sigma / g * z + noise) ** 2 * (1 + (sigma / alpha) ** 2), where)


def likelihood(
    own: Callable[[Params, jax.Array], jax.Array],
    params: Params,
    other: Float[Array, "n *event"],
    g: Float[Array, "n"],
    key: PRNGKey | None,
    x: Float[Array, "n *event"],
    weight: Float[Array, "n *event"],
    *,
    probes: int = 1,
    probe: str = "rademacher",
    noise: Float[Array, "n *event"] | None = None,
) -> Float[Array, ""]:
    r"""The divergence-based likelihood of one policy given the other, eq. (12a) and (12b).

    .. math:: \sum_i w_i \left[\tfrac12 z_i^2 + z_i \bar z_i + g\, e_i (\partial z\, e)_i\right]

    whose expectation is to be minimised. Hutchinson's probes :math:`e` are zero where weights are,
    which leaves the expectation as it is and drops terms that only add variance.

    The gradient is taken forward over reverse: with :math:`v(x, c) = \nabla_\theta\, c^\top z(x)`,
    it is the derivative of :math:`v(x + s e,\; w (g e + s (z + \bar z)))` by :math:`s` at 0. That
    is one pass, and costs two of score matching.

    Args:
        own: `(params, x) -> z`, the policy being trained.
        params: of it; gradients flow into nothing else.
        other: of the other policy at `x`.
        g: the diffusion at each row's time.
        key: for the probes.
        x: states on the path of the other policy.
        weight: of each entry, 0 or more; see `entry_weights`.
        probes: number of probes, at least 1; the mean over them is taken.
        probe: `rademacher`, whose diagonal terms are exact, or `gaussian`.
        noise: one probe, given: of the covariance of the process's noise where that is not white.

    Returns:
        The sum.

    Source: CSBI, eq. (12); Chen et al., "Likelihood training of Schrodinger bridge" (2022).
    """
    if noise is None:
        drawn = _probes(key, x, weight, probes, probe)
    else:
        drawn, probes = noise[None], 1
    fixed, other = jax.lax.stop_gradient((params, other))

    def along(e):
        push = per_row(g, x) * e

        def slope(s):
            z, pull = jax.vjp(lambda p: own(p, x + s * e), fixed)
            return pull((weight * (push + s * (z + other))).astype(z.dtype))[0], z

        still, moving = jnp.zeros((), x.dtype), jnp.ones((), x.dtype)
        (_, z), (grads, dz) = jax.jvp(slope, (still,), (moving,))
        return jnp.sum(weight * (z**2 / 2 + z * other + push * dz)), grads

    if probes == 1:  # an axis of one probe would be carried through the whole network
        value, grads = along(drawn[0])
    else:
        value, grads = jax.tree.map(lambda part: part.mean(axis=0), jax.vmap(along)(drawn))
    value, grads = jax.lax.stop_gradient((value, grads))
    # zero, with this gradient
    first = jax.tree.map(lambda p, q, d: jnp.sum((p - q) * d), params, fixed, grads)
    return value + jax.tree.reduce(jnp.add, first)


def _probes(key, x, weight, probes: int, probe: str) -> jax.Array:
    draw = {"rademacher": jax.random.rademacher, "gaussian": jax.random.normal}[probe]
    signs = draw(key, (probes * x.size,), x.dtype).reshape(probes, *x.shape)
    return jnp.where(weight[None] > 0, signs, 0)


def entry_weights(
    bridge: Bridge, t: Float[Array, "n"], where: Bool[Array, "n *event"]
) -> Float[Array, "n *event"]:
    r"""Weights for a mean of likelihoods over entries, each time scaled by :math:`\sigma^2 / g^2`.

    For a variance-exploding process the factor is all but constant.
    """
    scale = bridge.process.marginal(t)[1] / bridge.process.diffusion(t)
    counted = where.astype(scale.dtype)
    return per_row(scale**2, counted) * counted / jnp.maximum(counted.sum(), 1)


def forward_paths(
    bridge: Bridge, z: Policy, key: PRNGKey, x: Float[Array, "n *event"]
) -> Float[Array, "steps n *event"]:
    """Paths of eq. (11a) from data: the states at `1 / steps, ..., 1`. `z` is `(x, t) -> array`."""
    process, h = bridge.process, 1 / bridge.steps

    def drift(x, t):
        # the policy is asked at the end of the step: at 0 it may not be defined
        after = t + h
        rate = step_noise(process, after, h) ** 2 / process.diffusion(after)
        return process.drift(x, t) + rate * z(x, _rows(after, x))

    def noise(t):
        return step_noise(process, t + h, h)

    return euler_maruyama(drift, noise, key, x, t0=0.0, t1=1.0, steps=bridge.steps, save=True)


def backward_paths(
    bridge: Bridge, z: Policy, key: PRNGKey, x: Float[Array, "n *event"]
) -> Float[Array, "steps n *event"]:
    """Paths of eq. (11b) from the prior: the states at `1, ..., 1 / steps`."""
    process, h = bridge.process, 1 / bridge.steps

    def drift(x, t):
        rate = step_noise(process, t, h) ** 2 / process.diffusion(t)
        return process.drift(x, t) - rate * z(x, _rows(t, x))

    def noise(t):
        return step_noise(process, t, h)

    if bridge.steps == 1:
        return x[None]
    found = euler_maruyama(drift, noise, key, x, t0=1.0, t1=h, steps=bridge.steps - 1, save=True)
    return jnp.concatenate([x[None], found])


def _rows(t: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(t, x.shape[:1]).astype(x.dtype)

"""Training losses as pure functions."""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute.masking import masked_mean
from jaximpute.maths import random
from jaximpute.types import Net, Params, PRNGKey


def denoising_score_matching(
    net: Net,
    params: Params,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    where: Bool[Array, "n *event"],
    sigma: float | Float[Array, ""],
    cond: tuple[Array, ...] = (),
) -> Float[Array, ""]:
    r"""Denoising score matching on chosen entries.

    .. math::
        L = \mathbb{E}_{\epsilon \sim N(0, I)}\;
            \mathrm{mean}_{\mathrm{where}}\,\| \sigma s_\theta(x + \sigma\epsilon) + \epsilon \|^2

    which is :math:`\sigma^2` times eq. (15) of SPIRIT (Chen et al., 2026; Vincent, 2011), so that
    the loss is of order one for every :math:`\sigma`. Noise is added to all entries, and `where`
    chooses those that are scored: the minimiser is the score of whole rows with noise, not that of
    some entries given others without.

    Args:
        net: a score network.
        params: its parameters.
        key: for the noise.
        x: clean rows.
        where: entries whose error counts. If none does the loss is 0, with a zero gradient.
        sigma: standard deviation of the noise, positive, in the units of `x`.
        cond: further inputs of the network.

    Returns:
        The loss, a scalar; a network that always answers 0 scores 1 on average.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaximpute.types import Net
        >>> net = Net(lambda key, x, t, cond: {}, lambda params, x, t, cond, key=None: -x / 1.01)
        >>> x = jax.random.normal(jax.random.key(0), (4096, 2))  # the score of N(0, 1 + 0.1^2)
        >>> loss = denoising_score_matching(
        ...     net, {}, jax.random.key(1), x, jnp.full(x.shape, True), 0.1
        ... )
        >>> bool(abs(loss - 1 / 1.01) < 0.03)
        True
    """
    chex.assert_type([x, where], [float, bool])
    chex.assert_equal_shape([x, where])
    k_noise, k_net = jax.random.split(key)
    noise = random.normal(k_noise, x.shape, x.dtype)
    t = jnp.full(x.shape[:1], sigma, x.dtype)
    score = net.apply(params, x + sigma * noise, t, cond, k_net)
    return masked_mean((sigma * score + noise) ** 2, where)

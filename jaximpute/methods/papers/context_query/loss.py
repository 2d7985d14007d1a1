"""The loss of context-query diffusion, Algorithm 1, on one batch."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute.maths import random
from jaximpute.methods.papers.context_query.places import given
from jaximpute.types import Net, Params, PRNGKey, Process, Scalar, Split


def query_loss(
    net: Net,
    params: Params,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    split: Split,
    process: Process,
    *,
    delta: Scalar = 1e-3,
    at_delta: Scalar = 0.0,
    objective: str = "data",
    places: Float[Array, "n *where"] | None = None,
) -> Float[Array, ""]:
    r"""The loss of Algorithm 1 on one batch.

    .. math:: t \sim U(\delta, 1), \quad x_t = \alpha_t x + \sigma_t \epsilon, \quad
        L = \mathrm{mean}_{\mathrm{qry}}\,
        \| x_\theta(t, M_{\mathrm{ctx}} \odot x_t, M_{\mathrm{ctx}}) - x \|^2

    Nothing outside `mask` enters, and nothing outside the query has a gradient.

    Args:
        net: the network; its `cond` is the context, as numbers.
        params: its parameters.
        key: of the times, the noise, the split and the network.
        x: rows; what they hold outside `mask` is not looked at.
        mask: True = observed.
        split: the partition.
        process: how noise enters.
        delta: least time, in (0, 1).
        at_delta: share of the rows whose time is `delta`, where single-step sampling works.
        objective: `data`, or `noise` to match the noise instead, as MissDiff and DPF print.
        places: where the entries lie, for a network that is told; see `places.coordinates`.

    Returns:
        The mean over the queried entries of the batch; 0 if there is none.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaximpute import partitions, processes
        >>> net = Net(lambda *given: {}, lambda params, x, t, cond, key=None: jnp.zeros_like(x))
        >>> x = jnp.full((2, 1, 6, 6, 1), 3.0)
        >>> mask, split = jnp.full(x.shape, True), partitions.block()
        >>> float(query_loss(net, {}, jax.random.key(0), x, mask, split, processes.vp()))
        9.0
    """
    k_time, k_delta, k_noise, k_split, k_net = jax.random.split(key, 5)
    t = jax.random.uniform(k_time, x.shape[:1], x.dtype, delta, 1.0)
    t = jnp.where(jax.random.bernoulli(k_delta, at_delta, t.shape), jnp.asarray(delta, x.dtype), t)
    alpha, sigma = (v.reshape(-1, *(1,) * (x.ndim - 1)) for v in process.marginal(t))
    noise = random.normal(k_noise, x.shape, x.dtype)
    context, query = split(k_split, mask)
    shown = jnp.where(context, alpha * x + sigma * noise, 0)
    out = net.apply(params, shown, t, given(context, x.dtype, places), k_net)
    target = noise if objective == "noise" else x
    return masking.masked_mean(jnp.where(query, out - target, 0) ** 2, query)

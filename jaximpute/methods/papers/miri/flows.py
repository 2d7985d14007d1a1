"""Rectified flows between completions: MIRI's loss, its imputation ODE, and where both begin."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, masked_mean
from jaximpute.maths import random
from jaximpute.maths.choice import either
from jaximpute.maths.local_average import local_average
from jaximpute.maths.odes import EVALUATIONS, integrate
from jaximpute.maths.optimise import gradient
from jaximpute.types import Net, Observed, Params, PRNGKey, Scalar

LAYOUTS = ("filled", "padded")
STARTS = ("normal", "uniform", "columns", "nearby")
SOLVERS = (*EVALUATIONS, "euler_end")
_LEVELS = 256
_CHUNK = 8192
_PIXELS = 2**19  # of images in a chunk
_NEAR, _NOISE = 1.5, 0.3  # of `nearby`: in pixels, and in deviations of the channel


class Flow(NamedTuple):
    """A velocity field, how a round learns it and how its ODE is solved; see `miri`."""

    net: Net
    layout: str = "filled"
    solver: str = "heun"
    ode_steps: int = 10
    clip: bool = True
    batch: int = 128
    lr: Scalar = 1e-3
    schedule: str = "cosine"
    warm: bool = True


class Columns(NamedTuple):
    """What is known of each column: moments, and evenly spaced quantiles with both extremes."""

    mean: Float[Array, "d"]
    std: Float[Array, "d"]
    levels: Float[Array, "levels d"]


def columns(data: Observed) -> Columns:
    """Moments and quantiles of the observed entries, in real rows."""
    real = (data.weight > 0).reshape(-1, *(1,) * (data.mask.ndim - 1))
    d = data.values.shape[-1]
    seen = jnp.where(data.mask & real, data.values, jnp.nan).reshape(-1, d)
    grid = jnp.linspace(0.0, 1.0, _LEVELS + 1, dtype=data.values.dtype)
    levels = jnp.nanquantile(seen, grid, axis=0, method="nearest")
    # a column in which nothing is observed (a small shard of the data) has no range
    return Columns(*channel_moments(data), jnp.nan_to_num(levels))


def begin(key: PRNGKey, known: Columns, data: Observed, start: str) -> jax.Array:
    """Independent guesses for the missing entries: X^(0)."""
    shape, dtype = data.values.shape, data.values.dtype
    if start == "normal":
        z = random.normal(key, shape, dtype).reshape(-1, shape[-1])
        guess = known.mean[None] + known.std[None] * z
    elif start == "uniform":
        u = random.uniform(key, shape, dtype).reshape(-1, shape[-1])
        guess = known.levels[:1] + u * (known.levels[-1:] - known.levels[:1])
    elif start == "nearby":
        if len(shape) != 4:
            raise OptionError(f"start is 'nearby', and rows of shape {shape[1:]} are no images")
        near = data.mask & (data.weight > 0).reshape(-1, 1, 1, 1)
        mean, std = (v.reshape(1, 1, 1, -1) for v in (known.mean, known.std))
        z = random.normal(key, shape, dtype)
        guess = mean + local_average(data.values - mean, near, _NEAR) + _NOISE * std * z
    else:
        i = jax.random.randint(key, shape, 0, _LEVELS + 1).reshape(-1, shape[-1])
        guess = jnp.take_along_axis(known.levels, i, axis=0)
    return jnp.where(data.mask, data.values, guess.reshape(shape))


def new_field(flow: Flow, key: PRNGKey, x: Float[Array, "n *event"]) -> Params:
    """A velocity field that has learned nothing."""
    shown = (x[:1],) * (3 if flow.layout == "padded" else 2)
    return flow.net.init(key, x[:1], jnp.zeros(1, x.dtype), shown)


def first_field(
    flow: Flow, key: PRNGKey, x: Float[Array, "n *event"], rounds: Int[Array, ""], last: Params
) -> Params:
    """Line 3 of Algorithm 1: a new field, or after `rounds` of them that of the last."""
    new = new_field(flow, key, x)
    return either(rounds > 0, last, new) if flow.warm else new


def velocity(
    net: Net,
    params: Params,
    z: Float[Array, "n *event"],
    own: Float[Array, "n *event"],
    other: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    t: Float[Array, "n"],
    layout: str,
) -> Float[Array, "n *event"]:
    r"""The network's velocity at `z`, given both observed parts.

    Args:
        net: the velocity field.
        params: its parameters.
        z: the state; only its missing entries are shown.
        own: rows whose observed entries are :math:`X_{0, M_0}`.
        other: rows whose observed entries are :math:`X_{1, M_0}`.
        mask: :math:`M_0`.
        t: times.
        layout: `filled` shows `(z, own)` and `(z, other)`, each completed by the second, and the
            mask; `padded` shows three arrays that are zero elsewhere, and the mask. `base` shows
            `(z, own)`, and in place of another row all of `other`: what a base says of `own`.
    """
    m = mask.astype(z.dtype)
    if layout == "base":
        return net.apply(params, jnp.where(mask, own, z), t, (other, m))
    if layout == "filled":
        return net.apply(params, jnp.where(mask, own, z), t, (jnp.where(mask, other, z), m))
    shown = (jnp.where(mask, own, 0), jnp.where(mask, other, 0), m)
    return net.apply(params, jnp.where(mask, 0, z), t, shown)


def flow_loss(
    net: Net,
    params: Params,
    key: PRNGKey,
    x0: Float[Array, "n *event"],
    x1: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    counts: Bool[Array, "n *event"],
    layout: str = "filled",
    other: Float[Array, "n *event"] | None = None,
) -> Float[Array, ""]:
    r"""Eq. (6) over the entries in `counts`.

    .. math:: \mathrm{mean}\, (X_1 - X_0 - v(X_\tau, X_{0,M_0}, X_{1,M_0}, M_0, \tau))^2

    Each :math:`\tau_j` is uniform on [0, 1]; one lies in each of `n` equal intervals. `other` is
    shown in place of :math:`X_1`.
    """
    n = x0.shape[0]
    u = jax.random.uniform(key, (n,), x0.dtype)
    t = (jnp.arange(n, dtype=x0.dtype) + u) / n
    along = t.reshape(-1, *(1,) * (x0.ndim - 1))
    other = x1 if other is None else other
    v = velocity(net, params, (1 - along) * x0 + along * x1, x0, other, mask, t, layout)
    return masked_mean((x1 - x0 - v) ** 2, counts)


def impute_by_flow(
    flow: Flow,
    params: Params,
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    known: Columns,
    other: Float[Array, "n *event"] | None = None,
) -> Float[Array, "n *event"]:
    """Solve the imputation ODE (7) for all rows, in chunks so that activations stay small.

    `euler_end` is MIRI's Algorithm 2: Euler's steps from (k - 1) / N to k / N, with the velocity
    taken where they begin and at the time when they end.
    """
    steps, printed = flow.ode_steps, flow.solver == "euler_end"
    ahead, solver = (1 / steps, "euler") if printed else (0.0, flow.solver)
    low, high = (known.levels[i].reshape(*(1,) * (x.ndim - 1), -1) for i in (0, -1))

    def solve(rows):
        x, mask, other = rows

        def field(z, t):
            times = jnp.full(x.shape[:1], t + ahead, x.dtype)
            v = velocity(flow.net, params, z, x, other, mask, times, flow.layout)
            return jnp.where(mask, 0, v)

        keep = (lambda t, z: jnp.where(mask, z, jnp.clip(z, low, high))) if flow.clip else None
        return jnp.where(mask, x, integrate(field, x, steps=steps, solver=solver, project=keep))

    # a network of images holds many channels for each of their pixels
    chunk = _CHUNK if x.ndim == 2 else max(1, _PIXELS // math.prod(x.shape[1:]))
    return by_chunks(solve, (x, mask, x if other is None else other), chunk)


def learned(
    flow: Flow,
    loss: Callable[[Params, PRNGKey], Float[Array, ""]],
    key: PRNGKey,
    params: Params,
    n: Int[Array, ""],
) -> tuple[Params, Float[Array, ""]]:
    """Adam on a stochastic loss, lines 4-9 of Algorithm 1.

    Args:
        flow: its learning rate, and the schedule: `cosine` (to zero) or `constant`.
        loss: `(params, key) -> scalar`.
        key: step `i` uses `fold_in(key, i)`.
        params: where to start.
        n: number of steps, which is no part of the compiled program.

    Returns:
        The parameters, and the mean loss over the last quarter.
    """
    last = jnp.maximum(n // 4, 1)
    optimiser = optax.scale_by_adam()

    def one(i, carry):
        params, opt, total = carry
        value, grads = gradient(loss)(params, jax.random.fold_in(key, i))
        updates, opt = optimiser.update(grads, opt, params)
        fall = (1 + jnp.cos(jnp.pi * i / n)) / 2 if flow.schedule == "cosine" else 1.0
        rate = flow.lr * fall
        params = jax.tree.map(lambda p, u: p - (rate * u).astype(p.dtype), params, updates)
        return params, opt, total + jnp.where(i >= n - last, value, 0)

    zero = jnp.zeros((), jax.eval_shape(loss, params, jax.random.key(0)).dtype)
    params, _, total = jax.lax.fori_loop(0, n, one, (params, optimiser.init(params), zero))
    return params, total / last


def by_chunks(solve, rows, chunk: int = _CHUNK):
    """A function of rows, applied to chunks of them one after the other."""
    n = rows[0].shape[0]
    if n <= chunk:
        return solve(rows)
    many = -(-n // chunk)
    i = jnp.minimum(jnp.arange(many * chunk), n - 1).reshape(many, chunk)
    done = jax.lax.map(lambda i: solve(jax.tree.map(lambda leaf: leaf[i], rows)), i)
    return done.reshape(many * chunk, *done.shape[2:])[:n]


def partners(key: PRNGKey, weight: Float[Array, "n"]) -> Int[Array, "n"]:
    """A random partner for each real row: one permutation of the real rows."""
    real = weight > 0
    u = jax.random.uniform(key, weight.shape)
    from_row = jnp.argsort(jnp.where(real, 0, 1), stable=True)
    to_row = jnp.argsort(jnp.where(real, u, 2.0))
    return jnp.zeros(weight.shape, to_row.dtype).at[from_row].set(to_row)

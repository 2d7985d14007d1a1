"""Kriging of long gaps: a stretch given the observed entries nearest to it, however far they are.

A stationary Gaussian knows the covariance of entries any number of steps apart, so the entries that
a stretch is conditioned on need not lie in a window around it. Each channel gives those nearest on
either side, and those at the same phase of the last and the next season. A short series is one
stretch.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

COORDINATES = 512  # that a stretch is conditioned on, at most
STEPS = 12  # of a stretch, at most
TRENDS = 3  # mean, level, slope
# prior variance of level and slope, in variances of the series: flat, but for never seen channels
_FLAT = 1e4


class Known(NamedTuple):
    """Where series are observed.

    Attributes:
        mask: True = observed, `(n, time, d)`.
        earlier: how many are observed before each step, `(n, time + 1, d)`.
        steps: those observed, in order, `(n, time, d)`; `time` where there are no more.
        before: the last one observed at or before each step, or -1.
        after: the first one at or after, or `time`.
    """

    mask: Bool[Array, "n time d"]
    earlier: Int[Array, "n time1 d"]
    steps: Int[Array, "n time d"]
    before: Int[Array, "n time d"]
    after: Int[Array, "n time d"]


class Entries(NamedTuple):
    """Entries of one series: steps, channels, and which of them are observed, `(k,)` each."""

    step: Int[Array, "k"]
    channel: Int[Array, "k"]
    valid: Bool[Array, "k"]


def known(mask: Bool[Array, "n time d"]) -> Known:
    """Look a mask up once."""
    time = mask.shape[1]
    count = jnp.pad(jnp.cumsum(mask, axis=1, dtype=jnp.int32), ((0, 0), (1, 0), (0, 0)))

    def steps(row):
        return jnp.nonzero(row, size=time, fill_value=time)[0]

    step = jnp.arange(time)[None, :, None]
    before = jax.lax.cummax(jnp.where(mask, step, -1), axis=1)
    after = jax.lax.cummin(jnp.where(mask, step, time), axis=1, reverse=True)
    listed = jax.vmap(jax.vmap(steps, in_axes=1, out_axes=1))(mask)
    return Known(mask, count, listed, before, after)


def sizes(d: int, time: int) -> tuple[int, int]:
    """Steps of a stretch, and nearest entries on either side of each channel.

    A series that is no larger than what a stretch is conditioned on is one stretch.
    """
    each = COORDINATES // d
    if time <= each:
        return time, 0
    block = max(1, min(STEPS, each // 5))
    return block, max(1, (each - 3 * block) // 2)


def entries(
    where: Known, row: Int[Array, ""], start: Int[Array, ""], period: Int[Array, ""]
) -> Entries:
    """What a stretch is conditioned on; its own entries come first, time-major."""
    _, time, d = where.mask.shape
    block, near = sizes(d, time)
    if not near:
        step, channel = (a.reshape(-1) for a in jnp.mgrid[:time, :d])
        return Entries(step, channel, where.mask[row].reshape(-1))
    mask, count, steps = where.mask[row], where.earlier[row], where.steps[row]
    channel = jnp.arange(d)
    own = start + jnp.arange(block)
    end = jnp.minimum(start + block, time)

    def look_up(rank):
        inside = (rank >= 0) & (rank < count[-1:])
        return steps[jnp.clip(rank, 0, time - 1), channel[None]], inside

    ranks = jnp.arange(near)[:, None]
    left, left_there = look_up(count[start][None] - 1 - ranks)
    right, right_there = look_up(count[end][None] + ranks)
    # a season away, beyond the nearest ones: those are here already
    safe = jnp.maximum(period, 1)
    first = jnp.where(left_there, left, start).min(0)
    last = jnp.where(right_there, right, end - 1).max(0)
    back = own[:, None] - safe * (-((first - start - block) // safe))[None]
    forth = own[:, None] + safe * (-((start - 1 - last) // safe))[None]

    def observed(step):
        inside = (step >= 0) & (step < time)
        return inside & mask[jnp.clip(step, 0, time - 1), channel[None]]

    own = jnp.broadcast_to(own[:, None], (block, d))
    seasonal = period > 0
    step = jnp.concatenate([own, left, right, back, forth])
    valid = jnp.concatenate(
        [
            observed(own),
            left_there,
            right_there,
            observed(back) & seasonal,
            observed(forth) & seasonal,
        ]
    )
    return Entries(
        step.reshape(-1), jnp.broadcast_to(channel, step.shape).reshape(-1), valid.reshape(-1)
    )


def krige(
    x: Float[Array, "k"],
    which: Entries,
    autocov: Float[Array, "lags d d"],
    ridge: Float[Array, "d"],
    block: int,
) -> Float[Array, "trends block d"]:
    r"""Means of a stretch, under three ideas of what the series is around.

    .. math:: \hat x = F_0 \hat\beta + \Sigma_{0o} \Sigma_{oo}^{-1} (x_o - F \hat\beta),
        \quad \hat\beta = (F^T \Sigma_{oo}^{-1} F)^{-1} F^T \Sigma_{oo}^{-1} x_o

    :math:`F` is empty (the mean of the whole record, 0 here: simple kriging), a level of each
    channel (ordinary kriging), or a level and a slope (universal kriging).

    Args:
        x: values of the entries, centred.
        which: the entries, those of the stretch first.
        autocov: see `Stationary`.
        ridge: variance of the noise of each channel.
        block: steps of the stretch.

    Returns:
        Means of the stretch, by trend; NaN where the factorisation fails in this precision.

    Source: Cressie, "Statistics for Spatial Data" (1993), chapter 3.
    """
    # large factorisations one by one, also where groups of channels are done at once
    solve = jax.custom_batching.sequential_vmap(partial(_krige, block))
    return solve(x, *which, autocov, ridge)


def _krige(block: int, x, step, channel, valid, autocov, ridge):
    lags, d, _ = autocov.shape
    own = block * d
    lag = step[None] - step[:, None]
    first, second = channel[:, None], channel[None]
    forward = autocov[jnp.minimum(jnp.abs(lag), lags - 1), *_ordered(lag, first, second)]
    cov = jnp.where(jnp.abs(lag) < lags, forward, 0)
    both = valid[:, None] & valid[None]
    eye = jnp.eye(len(step), dtype=x.dtype)
    root = jnp.linalg.cholesky(jnp.where(both, cov + eye * ridge[channel][None], eye))
    away = (step - step[0]).astype(x.dtype)
    away = away / jnp.maximum(jnp.where(valid, jnp.abs(away), 0).max(), 1)
    level = jax.nn.one_hot(channel, d, dtype=x.dtype)
    drift = jnp.concatenate([level, level * away[:, None]], axis=1)
    right = jnp.where(valid[:, None], jnp.concatenate([drift, x[:, None]], axis=1), 0)
    solved = jax.scipy.linalg.cho_solve((root, True), right)
    gram = jnp.matmul(right[:, :-1].T, solved, precision="highest")
    to = jnp.concatenate([drift[:own], jnp.zeros((own, 1), x.dtype)], axis=1)
    # by column: what is left of drift and of the values once the neighbours have said their part
    weights = jnp.matmul(cov[:own], solved, precision="highest")
    rest = to - weights

    def under(used):
        inner = gram[:, :-1] * used[:, None] * used[None]
        prior = jnp.where(used > 0, 1 / _FLAT, 1)
        slope = jnp.linalg.cholesky(inner + jnp.diag(prior))
        beta = jax.scipy.linalg.cho_solve((slope, True), gram[:, -1] * used)
        along = jnp.matmul(rest[:, :-1], beta, precision="highest")
        return (along - rest[:, -1]).reshape(block, d)

    zero, one = jnp.zeros(d, x.dtype), jnp.ones(d, x.dtype)
    trends = ((zero, zero), (one, zero), (one, one))
    return jnp.stack([under(jnp.concatenate(used)) for used in trends])


def _ordered(lag, first, second):
    """Channels, the earlier entry's first."""
    return jnp.where(lag >= 0, first, second), jnp.where(lag >= 0, second, first)

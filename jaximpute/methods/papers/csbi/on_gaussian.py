r"""The bridge in the units of a joint Gaussian: Algorithm 2 on what it leaves open.

Rows are :math:`r = (x - \mu_c) / s_c`, and all noise is the Gaussian's own, of covariance
:math:`C = S^{-1} P_c S^{-1}`, as in `methods._residual`:

.. math:: dr = [f + g z^f]\,dt + g\,C^{1/2} dW, \qquad z^f + z^b = g\,C \nabla\log p_t

The policies hold C already, so that every formula for them stays, but for the divergence: with
probes :math:`e \sim N(0, C)`, :math:`E\, e^\top \partial z\, e = \mathrm{tr}\, C \partial z`. The
backward policy is the network that the warm-up trained, for which 0 is the Gaussian's own score;
so even without a context its paths end in the Gaussian, and the forward policy never learns from
noise.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute import masking
from jaximpute.engine.warmup import WarmUp
from jaximpute.maths import optimise
from jaximpute.maths.choice import prefer
from jaximpute.maths.optimise import Learner, averaged
from jaximpute.methods import _base
from jaximpute.methods import _residual as residuals
from jaximpute.methods._base import Frame
from jaximpute.methods._conditional import per_row
from jaximpute.methods._residual import Lesson, ResidualState
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi import bridge_draws as draws
from jaximpute.types import Info, Method, Net, Observed, PRNGKey, Process, Split

_UNGIVEN = 8  # one row in so many is without a context
_PROBES = 4  # draws of noise for divergences
SHARES = (0.0, 1.0)


class BridgedState(NamedTuple):
    """A warm-up and the bridge that starts at it.

    Attributes:
        warm: the base, and what the warm-up learned on it.
        backward: the backward policy's network.
        forward: the forward policy's.
        share: 1 if draws are the bridge's, 0 if they are the warm-up's.
        start_error: CRPS of the warm-up's draws at entries hidden once more.
        error: CRPS of the draws chosen.
        bridge_error: CRPS of the bridge's draws, chosen or not; 0 before the first round.
    """

    warm: ResidualState
    backward: Learner
    forward: Learner
    share: Float[Array, ""]
    start_error: Float[Array, ""]
    error: Float[Array, ""]
    bridge_error: Float[Array, ""]


def bridged(
    backward: Net,
    forward: Net | None,
    process: Process,
    *,
    window: int | None,
    split: Split,
    times: Any,
    warm: Method,
    pieces: int,
    lr,
    lr_forward,
    total: int | None,
    refreshes: int,
    sgd_steps: int,
    batch: int,
    cache: int,
    decay,
    sde_steps: int,
    draw_steps: int,
) -> Method:
    """Rounds of Algorithm 2 after a warm-up, each chosen against it by held-out entries.

    Args:
        backward: see `csbi`, as for what is not named here.
        forward: None for the warm-up alone.
        process: what both policies steer, in the Gaussian's units.
        window: steps of a row.
        split: what is asked for.
        times: positions of the steps.
        warm: the method of the warm-up, see `methods._residual`.
        pieces: its steps.
        draw_steps: of the probability flow.

    Returns:
        An inductive method.
    """
    if forward is None:
        return Method(WarmUp(warm, pieces, lambda state: state), warm.step, sample=warm.sample)
    net = forward
    back_optimiser = optimise.adamw(lr, total=total)
    fore_optimiser = optimise.adamw(lr_forward, total=total)

    def start(key: PRNGKey, data: Observed) -> BridgedState:
        k_warm, k_fore = jax.random.split(key)
        state = warm.init(k_warm, data)
        length, d = state.base.model.mean.shape[0], state.base.mean.shape[0]
        none = jnp.zeros((1, length // d, d), state.base.mean.dtype)
        fore = optimise.learner(net.init(k_fore, none, none[:, 0, 0], ()), fore_optimiser, decay)
        return begin(BridgedState(state, state.learner, fore, *jnp.zeros((4,), none.dtype)))

    def begin(state: BridgedState) -> BridgedState:
        learned, error = averaged(state.warm.learner), state.warm.error
        back = optimise.learner(learned, back_optimiser, decay)
        return state._replace(backward=back, start_error=error, error=error)

    def warm_step(key: PRNGKey, state: BridgedState, data: Observed):
        own, info = warm.step(key, state.warm, data)
        return state._replace(warm=own), info

    def z_back(params, r, t, frame: Frame, key=None):
        """For a network that answers 0, the score of the Gaussian."""
        alpha, sigma = process.marginal(t)
        size = jnp.sqrt(alpha**2 + sigma**2)
        inner = residuals.speed(
            backward, params, r / per_row(size, r), jnp.arctan2(sigma, alpha), frame, key
        )
        pull = (r / per_row(size, r) + per_row(alpha / sigma, r) * inner) / per_row(size, r)
        return jnp.where(frame.context, 0, -per_row(process.diffusion(t), r) * pull)

    def z_fore(params, r, t, frame: Frame, key=None):
        alpha, sigma = process.marginal(t)
        inner = net.apply(params, r / per_row(jnp.sqrt(alpha**2 + sigma**2), r), t, (), key)
        return jnp.where(frame.context, 0, inner)

    def step(key: PRNGKey, state: BridgedState, data: Observed):
        k_rounds, k_judge = jax.random.split(key)
        series, base = _base.as_series(data), state.warm.base
        length = residuals.length_of(series, window)
        kept, hidden = residuals.hold_out(series)

        def once(carry, i):
            back, fore = carry
            k_rows, k_more, k_back, k_fore = jax.random.split(jax.random.fold_in(k_rounds, i), 4)
            taught = split_and_nothing(split)
            given = (base, kept, length, taught, times)
            rows = residuals.pool(k_rows, *given, size=cache, noises=sde_steps + _PROBES)
            weights = averaged(fore)

            def steer(r, t):
                return z_fore(weights, r, t, rows.frame)

            paths = forward_paths(process, steer, rows, sde_steps)
            cost = transport_cost(steer, paths, rows)
            back, loss = train(
                k_back,
                back,
                z_back,
                lambda r, t, f: z_fore(weights, r, t, f),
                paths,
                rows,
                back_optimiser,
            )
            more = residuals.pool(k_more, *given, size=cache, noises=sde_steps + _PROBES)
            other = averaged(back)

            def home(r, t):
                return z_back(other, r, t, more.frame)

            paths = backward_paths(process, home, more, sde_steps)
            fore, fore_loss = train(
                k_fore,
                fore,
                z_fore,
                lambda r, t, f: z_back(other, r, t, f),
                paths,
                more,
                fore_optimiser,
            )
            return (back, fore), (loss, fore_loss, cost)

        both = state.backward, state.forward
        (back, fore), told = jax.lax.scan(once, both, jnp.arange(refreshes))
        loss, fore_loss, cost = (part.mean() for part in told)
        state = state._replace(backward=back, forward=fore)
        judged = residuals.judged(k_judge, base, series, kept, hidden, length, split, times)
        state = choose(state, *judged)
        metrics = {"forward_loss": fore_loss, "cost": cost, "share": state.share}
        metrics |= {"start_error": state.start_error, "error": state.error}
        metrics["bridge_error"] = state.bridge_error
        return state, Info(loss, metrics)

    def train(key, learner: Learner, own, other, paths, rows: Lesson, optimiser):
        def loss(params, k):
            k_time, k_row, k_probe, k_net = jax.random.split(k, 4)
            s = jax.random.randint(k_time, (batch,), 0, len(paths))
            i = jax.random.randint(k_row, (batch,), 0, paths.shape[1])
            # not of the noises that made the path
            j = len(paths) + jax.random.randint(k_probe, (batch,), 0, _PROBES)
            t = (s + 1).astype(paths.dtype) / len(paths)
            frame, query = jax.tree.map(lambda a: a[i], (rows.frame, rows.query))
            r, e = paths[s, i], rows.noise[i, j]
            weight = per_row((process.marginal(t)[1] / process.diffusion(t)) ** 2, r) * query
            return bridges.likelihood(
                lambda params, r: own(params, r, t, frame, k_net),
                params,
                other(r, t, frame),
                process.diffusion(t),
                None,
                r,
                weight / jnp.maximum(query.sum(), 1),
                noise=e,
            )

        return optimise.train(loss, optimiser, key, learner, sgd_steps, decay)

    def flow(state: BridgedState, frame: Frame, e):
        back, fore = averaged(state.backward), averaged(state.forward)
        return draws.exponential_flow(
            process,
            lambda r, t: z_back(back, r, t, frame),
            lambda r, t: z_fore(fore, r, t, frame),
            process.marginal(jnp.ones((), e.dtype))[1] * e,
            steps=draw_steps,
        )

    def choose(state: BridgedState, rows: Lesson, part, count: int) -> BridgedState:
        warm = state.warm

        def plain(e):
            params = averaged(warm.learner)
            return residuals.follow(backward, params, rows.frame, e, warm.share, draw_steps)

        errors = [residuals.scored(f, rows) for f in (plain, lambda e: flow(state, rows.frame, e))]
        found = prefer(jnp.stack(errors), SHARES, rows.query, part, count)
        own = masking.masked_mean(errors[1], rows.query)
        state = state._replace(share=found.share, bridge_error=own)
        return state._replace(start_error=found.before, error=found.after)

    def sample(key: PRNGKey, state: BridgedState, data: Observed) -> jax.Array:
        def draw(frame: Frame, e):
            return jax.lax.cond(
                state.share > 0,
                lambda: flow(state, frame, e),
                lambda: residuals.drawn(backward, state.warm, frame, e, draw_steps),
            )

        return residuals.completed(draw, key, state.warm.base, data, times)

    return Method(WarmUp(Method(start, warm_step), pieces, begin), step, sample=sample)


def split_and_nothing(split: Split) -> Split:
    """A split that shows one row in eight nothing, and asks it for all."""

    def other(key: PRNGKey, mask):
        k_split, k_coin = jax.random.split(key)
        context, query = split(k_split, mask)
        coin = jax.random.bernoulli(k_coin, 1 / _UNGIVEN, (len(mask),))[:, None, None]
        return context & ~coin, jnp.where(coin, mask, query)

    return other


def forward_paths(
    process: Process, z, rows: Lesson, steps: int
) -> Float[Array, "{steps} n time d"]:
    """Paths from the truth, one of the rows' noises a step."""
    h = 1 / steps

    def one(r, i):
        after = (i + 1) * h
        noise = bridges.step_noise(process, after, h)
        rate = noise**2 / process.diffusion(after)
        move = process.drift(r, i * h) + rate * z(r, jnp.full(len(r), after, r.dtype))
        r = r + h * move + math.sqrt(h) * noise * rows.noise[:, i]
        return r, r

    return jax.lax.scan(one, rows.truth, jnp.arange(steps))[1]


def backward_paths(
    process: Process, z, rows: Lesson, steps: int
) -> Float[Array, "{steps} n time d"]:
    """Paths from the prior: the states at 1 / steps, ..., 1."""
    h = 1 / steps
    start = process.marginal(jnp.ones((), rows.truth.dtype))[1] * rows.noise[:, 0]

    def one(r, i):
        t = 1 - i * h
        noise = bridges.step_noise(process, t, h)
        rate = noise**2 / process.diffusion(t)
        move = rate * z(r, jnp.full(len(r), t, r.dtype)) - process.drift(r, t)
        return r + h * move + math.sqrt(h) * noise * rows.noise[:, i + 1], r

    last, found = jax.lax.scan(one, start, jnp.arange(steps - 1))
    return jnp.concatenate([found, last[None]])[::-1]


def transport_cost(z, paths, rows: Lesson) -> Float[Array, ""]:
    r"""The cost of transport :math:`E \int \frac12 |z^f|^2 dt` along paths, an entry's mean."""
    steps = len(paths)

    def one(total, i):
        t = jnp.full(paths.shape[1], (i + 1) / steps, paths.dtype)
        return total + masking.masked_mean(z(paths[i], t) ** 2, rows.query) / (2 * steps), None

    return jax.lax.scan(one, jnp.zeros((), paths.dtype), jnp.arange(steps))[0]

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
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute import masking
from jaximpute.engine.warmup import WarmUp
from jaximpute.maths import optimise
from jaximpute.maths.choice import Choice, metrics, prefer, undecided
from jaximpute.maths.optimise import Learner, averaged
from jaximpute.methods import _base
from jaximpute.methods import _residual as residuals
from jaximpute.methods._base import Frame
from jaximpute.methods._conditional import per_row
from jaximpute.methods._residual import Lesson, ResidualState
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi import bridge_draws as draws
from jaximpute.methods.papers.csbi.bridge import Policy
from jaximpute.methods.papers.csbi.training import Loss, Rounds
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
        choice: its share is 1 if draws are the bridge's, 0 if they are the warm-up's; by their CRPS
            at entries hidden once more.
        bridge_error: CRPS of the bridge's draws, chosen or not; 0 before the first round.
    """

    warm: ResidualState
    backward: Learner
    forward: Learner
    choice: Choice
    bridge_error: Float[Array, ""]


def bridged(
    backward: Net,
    forward: Net | None,
    process: Process,
    rounds: Rounds,
    window: int | None,
    warm: Method,
    pieces: int,
) -> Method:
    """Rounds of Algorithm 2 after a warm-up, each chosen against it by held-out entries.

    Args:
        backward: see `csbi`.
        forward: None for the warm-up alone.
        process: what both policies steer, in the Gaussian's units.
        rounds: see there; draws are of the probability flow.
        window: steps of a row.
        warm: the method of the warm-up, see `methods._residual`.
        pieces: its steps.

    Returns:
        An inductive method.
    """
    if forward is None:
        return Method(WarmUp(warm, pieces, lambda state: state), warm.step, sample=warm.sample)
    z_back, z_fore = backward_policy(backward, process), forward_policy(forward, process)
    flow = partial(bridge_flow, process, z_back, z_fore, rounds.draw_steps)
    split, times, noises = rounds.split, rounds.times, rounds.sde_steps + _PROBES

    def start(key: PRNGKey, data: Observed) -> BridgedState:
        k_warm, k_fore = jax.random.split(key)
        state = warm.init(k_warm, data)
        length, d = state.base.model.mean.shape[0], state.base.mean.shape[0]
        none = jnp.zeros((1, length // d, d), state.base.mean.dtype)
        params = forward.init(k_fore, none, none[:, 0, 0], ())
        fore = optimise.learner(params, rounds.forward_optimiser, rounds.decay)
        return begin(BridgedState(state, state.learner, fore, state.choice, none[0, 0, 0]))

    def begin(state: BridgedState) -> BridgedState:
        learned = averaged(state.warm.learner)
        back = optimise.learner(learned, rounds.backward_optimiser, rounds.decay)
        return state._replace(backward=back, choice=undecided(state.warm.choice.after))

    def warm_step(key: PRNGKey, state: BridgedState, data: Observed):
        own, info = warm.step(key, state.warm, data)
        return state._replace(warm=own), info

    def step(key: PRNGKey, state: BridgedState, data: Observed):
        k_rounds, k_judge = jax.random.split(key)
        series, base = _base.as_series(data), state.warm.base
        length = residuals.length_of(series, window)
        kept, hidden = residuals.held(series)

        def pool(k):
            taught = base, kept, length, split_and_nothing(split), times
            return residuals.pool(k, *taught, size=rounds.cache, noises=noises)

        def once(carry, i):
            back, fore = carry
            k_rows, k_more, k_back, k_fore = jax.random.split(jax.random.fold_in(k_rounds, i), 4)
            steer, rows = partial(z_fore, averaged(fore)), pool(k_rows)  # lines 4-6
            paths = forward_paths(process, steer, rows, rounds.sde_steps)
            cost = transport_cost(steer, paths, rows)
            loss = path_loss(process, z_back, steer, paths, rows, rounds.batch)
            back, losses = rounds.trained(rounds.backward_optimiser, loss, k_back, back)
            home, rows = partial(z_back, averaged(back)), pool(k_more)  # lines 7-9
            paths = backward_paths(process, home, rows, rounds.sde_steps)
            loss = path_loss(process, z_fore, home, paths, rows, rounds.batch)
            fore, fore_losses = rounds.trained(rounds.forward_optimiser, loss, k_fore, fore)
            return (back, fore), (losses, fore_losses, cost)

        both = state.backward, state.forward
        (back, fore), found = jax.lax.scan(once, both, jnp.arange(rounds.refreshes))
        loss, fore_loss, cost = (part.mean() for part in found)
        state = state._replace(backward=back, forward=fore)
        judged = residuals.judged(k_judge, base, series, kept, hidden, length, split, times)
        state = choose(backward, flow, state, judged, rounds.draw_steps)
        report = {"forward_loss": fore_loss, "cost": cost, "bridge_error": state.bridge_error}
        return state, Info(loss, metrics(state.choice) | report)

    def sample(key: PRNGKey, state: BridgedState, data: Observed) -> jax.Array:
        def draw(frame: Frame, e):
            return jax.lax.cond(
                state.choice.share > 0,
                lambda: flow(state, frame, e),
                lambda: residuals.drawn(backward, state.warm, frame, e, rounds.draw_steps),
            )

        return residuals.completed(draw, key, state.warm.base, data, times)

    return Method(WarmUp(Method(start, warm_step), pieces, begin), step, sample=sample)


def backward_policy(net: Net, process: Process) -> Policy:
    """The backward policy `(params, r, t, frame, key=None) -> z`, 0 in the context.

    For a network that answers 0 it is the score of the Gaussian.
    """

    def policy(params, r, t, frame: Frame, key=None):
        alpha, sigma = process.marginal(t)
        size = jnp.sqrt(alpha**2 + sigma**2)
        inner = residuals.speed(
            net, params, r / per_row(size, r), jnp.arctan2(sigma, alpha), frame, key
        )
        pull = (r / per_row(size, r) + per_row(alpha / sigma, r) * inner) / per_row(size, r)
        return jnp.where(frame.context, 0, -per_row(process.diffusion(t), r) * pull)

    return policy


def forward_policy(net: Net, process: Process) -> Policy:
    """The forward policy `(params, r, t, frame, key=None) -> z`, 0 in the context."""

    def policy(params, r, t, frame: Frame, key=None):
        alpha, sigma = process.marginal(t)
        inner = net.apply(params, r / per_row(jnp.sqrt(alpha**2 + sigma**2), r), t, (), key)
        return jnp.where(frame.context, 0, inner)

    return policy


def path_loss(
    process: Process, own: Policy, other: Policy, paths, rows: Lesson, batch: int
) -> Loss:
    """Eq. (12) of one policy on cached paths of the other; its probes are the Gaussian's noise.

    As in `training.backward_loss`, for `own(params, r, t, frame, key)` and `other(r, t, frame)`.
    """

    def loss(params, k):
        k_time, k_row, k_probe, k_net = jax.random.split(k, 4)
        s = jax.random.randint(k_time, (batch,), 0, len(paths))
        i = jax.random.randint(k_row, (batch,), 0, paths.shape[1])
        # not of the noises that made the path
        j = len(paths) + jax.random.randint(k_probe, (batch,), 0, _PROBES)
        t = (s + 1).astype(paths.dtype) / len(paths)
        frame, query = jax.tree.map(lambda a: a[i], (rows.frame, rows.query))
        r, e, g = paths[s, i], rows.noise[i, j], process.diffusion(t)
        weight = per_row((process.marginal(t)[1] / g) ** 2, r) * query
        return bridges.likelihood(
            lambda params, r: own(params, r, t, frame, k_net),
            params,
            other(r, t, frame),
            g,
            None,
            r,
            weight / jnp.maximum(query.sum(), 1),
            noise=e,
        )

    return loss


def bridge_flow(
    process: Process, z_back: Policy, z_fore: Policy, steps: int, state: BridgedState, frame, e
) -> Float[Array, "n time d"]:
    """Draws of rows by the probability flow of both policies, from the Gaussian's noise."""
    back, fore = averaged(state.backward), averaged(state.forward)
    return draws.exponential_flow(
        process,
        lambda r, t: z_back(back, r, t, frame),
        lambda r, t: z_fore(fore, r, t, frame),
        process.marginal(jnp.ones((), e.dtype))[1] * e,
        steps=steps,
    )


def choose(
    net: Net, flow: Policy, state: BridgedState, judged: tuple[Lesson, Any, int], steps: int
) -> BridgedState:
    """Whether draws are the bridge's or the warm-up's, by their CRPS at judged rows."""
    warm, (rows, part, count) = state.warm, judged

    def plain(e):
        params, share = averaged(warm.learner), warm.choice.share
        return residuals.follow(net, params, rows.frame, e, share, steps)

    errors = [residuals.scored(f, rows) for f in (plain, lambda e: flow(state, rows.frame, e))]
    found = prefer(jnp.stack(errors), SHARES, rows.query, part, count)
    return state._replace(choice=found, bridge_error=masking.masked_mean(errors[1], rows.query))


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
        move = process.drift(r, i * h) + rate * z(r, jnp.full(len(r), after, r.dtype), rows.frame)
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
        move = rate * z(r, jnp.full(len(r), t, r.dtype), rows.frame) - process.drift(r, t)
        return r + h * move + math.sqrt(h) * noise * rows.noise[:, i + 1], r

    last, found = jax.lax.scan(one, start, jnp.arange(steps - 1))
    return jnp.concatenate([found, last[None]])[::-1]


def transport_cost(z, paths, rows: Lesson) -> Float[Array, ""]:
    r"""The cost of transport :math:`E \int \frac12 |z^f|^2 dt` along paths, an entry's mean."""
    steps = len(paths)

    def one(total, i):
        t = jnp.full(paths.shape[1], (i + 1) / steps, paths.dtype)
        squared = z(paths[i], t, rows.frame) ** 2
        return total + masking.masked_mean(squared, rows.query) / (2 * steps), None

    return jax.lax.scan(one, jnp.zeros((), paths.dtype), jnp.arange(steps))[0]

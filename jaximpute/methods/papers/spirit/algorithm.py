r"""SPIRIT: score learning and proximal particle updates under semi-proximal transport.

Chen, Wang, Wang, Pan, Li, Teng, Li and Lin, "Analyzing and Improving Diffusion Models for
Time-Series Data Imputation: A Proximal Recursion Perspective" (2026), Algorithm 1. Missing entries
are particles that climb a learned score; the score is learned from the rows as completed so far;
the two stages alternate.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.maths.losses import denoising_score_matching
from jaximpute.maths.optimise import descend
from jaximpute.methods.papers.spirit.particles import (
    Coordinates,
    Particles,
    Recursion,
    climb,
    coordinates,
    effective_size,
    normalise,
)
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar, State, View
from jaximpute.views import identity, row_weight


class Best(NamedTuple):
    """The iterate with the least error on the held-out entries, and the score that moved it."""

    x: Float[Array, "n *event"]
    params: Params
    level: Coordinates
    error: Float[Array, ""]


# standard errors by which an iterate must beat the start on the held-out entries
_SURE = 2.5


class SpiritState(NamedTuple):
    """The particles, their score, and the best of both so far."""

    start: State  # of the method that makes first completions, from all that is observed
    start_error: Float[Array, ""]
    held: Bool[Array, "n *event"]  # observed entries hidden, to measure errors on
    gained: Float[Array, "n *event"]  # what the same start makes of them
    fallback: Float[Array, "n *event"]  # the completion of a start that learned from them, too
    particles: Particles
    params: Params
    opt: optax.OptState
    best: Best


def spirit(
    net: Net,
    start: Method,
    *,
    view: Callable[[tuple[int, ...]], View] = identity,
    sigma: Scalar = 0.1,
    eta: Scalar = 0.01,
    lr: Scalar = 1e-3,
    score_steps: int = 400,
    moves: int = 12,
    batch: int = 256,
    centre: bool = False,
    score_on: str = "observed",
    apply_grad: str = "plain",
    weights: bool = False,
    weight_norm: str = "mean",
    temperature: Scalar = 1.0,
    ess_floor: float = 0.0,
    dissipative: str = "none",
    holdout: float = 0.05,
) -> Method:
    r"""SPIRIT (Chen et al., 2026): learn a score, let the missing entries climb it, repeat.

    One `step` is one pass of Algorithm 1's outer loop. On the rows as completed so far it trains
    :math:`s_\theta` by denoising score matching,

    .. math::
        \min_\theta \mathbb{E}\,\| s_\theta(x + \sigma\epsilon) + \epsilon/\sigma \|^2
        \qquad (15)

    and then moves the missing entries and the log-weights of the rows, `moves` times,

    .. math::
        \log w_i &\leftarrow \log w_i + \tfrac{\eta}{\tau}\,
            (2\,\mathbb{E}_w\|s_\theta\|^2 - 2\|s_\theta(x_i)\|^2), \quad
            w \leftarrow w / \textstyle\sum_j w_j \qquad (12, 13) \\
        x_i &\leftarrow x_i + \eta\, N w_i\, s_\theta(x_i) \qquad (11)

    with observed entries put back after each move. The start is a method of its own, learned from
    the same rows.

    **Which score that is.** The noise of (15) is put on every entry, so what is learned is the
    score of whole rows blurred by :math:`\sigma`. Its missing coordinates are not the score of the
    missing entries given the observed ones, which (11) asks for, but given observed entries that
    carry noise of :math:`\sigma` themselves. For Gaussian rows the moves end at
    :math:`\mu_m + C_{mo}(C_{oo} + \sigma^2 I)^{-1}(x_o - \mu_o)`, not at the conditional mean: the
    nearer to each other two columns are, the more is lost, and a perfect score loses it too.

    Departures from the printed paper, and why (the preset `paper` undoes those marked (p)):
        * Line 9 of Algorithm 1 prints the imputed values in both terms; observed entries are put
          back, as section 2.1 asks.
        * The location step is multiplied by :math:`N`: with weights that sum to one it would vanish
          as the number of rows grows. Adam's steps do not depend on it, so with `"adam"` the
          weights hardly act on the moves.
        * (p) Weights are off; :math:`\tau` and `ess_floor`, which keep one row from taking all of
          it, are not the paper's, and do nothing at 1 and 0.
        * (p) The norm in (12) is a mean over missing coordinates (`weight_norm="sum"` is the
          paper's), or rows with more holes would lose weight for that alone.
        * (p) The score is trained on observed entries only (`score_on="all"` is the paper's), and
          `ApplyGrad` is a plain step (`"adam"` is the paper's "standard optimizer"). A plain step
          should have :math:`\eta < 2\sigma^2`; :math:`\eta = \sigma^2` is one full denoising step.
        * (p) `centre`: a move is then a step in the centred coordinates.
        * (p) `holdout`: a share of the observed entries is held out of everything. The best iterate
          by their error is what `fill` returns, held-out entries put back and the particles moved
          `moves` times more, without weights and noise; or the start itself, unless the iterate is
          better by 2.5 standard errors. Algorithm 1 returns the last iterate, as `holdout=0` does.
        * Adam's moments of the score network are kept from pass to pass.
        * `sample` is an extension: it applies the start and then `moves` moves under the frozen
          score to any rows. The paper completes only the rows it was trained on.

    Args:
        net: a score network for one row of the view, without conditioning inputs; `t` is `sigma`.
        start: an inductive method that learns in `init` (the first imputation).
        view: `shape -> View`, the rows in which the network sees the data, for instance
            `partial(windows, length=24)`; whole rows by default.
        sigma: noise level of score matching, positive, in standard deviations of the data (with
            `centre`, of the centred rows).
        eta: step size of the proximal recursion, positive.
        lr: Adam's learning rate for the score network.
        score_steps: score-learning steps in one pass, at least 1.
        moves: particle moves in one pass, at least 1.
        batch: rows in a score-learning batch.
        centre: take each row's channel means off, and divide by the pooled deviation within rows,
            before the network sees them: for series whose levels do not recur. Needs rows of
            `(time, channels)`.
        score_on: entries whose score-matching error counts, `observed` or `all`.
        apply_grad: Algorithm 1's ApplyGrad, a `plain` gradient step or `adam`.
        weights: whether the rows carry weights (the semi-proximal transport term).
        weight_norm: `mean` over missing coordinates or `sum` over them.
        temperature: divides the weight direction, positive.
        ess_floor: least effective sample size of the weights, as a fraction in [0, 1).
        dissipative: bring back the term the paper removes (Proposition 3.1): `ve` adds
            :math:`\frac12\mathbb{E}[\log q]` as Langevin noise :math:`\sqrt\eta\,\xi`; `vp` also
            :math:`-\frac14\mathbb{E}\|x\|^2` as a drift :math:`x/2`.
        holdout: share of observed entries held out, in [0, 1). With 0, `fill` returns the last
            iterate as it is, and the start is learned once.

    Returns:
        A method with `fill` and `sample`. The infos report `loss` (score matching, in
        units of the noise), `error` and `start_error` (mean absolute, held-out entries),
        `energy_change` (of (10) without its transport term, along the moves of the pass, up to
        quadrature; `weight_norm="mean"` is used there as well) and `ess`.

    Raises:
        OptionError: an option outside its range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> method = ji.methods.spirit(
        ...     ji.nets.adaln_mlp((2,), width=16), ji.methods.mean(), score_steps=50, batch=64
        ... )
        >>> state = ji.fit(method, jax.random.key(1), data, 2, chunk=2)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: Algorithm 1, equations (11)-(13) and (15), Propositions 3.1-3.5.
    """
    positive = {"sigma": sigma, "eta": eta, "lr": lr, "temperature": temperature}
    positive |= {"score_steps": score_steps, "moves": moves, "batch": batch}
    _check(share=holdout, floor=ess_floor, positive=positive)
    choices = {
        "score_on": (score_on, ("observed", "all")),
        "apply_grad": (apply_grad, ("plain", "adam")),
        "weight_norm": (weight_norm, ("mean", "sum")),
        "dissipative": (dissipative, ("none", "ve", "vp")),
    }
    for name, (chosen, valid) in choices.items():
        if chosen not in valid:
            raise OptionError(f"{name} is '{chosen}'; expected one of {', '.join(valid)}")
    if start.estimate is None:
        raise OptionError("the start has no `estimate`; expected an inductive one such as mean()")
    begin, optimiser = start.estimate, optax.adam(lr)
    apply = {"plain": optax.sgd, "adam": optax.adam}[apply_grad](eta)
    rule = Recursion(eta, apply, weights, weight_norm, temperature, ess_floor, dissipative)

    def score(params: Params):
        return lambda rows: net.apply(params, rows, jnp.full((1,), sigma, rows.dtype), ())

    def particles(x: jax.Array, data: Observed) -> Particles:
        log_w = normalise(jnp.log(_real(view(x.shape), data)))
        return Particles(x, log_w, apply.init((x, log_w)))

    def init(key: PRNGKey, data: Observed) -> SpiritState:
        k_held, k_start, k_net = jax.random.split(key, 3)
        real = data.weight.reshape(-1, *(1,) * (data.mask.ndim - 1)) > 0
        held = data.mask & real & (random.uniform(k_held, data.mask.shape) < holdout)
        shown = _hide(data, held)

        def learned(k, learned_from):
            """A start: its state, and its completions given what is shown and given all."""
            k, k_learn, k_shown, k_all = jax.random.split(k, 4)
            state = start.init(k_learn, learned_from)
            return k, (state, begin(k_shown, state, shown), begin(k_all, state, data))

        # one after the other, so that the start is compiled once; with nothing held they are one
        sources = (shown, data) if holdout > 0 else (data,)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *sources)
        _, starts = jax.lax.scan(learned, k_start, stacked)
        _, x, put_back = jax.tree.map(lambda leaf: leaf[0], starts)
        start_state, _, fallback = jax.tree.map(lambda leaf: leaf[-1], starts)
        rows = view(x.shape)
        level = coordinates(x, rows, _real(rows, data), centre)
        params = net.init(k_net, rows.take(x, jnp.arange(1)), jnp.full((1,), sigma, x.dtype), ())
        best = Best(x, params, level, _error(x, data, held))
        return SpiritState(
            start=start_state,
            start_error=best.error,
            held=held,
            gained=put_back - x,
            fallback=fallback,
            particles=particles(x, shown),
            params=params,
            opt=optimiser.init(params),
            best=best,
        )

    def step(key: PRNGKey, state: SpiritState, data: Observed) -> tuple[SpiritState, Info]:
        k_learn, k_move = jax.random.split(key)
        shown, x = _hide(data, state.held), state.particles.x
        rows = view(x.shape)
        level = coordinates(x, rows, _real(rows, data), centre)
        params, opt, losses = learn(k_learn, state, shown, rows, level)  # line 2
        moved, energy = climb(
            rule, k_move, state.particles, score(params), shown, rows, level, moves
        )  # lines 3-10
        now = Best(moved.x, params, level, _error(moved.x, data, state.held))
        better = (now.error < state.best.error) | (holdout == 0)
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, state.best)
        metrics = {
            "start_error": state.start_error,
            "error": now.error,
            "best_error": best.error,
            "energy_change": energy,
            "ess": effective_size(moved.log_w),
        }
        state = state._replace(particles=moved, params=params, opt=opt, best=best)
        return state, Info(losses[-(score_steps // 4 + 1) :].mean(), metrics)

    def learn(key, state: SpiritState, shown: Observed, rows: View, level: Coordinates):
        x = state.particles.x
        # rows in which nothing is observed teach nothing
        weight = row_weight(rows, shown.weight, shown.mask)

        def loss(params, k):
            k_rows, k_noise = jax.random.split(k)
            i = masking.pick(k_rows, weight, batch)
            clean, where = masking.share((rows.take(x, i), rows.take(shown.mask, i)))
            clean = level.into(clean)
            if score_on == "all":
                where = jnp.full(where.shape, True)
            return denoising_score_matching(net, params, k_noise, clean, where, sigma)

        return descend(loss, optimiser, key, state.params, state.opt, score_steps)

    def fill(state: SpiritState, data: Observed) -> jax.Array:
        if holdout == 0:
            return masking.clamp(state.particles.x, data)
        # put the held-out entries back, with what the start makes of them
        x = masking.clamp(state.best.x + state.gained, data)
        began = state.fallback - state.gained
        better = jnp.abs(began - data.values) - jnp.abs(state.best.x - data.values)
        return jnp.where(
            _surely_positive(better, state.held), settle(state, x, data), state.fallback
        )

    def estimate(key: PRNGKey, state: SpiritState, data: Observed) -> jax.Array:
        return settle(state, begin(key, state.start, data), data)

    def settle(state: SpiritState, x: jax.Array, data: Observed) -> jax.Array:
        """A last round of moves under the best score, without weights or noise."""
        quiet, unused = rule._replace(weights=False, dissipative="none"), jax.random.key(0)
        rows, frozen = view(x.shape), score(state.best.params)
        moved, _ = climb(
            quiet, unused, particles(x, data), frozen, data, rows, state.best.level, moves
        )
        return moved.x

    return Method(init, step, fill, estimate)


def _hide(data: Observed, held: jax.Array) -> Observed:
    mask = data.mask & ~held
    return data._replace(values=jnp.where(mask, data.values, 0), mask=mask)


def _real(rows: View, data: Observed) -> jax.Array:
    """The weight of each row of a view."""
    return row_weight(rows, data.weight, jnp.full(data.mask.shape, True))


def _error(x: jax.Array, data: Observed, held: jax.Array) -> jax.Array:
    return masking.masked_mean(jnp.abs(x - data.values), held)


def _surely_positive(x: jax.Array, where: jax.Array) -> jax.Array:
    mean = masking.masked_mean(x, where)
    variance = masking.masked_mean((x - mean) ** 2, where)
    return mean > _SURE * jnp.sqrt(variance / jnp.maximum(where.sum(), 1))


def _check(*, share: float, floor: float, positive: dict[str, Scalar]) -> None:
    for name, value in positive.items():
        if isinstance(value, int | float) and not value > 0:
            raise OptionError(f"{name} is {value}; expected a positive number")
    for name, value in {"holdout": share, "ess_floor": floor}.items():
        if not 0 <= value < 1:
            raise OptionError(f"{name} is {value}; expected a share in [0, 1)")

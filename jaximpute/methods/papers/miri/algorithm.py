r"""MIRI: imputation that reduces the mutual information of data and mask, by rectified flows.

Yu, Ying, Wang, Jiang and Liu, "Missing Data Imputation by Reducing Mutual Information with
Rectified Flows" (2025), Algorithm 1. Each round learns a velocity field from the rows as completed
so far, and completes them anew by solving an ordinary differential equation under it.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaximpute import masking
from jaximpute._errors import check_chosen, check_positive
from jaximpute.maths.averages import mean_of
from jaximpute.methods.papers.miri import dependence
from jaximpute.methods.papers.miri import flows as rectified
from jaximpute.methods.papers.miri.based import on_base
from jaximpute.methods.papers.miri.flows import LAYOUTS, SOLVERS, STARTS, Columns, Flow
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar


class Settings(NamedTuple):
    """What a round without a base begins at and learns from; `miri` documents it."""

    restart: bool
    targets: str
    pairing: str
    start: str


class MiriState(NamedTuple):
    """The completed rows, and the velocity fields that brought them there."""

    x: Float[Array, "n *event"]
    fields: Params  # stacked over the rounds kept; those not yet learned are zero
    rounds: Int[Array, ""]  # done so far
    sgd_steps: Int[Array, ""]  # of a round: data, and so no part of the compiled program
    known: Columns


def miri(
    net: Net,
    *,
    rounds: int = 6,
    sgd_steps: int = 1000,
    batch: int = 128,
    lr: Scalar = 1e-3,
    schedule: str = "cosine",
    warm: bool = True,
    restart: bool = True,
    targets: str = "observed",
    pairing: str = "fresh",
    layout: str = "filled",
    start: str = "normal",
    solver: str = "heun",
    ode_steps: int = 10,
    clip: bool = True,
    keep: bool = True,
    draws: int = 30,
    base: Method | None = None,
    holdout: float = 0.1,
) -> Method:
    r"""MIRI (Yu et al., 2025): learn a flow from guesses to data, complete the rows by it, repeat.

    One `step` is one round of Algorithm 1. With :math:`(X_0, M_0)` a row as completed so far and
    its mask, :math:`X_1` another such row, and
    :math:`X_\tau = (1 - \tau) X_0 + \tau X_1`, it learns on missing entries

    .. math::
        \min_v \int_0^1 \mathbb{E}\,\| X_1 - X_0
            - v(X_{\tau, 1-M_0}, X_{0,M_0}, X_{1,M_0}, M_0, \tau) \|^2 d\tau \qquad (6)

    and then moves the missing entries of every row, whose observed entries :math:`x_m` take both
    places,

    .. math:: \frac{dZ_\tau}{d\tau} = v(Z_\tau, x_m, x_m, m, \tau), \quad \tau: 0 \to 1. \qquad (7)

    The result is a draw of the missing entries given the observed ones, under the distribution of
    the rows one round before (Theorem 1). `sample` starts any rows from new guesses and solves the
    ODE under the kept fields, in their order; the state's `x` is one such draw for each row given.
    `estimate` is the mean of several draws, which is not itself such a row.

    Departures from the printed paper, and why (the preset `paper` undoes those marked (p)):
        * (p) `restart`: each round's flow begins at new guesses, not at the completion before.
          Proposition 2 fixes the law of what comes out, not of what goes in. A network sees each
          completion many times and each guess once; flows from the completions learn those rows by
          heart and do not carry over to others.
        * (p) `targets`: the loss counts only entries that are observed in :math:`X_1`. Otherwise a
          row's own completion is among its targets, and is learned instead of the data. To choose
          targets by :math:`M_1` must not change what they tell given the :math:`X_{1, M_0}` that
          the network is shown. It does not if values are missing completely at random; nor if the
          mask depends on columns that are always observed, for these are part of
          :math:`X_{1, M_0}`. Where it depends on columns that are themselves missing in places, it
          may: `targets="all"` then leans on completions instead, and neither is exact.
        * (p) `warm`: a round goes on from the field before. Targets change little between rounds.
        * (p) A cosine schedule within a round, a narrower network, fewer steps. The paper prints
          neither rate nor width nor steps; the preset has width and steps of the public code, whose
          rate of 1e-2 makes learning diverge on standardised columns, and a tenth of that rate.
        * `clip` keeps the ODE within each column's observed range. The preset keeps it, too: its
          chains otherwise run off, round by round, until numbers end. `clip=False` is as printed.
        * (p) Heun's rule with few steps, in place of a hundred of Euler's as Algorithm 2 prints
          them (`solver="euler_end"`): the velocity at the time when a step ends, :math:`k / N`. The
          public code takes it where a step begins (`euler`). They differ by :math:`O(1/N)`.
        * (p) Images: the network is shown local averages, and flows begin at such an average.
        * (p) `base`: flows begin at a base's draws; see below.
        * Times are spread evenly over a batch: each is uniform, and their mean varies less.
        * A row without holes is no :math:`X_0`: none of its entries would be scored.

    **On a base** :math:`q(x_{1-m} \mid x_m)`, which draws, both ends of a flow have the same
    observed part,

    .. math:: X_{0, M_0} = X_{1, M_0}, \quad X_{0, 1-M_0} \sim q(\cdot \mid X_{1, M_0}),

    in learning as in the ODE, which begins at :math:`q(\cdot \mid x_m)`. Lemma 1 asks of the law
    of :math:`X_0`, given the condition, only that it is the same in both; with :math:`u = w = x_m`
    it holds as it stands. What is left to learn is what the base misses, and with a velocity that
    begins at 0 a flow that learned nothing returns the base's draw. In place of the second row the
    network is shown the base's estimate. Before anything is learned, a share of the observed cells
    is held out, in the shapes of the data's own holes: no base and no field learns from them, but
    for the base that answers in the end, which learns from all. On them

    * the field of the best round is kept, by the energy score of its draws;
    * so much of the way from :math:`Z_0` to :math:`Z_1` is believed as makes that score least;
      nothing, where the gain is not more than two standard errors of the rows (`maths.choice`);
    * where draws are believed, so much of their mean way as makes the squared error of the
      estimate :math:`\hat x = \hat x_q + w\, \overline{Z_1 - Z_0}` least; nothing, where that
      gains no more than one standard error. The round is chosen by the same cells, so what is
      reported is a little low.

    A base that learns on the host, such as `trees`, may remember its rows. It is fitted three times
    more, each time without a third of the cells, which then are those to learn from.

    With `base`, the options `restart`, `targets`, `pairing`, `layout`, `start` and `keep` have no
    effect: flows begin anew and end at what is observed.

    Args:
        net: a velocity field for one row, conditioned on two arrays (three with `padded`).
        rounds: fields to keep room for if `restart` is off; later rounds overwrite the last.
        sgd_steps: learning steps in a round, at least 1. No part of the compiled program.
        batch: rows in a batch, drawn with replacement: there may be fewer rows.
        lr: Adam's learning rate.
        schedule: of the learning rate within a round, `cosine` (to zero) or `constant`.
        warm: begin a round with the network of the round before; else with a new one.
        restart: begin each round's flow at new guesses; else at the completion so far.
        targets: entries of :math:`X_1` to learn from, `observed` or `all`.
        pairing: :math:`X_1` is drawn anew for each step (`fresh`, Algorithm 1), or is the same
            partner throughout a round (`fixed`, the authors' code).
        layout: how the network is shown the three arrays of (6), `filled` or `padded`; see
            `methods.papers.miri.flows.velocity`.
        start: guesses: `normal` (moments of each column), `uniform` (within its range) or `columns`
            (its observed values, at random); of images also `nearby` (averages of the observed
            pixels around, with noise of 0.3 of the channel's deviation).
        solver: `euler`, `heun`, `tsit5`, or `euler_end`, Algorithm 2 of the paper.
        ode_steps: its steps, at least 1.
        clip: keep completions within each column's observed range.
        keep: keep the fields of all rounds, which `sample` needs if `restart` is off. With
            `restart` the last one is enough.
        draws: completions whose mean is the `estimate`, at least 1.
        base: an inductive method that learns in `init` and draws, at whose draws flows begin.
        holdout: with a base, the share of observed cells by which it is chosen, in (0, 1).

    Returns:
        A method with `sample` and `estimate`; or, if its fields are not kept, with `fill` alone,
        which is the one draw that the last round has made. The infos report
        `loss` (mean over the last quarter of the round), `dependence` (of completed rows and mask,
        see `diagnostics.dependence`) and `mmd` (between the completions before and after), the last
        two on up to 512 rows. On a base also, on the cells held out and in standard deviations,
        `start_error` (root mean square, of the base's estimate) and `error`, `start_energy` and
        `energy` (the energy scores of draws), and the shares `share` and `draw_share` that are
        believed of the estimate and of draws.

    Raises:
        OptionError: an option outside its range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> method = ji.methods.miri(ji.nets.velocity_mlp((2,), width=16), sgd_steps=50)
        >>> state = ji.fit(method, jax.random.key(1), data, 2, chunk=1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: Algorithms 1 and 2, equations (6)-(9), Proposition 2, Theorem 1.
    """
    check_positive(rounds=rounds, sgd_steps=sgd_steps, batch=batch, lr=lr)
    check_positive(ode_steps=ode_steps, draws=draws)
    check_chosen(
        schedule=(schedule, ("cosine", "constant")),
        targets=(targets, ("observed", "all")),
        pairing=(pairing, ("fresh", "fixed")),
        layout=(layout, LAYOUTS),
        start=(start, STARTS),
        solver=(solver, SOLVERS),
    )
    flow = Flow(net, layout, solver, ode_steps, clip, batch, lr, schedule, warm)
    if base is not None:
        return on_base(flow, base, sgd_steps=sgd_steps, draws=draws, holdout=holdout)
    settings = Settings(restart, targets, pairing, start)
    slots = rounds if keep and not restart else 1

    def init(key: PRNGKey, data: Observed) -> MiriState:
        known = rectified.columns(data)
        x = rectified.begin(key, known, data, start)  # line 1
        one = jax.eval_shape(partial(rectified.new_field, flow), key, x)
        fields = jax.tree.map(lambda leaf: jnp.zeros((slots, *leaf.shape), leaf.dtype), one)
        done, budget = jnp.zeros((), jnp.int32), jnp.asarray(sgd_steps, jnp.int32)
        return MiriState(x, fields, done, budget, known)

    def step(key: PRNGKey, state: MiriState, data: Observed) -> tuple[MiriState, Info]:
        k_net, k_learn, k_guess, k_look = jax.random.split(key, 4)
        last = kept_field(state.fields, state.rounds - 1)
        params = rectified.first_field(flow, k_net, state.x, state.rounds, last)  # line 3
        params, loss = learn(flow, settings, k_learn, params, state, data)  # lines 4-9
        x0 = rectified.begin(k_guess, state.known, data, start) if restart else state.x
        x = rectified.impute_by_flow(flow, params, x0, data.mask, state.known)  # line 10
        x, number = masking.clamp(x, data), jnp.clip(state.rounds, 0, slots - 1)
        fields = jax.tree.map(lambda kept, one: kept.at[number].set(one), state.fields, params)
        metrics = dependence.look(k_look, state.x, x, data)
        return state._replace(x=x, fields=fields, rounds=state.rounds + 1), Info(loss, metrics)

    def fill(state: MiriState, data: Observed) -> jax.Array:
        return masking.clamp(state.x, data)

    def sample(key: PRNGKey, state: MiriState, data: Observed) -> jax.Array:
        def one(r, x):
            field = kept_field(state.fields, r)
            moved = rectified.impute_by_flow(flow, field, x, data.mask, state.known)
            return masking.clamp(moved, data)

        x = rectified.begin(key, state.known, data, start)
        return jax.lax.fori_loop(0, jnp.minimum(state.rounds, slots), one, x)

    if not (keep or restart):
        return Method(init, step, fill)
    return Method(init, step, estimate=mean_of(sample, draws), sample=sample)


def kept_field(fields: Params, r) -> Params:
    """The field of round `r`, or the nearest that was kept."""
    return jax.tree.map(lambda leaf: leaf[jnp.clip(r, 0, len(leaf) - 1)], fields)


def learn(
    flow: Flow, settings: Settings, key: PRNGKey, params: Params, state: MiriState, data: Observed
) -> tuple[Params, Float[Array, ""]]:
    """Lines 4-9 of Algorithm 1: steps down eq. (6) from `params`, and the loss at their end."""
    k_partner, k_steps = jax.random.split(key)
    # rows without holes have nothing to be scored on as X_0
    holes = (data.weight > 0) & (~data.mask).reshape(len(state.x), -1).any(axis=1)
    weight = jnp.where(holes | ~holes.any(), data.weight, 0)
    fixed = settings.pairing == "fixed"
    partner = rectified.partners(k_partner, data.weight) if fixed else None
    loss = partial(pair_loss, flow, settings, state, data, weight, partner)
    return rectified.learned(flow, loss, k_steps, params, state.sgd_steps)


def pair_loss(
    flow: Flow, settings: Settings, state: MiriState, data: Observed, weight, partner, params, key
) -> Float[Array, ""]:
    """Lines 5-7: eq. (6) on pairs of rows, each drawn by its weight or the partner of the first."""
    k_rows, k_others, k_guess, k_time = jax.random.split(key, 4)
    i = masking.pick(k_rows, weight, flow.batch)
    j = masking.pick(k_others, data.weight, flow.batch) if partner is None else partner[i]
    rows = masking.share(Observed(data.values[i], data.mask[i], data.weight[i]))
    x0, x1, known = masking.share((state.x[i], state.x[j], data.mask[j]))
    if settings.restart:
        x0 = rectified.begin(k_guess, state.known, rows, settings.start)
    counts = ~rows.mask & (known | (settings.targets == "all"))
    return rectified.flow_loss(flow.net, params, k_time, x0, x1, rows.mask, counts, flow.layout)

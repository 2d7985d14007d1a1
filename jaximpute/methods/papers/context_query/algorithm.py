r"""Context-query diffusion: learn complete fields from incomplete samples.

Zhou, Wang, Ye, Guan and Yu, "Incomplete Data, Complete Dynamics: A Diffusion Approach" (ICLR 2026),
Algorithms 1 and 4. A network sees a part of what is observed, the context, and answers for another
part, the query; with the right partition it learns the conditional mean of the whole field, though
no sample is ever complete. MissDiff and AmbientDiff are other partitions of the same function.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute import masking
from jaximpute._errors import OptionError, check_chosen, check_positive
from jaximpute.maths import hole_boxes, processes
from jaximpute.maths.optimise import Learner, averaged, learner, train, warmed
from jaximpute.methods.papers.context_query import contexts
from jaximpute.methods.papers.context_query.contexts import Feed
from jaximpute.methods.papers.context_query.guidance import Guidance
from jaximpute.methods.papers.context_query.loss import query_loss
from jaximpute.methods.papers.context_query.places import given, located
from jaximpute.methods.papers.context_query.sampling import (
    Model,
    best_single_step,
    multi_step,
)
from jaximpute.types import (
    Info,
    Method,
    Net,
    Observed,
    Params,
    PRNGKey,
    Process,
    Scalar,
    Split,
    View,
)
from jaximpute.views import every, identity, row_weight

BANK = 16  # masks kept from training, for the random masks of Algorithm 4


class ContextQueryState(NamedTuple):
    """The network, how dense its contexts were, and some masks of the data."""

    learner: Learner
    density: Float[Array, ""]
    bank: Bool[Array, "m *event"]


class Settings(NamedTuple):
    """The network, how it is trained and what it is asked; `context_query` documents them."""

    net: Net
    split: Split
    process: Process
    delta: Scalar
    at_delta: Scalar
    objective: str
    batch: int
    view: Callable[[tuple[int, ...]], View]
    places: bool
    feeds: tuple[Feed, ...]
    hide: Split
    baseline: Net | None
    rows: int
    sampler_net: Net | None
    steps: int
    power: Scalar
    members: int
    guidance: Guidance


def context_query(
    net: Net,
    split: Split,
    *,
    process: Process | None = None,
    feeds: Sequence[Feed] = (),
    hide: Split | None = None,
    baseline: Net | None = None,
    delta: Scalar = 1e-3,
    at_delta: Scalar = 0.0,
    objective: str = "data",
    lr: Scalar = 1e-3,
    total: int | None = None,
    warmup: int = 0,
    clip: float = 1.0,
    decay: Scalar = 0.999,
    batch: int = 32,
    sgd_steps: int = 1,
    scan: bool = True,
    rows: int = 512,
    steps: int = 50,
    power: Scalar = 1.0,
    members: int = 10,
    guidance: Callable[[jax.Array], jax.Array] | None = None,
    guidance_strength: Scalar = 1.0,
    observation_strength: Scalar = 0.0,
    sampler_net: Net | None = None,
    view: Callable[[tuple[int, ...]], View] = identity,
    places: bool = False,
) -> Method:
    r"""Completion of fields by a network trained on parts of what is observed.

    One `step` is `sgd_steps` steps of Algorithm 1: draw a batch, a time and a partition of each
    mask, and descend on the squared error of the queried entries (see `query_loss`). If each entry
    is asked for with positive probability under each context, the network that minimises this is
    :math:`\mathbb{E}[x_0 \mid \mathrm{context}]` everywhere (Theorem 1; `exposure_audit` checks the
    condition).

    `estimate` averages the answers to `K` contexts drawn from the observed entries, at :math:`t =
    \delta` (equations 9 and 10). With a perfect network and contexts drawn independently, the error
    of that average is

    .. math:: \mathbb{E}\|\hat\mu_K - \mathbb{E}[x_0 \mid \mathrm{obs}]\|^2
        = \mathrm{bias}^2 + \mathrm{var}/K

    where the bias is that of :math:`\mathbb{E}[\mu_{\mathrm{ctx}} \mid \mathrm{obs}]`: it does not
    vanish as `K` grows. `sample` runs Algorithm 4 from there, and is one random draw.

    Departures from the printed paper, and why:
        * The loss is a mean over the queried entries, as in the authors' code, not a sum: otherwise
          the learning rate would depend on the masks.
        * Several `feeds` may be given, and the one with the least error on entries hidden once more
          is used. What to feed is not a matter of principle: in the paper's Table 4 averaging over
          contexts wins, by a little with its U-Net (advection) and by much with its Fourier neural
          operator (shallow water); here, with contexts up to all that is observed in training,
          feeding everything often does.
        * The weight of the two estimates of equation (28) runs as in the authors' code; see
          `imputation_weight`. Noises are clipped to [-5, 5], and the last state is replaced by an
          average of denoised ones, as there.
        * Algorithm 4 shows the network what it has generated so far, so its split must also ask for
          what is shown (`query="all"`). Under the authors' block rule it would never have learned
          to answer there.
        * The weights are averaged over the steps, and the learning rate falls along half a cosine.
        * With a `view` the network sees tiles of the fields, each a sample of its own; their
          answers fade into each other where they overlap. The draws of overlapping tiles start from
          the same noise, and are still a little narrower at seams.

    Args:
        net: a network for one field; `cond` is one array, the context as numbers.
        split: a partition; see `jaximpute.methods.papers.context_query.partitions`.
        process: how noise enters; `processes.vp()` if None.
        feeds: what is fed at sampling; see `jaximpute.methods.papers.context_query.contexts`. Ten
            contexts drawn from `split` if there are none.
        hide: what is hidden to choose between several feeds, as the query of a split; what is left
            should be about as dense as the masks. `partitions.hole_shaped()` if None.
        baseline: a network without parameters, such as `nets.interpolated(None)`. Its answer to all
            that is observed is one more to choose from, so that training may be for nothing.
        delta: least time, in (0, 1), and that of single-step sampling.
        at_delta: share of a batch whose time is `delta`, in [0, 1].
        objective: `data` or `noise`; see `query_loss`.
        lr: first learning rate, positive.
        total: optimiser steps after which the rate is 0; None keeps it constant.
        warmup: optimiser steps in which the rate grows from 0. Networks with convolutions that take
            whole steps at once may never learn.
        clip: largest norm of a gradient.
        decay: of the average of the weights, in [0, 1); 0 keeps the last.
        batch: samples in a batch.
        sgd_steps: optimiser steps in one `step`.
        scan: whether these are one compiled loop. On CPU, where XLA runs convolutions in a loop an
            order of magnitude slower, they should not be.
        rows: samples (times contexts) that the network sees at a time when sampling.
        steps: steps of Algorithm 4, at least 1.
        power: of the weight of the single-step estimate in Algorithm 4, positive.
        members: answers averaged at the end of Algorithm 4.
        guidance: `sample -> scalar`, an equation's squared residual, for Algorithm 4. It sees one
            row of the view, in the units of the data given (standardised, through `impute`).
        guidance_strength: length of a step along its gradient; for a quadratic, below two over its
            largest curvature.
        observation_strength: length of a step of the state along the gradient, through the network,
            of the mean squared error at observed entries; 0 = none.
        sampler_net: a network with the same parameters, for loops: that of Algorithm 4, and that
            over more rows than `rows`.
        view: `shape -> View`, the rows that the network and the split see, for instance
            `views.tiles` of a size and an overlap.
        places: whether the last condition of the network is where each entry lies in the field.

    Returns:
        An inductive method with `estimate` and `sample`.

    Raises:
        OptionError: an option outside its range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (32, 1, 1, 1, 1)) * jnp.ones((1, 2, 6, 6, 1))
        >>> data = ji.from_nan(x.at[:, :, :2, :2].set(jnp.nan))
        >>> net = ji.nets.field_mlp((2, 6, 6, 1), width=16)
        >>> method = ji.methods.context_query(net, ji.partitions.pixel(), sgd_steps=5)
        >>> state = ji.fit(method, jax.random.key(1), data, 2, chunk=1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (32, 2, 6, 6, 1)

    Source: Algorithms 1, 4, 5 and 6, equations (9), (10) and (28), Theorems 1 and 2.
    """
    check_positive(lr=lr, batch=batch, sgd_steps=sgd_steps, rows=rows, clip=clip, steps=steps)
    check_positive(power=power, members=members)
    check_chosen(objective=(objective, ("data", "noise")))
    _check(delta, at_delta, decay, warmup)
    process = processes.vp() if process is None else process
    feeds = tuple(feeds) or (contexts.drawn(split),)
    hide = hole_boxes.hole_shaped() if hide is None else hide
    guide = Guidance(guidance, guidance_strength, observation_strength)
    using = Settings(
        net, split, process, delta, at_delta, objective, batch, view, places, feeds, hide, baseline,
        rows, sampler_net, steps, power, members, guide,
    )  # fmt: skip
    optimiser = warmed(lr, total=total, warmup=warmup, clip=clip)

    def init(key: PRNGKey, data: Observed) -> ContextQueryState:
        k_net, k_split, k_bank = jax.random.split(key, 3)
        where = located(data.values.shape, view, places)
        data = cut(view, data)
        x = data.values[:1]
        first = given(jnp.ones_like(x, bool), x.dtype, None if where is None else where[:1])
        params = net.init(k_net, x, jnp.ones(1, x.dtype), first)
        share = jnp.mean(split(k_split, data.mask)[0], axis=tuple(range(1, x.ndim)))
        density = masking.row_mean(share.astype(x.dtype), data.weight)
        bank = data.mask[masking.pick(k_bank, data.weight, min(BANK, data.mask.shape[0]))]
        return ContextQueryState(learner(params, optimiser, decay), density, bank)

    def step(
        key: PRNGKey, state: ContextQueryState, data: Observed
    ) -> tuple[ContextQueryState, Info]:
        loss = partial(batch_loss, using, data)
        trained, losses = train(loss, optimiser, key, state.learner, sgd_steps, decay, scan=scan)
        return state._replace(learner=trained), Info(losses.mean(), {})

    def estimate(key: PRNGKey, state: ContextQueryState, data: Observed) -> jax.Array:
        imputed = single_step(using, key, state, data)
        return masking.clamp(view(data.values.shape).fold(imputed), data)

    def sample(key: PRNGKey, state: ContextQueryState, data: Observed) -> jax.Array:
        k_mean, *k_rest = jax.random.split(key, 3)
        imputed = single_step(using, k_mean, state, data)
        drawn = draw(using, tuple(k_rest), state, data, imputed)
        return masking.clamp(view(data.values.shape).fold(drawn), data)

    return Method(init, step, estimate=estimate, sample=sample)


def cut(view: Callable[[tuple[int, ...]], View], data: Observed) -> Observed:
    """The rows that the network sees, as data of their own."""
    if view is identity:
        return data
    rows = view(data.values.shape)
    values, mask = every(rows, data.values), every(rows, data.mask)
    return Observed(values, mask, row_weight(rows, data.weight, data.mask))


def batch_loss(using: Settings, data: Observed, params: Params, key: PRNGKey) -> Float[Array, ""]:
    """One batch of Algorithm 1: rows of the view at random, and `query_loss` of them."""
    k_rows, k_loss = jax.random.split(key)
    shape, weight = data.values.shape, data.weight
    rows, where = using.view(shape), located(shape, using.view, using.places)
    if using.view is not identity:  # a tile of land has nothing to teach
        weight = row_weight(rows, data.weight, data.mask)
    i = masking.pick(k_rows, weight, using.batch)
    x, mask = masking.share((rows.take(data.values, i), rows.take(data.mask, i)))
    return query_loss(
        using.net,
        params,
        k_loss,
        x,
        mask,
        using.split,
        using.process,
        delta=using.delta,
        at_delta=using.at_delta,
        objective=using.objective,
        places=None if where is None else where[i % len(where)],
    )


def model_of(using: Settings, net: Net, state: ContextQueryState, data: Observed) -> Model:
    """The network as it was trained, for rows of the shape of the data's."""
    where = located(data.values.shape, using.view, using.places)
    params = averaged(state.learner)
    return Model(net, params, using.process, using.objective, using.rows, using.sampler_net, where)


def single_step(
    using: Settings, key: PRNGKey, state: ContextQueryState, data: Observed
) -> Float[Array, "rows *event"]:
    """Equations (9) and (10) for the rows of the view, by the best of the feeds."""
    models = [(model_of(using, using.net, state, data), using.feeds)]
    if using.baseline is not None:
        plain = Model(using.baseline, {}, using.process, rows=using.rows)
        models.append((plain, (contexts.observed,)))
    seen = cut(using.view, data)
    return best_single_step(models, key, seen, using.delta, state.density, using.hide)


def draw(
    using: Settings,
    keys: tuple[PRNGKey, PRNGKey],
    state: ContextQueryState,
    data: Observed,
    imputed: Float[Array, "rows *event"],
) -> Float[Array, "rows *event"]:
    """Algorithm 4 for the rows of the view, from their single-step estimates."""
    k_start, k_draw = keys
    seen, whole = cut(using.view, data), using.view(data.values.shape)
    n = seen.mask.shape[0]
    noise = using.process.prior(k_start, data.values.shape).astype(imputed.dtype)

    def mask_like(k: PRNGKey) -> jax.Array:
        k_row, k_split = jax.random.split(k)
        row = jax.random.randint(k_row, (n,), 0, state.bank.shape[0])
        return using.split(k_split, state.bank[row])[0]

    return multi_step(
        model_of(using, using.sampler_net or using.net, state, data),
        k_draw,
        whole.take(noise, jnp.arange(n)),
        seen,
        imputed,
        mask_like,
        steps=using.steps,
        delta=using.delta,
        power=using.power,
        members=using.members,
        guidance=using.guidance,
    )


def _check(delta: Scalar, at_delta: Scalar, decay: Scalar, warmup: int) -> None:
    if warmup < 0:
        raise OptionError(f"warmup is {warmup}; expected a number of steps, or 0")
    if isinstance(delta, int | float) and not 0 < delta < 1:
        raise OptionError(f"delta is {delta}; expected a time in (0, 1)")
    for name, value, top in (("at_delta", at_delta, 1.0), ("decay", decay, 1.0 - 1e-9)):
        if isinstance(value, int | float) and not 0 <= value <= top:
            raise OptionError(f"{name} is {value}; expected a share in [0, 1]")

"""What a context-query model makes of a field: one step, or many (Algorithm 4)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute import masking
from jaximpute.maths import random
from jaximpute.methods.papers.context_query.contexts import Feed
from jaximpute.methods.papers.context_query.guidance import Guidance, nearer, pulled
from jaximpute.methods.papers.context_query.places import given
from jaximpute.types import Net, Observed, Params, PRNGKey, Process, Scalar, Split

LARGEST_NOISE = 5.0  # to which the noises of Algorithm 4 are clipped, as in the authors' code


class Model(NamedTuple):
    """A trained network, and how it was trained.

    Attributes:
        net: the network; `cond` holds the context as numbers.
        params: its parameters.
        process: how noise entered.
        objective: `data` or `noise`, what it was trained to answer with.
        rows: rows it sees at a time.
        looped: the same network for more rows than that, which take a loop; None = `net`.
        places: where the entries of each tile of a field lie, for networks that are told.
    """

    net: Net
    params: Params
    process: Process
    objective: str = "data"
    rows: int = 512
    looped: Net | None = None
    places: Float[Array, "tiles *where"] | None = None


def answer(
    model: Model,
    x: Float[Array, "n *event"],
    t: Scalar,
    context: Bool[Array, "n *event"],
    at: Int[Array, "n"] | None = None,
) -> Float[Array, "n *event"]:
    r"""The estimate of :math:`x_0` from a noisy context; what `x` holds elsewhere is not seen.

    `at` are the rows' numbers in the view, if they are not all of it, once or more often.
    """
    shown = jnp.where(context, x, 0)
    times = jnp.full(x.shape[:1], t, x.dtype)

    few = x.shape[0] <= model.rows
    net = model.net if few or model.looped is None else model.looped

    tile = None
    if model.places is not None:
        at = jnp.arange(x.shape[0]) if at is None else at
        tile = at % len(model.places)

    def rows(shown, times, context, tile):
        where = None if tile is None or model.places is None else model.places[tile]
        return net.apply(model.params, shown, times, given(context, shown.dtype, where))

    if few:
        out = rows(shown, times, context, tile)
    else:
        out = jax.lax.map(
            lambda row: rows(*jax.tree.map(lambda one: one[None], row))[0],
            (shown, times, context, tile),
            batch_size=model.rows,
        )
    if model.objective == "data":
        return out
    alpha, sigma = model.process.marginal(t)
    return (shown - sigma * out) / alpha


def single_steps(
    model: Model,
    key: PRNGKey,
    data: Observed,
    feeds: Sequence[Feed],
    delta: Scalar,
    density: Float[Array, ""],
    at: Int[Array, "n"] | None = None,
) -> Float[Array, "feeds n *event"]:
    r"""By each feed the average of the answers to its contexts, equations (9) and (10).

    .. math:: \frac1K \sum_k x_\theta(\delta, M^{(k)}_{\mathrm{ctx}} \odot x_\delta,
        M^{(k)}_{\mathrm{ctx}})

    All members of all feeds share one noisy copy of what is observed, as in the authors' code, and
    one call of the network, which is compiled once. `at` as in `answer`.
    """
    k_noise, *k_feeds = jax.random.split(key, 1 + len(feeds))
    alpha, sigma = model.process.marginal(delta)
    noise = random.normal(k_noise, data.values.shape, data.values.dtype)
    noisy = alpha * data.values + sigma * noise
    drawn = [feed(k, data.mask, density) for feed, k in zip(feeds, k_feeds, strict=True)]
    contexts = jnp.concatenate([one for one, _ in drawn])
    members, n, *event = contexts.shape
    copies = jnp.broadcast_to(noisy[None], contexts.shape).reshape(members * n, *event)
    at = None if at is None else jnp.tile(at, members)
    answers = answer(model, copies, delta, contexts.reshape(members * n, *event), at)
    answers = answers.reshape(contexts.shape)
    ends = np.cumsum([len(weight) for _, weight in drawn])
    averages = []
    for own, (_, weight) in zip(jnp.split(answers, ends[:-1]), drawn, strict=True):
        weight = weight.reshape(*weight.shape, *(1,) * len(event)).astype(answers.dtype)
        averages.append(jnp.sum(weight * own, axis=0))
    return jnp.stack(averages)


def best_single_step(
    models: Sequence[tuple[Model, Sequence[Feed]]],
    key: PRNGKey,
    data: Observed,
    delta: Scalar,
    density: Float[Array, ""],
    hide: Split,
) -> Float[Array, "n *event"]:
    """`single_steps` by the feed with the least error on entries that `hide` asks for once more."""

    def by(model, feeds):
        return lambda k, d, i: single_steps(model, k, d, feeds, delta, density, i)

    candidates = [by(model, (feed,)) for model, own in models for feed in own]
    i = jnp.arange(data.mask.shape[0])
    if len(candidates) == 1:
        return candidates[0](key, data, i)[0]
    k_choice, k_use = jax.random.split(key)

    def together(k, d, i):
        keys = jax.random.split(k, len(models))
        return jnp.concatenate([by(*one)(k, d, i) for one, k in zip(models, keys, strict=True)])

    model, feeds = models[0]
    few = min(64, model.rows // members_of(feeds, data, density))
    best = jnp.argmin(errors_on_hidden(together, hide, k_choice, data, max(few, 1)))
    return jax.lax.switch(best, candidates, k_use, data, i)[0]


def members_of(feeds: Sequence[Feed], data: Observed, density: Float[Array, ""]) -> int:
    """How many contexts the feeds make of a mask together."""
    made = (jax.eval_shape(feed, jax.random.key(0), data.mask, density) for feed in feeds)
    return sum(len(weight) for _, weight in made)


def errors_on_hidden(
    estimates: Callable[[PRNGKey, Observed, jax.Array], Float[Array, "k n *event"]],
    hide: Split,
    key: PRNGKey,
    data: Observed,
    rows: int = 64,
) -> Float[Array, "k"]:
    """The squared error of each estimate on entries that are hidden from it; no truth is needed.

    Args:
        estimates: `(key, data, numbers of the rows) -> values`, the candidates, one after another.
        hide: a split whose query is hidden.
        key: of the rows, what is hidden, and the estimates.
        data: incomplete rows.
        rows: how many of them to use.
    """
    k_rows, k_hide, k_use = jax.random.split(key, 3)
    i = masking.pick(k_rows, data.weight, min(rows, data.values.shape[0]))
    values, mask = masking.share((data.values[i], data.mask[i]))
    hidden = hide(k_hide, mask)[1]
    left = mask & ~hidden
    # a row of no weight is picked only if there is no other
    shown = Observed(jnp.where(left, values, 0), left, jnp.ones_like(data.weight[i]))
    square = (estimates(k_use, shown, i) - values[None]) ** 2
    return jax.vmap(masking.masked_mean, (0, None))(square, hidden)


def imputation_weight(t: Scalar, power: Scalar = 1.0) -> Float[Array, ""]:
    r"""The weight :math:`t^p` of the imputation expectation in equation (28), at diffusion time t.

    It is 1 at pure noise, where the noisy state says nothing, and 0 at the end. Read with
    :math:`\omega_t` as a function of diffusion time, the paper's text has it the other way about;
    the authors' code has this.
    """
    return jnp.asarray(t) ** power


def multi_step(
    model: Model,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    data: Observed,
    imputed: Float[Array, "n *event"],
    mask_like: Callable[[PRNGKey], Bool[Array, "n *event"]],
    *,
    steps: int,
    delta: Scalar,
    power: Scalar = 1.0,
    members: int = 10,
    guidance: Guidance | None = None,
) -> Float[Array, "n *event"]:
    r"""Draws by a deterministic diffusion under a mixture of two estimates (Algorithm 4).

    At each step from time s to t

    .. math::
        \hat x = (1 - s^p)\, x_\theta(s, M_{\mathrm{rnd}} \odot x_s, M_{\mathrm{rnd}})
            + s^p\, \hat\mu \qquad (28)

    gives the noise at missing entries, the observations give it where they are, both clipped, and
    the exponential integrator of first order (DDIM) moves on:
    :math:`x_t = (\alpha_t/\alpha_s) x_s + (\sigma_t - \sigma_s \alpha_t/\alpha_s)\, \epsilon`.

    Args:
        model: the network.
        key: of the random masks.
        x: where to start, a draw of the process's prior.
        data: what is observed.
        imputed: the single-step estimate.
        mask_like: `key -> context`, of the law of training, not within the mask.
        steps: steps from time 1 to `delta`.
        delta: where time ends.
        power: of the weight of the imputation expectation.
        members: answers averaged for the last denoising.
        guidance: what pulls the estimates; none in the paper.
    """
    guidance = Guidance() if guidance is None else guidance
    k_steps, k_last = jax.random.split(key)
    times = jnp.linspace(1.0, jnp.asarray(delta, jnp.float32), steps + 1)

    def one(x, now):
        s, t, i = now
        (alpha, sigma), (alpha_t, sigma_t) = model.process.marginal(s), model.process.marginal(t)
        weight, shown = imputation_weight(s, power), mask_like(jax.random.fold_in(k_steps, i))

        def estimated(x):
            return (1 - weight) * answer(model, x, s, shown) + weight * imputed

        estimate, pull = pulled(guidance, estimated, x, data)
        target = masking.clamp(nearer(guidance, estimate, data), data)
        noise = jnp.clip((x - alpha * target) / sigma, -LARGEST_NOISE, LARGEST_NOISE)
        ratio = alpha_t / alpha
        return (ratio * x + (sigma_t - sigma * ratio) * noise + pull).astype(x.dtype), None

    x, _ = jax.lax.scan(one, x, (times[:-1], times[1:], jnp.arange(steps)))

    def member(total, i):
        return total + answer(model, x, delta, mask_like(jax.random.fold_in(k_last, i))), None

    mean = jax.lax.scan(member, jnp.zeros_like(x), jnp.arange(members))[0] / members
    return nearer(guidance, mean, data)

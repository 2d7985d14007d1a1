"""The plain diffusion counterpart that SPIRIT argues against: a reverse SDE under the same score.

SPIRIT (Chen et al., 2026), eq. (4) and Figure 2. The score is learned at all noise levels, from the
rows as some other method completed them, and missing entries are drawn by running the process back
from noise, with the observed entries put back at their noise level after every step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaximpute import masking, registry
from jaximpute._errors import OptionError, check_chosen
from jaximpute.maths import processes, random
from jaximpute.maths.optimise import descend
from jaximpute.maths.solvers import reverse_sde
from jaximpute.methods._rows import rows, width_for
from jaximpute.nets import adaln_mlp
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Process, State, View
from jaximpute.views import every, identity, row_weight

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 3, "sde_steps": 50},
    "best": {"steps": 40},
}


T_END = 1e-3


class DiffusionState(NamedTuple):
    """The rows the score is learned from, and the score."""

    start: State
    x: Float[Array, "n *event"]
    params: Params
    opt: optax.OptState


def diffusion(
    net: Net,
    start: Method,
    process: Process,
    *,
    view: Callable[[tuple[int, ...]], View] = identity,
    lr: float = 1e-3,
    score_steps: int = 200,
    batch: int = 512,
    sde_steps: int = 100,
) -> Method:
    r"""Imputation by a reverse diffusion with replacement of the observed entries.

    One `step` is a round of score learning at random times,

    .. math:: \min_\theta \mathbb{E}_{t, \epsilon}\,
        \| \sigma_t s_\theta(\alpha_t x + \sigma_t\epsilon, t) + \epsilon \|^2

    on observed entries; `sample` solves eq. (4) of SPIRIT backwards from the prior.

    Args:
        net: a score network for one row of the view; `t` is the process's time.
        start: an inductive method that learns in `init`; it completes the rows to learn from.
        process: `processes.vp()` or `processes.ve()`.
        view: `shape -> View`, the rows in which the network sees the data.
        lr: Adam's learning rate.
        score_steps: score-learning steps in one `step`.
        batch: rows in a batch.
        sde_steps: Euler-Maruyama steps of a draw.

    Returns:
        An inductive method: each `sample` is one random completion.

    Raises:
        OptionError: the start has no `sample`.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> method = ji.methods.diffusion(
        ...     ji.nets.adaln_mlp((2,), width=16),
        ...     ji.methods.mean(),
        ...     ji.processes.vp(),
        ...     score_steps=20,
        ...     batch=64,
        ...     sde_steps=10,
        ... )
        >>> state = ji.fit(method, jax.random.key(1), data, 1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: SPIRIT (Chen et al., 2026), eq. (4); replacement as in Song et al. (2021), section I.2.
    """
    if start.estimate is None:
        raise OptionError("the start has no `estimate`; expected an inductive one such as mean()")
    begin, optimiser = start.estimate, optax.adam(lr)

    def init(key: PRNGKey, data: Observed) -> DiffusionState:
        k_learn, k_start, k_net = jax.random.split(key, 3)
        first = start.init(k_learn, data)
        x = begin(k_start, first, data)
        row = view(x.shape).take(x, jnp.arange(1))
        params = net.init(k_net, row, jnp.ones(1, x.dtype), ())
        return DiffusionState(first, x, params, optimiser.init(params))

    def step(key: PRNGKey, state: DiffusionState, data: Observed) -> tuple[DiffusionState, Info]:
        rows = view(data.values.shape)
        weight = row_weight(rows, data.weight, data.mask)

        def loss(params, k):
            k_rows, k_time, k_noise = jax.random.split(k, 3)
            i = masking.pick(k_rows, weight, batch)
            x, mask = masking.share((rows.take(state.x, i), rows.take(data.mask, i)))
            t = jax.random.uniform(k_time, (batch,), x.dtype, T_END, 1.0)
            alpha, sigma = (v.reshape(-1, *(1,) * (x.ndim - 1)) for v in process.marginal(t))
            noise = random.normal(k_noise, x.shape, x.dtype)
            score = net.apply(params, alpha * x + sigma * noise, t, ())
            return masking.masked_mean((sigma * score + noise) ** 2, mask)

        params, opt, losses = descend(loss, optimiser, key, state.params, state.opt, score_steps)
        return state._replace(params=params, opt=opt), Info(losses.mean(), {})

    def sample(key: PRNGKey, state: DiffusionState, data: Observed) -> jax.Array:
        rows = view(data.values.shape)
        values, mask = every(rows, data.values), every(rows, data.mask)
        k_prior, k_run = jax.random.split(key)

        def score(x, t):
            return net.apply(state.params, x, jnp.full((1,), t, x.dtype), ())

        def put_back(key, t, x):
            alpha, sigma = process.marginal(t)
            noise = random.normal(key, x.shape, x.dtype)
            return jnp.where(mask, alpha * values + sigma * noise, x)

        x = process.prior(k_prior, values.shape).astype(values.dtype)
        x = reverse_sde(process, score, k_run, x, steps=sde_steps, t_end=T_END, project=put_back)
        return masking.clamp(rows.fold(x), data)

    return Method(init, step, sample=sample)


def diffusion_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 10,
    start: str = "gaussian",
    process: str = "vp",
    window: int = 24,
    width: int | None = None,
    layers: int = 3,
    **options: Any,
) -> registry.Plan:
    """The plain diffusion for given data, on windows that do not overlap; see `spirit`.

    Args:
        data, kind, times, categories: see `registry.build`.
        steps: rounds of score learning.
        start: the name of an inductive method, which completes the rows to learn from.
        process: `vp` or `ve`.
        window: steps in a window of a series.
        width: hidden width of the score network; None = by the size of a row, up to 256.
        layers: its number of residual blocks.
        options: of the factory.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: no such process.
    """
    check_chosen(process=(process, ("vp", "ve")))
    first = registry.build(start, data, kind=kind, times=times, categories=categories).method
    event, view = rows(data, kind, window, window)
    net = adaln_mlp(event, width=width or width_for(event), layers=layers)
    noising = getattr(processes, process)()
    return registry.Plan(diffusion(net, first, noising, view=view, **options), steps)

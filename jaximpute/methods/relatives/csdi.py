"""CSDI (Tashiro et al., 2021): a diffusion model of the missing entries given the observed ones.

Algorithm 1 trains a network to tell the noise in entries hidden from it, given the rest; Algorithm
2 draws missing entries by the reverse chain. On a table it is TabCSDI (Zheng and Charoenphakdee,
2022), whose rows are series of one step.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaximpute import registry
from jaximpute._errors import OptionError, check_positive
from jaximpute.masking import masked_mean
from jaximpute.maths import optimise, random
from jaximpute.maths.splits import RANDOM
from jaximpute.methods._conditional import Batch, Views, batches, complete, per_row
from jaximpute.methods._conditional_rows import setting
from jaximpute.methods._residual import residual
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar, Split
from jaximpute.views import identity

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10},
    "best": {"steps": 200, "lr": 1e-3, "width": 384, "layers": 4, "batch": 128, "draw_steps": 16},
    # healthcare and air quality: 200 epochs of batches of 16 come to about this many steps
    "paper": {
        "base": None,
        "split": "random",
        "steps": 400,
        "lr": 1e-3,
        "width": 64,
        "layers": 4,
        "heads": 8,
        "dropout": 0.1,
        "window": 48,
        "batch": 16,
        "draw_steps": 50,
    },
}


class Chain(NamedTuple):
    """A noising chain: the share of signal left after each of its steps, times one for the data.

    Attributes:
        kept: `(steps + 1,)`, from 1 for clean data down to almost 0.
    """

    kept: np.ndarray


def quadratic(steps: int = 50, beta_min: float = 1e-4, beta_max: float = 0.5) -> Chain:
    r"""CSDI's schedule, :math:`\sqrt{\beta_t}` linear in t.

    Args:
        steps: length of the chain.
        beta_min: first rate.
        beta_max: last rate.

    Returns:
        The chain.

    Source: CSDI, section 6.1.
    """
    beta = np.linspace(beta_min**0.5, beta_max**0.5, steps) ** 2
    return Chain(np.concatenate([[1.0], np.cumprod(1 - beta)]).astype(np.float32))


def csdi(
    net: Net,
    *,
    on_gaussian: bool = False,
    window: int | None = None,
    view: Views = identity,
    draw_view: Views | None = None,
    split: Split = RANDOM,
    times: Any = None,
    centred: bool = False,
    lr: Scalar = 2e-3,
    total: int | None = None,
    sgd_steps: int = 100,
    batch: int | None = None,
    chain_steps: int = 50,
    draw_steps: int | None = None,
    decay: Scalar = 0.99,
) -> Method:
    r"""Imputation by a conditional diffusion model.

    One `step` is `sgd_steps` steps on batches of rows, whose observed entries are parted into
    context and query anew each time:

    .. math:: \min_\theta \mathbb{E}_{t, \epsilon}\, \mathrm{mean}_{\mathrm{query}}
        \| \epsilon - \epsilon_\theta(\sqrt{\bar\alpha_t}\, x + \sqrt{1 - \bar\alpha_t}\, \epsilon,
        t \mid x_{\mathrm{context}}) \|^2

    `sample` runs the reverse chain on what is missing, given all that is observed.

    On a Gaussian, a joint one of all entries of a row (`methods.window_gaussian`), rows are seen as
    deviations from its conditional means in units of its conditional deviations, and noise is its
    own, so that the network's start draws from it exactly:

    .. math:: r = (x - \mu_c) / s_c, \quad r_\phi = \cos\phi\, r + \sin\phi\, e, \quad
        \min_\theta \mathbb{E}\, \mathrm{mean}_{\mathrm{query}}
        \| F_\theta(r_\phi, \phi \mid \mu_c, s_c) - (\cos\phi\, e - \sin\phi\, r) \|^2, \quad
        e \sim N(0, S^{-1} P_c S^{-1})

    and a draw solves :math:`dr / d\phi = F` from e. What is learned is used as far as it lowers
    the CRPS at entries that the network has not seen by two standard errors; infos report
    `start_error`, `error` and `share`.

    Args:
        net: a network conditional on `(values, mask, times)`, such as `nets.csdi_transformer`; on a
            Gaussian on `(mean, mask, times, log deviation)`, such as `nets.residual_mlp`.
        on_gaussian: learn what a joint Gaussian of rows misses. Not with `view`, `centred` and
            `chain_steps`.
        window: steps of a row on a Gaussian; None = whole rows.
        view: `shape -> View`, the rows to learn from.
        draw_view: the rows to complete; entries in two rows come from the first. None = `view`.
        split: what is asked for in training, see `maths.splits`.
        times: `(time,)` positions of a series' steps; None if regular.
        centred: see each row of a series relative to the last value and the spread of its context.
        lr: AdamW's first learning rate.
        total: steps of training in all, over which the rate falls to 0; None = constant.
        sgd_steps: steps of training in one `step`.
        batch: rows in a batch; None = 16, and 64 on a Gaussian.
        chain_steps: length of the noising chain.
        draw_steps: steps of the reverse chain, spread over it evenly; None = half of its steps, and
            8 on a Gaussian.
        decay: of the averaged weights, which are those that draw.

    Returns:
        An inductive method: each `sample` is one random completion.

    Raises:
        OptionError: a number of steps out of range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> net = ji.nets.csdi_transformer((2,), width=8, layers=1, heads=2)
        >>> method = ji.methods.csdi(net, sgd_steps=5, chain_steps=5)
        >>> state = ji.fit(method, jax.random.key(1), data, 1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: Tashiro et al., "CSDI: conditional score-based diffusion models for probabilistic time
    series imputation" (2021), Algorithms 1 and 2, eq. (4)-(6) and (9)-(11).

    Departures from the printed paper, and why: averaged weights, clipped gradients and a rate that
    falls along a cosine instead of in two jumps, from twice the printed one (steadier, and further,
    at the few steps a CPU can afford); a reverse chain that leaves out every other step unless told
    otherwise, with the exact posterior between those it keeps.
    """
    if draw_steps is None:
        draw_steps = 8 if on_gaussian else -(-chain_steps // 2)
    if batch is None:
        batch = 64 if on_gaussian else 16
    check_positive(sgd_steps=sgd_steps, batch=batch, chain_steps=chain_steps, draw_steps=draw_steps)
    if on_gaussian:
        return residual(
            net, window=window, split=split, times=times, lr=lr, total=total, sgd_steps=sgd_steps,
            batch=batch, draw_steps=draw_steps, decay=decay,
        )  # fmt: skip
    if draw_steps > chain_steps:
        raise OptionError(f"draw_steps is {draw_steps}; expected at most {chain_steps}")
    chain = quadratic(chain_steps).kept
    optimiser = optimise.adamw(lr, total=total)

    def init(key: PRNGKey, data: Observed) -> optimise.Learner:
        k_batch, k_net = jax.random.split(key)
        one = batches(data, view, split, 1, times)(k_batch)
        params = net.init(k_net, one.values, jnp.ones(1, one.values.dtype), one.cond)
        return optimise.learner(params, optimiser, decay)

    def step(key: PRNGKey, state: optimise.Learner, data: Observed):
        loss = partial(
            noise_loss, net, chain, batches(data, view, split, batch, times, centred=centred)
        )
        state, losses = optimise.train(loss, optimiser, key, state, sgd_steps, decay)
        return state, Info(losses.mean(), {})

    def sample(key: PRNGKey, state: optimise.Learner, data: Observed) -> jax.Array:
        params = optimise.averaged(state)

        def draw(key: PRNGKey, rows: Batch) -> jax.Array:
            k_start, k_run = jax.random.split(key)
            start = random.normal(k_start, rows.values.shape, rows.values.dtype)
            noise = partial(_noise_in, net, params, chain_steps, rows)
            return reverse(noise, k_run, start, chain, draw_steps)

        return complete(draw, key, data, draw_view or view, times, centred=centred)

    return Method(init, step, sample=sample)


def noise_loss(
    net: Net, kept: np.ndarray, draw: Callable[[PRNGKey], Batch], params: Params, key: PRNGKey
) -> Float[Array, ""]:
    """The loss of Algorithm 1: the noise told in what is hidden, at a random step of the chain."""
    k_batch, k_time, k_noise, k_net = jax.random.split(key, 4)
    rows, last = draw(k_batch), len(kept) - 1
    t = jax.random.randint(k_time, (len(rows.values),), 1, last + 1)
    signal = per_row(jnp.asarray(kept)[t], rows.values)
    noise = random.normal(k_noise, rows.values.shape, rows.values.dtype)
    x = jnp.sqrt(signal) * rows.values + jnp.sqrt(1 - signal) * noise
    found = _noise_in(net, params, last, rows, x, t, k_net)
    return masked_mean((found - noise) ** 2, rows.query)


def _noise_in(net: Net, params: Params, last: int, batch: Batch, x, t, key=None) -> jax.Array:
    """The noise in `x`; `t` counts steps of the chain, `last` in all."""
    at = jnp.broadcast_to(t / last, x.shape[:1]).astype(x.dtype)
    return net.apply(params, x, at, batch.cond, key)


def reverse(noise_in, key: PRNGKey, x: jax.Array, kept: np.ndarray, steps: int | None = None):
    r"""The reverse chain from pure noise, over all steps or an even selection of them.

    With :math:`\hat x_0 = (x_t - \sqrt{1 - \bar\alpha_t}\, \epsilon_\theta) /
    \sqrt{\bar\alpha_t}`, :math:`x_s` is drawn from :math:`q(x_s \mid x_t, \hat x_0)`, the Gaussian
    posterior of the noising chain.

    Args:
        noise_in: `(x, t) -> array`, the noise in `x` after `t` steps.
        key: for the noise.
        x: pure noise.
        kept: of a `Chain`.
        steps: how many to take; None = all.

    Returns:
        Clean rows.
    """
    last = len(kept) - 1
    path = np.unique(np.round(np.linspace(0, last, (steps or last) + 1)).astype(int))[::-1]

    def back(x, now):
        t, s, i = now
        signal, before = jnp.asarray(kept)[t], jnp.asarray(kept)[s]
        clean = (x - jnp.sqrt(1 - signal) * noise_in(x, t)) / jnp.sqrt(signal)
        ratio = signal / before  # of signal kept from s to t
        mean = jnp.sqrt(before) * (1 - ratio) * clean + jnp.sqrt(ratio) * (1 - before) * x
        spread = jnp.sqrt((1 - before) * (1 - ratio) / (1 - signal))
        noise = random.normal(jax.random.fold_in(key, i), x.shape, x.dtype)
        return mean / (1 - signal) + spread * noise, None  # before is 1 at the end: no noise

    moves = jnp.asarray(path[:-1].copy()), jnp.asarray(path[1:].copy()), jnp.arange(len(path) - 1)
    return jax.lax.scan(back, x, moves)[0]


@registry.passing_to(setting)
def csdi_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 30,
    sgd_steps: int = 100,
    **options: Any,
) -> registry.Plan:
    """CSDI for given data: on windows of a series, on the rows of a table.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series` or `table`.
        times: positions of the steps of a series.
        steps: rounds of training.
        sgd_steps: steps of training in a round.
        options: of `methods._conditional_rows.setting` and of `methods.csdi`, whose defaults they
            have.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: no such split, base or network.
    """
    net, given = setting(data, kind=kind, times=times, **options)
    method = csdi(net, total=steps * sgd_steps, sgd_steps=sgd_steps, **given)
    return registry.Plan(method, steps)

"""MissDiff: a diffusion learned from incomplete rows, by a loss on their observed entries only.

Ouyang, Xie, Li and Cheng, "MissDiff: Training Diffusion Models on Tabular Data with Missing Values"
(2023). Missing entries are drawn by running the process back from noise, with the observed entries
put back at their noise level after every step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute import masking, registry
from jaximpute._errors import check_positive
from jaximpute.maths import random
from jaximpute.maths.optimise import descend
from jaximpute.maths.processes import vp
from jaximpute.maths.solvers import reverse_sde
from jaximpute.methods._rows import channels_for, rows, width_for
from jaximpute.nets import mlp, residual_cnn
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Process, View
from jaximpute.views import every, identity, row_weight

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 5, "sde_steps": 50},
    "best": {"steps": 60, "sde_steps": 200},
    "paper": {"steps": 60, "width": 1024, "sde_steps": 100},
}


T_END = 1e-3


class MissDiffState(NamedTuple):
    """The noise network and its optimiser's state."""

    params: Params
    opt: optax.OptState


def missdiff(
    net: Net,
    process: Process,
    *,
    view: Callable[[tuple[int, ...]], View] = identity,
    on_mask: bool = False,
    lr: float = 1e-3,
    updates: int = 200,
    batch: int = 256,
    sde_steps: int = 100,
) -> Method:
    r"""Score matching on zero-filled rows, scored where they are observed.

    With :math:`x` the row, 0 in its gaps, and :math:`m` its mask, one `step` takes `updates` Adam
    steps on

    .. math:: \mathbb{E}_{t, \epsilon}\;
        \mathrm{mean}_m\, \| \epsilon_\theta(\alpha_t x + \sigma_t \epsilon, t) - \epsilon \|^2,
        \qquad s_\theta = -\epsilon_\theta / \sigma_t

    and `sample` solves the reverse equation under :math:`s_\theta`, observed entries being
    replaced by :math:`\alpha_t x + \sigma_t \epsilon` after every step.

    Args:
        net: predicts the noise in one row of the view; `t` is the process's time.
        process: usually `processes.vp()`.
        view: `shape -> View`, the rows in which the network sees the data.
        on_mask: whether the network has one condition, which entries carry data: the mask in
            training, and all of them in a draw, whose state is complete.
        lr: Adam's learning rate.
        updates: Adam steps in one `step`, at least 1.
        batch: rows in a batch, at least 1.
        sde_steps: Euler-Maruyama steps of a draw, at least 1.

    Returns:
        An inductive method for data of any shape.

    Raises:
        OptionError: an argument out of range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> net = ji.nets.mlp((2,), widths=(16, 16))
        >>> method = ji.methods.missdiff(net, ji.processes.vp(), updates=20, sde_steps=10)
        >>> state = ji.fit(method, jax.random.key(1), data, 1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: Ouyang et al. (2023), equation (4); replacement as in Song et al. (2021), section I.2.
    Departure: the network predicts the noise, whose size does not depend on the time, and each
    entry counts the same at all times.
    """
    check_positive(updates=updates, batch=batch, sde_steps=sde_steps)
    optimiser = optax.adam(lr)

    def init(key: PRNGKey, data: Observed) -> MissDiffState:
        rows = view(data.values.shape)
        x, mask = (rows.take(a, jnp.arange(1)) for a in (data.values, data.mask))
        params = net.init(key, x, jnp.ones(1, x.dtype), (mask,) if on_mask else ())
        return MissDiffState(params, optimiser.init(params))

    def step(key: PRNGKey, state: MissDiffState, data: Observed) -> tuple[MissDiffState, Info]:
        rows = view(data.values.shape)
        weight = row_weight(rows, data.weight, data.mask)

        def loss(params, k):
            k_rows, k_loss = jax.random.split(k)
            i = masking.pick(k_rows, weight, batch)
            x, mask = masking.share((rows.take(data.values, i), rows.take(data.mask, i)))
            return noise_loss(net, params, k_loss, x, mask, process, on_mask=on_mask)

        params, opt, losses = descend(loss, optimiser, key, state.params, state.opt, updates)
        return MissDiffState(params, opt), Info(losses.mean(), {})

    def sample(key: PRNGKey, state: MissDiffState, data: Observed) -> jax.Array:
        rows = view(data.values.shape)
        values, mask = every(rows, data.values), every(rows, data.mask)
        cond = (jnp.full(mask.shape, True),) if on_mask else ()
        k_prior, k_run = jax.random.split(key)

        def score(x, t):
            noise = net.apply(state.params, x, jnp.full(x.shape[:1], t, x.dtype), cond)
            return -noise / process.marginal(t)[1]

        def put_back(key, t, x):
            alpha, sigma = process.marginal(t)
            noise = random.normal(key, x.shape, x.dtype)
            return jnp.where(mask, alpha * values + sigma * noise, x)

        x = process.prior(k_prior, values.shape).astype(values.dtype)
        x = reverse_sde(process, score, k_run, x, steps=sde_steps, t_end=T_END, project=put_back)
        return masking.clamp(rows.fold(x), data)

    return Method(init, step, sample=sample)


def noise_loss(
    net: Net,
    params: Params,
    key: PRNGKey,
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    process: Process,
    *,
    on_mask: bool = False,
) -> Float[Array, ""]:
    """Squared error of the predicted noise over observed entries, at one random time per row."""
    k_time, k_noise, k_net = jax.random.split(key, 3)
    x = jnp.where(mask, x, 0)
    t = jax.random.uniform(k_time, x.shape[:1], x.dtype, T_END, 1.0)
    alpha, sigma = (v.reshape(-1, *(1,) * (x.ndim - 1)) for v in process.marginal(t))
    noise = random.normal(k_noise, x.shape, x.dtype)
    cond = (mask,) if on_mask else ()
    predicted = net.apply(params, alpha * x + sigma * noise, t, cond, k_net)
    return masking.masked_mean((predicted - noise) ** 2, mask)


def missdiff_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 20,
    window: int = 24,
    width: int | None = None,
    layers: int = 3,
    on_mask: bool = False,
    **options: Any,
) -> registry.Plan:
    """MissDiff for given data: windows that do not overlap, the rows of a table, or images.

    Args:
        data, kind, times: see `registry.build`.
        steps: of 200 updates each, by default.
        window: steps in a window of a series.
        width: of the hidden layers, even; None = by the size of a row, 128 to 256. The CNN for
            images has an eighth as many channels, rounded down to a multiple of 8; None = 32.
        layers: how many there are, or residual blocks of the CNN.
        on_mask: see the factory.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del times
    if kind == "image":
        view = identity
        channels = channels_for(width) or 32
        net = residual_cnn(data.values.shape[1:], cond=int(on_mask), width=channels, blocks=layers)
        options = {"batch": 32} | options
    else:
        event, view = rows(data, kind, window, window)
        widths = (width or max(128, width_for(event)),) * layers
        net = mlp(event, conds=int(on_mask), widths=widths)
    method = missdiff(net, vp(), view=view, on_mask=on_mask, **options)
    return registry.Plan(method, steps, chunk=5)

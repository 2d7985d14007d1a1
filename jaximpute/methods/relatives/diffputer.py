"""DiffPuter: expectation-maximisation with a diffusion as the model.

Zhang, Fang, Wu and Yu, "DiffPuter: Empowering Diffusion Models for Missing Data Imputation" (ICLR
2025), Algorithm 1.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, pick, restore, share, standardise
from jaximpute.maths.optimise import descend
from jaximpute.maths.processes import edm
from jaximpute.methods.relatives import _edm
from jaximpute.nets import mlp
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Process

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 2, "updates": 500, "levels": 10, "resamplings": 2},
    "best": {"steps": 8, "levels": 30, "resamplings": 10, "trials": 10},
    # made for a large accelerator: 40 000 evaluations of a wide network per row and round
    "paper": {
        "steps": 10,
        "width": 1024,
        "lr": 1e-4,
        "updates": 10000,
        "batch": 4096,
        "levels": 50,
        "resamplings": 20,
        "trials": 20,
    },
}


class DiffPuterState(NamedTuple):
    """The completed rows, in standardised columns halved, and the denoiser learned from them."""

    x: Float[Array, "n d"]
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    params: Params
    opt: optax.OptState


def diffputer(
    net: Net,
    process: Process,
    *,
    lr: float = 1e-3,
    updates: int = 1000,
    batch: int = 256,
    levels: int = 20,
    resamplings: int = 5,
    trials: int = 5,
) -> Method:
    r"""EM over a diffusion: learn from the completed rows, then complete them anew.

    One `step` is a round. The M step takes `updates` Adam steps on the denoising loss

    .. math:: \mathbb{E}_{\sigma, \epsilon}\; \lambda(\sigma)\,
        \| D_\theta(x + \sigma\epsilon; \sigma) - x \|^2

    over all entries of the table as completed so far, first by its means. The E step replaces
    every missing entry by the mean of `trials` draws given the observed ones, each by Heun steps
    down `levels` noise levels, every step taken `resamplings` times.

    Args:
        net: the raw network inside the denoiser; `t` is the noise level.
        process: `processes.edm()`, which sets the noise levels.
        lr: Adam's learning rate.
        updates: Adam steps in an M step, at least 1.
        batch: rows in a batch, at least 1.
        levels: noise levels of a draw, at least 2.
        resamplings: times each step of a draw is taken, at least 1.
        trials: draws averaged, at least 1.

    Returns:
        A method for tables: `estimate` is an E step on any rows, `sample` one draw. Its time is
        mostly `2 * trials * levels * resamplings` evaluations of the network per row and round.

    Raises:
        OptionError: an argument out of range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> method = ji.methods.diffputer(
        ...     ji.nets.mlp((2,), widths=(16, 16)),
        ...     ji.processes.edm(),
        ...     updates=20,
        ...     levels=5,
        ...     resamplings=1,
        ...     trials=2,
        ... )
        >>> state = ji.fit(method, jax.random.key(1), data, 1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: Zhang et al. (2025), Algorithms 1 and 2, with the denoiser and the sampler of Karras et
    al. (2022). Departure: each round goes on from the last round's network instead of a fresh one,
    which saves most of the updates; the learning rate is constant.
    """
    if min(updates, batch, resamplings, trials) < 1 or levels < 2:
        raise OptionError(
            f"updates is {updates}, batch {batch}, resamplings {resamplings}, trials {trials} and "
            f"levels {levels}; expected at least 2 levels and at least 1 of the others"
        )
    optimiser = optax.adam(lr)

    def init(key: PRNGKey, data: Observed) -> DiffPuterState:
        mean, scale = channel_moments(data)
        scale = scale / _edm.SPREAD
        x = standardise(data, mean, scale).values
        params = net.init(key, x[:1], jnp.ones(1, x.dtype), ())
        return DiffPuterState(x, mean, scale, params, optimiser.init(params))

    def draw(key, params, x, mask):
        return _edm.draw(
            net, params, key, x, mask, process=process, levels=levels, resamplings=resamplings
        )

    def expect(key, params, x, mask):
        def add(total, i):
            return total + draw(jax.random.fold_in(key, i), params, x, mask), None

        total, _ = jax.lax.scan(add, jnp.zeros_like(x), jnp.arange(trials))
        return jnp.where(mask, x, total / trials)

    def step(key: PRNGKey, state: DiffPuterState, data: Observed) -> tuple[DiffPuterState, Info]:
        k_learn, k_expect = jax.random.split(key)

        def loss(params, k):
            k_rows, k_loss = jax.random.split(k)
            clean = share(state.x[pick(k_rows, data.weight, batch)])
            return _edm.loss(net, params, k_loss, clean)

        params, opt, losses = descend(loss, optimiser, k_learn, state.params, state.opt, updates)
        x = expect(k_expect, params, state.x, data.mask)
        return state._replace(x=x, params=params, opt=opt), Info(losses.mean(), {})

    def fill(state: DiffPuterState, data: Observed) -> jax.Array:
        return restore(state.x, state.mean, state.scale, data)

    def answer(by, key: PRNGKey, state: DiffPuterState, data: Observed) -> jax.Array:
        z = standardise(data, state.mean, state.scale)
        x = by(key, state.params, z.values, z.mask)
        return fill(state._replace(x=x), data)

    return Method(init, step, fill, estimate=partial(answer, expect), sample=partial(answer, draw))


def diffputer_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 4,
    width: int = 128,
    **options: Any,
) -> registry.Plan:
    """DiffPuter for given data.

    Args:
        data, kind, times: see `registry.build`.
        steps: rounds of EM.
        width: of the outer two of four hidden layers, even; the inner two are twice as wide.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del kind, times
    net = mlp(data.values.shape[1:], widths=(width, 2 * width, 2 * width, width))
    return registry.Plan(diffputer(net, edm(), **options), steps)

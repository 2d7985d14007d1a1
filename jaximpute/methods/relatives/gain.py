"""GAIN: a generator fills the gaps, and a discriminator guesses which entries were gaps.

Yoon, Jordon and van der Schaar, "GAIN: Missing Data Imputation using Generative Adversarial Nets"
(ICML 2018), Algorithm 1.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.masking import channel_range, clamp, masked_mean, pick, share
from jaximpute.maths import random
from jaximpute.nets import mlp
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10},
    "best": {"steps": 100},
    # hidden layers as wide as a row, as the authors' program has them
    "paper": {"steps": 100, "width": 0},
}


_SEED = 0.01  # a gap enters the generator as noise this high


class GainState(NamedTuple):
    """The observed range of each column, and both networks."""

    low: Float[Array, "*ones d"]
    span: Float[Array, "*ones d"]
    generator: Params
    discriminator: Params
    generator_opt: optax.OptState
    discriminator_opt: optax.OptState


def gain(
    generator: Net,
    discriminator: Net,
    *,
    alpha: Scalar = 100.0,
    hint: float = 0.9,
    lr: float = 1e-3,
    updates: int = 100,
    batch: int = 128,
) -> Method:
    r"""Generative adversarial imputation.

    With :math:`\tilde x` the row scaled to [0, 1] and small noise in its gaps,
    :math:`\bar x = \sigma(G(\tilde x, m))`, :math:`\hat x = m \tilde x + (1 - m) \bar x`, hints
    :math:`h = b\,m` with :math:`b \sim` Bernoulli, and :math:`p = \sigma(D(\hat x, h))`,

    .. math::
        L_D = -\mathrm{mean}[m \log p + (1 - m) \log(1 - p)], \qquad
        L_G = -\mathrm{mean}[(1 - m) \log p]
            + \alpha\, \frac{\mathrm{mean}[m (\tilde x - \bar x)^2]}{\mathrm{mean}[m]}.

    One `step` is `updates` rounds, each an Adam step of D and then one of G on the same batch.

    Args:
        generator: a network with one condition, the mask; `t` is 1 throughout.
        discriminator: likewise; its condition is the hint.
        alpha: weight of the reconstruction, not negative.
        hint: the share of observed entries given away to the discriminator, in [0, 1].
        lr: Adam's learning rate, for both.
        updates: rounds in one `step`, at least 1.
        batch: rows in a batch, at least 1.

    Returns:
        An inductive method: a completion is one pass of the generator.

    Raises:
        OptionError: an argument out of range.

    Example:
        >>> import jax, jax.numpy as jnp, jaximpute as ji
        >>> x = jax.random.normal(jax.random.key(0), (64, 1)) * jnp.ones((1, 2))
        >>> data = ji.from_nan(x.at[:8, 1].set(jnp.nan))
        >>> nets = [ji.nets.mlp((2,), conds=1, widths=(16,), timed=False) for _ in range(2)]
        >>> method = ji.methods.gain(*nets, updates=10)
        >>> state = ji.fit(method, jax.random.key(1), data, 1)
        >>> ji.complete(method, jax.random.key(2), state, data).shape
        (64, 2)

    Source: Yoon et al. (2018), equations (3) to (8). Departures, all towards the authors' program:
    a hidden hint is 0 and not 0.5; the discriminator's loss runs over all entries and not over
    those hidden by the hint; alpha is 100. The program's rounding of columns that look integer is
    left out.
    """
    if not 0 <= hint <= 1 or updates < 1 or batch < 1:
        raise OptionError(
            f"hint is {hint}, updates {updates} and batch {batch}; expected a hint in [0, 1] and "
            "the others at least 1"
        )
    optimiser = optax.adam(lr)

    def apply(net: Net, params: Params, x: jax.Array, cond: jax.Array) -> jax.Array:
        return net.apply(params, x, jnp.ones(x.shape[:1], x.dtype), (cond,))

    def init(key: PRNGKey, data: Observed) -> GainState:
        k_generator, k_discriminator = jax.random.split(key)
        low, span = _range(data)
        row, t, mask = data.values[:1], jnp.ones(1, data.values.dtype), data.mask[:1]
        one = generator.init(k_generator, row, t, (mask,))
        other = discriminator.init(k_discriminator, row, t, (mask,))
        return GainState(low, span, one, other, optimiser.init(one), optimiser.init(other))

    def step(key: PRNGKey, state: GainState, data: Observed) -> tuple[GainState, Info]:
        scaled = _scale(data, state)

        def one(state, i):
            k_rows, k_seed, k_hint = jax.random.split(jax.random.fold_in(key, i), 3)
            rows = pick(k_rows, data.weight, batch)
            values, mask = share((scaled[rows], data.mask[rows]))
            x = _seeded(k_seed, values, mask)
            given = mask & random.bernoulli(k_hint, hint, mask.shape)

            def for_discriminator(params):
                made = jax.nn.sigmoid(apply(generator, state.generator, x, mask))
                guess = apply(discriminator, params, jnp.where(mask, x, made), given)
                return discriminator_loss(guess, mask)

            d_loss, grads = jax.value_and_grad(for_discriminator)(state.discriminator)
            shift, d_opt = optimiser.update(grads, state.discriminator_opt)
            judge = optax.apply_updates(state.discriminator, shift)

            def for_generator(params):
                made = jax.nn.sigmoid(apply(generator, params, x, mask))
                guess = apply(discriminator, judge, jnp.where(mask, x, made), given)
                return generator_loss(guess, made, x, mask, alpha)

            g_loss, grads = jax.value_and_grad(for_generator)(state.generator)
            shift, g_opt = optimiser.update(grads, state.generator_opt)
            maker = optax.apply_updates(state.generator, shift)
            state = state._replace(generator=maker, discriminator=judge)
            state = state._replace(generator_opt=g_opt, discriminator_opt=d_opt)
            return state, (g_loss, d_loss)

        state, (g_losses, d_losses) = jax.lax.scan(one, state, jnp.arange(updates))
        return state, Info(g_losses.mean(), {"discriminator": d_losses.mean()})

    def estimate(key: PRNGKey, state: GainState, data: Observed) -> jax.Array:
        x = _seeded(key, _scale(data, state), data.mask)
        made = jax.nn.sigmoid(apply(generator, state.generator, x, data.mask))
        return clamp(state.low + state.span * made, data)

    return Method(init, step, estimate=estimate)


def discriminator_loss(
    guess: Float[Array, "n *event"], mask: Bool[Array, "n *event"]
) -> Float[Array, ""]:
    """Cross-entropy of the mask under the discriminator's logits, over all entries."""
    return optax.sigmoid_binary_cross_entropy(guess, mask.astype(guess.dtype)).mean()


def generator_loss(
    guess: Float[Array, "n *event"],
    made: Float[Array, "n *event"],
    x: Float[Array, "n *event"],
    mask: Bool[Array, "n *event"],
    alpha: Scalar,
) -> Float[Array, ""]:
    """How well the gaps pass for observed, and how well what was observed is reproduced."""
    fooling = jnp.where(mask, 0, -jax.nn.log_sigmoid(guess)).mean()
    return fooling + alpha * masked_mean((x - made) ** 2, mask)


def _range(data: Observed) -> tuple[jax.Array, jax.Array]:
    """The least observed value of each column, and how far above it the greatest is."""
    low, high = channel_range(data)
    columns = (1,) * (data.values.ndim - 1) + (-1,)
    return low.reshape(columns), (high - low).reshape(columns)


def _scale(data: Observed, state: GainState) -> jax.Array:
    return (data.values - state.low) / jnp.where(state.span > 0, state.span, 1)


def _seeded(key: PRNGKey, x: jax.Array, mask: jax.Array) -> jax.Array:
    return jnp.where(mask, x, _SEED * random.uniform(key, x.shape, x.dtype))


def gain_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 30,
    width: int | None = None,
    **options: Any,
) -> registry.Plan:
    """GAIN for given data.

    Args:
        data, kind, times: see `registry.build`.
        steps: of 100 updates each, by default.
        width: of both hidden layers of both networks; 0 = the number of columns, None = that or
            8, whichever is more. Wider networks mostly do worse.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del kind, times
    event = data.values.shape[1:]
    hidden = max(event[0], 8) if width is None else width or event[0]
    generator, discriminator = (
        mlp(event, conds=1, widths=(hidden, hidden), activation="relu", timed=False)
        for _ in range(2)
    )
    return registry.Plan(gain(generator, discriminator, **options), steps, chunk=5)

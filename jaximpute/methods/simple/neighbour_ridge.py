"""Each missing entry of an image by linear regression on what is observed around it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.masking import pick
from jaximpute.methods.simple._grid import learn_moments, restored, standardised
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed, Scalar


class NeighbourState(NamedTuple):
    """Moments of the channels, and each channel's coefficients."""

    mean: Float[Array, "c"]
    scale: Float[Array, "c"]
    coef: Float[Array, "c inputs"]


def neighbour_ridge(*, radius: int = 2, ridge: Scalar = 1e-3) -> Method:
    r"""One ridge regression a channel, the same at all pixels, learned on the observed ones.

    With :math:`a_p` the average of what is observed in the window around :math:`p`, weighted by
    :math:`1/|p - q|^2`, a missing entry is

    .. math:: x_p = \beta_0 + \beta_1^\top a_p
        + \sum_q m_q\, (\beta_q + \bar m_p \gamma_q)^\top (x_q - a_p)

    where :math:`\bar m_p` is the share of the window that is observed. An entry not observed
    counts as the average. All channels of the neighbours are inputs, and the other channels of the
    pixel itself. Those are seen in learning as often as where the target is missing: of an observed
    pixel as much is shown as of one drawn at random among those that lack the channel. A window in
    which nothing is observed gets the channel's mean.

    Args:
        radius: of the square window, in pixels, at least 1.
        ridge: penalty on the squared coefficients of standardised channels, per observed entry.

    Returns:
        An inductive method for images and fields, frame by frame.

    Raises:
        OptionError: an option out of range.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.arange(64.0).reshape(1, 8, 8, 1)
        >>> x[0, 3, 3] = np.nan
        >>> data, method = ji.observe(x), ji.methods.neighbour_ridge(radius=1)
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 3, 3, 0]))
        27
    """
    if radius < 1 or not ridge > 0:
        raise OptionError(
            f"radius is {radius} and ridge {ridge}; expected radius at least 1 and ridge above 0"
        )

    def learn(key, data: Observed) -> NeighbourState:
        mean, scale = learn_moments(key, data)
        x, mask = (_frames(a) for a in standardised(data, mean, scale))
        real = jnp.repeat(data.weight > 0, len(x) // len(data.weight))
        return NeighbourState(mean, scale, _coefficients(key, x, mask, real))

    def _coefficients(key, x, mask, real):
        frames, channels, height, width = x.shape
        # the masks of pixels that lack a channel, for each channel
        pixels = jnp.moveaxis(mask, 1, -1).reshape(-1, channels)
        lacking = jnp.repeat(real, height * width)[:, None] & ~pixels

        def one(gram, given):
            i, x, mask, real = given
            inputs = _inputs(x, mask, radius)

            def channel(c):
                k = jax.random.fold_in(jax.random.fold_in(key, i), c)
                lent = pixels[pick(k, lacking[:, c].astype(x.dtype), height * width)]
                shown = mask & lent.T.reshape(mask.shape)
                z = inputs(c, shown).reshape(-1, height * width)
                w = (mask[c] & real).reshape(1, -1)
                z = jnp.where(w, jnp.concatenate([z, x[c].reshape(1, -1)]), 0)
                return jnp.matmul(z, z.T, precision="highest")

            return gram + jnp.stack([channel(c) for c in range(channels)]), None

        first = jax.eval_shape(lambda x, m: _inputs(x, m, radius)(0, m), x[0], mask[0])
        size = first.shape[0] + 1
        gram, _ = jax.lax.scan(
            one,
            jnp.zeros((channels, size, size), x.dtype),
            (jnp.arange(frames), x, mask, real),
        )
        return jax.lax.map(solve, gram)  # one at a time

    def solve(gram):
        penalty = ridge * jnp.maximum(gram[0, 0], 1)  # the first input is the constant
        a = gram[:-1, :-1] + penalty * jnp.eye(len(gram) - 1, dtype=gram.dtype)
        return jax.scipy.linalg.solve(a, gram[:-1, -1], assume_a="pos")

    def estimate(key, state: NeighbourState, data: Observed) -> jax.Array:
        del key
        x, mask = standardised(data, state.mean, state.scale)

        def one(given):
            x, mask = given
            inputs = _inputs(x, mask, radius)
            made = [
                jnp.tensordot(beta, inputs(c, mask), axes=1, precision="highest")
                for c, beta in enumerate(state.coef)
            ]
            return jnp.where(mask, x, jnp.stack(made))

        filled = jax.lax.map(one, (_frames(x), _frames(mask)))
        moved = jnp.moveaxis(filled.reshape(x.shape[0], x.shape[2], *filled.shape[1:]), 1, 2)
        return restored(moved, state.mean, state.scale, data)

    return static_method(learn, estimate=estimate)


def _frames(a: jax.Array) -> jax.Array:
    """`(n, c, t, y, x)` as frames `(n t, c, y, x)`."""
    a = jnp.moveaxis(a, 2, 1)
    return a.reshape(-1, *a.shape[2:])


def _inputs(x: Float[Array, "c y x"], mask: Bool[Array, "c y x"], radius: int):
    """The function `(channel, shown) -> (inputs, y, x)`, `shown` masking the pixels themselves."""
    steps = range(-radius, radius + 1)
    around = [(i, j) for i in steps for j in steps if (i, j) != (0, 0)]
    known = _shifts(mask, around, radius)
    near = _shifts(jnp.where(mask, x, 0), around, radius)
    close = jnp.array([1 / (i * i + j * j) for i, j in around], x.dtype).reshape(-1, 1, 1, 1)
    weight = jnp.where(known, close, 0)
    total = weight.sum(0)
    average = jnp.where(total > 0, (weight * near).sum(0) / jnp.where(total > 0, total, 1), 0)
    apart = jnp.where(known, near - average[None], 0)
    density = known.mean(axis=(0, 1), dtype=x.dtype)
    seen = jnp.where((total > 0).any(axis=0), 1, 0).astype(x.dtype)[None]
    flat = apart.reshape(-1, *x.shape[1:])
    shared = jnp.concatenate([seen, average, flat, flat * density[None]])

    def inputs(channel: int, shown: jax.Array) -> jax.Array:
        others = jnp.where(shown, x - average, 0)
        others = jnp.concatenate([others[:channel], others[channel + 1 :]])
        return jnp.concatenate([shared, others])

    return inputs


def _shifts(a: jax.Array, around: list[tuple[int, int]], radius: int) -> jax.Array:
    """`(neighbours, c, y, x)`: what lies that far from each pixel, 0 or False beyond the edges."""
    _, height, width = a.shape
    padded = jnp.pad(a, ((0, 0), (radius, radius), (radius, radius)))
    return jnp.stack(
        [
            padded[:, radius + i : radius + i + height, radius + j : radius + j + width]
            for i, j in around
        ]
    )

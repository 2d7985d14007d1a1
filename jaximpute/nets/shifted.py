"""A network that learns periodic fields from wherever they start: random circular shifts."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaximpute._errors import OptionError
from jaximpute.types import Net


def shifted(net: Net, stride: int = 1, *, averaged: int = 1) -> Net:
    r"""A network that is trained on circular shifts of its inputs along the last y and x axes.

    In training (with a key) each row is seen through a random shift,

    .. math:: x_\theta(t, x, c) = T_s^{-1}\, \mathrm{net}(t, T_s x, T_s c)

    which is to train on shifted samples, masks, contexts and queries, none of which has to know of
    it. Without a key, the answers to evenly spread shifts are averaged. It says that the domain is
    periodic and the same everywhere; where it is not, shifts teach what is not so.

    Args:
        net: any network on arrays `(n, ..., y, x, channels)`.
        stride: shifts are multiples of it; the side of a block keeps masks of blocks as they are.
        averaged: shifts along each axis to average over without a key; 1 = none.

    Returns:
        The network; its parameters are those of `net`.

    Raises:
        OptionError: `stride` or `averaged` below 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> plain = Net(lambda *given: {}, lambda params, x, t, cond, key=None: x.at[:, 0].set(0))
        >>> x = jnp.ones((1, 2, 2, 1))
        >>> shifted(plain, averaged=2).apply({}, x, jnp.ones(1), ())[0, :, 0, 0].tolist()
        [0.5, 0.5]

    Source: ours; to average over a group is to project on the functions that are equivariant.
    """
    if stride < 1 or averaged < 1:
        raise OptionError(
            f"stride is {stride} and averaged {averaged}; expected at least 1 of each"
        )

    def apply(params, x, t, cond, key=None):
        n, sides = x.shape[0], np.array(x.shape[-3:-1])
        if key is None:
            by = _spread(sides, averaged)
            if len(by) == 1:
                return net.apply(params, x, t, cond)
            by, copies = jnp.repeat(by, n, axis=0), len(by)
        else:
            k_shift, key = jax.random.split(key)
            places = jnp.asarray(-(-sides // stride))
            by, copies = stride * jax.random.randint(k_shift, (n, 2), 0, places[None]), 1

        def moved(a):
            return roll(jnp.tile(a, (copies, *(1,) * (a.ndim - 1))), by)

        times = jnp.tile(jnp.broadcast_to(t, (n,)), copies)
        out = net.apply(params, moved(x), times, tuple(moved(c) for c in cond), key)
        return roll(out, -by).reshape(copies, *x.shape).mean(axis=0)

    return Net(net.init, apply)


def _spread(sides: np.ndarray, averaged: int) -> Int[Array, "k 2"]:
    along = [np.unique(np.arange(averaged) * side // averaged) for side in sides]
    return jnp.stack([a.ravel() for a in jnp.meshgrid(*along, indexing="ij")], axis=-1)


@jax.custom_vjp
def roll(x: Float[Array, "n *event"], by: Int[Array, "n 2"]) -> Float[Array, "n *event"]:
    """Each row rolled by its own steps along y and x."""
    return jax.vmap(lambda row, steps: jnp.roll(row, steps, axis=(-3, -2)))(x, by)


# left alone, the gradient of a permutation would be a scatter, which is slow on a CPU
roll.defvjp(lambda x, by: (roll(x, by), by), lambda by, g: (roll(g, -by), None))

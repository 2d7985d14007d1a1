r"""Contexts at sampling: what a model that was trained on parts of the observed entries is fed.

A `Feed` is `(key, mask, density) -> (contexts, weight)`: `k` contexts within each mask, of shape
`(k, n, *event)`, and the weights `(k, n)` with which the answers are averaged; they sum to one over
the first axis. `density` is the share of all entries that training showed on average.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaximpute._errors import OptionError
from jaximpute.maths import random
from jaximpute.methods.papers.context_query.units import Units, axis_labels, observed_units, spread
from jaximpute.types import PRNGKey, Scalar, Split

Contexts = tuple[Bool[Array, "k n *event"], Float[Array, "k n"]]
Feed = Callable[[PRNGKey, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def drawn(split: Split, members: int = 10) -> Feed:
    """Contexts drawn as in training, independently of each other (eq. 10 of the paper).

    Args:
        split: that of training.
        members: number of contexts, K, at least 1.

    Returns:
        The feed.

    Raises:
        OptionError: fewer than one context.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaximpute.methods.papers.context_query.partitions import pixel
        >>> mask = jnp.full((2, 1, 4, 4, 1), True)
        >>> contexts, weight = drawn(pixel(0.5), 3)(jax.random.key(0), mask, jnp.ones(()))
        >>> contexts.shape, weight.sum(axis=0).tolist()
        ((3, 2, 1, 4, 4, 1), [1.0, 1.0])
    """
    _at_least_one(members)

    def feed(key: PRNGKey, mask: Bool[Array, "n *event"], density: Float[Array, ""]) -> Contexts:
        del density
        contexts = jax.vmap(lambda k: split(k, mask)[0])(jax.random.split(key, members))
        return contexts, _equal(members, mask)

    return feed


def observed(key: PRNGKey, mask: Bool[Array, "n *event"], density: Float[Array, ""]) -> Contexts:
    """All that is observed, as one context: no information is thrown away, but training may never
    have shown as much.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.full((2, 1, 4, 4, 1), True)
        >>> observed(jax.random.key(0), mask, jnp.ones(()))[0].shape
        (1, 2, 1, 4, 4, 1)
    """
    del key, density
    return mask[None], _equal(1, mask)


def every_block(grid: tuple[int, int] = (3, 3), most: int | None = None) -> Feed:
    """Each context that leaves one observed block out, once: no variance is left over.

    Args:
        grid: number of blocks along y and x.
        most: contexts to use at most, if no sample has more observed blocks; None = all blocks.

    Returns:
        The feed.

    Raises:
        OptionError: fewer than one context.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.full((1, 1, 6, 6, 1), True).at[0, 0, :2, :2].set(False)
        >>> contexts, weight = every_block()(jax.random.key(0), mask, jnp.ones(()))
        >>> contexts.shape[0], int((weight > 0).sum())
        (9, 8)
    """
    number = grid[0] * grid[1]
    most = number if most is None else min(most, number)
    _at_least_one(most)

    def feed(key: PRNGKey, mask: Bool[Array, "n *event"], density: Float[Array, ""]) -> Contexts:
        del key, density
        labels = axis_labels(mask.shape, Units(1, *grid))
        units = observed_units(mask, labels)
        flat = units.reshape(units.shape[0], -1)
        # the k-th context leaves out the k-th observed block
        place = jnp.where(flat, jnp.cumsum(flat, axis=1), 0).reshape(units.shape)
        contexts = jnp.stack([mask & spread(place != i + 1, labels) for i in range(most)])
        used = jnp.arange(most)[:, None] < jnp.maximum(flat.sum(axis=1), 1)[None]
        weight = used / used.sum(axis=0, keepdims=True)
        return contexts, weight.astype(jnp.float32)

    return feed


def matched(members: int = 10, grid: tuple[int, int] | None = None) -> Feed:
    r"""As dense as in training, however much is observed (section H.5 of the paper).

    Of a mask that observes a share :math:`r` of the entries, the context keeps the share
    :math:`\min(1, r_{\mathrm{shown}} / r)`, so that the model sees inputs of the density it was
    trained on; with a grid, it keeps that number of whole blocks. `context_share` is the rule, with
    an error where it has no answer; here a mask that is too thin is fed whole.

    Args:
        members: number of contexts, at least 1.
        grid: blocks along y and x, for partitions by blocks; None = single places.

    Returns:
        The feed.

    Raises:
        OptionError: fewer than one context.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mask = jnp.full((1, 1, 64, 64, 1), True)
        >>> contexts, _ = matched(2)(jax.random.key(0), mask, jnp.asarray(0.4))
        >>> bool(abs(contexts.mean() - 0.4) < 0.03)
        True
    """
    _at_least_one(members)

    def one(key, mask, density):
        if grid is None:
            share = density / jnp.maximum(jnp.mean(mask, axis=tuple(range(1, mask.ndim))), 1e-6)
            labels = axis_labels(mask.shape, Units(1, None, None))
            shape = (mask.shape[0], *(1 if a is None else len(a) for a in labels))
            share = share.reshape(-1, *(1,) * (mask.ndim - 1))
            return mask & spread(random.uniform(key, shape) < share, labels)
        labels = axis_labels(mask.shape, Units(1, *grid))
        number = jnp.maximum(jnp.round(density * grid[0] * grid[1]), 1.0)
        score = random.uniform(key, observed_units(mask, labels).shape)
        score = jnp.where(observed_units(mask, labels), score, 2.0)
        flat = score.reshape(mask.shape[0], -1)
        rank = jnp.argsort(jnp.argsort(flat, axis=1), axis=1).reshape(score.shape)
        return mask & spread(rank < number, labels)

    def feed(key: PRNGKey, mask: Bool[Array, "n *event"], density: Float[Array, ""]) -> Contexts:
        contexts = jax.vmap(lambda k: one(k, mask, density))(jax.random.split(key, members))
        return contexts, _equal(members, mask)

    return feed


def context_share(trained: Scalar, share: Scalar, observed: Scalar) -> float:
    r"""The share of the observed entries to show, for inputs as dense as in training.

    .. math:: r_{\mathrm{ctx}} = r_{\mathrm{train}}\, a / r_{\mathrm{test}}

    Args:
        trained: share of the entries that was observed in training.
        share: share `a` of those that the contexts kept.
        observed: share of the entries that is observed now.

    Returns:
        The share, in (0, 1].

    Raises:
        OptionError: shares out of range, or fewer entries observed than contexts showed in
            training: there is no such context.

    Example:
        >>> round(context_share(0.8, 0.5, 0.6), 3)
        0.667

    Source: "Incomplete Data, Complete Dynamics" (ICLR 2026), section H.5; the empty cells of its
    Table 9 are where this raises.
    """
    for name, value in {"trained": trained, "share": share, "observed": observed}.items():
        if not 0 < float(value) <= 1:
            raise OptionError(f"{name} is {value}; expected a share in (0, 1]")
    shown = float(trained) * float(share)
    if shown > float(observed):
        raise OptionError(
            f"training showed {shown:.3g} of the entries and {float(observed):.3g} are observed "
            "now, so no context is as dense. Feed all that is observed (feed='observed'), or train "
            "with a smaller or a random share"
        )
    return shown / float(observed)


def _equal(members: int, mask: jax.Array) -> jax.Array:
    return jnp.full((members, mask.shape[0]), 1 / members, jnp.float32)


def _at_least_one(members: int) -> None:
    if members < 1:
        raise OptionError(f"members is {members}; expected at least 1 context")
